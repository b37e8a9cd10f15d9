package store

import "context"

// ToDevice is a message to one device. It is kept until the device has acknowledged it.
type ToDevice struct {
	Pos     int64
	Sender  string
	Type    string
	Content string // JSON
}

// AddToDevice sends a message to a device and logs it. device is the device's number, or 0 if
// it has none here.
func (t *Tx) AddToDevice(d DeviceName, device int64, m ToDevice) error {
	pos, err := t.Log(Entry{Kind: KindToDevice, User: d.User, Ref: device})
	if err != nil {
		return err
	}
	return t.exec("to_device_put", pos, d.User, d.ID, m.Sender, m.Type, m.Content)
}

// ToDeviceAfter reads the messages waiting for a device in (after, upto], oldest first.
func (s *Store) ToDeviceAfter(ctx context.Context, d DeviceName, after, upto int64, limit int) ([]ToDevice, error) {
	return collect(ctx, s, "to_device_after", func(r scanner) (m ToDevice, err error) {
		return m, r.Scan(&m.Pos, &m.Sender, &m.Type, &m.Content)
	}, d.User, d.ID, after, upto, limit)
}

// DeleteToDevice removes the messages up to a position, which the device has acknowledged.
func (t *Tx) DeleteToDevice(d DeviceName, upto int64) error {
	return t.exec("to_device_upto", d.User, d.ID, upto)
}

// AddressedToDevice is a message together with the device that it is for.
type AddressedToDevice struct {
	Device DeviceName
	ToDevice
}

// ToDeviceAt reads the message at a place in the log; ErrNotFound if it has been acknowledged.
func (s *Store) ToDeviceAt(ctx context.Context, pos int64) (m AddressedToDevice, err error) {
	m.Pos = pos
	return m, s.row(ctx, "to_device_at", pos).Scan(&m.Device.User, &m.Device.ID, &m.Sender, &m.Type, &m.Content)
}
