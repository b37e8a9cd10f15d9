package slidingsync

import (
	"context"
	"encoding/json/jsontext"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/store"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// extensionResults are the answers of the extensions that are switched on.
type extensionResults struct {
	ToDevice    *toDeviceResult `json:"to_device,omitzero"`
	E2EE        *e2eeResult     `json:"e2ee,omitzero"`
	AccountData *accountResult  `json:"account_data,omitzero"`
	Receipts    *roomsResult    `json:"receipts,omitzero"`
	Typing      *roomsResult    `json:"typing,omitzero"`
}

type toDeviceResult struct {
	Next   string           `json:"next_batch"`
	Events []jsontext.Value `json:"events"`
}

type e2eeResult struct {
	Lists    *homesync.DeviceLists `json:"device_lists,omitzero"`
	Counts   map[string]int        `json:"device_one_time_keys_count"`
	Fallback []string              `json:"device_unused_fallback_key_types"`
}

type roomsResult struct {
	Rooms map[string]ephemeral `json:"rooms"`
}

type ephemeral struct {
	Type    string `json:"type"`
	Content any    `json:"content"`
}

func (b *builder) extensions(ctx context.Context, order []int64, since int64) (out extensionResults, err error) {
	if out.ToDevice, err = b.toDevice(ctx, since); err != nil {
		return out, err
	}
	if out.E2EE, err = b.e2ee(ctx); err != nil {
		return out, err
	}
	if out.AccountData, err = b.accountData(ctx, order); err != nil {
		return out, err
	}
	if out.Receipts, err = b.receipts(ctx, order); err != nil {
		return out, err
	}
	out.Typing, err = b.typing(ctx, order)
	return out, err
}

// toDeviceMax is how many messages to a device one answer carries.
const toDeviceMax = 100

// toDevice brings messages to the device after those that the client says to have.
func (b *builder) toDevice(ctx context.Context, since int64) (*toDeviceResult, error) {
	e := b.q.Extensions.ToDevice
	if !e.Enabled || b.q.DeviceID == "" {
		return nil, nil
	}
	limit := toDeviceMax
	if e.Limit > 0 {
		limit = min(e.Limit, toDeviceMax)
	}
	out := &toDeviceResult{Next: strconv.FormatInt(b.view.Pos, 10), Events: []jsontext.Value{}}
	if b.view.ToDevice <= since {
		return out, nil
	}
	events, last, more, err := b.s.o.Devices.ToDevice(ctx, b.q.User, b.q.DeviceID, since, b.view.Pos, limit)
	if err != nil {
		return nil, err
	}
	if more {
		out.Next = strconv.FormatInt(last, 10)
	}
	if len(events) > 0 {
		out.Events, b.some = events, true
	}
	return out, nil
}

// e2ee tells of device lists, and of the keys that are left.
func (b *builder) e2ee(ctx context.Context) (*e2eeResult, error) {
	if !b.q.Extensions.E2EE.Enabled || b.q.DeviceID == "" {
		return nil, nil
	}
	out := &e2eeResult{}
	var err error
	if out.Counts, out.Fallback, err = b.s.o.Devices.Counts(ctx, b.q.User, b.q.DeviceID); err != nil {
		return nil, err
	}
	if _, ok := out.Counts["signed_curve25519"]; !ok {
		out.Counts["signed_curve25519"] = 0
	}
	b.next.counts = keyOf(out)
	b.some = b.some || b.next.counts != b.base.counts
	if b.initial {
		return out, nil
	}
	lists, err := b.s.syncer.DeviceListsSince(ctx, b.q.UserID, b.q.User, b.base.token.Log, b.view.Pos, b.view)
	if err != nil {
		return nil, err
	}
	if len(lists.Changed)+len(lists.Left) > 0 {
		out.Lists, b.some = &lists, true
	}
	return out, nil
}

// scope lists those of the rooms that an extension is about.
func (b *builder) scope(ctx context.Context, e RoomExtension, order []int64) (out []int64) {
	for _, room := range order {
		n := b.needed[room]
		in := func(names *[]string, has func(string) bool) bool {
			return names == nil || slices.ContainsFunc(*names, func(s string) bool { return s == "*" || has(s) })
		}
		name, err := b.store.RoomByNID(ctx, room)
		if err != nil {
			continue // it was found a moment ago
		}
		_, subscribed := b.q.Subscriptions[name.ID]
		if len(n.lists) > 0 && in(e.Lists, func(l string) bool { return slices.Contains(n.lists, l) }) ||
			subscribed && in(e.Rooms, func(r string) bool { return r == name.ID }) {
			out = append(out, room)
		}
	}
	return out
}

// receipts tells of receipts that are new; of a room that is sent for the first time those of the
// events that were sent, and the user's own.
func (b *builder) receipts(ctx context.Context, order []int64) (*roomsResult, error) {
	if !b.q.Extensions.Receipts.Enabled {
		return nil, nil
	}
	out := &roomsResult{Rooms: map[string]ephemeral{}}
	for _, room := range b.scope(ctx, b.q.Extensions.Receipts, order) {
		st := b.rooms[room]
		if st.Membership.Membership != "join" {
			continue
		}
		was := int64(0)
		if s := b.base.rooms[room]; s != nil {
			was = s.receipts
		}
		b.sent(room, func(s *sentRoom) { s.receipts = b.view.Pos })
		if was > 0 && st.Receipts <= was {
			continue
		}
		all, err := b.store.ReceiptsAfter(ctx, room, was, b.view.Pos)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(c store.Receipt) bool { return b.hides(ctx, c, room, was == 0) })
		content, err := homesync.Receipts(ctx, b.store, all, b.q.User)
		if err != nil {
			return nil, err
		}
		if len(content) == 0 {
			continue
		}
		name, err := b.store.RoomByNID(ctx, room)
		if err != nil {
			return nil, err
		}
		out.Rooms[name.ID] = ephemeral{"m.receipt", content}
		b.some = true
	}
	return out, nil
}

// hides tells whether a receipt is left out: those of ignored users, and at first those of events
// that are not in the timeline.
func (b *builder) hides(ctx context.Context, c store.Receipt, room int64, first bool) bool {
	if c.User == b.q.User {
		return false
	}
	id, err := b.store.UserID(ctx, c.User)
	if err != nil || b.own.ignored[id] {
		return true
	}
	return first && !slices.Contains(b.shown[room], c.Event)
}

// typing tells who types, where that has changed.
func (b *builder) typing(ctx context.Context, order []int64) (*roomsResult, error) {
	if !b.q.Extensions.Typing.Enabled {
		return nil, nil
	}
	out := &roomsResult{Rooms: map[string]ephemeral{}}
	for _, room := range b.scope(ctx, b.q.Extensions.Typing, order) {
		if b.rooms[room].Membership.Membership != "join" {
			continue
		}
		after := b.base.token.Brief
		if b.base.rooms[room] == nil {
			after = 0
		}
		users, changed := b.s.o.Typing.Since(room, after)
		users = slices.DeleteFunc(users, func(u string) bool { return b.own.ignored[u] })
		if !changed || after == 0 && len(users) == 0 {
			continue
		}
		name, err := b.store.RoomByNID(ctx, room)
		if err != nil {
			return nil, err
		}
		out.Rooms[name.ID] = ephemeral{"m.typing", map[string][]string{"user_ids": users}}
		b.some = true
	}
	return out, nil
}
