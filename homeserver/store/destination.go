package store

import "context"

// Destination is how far another server has been told of the log. While transaction Txn is under
// way, it has what is in (Cursor, TxnUpto]; otherwise TxnUpto is 0.
type Destination struct{ Server, Cursor, Txn, TxnUpto int64 }

func scanDestination(r scanner) (d Destination, err error) {
	return d, r.Scan(&d.Server, &d.Cursor, &d.Txn, &d.TxnUpto)
}

// Destination reads a server's; ErrNotFound if it has none.
func (s *Store) Destination(ctx context.Context, server int64) (Destination, error) {
	return scanDestination(s.row(ctx, "destination_get", server))
}

// Destinations lists all.
func (s *Store) Destinations(ctx context.Context) ([]Destination, error) {
	return collect(ctx, s, "destination_list", scanDestination)
}

// SetDestination keeps one.
func (t *Tx) SetDestination(d Destination) error {
	return t.exec("destination_put", d.Server, d.Cursor, d.Txn, d.TxnUpto)
}

// EDU is a message to a server that must not get lost.
type EDU struct {
	Pos  int64
	JSON []byte
}

// AddEDU puts a message for a server (by number) into the log.
func (t *Tx) AddEDU(server int64, raw []byte) (pos int64, err error) {
	if pos, err = t.Log(Entry{Kind: KindEDU, Ref: server}); err != nil {
		return 0, err
	}
	return pos, t.exec("edu_out_insert", server, pos, raw)
}

// EDUs lists the messages for a server in (after, upto].
func (s *Store) EDUs(ctx context.Context, server, after, upto int64, limit int) ([]EDU, error) {
	return collect(ctx, s, "edu_out_list", func(r scanner) (e EDU, err error) { return e, r.Scan(&e.Pos, &e.JSON) }, server, after, upto, limit)
}

// DeleteEDUs removes those up to a position.
func (t *Tx) DeleteEDUs(server, upto int64) error { return t.exec("edu_out_delete", server, upto) }

// RemoteDevice is a device of a user of another server, as that server describes it.
type RemoteDevice struct {
	User   int64
	ID     string
	Stream int64
	JSON   []byte
}

// RemoteDevices lists a user's.
func (s *Store) RemoteDevices(ctx context.Context, user int64) ([]RemoteDevice, error) {
	return collect(ctx, s, "remote_device_list", func(r scanner) (d RemoteDevice, err error) {
		return d, r.Scan(&d.User, &d.ID, &d.Stream, &d.JSON)
	}, user)
}

// PutRemoteDevice keeps one.
func (t *Tx) PutRemoteDevice(d RemoteDevice) error {
	return t.exec("remote_device_put", d.User, d.ID, d.Stream, d.JSON)
}

// DeleteRemoteDevice removes one.
func (t *Tx) DeleteRemoteDevice(user int64, device string) error {
	return t.exec("remote_device_delete", user, device)
}

// RemoteDevice reads the description of one; ErrNotFound if there is none.
func (t *Tx) RemoteDevice(user int64, device string) (json []byte, err error) {
	return json, t.row("remote_device_get", user, device).Scan(&json)
}

// RemoteDeviceList reads how well a user's devices are known; ErrNotFound if nothing is.
func (t *Tx) RemoteDeviceList(user int64) (RemoteDeviceList, error) {
	return scanDeviceList(t.row("remote_device_list_get", user))
}

// StaleDeviceListsIn marks the lists of all who are in a room as stale: what was said of them before this
// server was in it wasn't heard.
func (t *Tx) StaleDeviceListsIn(room int64) error { return t.exec("remote_device_list_room", room) }

// StaleDeviceList marks the list of a user who shares no room any more as stale: updates aren't heard of.
func (t *Tx) StaleDeviceList(user int64) error { return t.exec("remote_device_list_left", user) }

// SetRemoteDevices replaces all of a user's.
func (t *Tx) SetRemoteDevices(user int64, devices []RemoteDevice) error {
	if err := t.exec("remote_device_clear", user); err != nil {
		return err
	}
	for _, d := range devices {
		d.User = user
		if err := t.PutRemoteDevice(d); err != nil {
			return err
		}
	}
	return nil
}

// RemoteDeviceList tells how well a remote user's devices are known: stale ones must be fetched.
type RemoteDeviceList struct {
	User   int64
	Stale  bool
	Stream int64
}

func scanDeviceList(r scanner) (l RemoteDeviceList, err error) {
	var stale int
	err = r.Scan(&l.User, &stale, &l.Stream)
	l.Stale = stale != 0
	return l, err
}

// RemoteDeviceList reads a user's; ErrNotFound if nothing is known.
func (s *Store) RemoteDeviceList(ctx context.Context, user int64) (RemoteDeviceList, error) {
	return scanDeviceList(s.row(ctx, "remote_device_list_get", user))
}

// StaleDeviceLists lists stale ones of users numbered above after.
func (s *Store) StaleDeviceLists(ctx context.Context, after int64, limit int) ([]RemoteDeviceList, error) {
	return collect(ctx, s, "remote_device_list_stale", scanDeviceList, after, limit)
}

// SetRemoteDeviceList keeps one.
func (t *Tx) SetRemoteDeviceList(l RemoteDeviceList) error {
	return t.exec("remote_device_list_put", l.User, bit(l.Stale), l.Stream)
}

// ForgetRemoteDevices forgets a user's devices and their list.
func (t *Tx) ForgetRemoteDevices(user int64) error {
	if err := t.exec("remote_device_clear", user); err != nil {
		return err
	}
	return t.exec("remote_device_list_delete", user)
}
