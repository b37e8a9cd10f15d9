package appservices

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// transaction is what is handed over at once: what lies in the log up to a position.
type transaction struct {
	id        string
	raw       []byte // the body, once it is made
	upto      int64
	events    []jsontext.Value
	ephemeral []jsontext.Value
	toDevice  []jsontext.Value
	changed   []string
	size      int // bytes of events, ephemeral and toDevice
	// taken are the devices in toDevice, with the position of the last message.
	taken map[store.DeviceName]int64
	// otk and fallback tell of the keys of devices that got messages: by user and device.
	otk      map[string]map[string]map[string]int
	fallback map[string]map[string][]string
}

// full tells whether no more is to be added. Frameworks refuse large bodies, some from 1 MiB on, and what
// is refused once is refused for ever; so the bound leaves room for one more event, as large as they get.
func (t *transaction) full() bool {
	return len(t.events)+len(t.ephemeral)+len(t.toDevice) >= eventsMax || t.size >= bytesMax
}

// room is how many more items fit; one at least, so that nothing waits for ever behind a busy log.
func (t *transaction) room() int {
	return max(eventsMax-len(t.events)-len(t.ephemeral)-len(t.toDevice), 1)
}

func (t *transaction) empty() bool {
	return len(t.events)+len(t.ephemeral)+len(t.toDevice)+len(t.changed) == 0
}

// body is the transaction's JSON: specification, PUT /_matrix/app/v1/transactions/{txnId}, with
// the unstable names of what older bridges read.
func (t *transaction) body() []byte {
	dst := []byte(`{"events":`)
	dst = appendArray(dst, t.events)
	if len(t.ephemeral) > 0 {
		dst = appendArray(append(dst, `,"ephemeral":`...), t.ephemeral)
		dst = appendArray(append(dst, `,"de.sorunome.msc2409.ephemeral":`...), t.ephemeral)
	}
	if len(t.toDevice) > 0 {
		dst = appendArray(append(dst, `,"to_device":`...), t.toDevice)
		dst = appendArray(append(dst, `,"de.sorunome.msc2409.to_device":`...), t.toDevice)
	}
	if len(t.changed) > 0 {
		raw, _ := json.Marshal(map[string][]string{"changed": t.changed, "left": {}}, json.Deterministic(true))
		dst = append(append(dst, `,"device_lists":`...), raw...)
		dst = append(append(dst, `,"org.matrix.msc3202.device_lists":`...), raw...)
	}
	if len(t.otk) > 0 {
		raw, _ := json.Marshal(t.otk, json.Deterministic(true))
		dst = append(append(dst, `,"device_one_time_keys_count":`...), raw...)
		dst = append(append(dst, `,"org.matrix.msc3202.device_one_time_keys_count":`...), raw...)
	}
	if len(t.fallback) > 0 {
		raw, _ := json.Marshal(t.fallback, json.Deterministic(true))
		dst = append(append(dst, `,"device_unused_fallback_key_types":`...), raw...)
		dst = append(append(dst, `,"org.matrix.msc3202.device_unused_fallback_key_types":`...), raw...)
	}
	return append(dst, '}')
}

func appendArray(dst []byte, items []jsontext.Value) []byte {
	dst = append(dst, '[')
	for i, v := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, v...)
	}
	return append(dst, ']')
}

// gather reads the log in (after, upto] and picks what concerns the service. The transaction's
// upto is the last position looked at.
func (d *sender) gather(ctx context.Context, after, upto int64) (*transaction, error) {
	t := &transaction{upto: after}
	// Nobody looks beyond what is published: what is read must be whole.
	upto = min(upto, d.s.o.Store.Position())
	if upto > after {
		entries, err := d.s.pages.read(ctx, after, upto)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Pos > upto {
				break
			}
			if err := d.take(ctx, t, e); err != nil {
				return nil, err
			}
			t.upto = e.Pos
			if t.full() {
				break
			}
		}
	}
	if err := d.takeTyping(ctx, t); err != nil {
		return nil, err
	}
	return t, d.takePresence(ctx, t)
}

// take adds one log entry to a transaction, if it concerns the service.
func (d *sender) take(ctx context.Context, t *transaction, e store.Entry) error {
	s := d.s.o.Store
	switch e.Kind {
	case store.KindEvent:
		ev, err := s.Event(ctx, e.Ref)
		if errors.Is(err, store.ErrNotFound) {
			return nil // purged since
		} else if err != nil {
			return err
		}
		ok, err := d.rooms.event(ctx, ev)
		if err != nil || !ok {
			return err
		}
		if ev.Has(event.Imported) {
			return nil
		}
		if err := d.makeUser(ctx, ev); err != nil {
			return err
		}
		raw, err := d.render(ctx, ev)
		if err != nil {
			return err
		}
		t.events = append(t.events, raw)
		t.size += len(raw)
	case store.KindState:
		// What is known of the room's members may be otherwise now. The event that has come to hold
		// again was sent before.
		d.rooms.members.Remove(e.Room)
	case store.KindReceipt:
		if !d.reg.ReceiveEphemeral {
			return nil
		}
		return d.takeReceipt(ctx, t, e)
	case store.KindToDevice:
		if !d.reg.ReceiveEphemeral {
			return nil
		}
		return d.takeToDevice(ctx, t, e)
	case store.KindDeviceList:
		if !d.reg.MSC3202 {
			return nil
		}
		id, err := s.UserID(ctx, e.User)
		if err == nil && !slices.Contains(t.changed, id) {
			t.changed = append(t.changed, id)
		}
		return err
	}
	return nil
}

// render is an event as services see it. Specification, m.room.member: "unsigned.invite_room_state: A subset of the
// state of the room at the time of the invite, if membership is invite."
func (d *sender) render(ctx context.Context, ev *event.Event) ([]byte, error) {
	r := sync.Render{Store: d.s.o.Store, RoomID: true, NowMS: d.s.o.Now().UnixMilli()}
	raw, err := r.Event(ctx, nil, ev)
	if err == nil {
		raw, err = d.renamed(ctx, ev.Room, raw)
	}
	if err != nil || ev.Type != "m.room.member" || ev.StateKey == nil || ev.Membership() != "invite" || !d.rooms.user(*ev.StateKey) {
		return raw, err
	}
	stripped, err := r.Stripped(ctx, nil, ev)
	if err != nil {
		return nil, err
	}
	state := gjson.ParseBytes(stripped).Array()
	list := []byte{'['}
	// The last one is the invitation itself.
	for i, e := range state[:max(len(state)-1, 0)] {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, e.Raw...)
	}
	return sjson.SetRawBytes(raw, "unsigned.invite_room_state", append(list, ']'))
}

// takeToDevice adds a message to a device of one of the service's users. MSC4203: the event has
// to_user_id and to_device_id.
func (d *sender) takeToDevice(ctx context.Context, t *transaction, e store.Entry) error {
	s := d.s.o.Store
	user, err := s.UserID(ctx, e.User)
	if err != nil {
		return err
	}
	if !d.rooms.user(user) {
		return nil
	}
	m, err := s.ToDeviceAt(ctx, e.Pos)
	if errors.Is(err, store.ErrNotFound) {
		return nil // acknowledged already, by a device that syncs
	} else if err != nil {
		return err
	}
	raw, err := json.Marshal(map[string]any{"type": m.Type, "sender": m.Sender, "content": jsontext.Value(m.Content),
		"to_user_id": user, "to_device_id": m.Device.ID}, json.Deterministic(true))
	if err != nil {
		return err
	}
	t.toDevice = append(t.toDevice, raw)
	t.size += 2 * len(raw) // by both names
	if t.taken == nil {
		t.taken = map[store.DeviceName]int64{}
	}
	t.taken[m.Device] = e.Pos
	if !d.reg.MSC3202 {
		return nil
	}
	counts, err := s.OneTimeKeyCounts(ctx, m.Device)
	if err != nil {
		return err
	}
	unused, err := s.UnusedFallbackKeys(ctx, m.Device)
	if err != nil {
		return err
	}
	if unused == nil {
		unused = []string{}
	}
	if t.otk == nil {
		t.otk, t.fallback = map[string]map[string]map[string]int{}, map[string]map[string][]string{}
	}
	if t.otk[user] == nil {
		t.otk[user], t.fallback[user] = map[string]map[string]int{}, map[string][]string{}
	}
	t.otk[user][m.Device.ID], t.fallback[user][m.Device.ID] = counts, unused
	return nil
}
