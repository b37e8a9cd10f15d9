package homeserver

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"maps"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// devices tells /sync of end-to-end encryption.
type devices struct {
	s *store.Store
	// counts remembers Counts: every answer has them, and they seldom change.
	counts *lru.Cache[store.DeviceName, keyCounts]
}

// keyCounts are the keys that a device has left, as of store.KeyChanges.
type keyCounts struct {
	at       int64
	otk      map[string]int
	fallback []string
}

// keyCountsMax is how many devices' counts are remembered.
const keyCountsMax = 8192

var _ sync.Devices = devices{}

func newDevices(s *store.Store) devices {
	c, _ := lru.New[store.DeviceName, keyCounts](keyCountsMax) // it fails only for a size that is not positive
	return devices{s, c}
}

func (d devices) ToDevice(ctx context.Context, user int64, device string, after, upto int64, limit int) (events []jsontext.Value, last int64, more bool, err error) {
	all, err := d.s.ToDeviceAfter(ctx, store.DeviceName{User: user, ID: device}, after, upto, limit+1)
	if err != nil {
		return nil, 0, false, err
	}
	if more = len(all) > limit; more {
		all = all[:limit]
	}
	for _, m := range all {
		raw, err := json.Marshal(map[string]any{"sender": m.Sender, "type": m.Type, "content": jsontext.Value(m.Content)}, json.Deterministic(true))
		if err != nil {
			return nil, 0, false, err
		}
		events, last = append(events, raw), m.Pos
	}
	return events, last, more, nil
}

func (d devices) Acknowledge(ctx context.Context, user int64, device string, upto int64) error {
	name := store.DeviceName{User: user, ID: device}
	// Most syncs have nothing to acknowledge, and reading is cheaper than writing.
	waiting, err := d.s.ToDeviceAfter(ctx, name, 0, upto, 1)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return d.s.Write(ctx, func(t *store.Tx) error { return t.DeleteToDevice(name, upto) })
}

func (d devices) Counts(ctx context.Context, user int64, device string) (map[string]int, []string, error) {
	name := store.DeviceName{User: user, ID: device}
	now := d.s.KeyChanges()
	if c, ok := d.counts.Get(name); ok && c.at == now {
		return maps.Clone(c.otk), c.fallback, nil
	}
	otk, err := d.s.OneTimeKeyCounts(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	fallback, err := d.s.UnusedFallbackKeys(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	d.counts.Add(name, keyCounts{now, otk, fallback})
	return maps.Clone(otk), fallback, nil
}

func (d devices) ChangedLists(ctx context.Context, viewer, after, upto int64) ([]int64, error) {
	return d.s.DeviceListChangesFor(ctx, viewer, after, upto)
}
