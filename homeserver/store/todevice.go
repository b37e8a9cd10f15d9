package store

import (
	"context"
	"errors"
	"unicode/utf8"
)

// ToDevice is a message to one device. It is kept until the device has acknowledged it.
type ToDevice struct {
	Pos     int64
	Sender  string
	Type    string
	Content string // JSON
}

// Bounds of what waits for one device. A device that does not come for its messages would gather
// them for ever; beyond a bound the oldest go, some at once. What they carry is mostly keys of
// sessions that are long over, and a device that comes back can ask for keys again.
const (
	ToDeviceMax      = 200_000   // messages
	ToDeviceMaxBytes = 128 << 20 // characters of their contents
	toDeviceDrop     = 1000      // messages
)

// AddToDevice sends a message to a device and logs it. device is the device's number, or 0 if
// it has none here.
func (t *Tx) AddToDevice(d DeviceName, device int64, m ToDevice) error {
	pos, err := t.Log(Entry{Kind: KindToDevice, User: d.User, Ref: device})
	if err != nil {
		return err
	}
	if err := t.exec("to_device_put", pos, d.User, d.ID, m.Sender, m.Type, m.Content); err != nil {
		return err
	}
	var messages, bytes int64
	if err := t.row("to_device_size_add", d.User, d.ID, utf8.RuneCountInString(m.Content)).Scan(&messages, &bytes); err != nil {
		return err
	}
	if messages <= t.w.s.toDeviceMax && bytes <= ToDeviceMaxBytes {
		return nil
	}
	return t.dropToDevice(d)
}

// dropToDevice drops a device's oldest messages.
func (t *Tx) dropToDevice(d DeviceName) error {
	var pos int64
	err := t.row("to_device_nth", d.User, d.ID, min(toDeviceDrop, t.w.s.toDeviceMax/10)).Scan(&pos)
	if errors.Is(err, ErrNotFound) {
		// Fewer and huge ones: half a megabyte each at most, so the bound holds nearly.
		err = t.row("to_device_nth", d.User, d.ID, 0).Scan(&pos)
	}
	if err != nil {
		return err
	}
	n, err := t.deleteToDevice(d, pos)
	t.after = append(t.after, func() { t.w.s.toDeviceDropped.Add(n) })
	return err
}

// ToDeviceDropped counts the messages that were dropped since the start because too many waited
// for their device.
func (s *Store) ToDeviceDropped() int64 { return s.toDeviceDropped.Load() }

// ToDeviceAfter reads the messages waiting for a device in (after, upto], oldest first.
func (s *Store) ToDeviceAfter(ctx context.Context, d DeviceName, after, upto int64, limit int) ([]ToDevice, error) {
	return collect(ctx, s, "to_device_after", func(r scanner) (m ToDevice, err error) {
		return m, r.Scan(&m.Pos, &m.Sender, &m.Type, &m.Content)
	}, d.User, d.ID, after, upto, limit)
}

// DeleteToDevice removes the messages up to a position, which the device has acknowledged.
func (t *Tx) DeleteToDevice(d DeviceName, upto int64) error {
	_, err := t.deleteToDevice(d, upto)
	return err
}

func (t *Tx) deleteToDevice(d DeviceName, upto int64) (messages int64, err error) {
	var bytes int64
	if err := t.row("to_device_sum", d.User, d.ID, upto).Scan(&messages, &bytes); err != nil || messages == 0 {
		return 0, err
	}
	if err := t.exec("to_device_size_less", d.User, d.ID, messages, bytes); err != nil {
		return 0, err
	}
	return messages, t.exec("to_device_upto", d.User, d.ID, upto)
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
