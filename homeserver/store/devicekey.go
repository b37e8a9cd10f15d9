package store

import "context"

// DeviceKeys are the identity keys of a device, as it signed them.
type DeviceKeys struct {
	DeviceID string
	JSON     string
}

func scanDeviceKeys(r scanner) (k DeviceKeys, err error) { return k, r.Scan(&k.DeviceID, &k.JSON) }

// DeviceKeys reads a device's identity keys; ErrNotFound if it has uploaded none.
func (s *Store) DeviceKeys(ctx context.Context, d DeviceName) (DeviceKeys, error) {
	return scanDeviceKeys(s.row(ctx, "device_key_get", d.User, d.ID))
}

// DeviceKeysOf lists the identity keys of a user's devices.
func (s *Store) DeviceKeysOf(ctx context.Context, user int64) ([]DeviceKeys, error) {
	return collect(ctx, s, "device_key_list", scanDeviceKeys, user)
}

// DeviceKeys is Store.DeviceKeys as the transaction sees it.
func (t *Tx) DeviceKeys(d DeviceName) (DeviceKeys, error) {
	return scanDeviceKeys(t.row("device_key_get", d.User, d.ID))
}

// SetDeviceKeys replaces a device's identity keys. It does not log the change.
func (t *Tx) SetDeviceKeys(d DeviceName, json string) error {
	return t.exec("device_key_put", d.User, d.ID, json)
}

// DeviceListChanged logs that the keys which a user publishes have changed: those of devices, or of
// the user (cross-signing) if none is named.
func (t *Tx) DeviceListChanged(user int64, devices ...string) error {
	return t.deviceListChanged(user, 0, devices)
}

// nobody is the viewer of what only other servers are told.
const nobody = -1

// IntroduceDevices has the devices of a user of this server told to servers that don't know them yet. To
// clients it is no news.
func (t *Tx) IntroduceDevices(user int64, devices ...string) error {
	return t.deviceListChanged(user, nobody, devices)
}

func (t *Tx) deviceListChanged(user, viewer int64, devices []string) error {
	if len(devices) == 0 {
		devices = []string{""}
	}
	for _, device := range devices {
		var prev int64
		if err := t.row("device_update_last", user).Scan(&prev); err != nil {
			return err
		}
		pos, err := t.Log(Entry{Kind: KindDeviceList, User: user, Ref: viewer})
		if err != nil {
			return err
		}
		if err := t.exec("device_update_put", user, device, pos, prev); err != nil {
			return err
		}
	}
	return nil
}

// DeviceListChangedFor logs that one viewer, and nobody else, sees a user's keys otherwise than
// before: with a signature of the viewer's own.
func (t *Tx) DeviceListChangedFor(user, viewer int64) error {
	_, err := t.Log(Entry{Kind: KindDeviceList, User: user, Ref: viewer})
	return err
}

// DeviceListChangesFor lists the users whose published keys, as a viewer sees them, changed in
// (after, upto].
func (s *Store) DeviceListChangesFor(ctx context.Context, viewer, after, upto int64) ([]int64, error) {
	return collect(ctx, s, "device_list_changed_for", scanInt, after, upto, viewer)
}

// DeviceListChanges lists the users whose published keys changed, for everybody or for one
// viewer, in (after, upto].
func (s *Store) DeviceListChanges(ctx context.Context, after, upto int64) ([]int64, error) {
	return collect(ctx, s, "device_list_changed", scanInt, after, upto)
}

// DeleteDeviceKeys removes all that a device has published, the signatures on it, and the
// messages waiting for it. The change is logged: other servers know of devices without keys, too.
func (t *Tx) DeleteDeviceKeys(d DeviceName) error {
	for _, query := range [...]string{"device_key_delete", "one_time_key_delete", "fallback_key_delete", "key_signature_delete", "to_device_delete", "to_device_size_delete", "dehydrated_delete"} {
		if err := t.exec(query, d.User, d.ID); err != nil {
			return err
		}
	}
	return t.DeviceListChanged(d.User, d.ID)
}
