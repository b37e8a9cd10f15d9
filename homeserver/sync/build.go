package sync

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// builder writes one answer.
type builder struct {
	s    *Syncer
	q    Request
	view View
	upto Token
	out  *stream
	some bool // whether there is anything to tell
	rend Render
	data map[int64][]store.AccountData
	// ignored are the users that this one does not want to hear of, and relisted tells that there
	// may be fewer of them than before.
	ignored  map[string]bool
	relisted bool
	// invites tells whose invitations it wants; nil until somebody has invited it.
	invites *invitefilter.Filter
	// met are the users who came into a room of this one's, and of whom it may not know yet
	// whether they are online; hall are the rooms that this one came into.
	met  map[string]bool
	hall map[int64]bool
	// seen is what Visible last found out.
	seen visibleMemo
}

// build writes the answer and tells whether it says anything new. While it does not, nothing
// has been passed on to the client.
func (b *builder) build(ctx context.Context) (some bool, err error) {
	b.rend = Render{Store: b.s.o.Store, User: b.q.UserID, Scope: b.q.Scope, Membership: true, NowMS: b.s.o.Now().UnixMilli()}
	b.some = b.q.Initial || b.q.FullState
	b.met, b.hall = map[string]bool{}, map[int64]bool{}
	slices.SortFunc(b.view.Rooms, func(x, y Standing) int { return cmp.Compare(x.Room, y.Room) })
	if err := b.loadAccountData(ctx); err != nil {
		return false, err
	}
	o := b.out
	o.str(`{"rooms":{`)
	sections := 0
	for _, sec := range []struct {
		name  string
		write func(context.Context, Standing) (bool, error)
	}{{"join", b.joined}, {"invite", b.invited}, {"knock", b.knocked}, {"leave", b.left}} {
		first := true
		for _, st := range b.view.Rooms {
			mark := o.mark()
			if first {
				if sections > 0 {
					o.str(",")
				}
				o.quote(sec.name)
				o.str(":{")
			} else {
				o.str(",")
			}
			wrote, err := sec.write(ctx, st)
			if err != nil {
				return false, err
			}
			if !wrote {
				o.cut(mark)
				continue
			}
			first = false
			b.some = true
			if err := o.maybe(); err != nil {
				return false, err
			}
		}
		if !first {
			o.str("}")
			sections++
		}
	}
	o.str("}")
	if err := b.presence(ctx); err != nil {
		return false, err
	}
	if err := b.global(ctx); err != nil {
		return false, err
	}
	if err := b.encryption(ctx); err != nil {
		return false, err
	}
	o.str(`,"next_batch":`)
	o.quote(b.upto.String())
	o.str("}")
	return b.some, nil
}

// loadAccountData reads what changed of the user's account data, by room.
func (b *builder) loadAccountData(ctx context.Context) error {
	b.data = map[int64][]store.AccountData{}
	var err error
	if b.ignored, err = b.s.Ignored(ctx, b.q.User, b.view.AccountData); err != nil {
		return err
	}
	if !b.q.Initial && b.view.AccountData <= b.since() {
		return nil
	}
	all, err := b.s.o.Store.AccountDataAfter(ctx, b.q.User, b.since(), b.upto.Log)
	if err != nil {
		return err
	}
	for _, d := range all {
		b.data[d.Room] = append(b.data[d.Room], d)
		b.relisted = b.relisted || d.Room == 0 && d.Type == ignoredType
	}
	return b.pushRules(ctx)
}

// pushRules puts the rendered push rules in the place of what is stored of them. Everybody has
// some, also who never changed any: an initial sync tells them always.
func (b *builder) pushRules(ctx context.Context) error {
	global := b.data[0]
	at := slices.IndexFunc(global, func(d store.AccountData) bool { return d.Type == push.Type })
	if at < 0 {
		if !b.q.Initial {
			return nil
		}
		// What changed just now is past the position of this answer, but defaults would be wrong.
		d, err := b.s.o.Store.AccountData(ctx, b.q.User, 0, push.Type)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		d.Type = push.Type
		at, global = len(global), append(global, d)
	}
	raw, err := push.Render(b.q.UserID, global[at].Content)
	if err != nil {
		return err
	}
	global[at].Content = string(raw)
	b.data[0] = global
	return nil
}

// accountData writes the events of one room's (or 0, the global) account data.
func (b *builder) accountData(room int64, f EventFilter) bool {
	o := b.out
	wrote := false
	for _, d := range b.data[room] {
		// "{}" is what a deletion leaves (MSC3391); an initial sync need not tell of it.
		if !f.AllowsType(d.Type) || b.q.Initial && d.Deleted() {
			continue
		}
		if wrote {
			o.str(",")
		} else {
			o.str(`"account_data":{"events":[`)
		}
		wrote = true
		o.str(`{"type":`)
		o.quote(d.Type)
		o.str(`,"content":`)
		o.str(d.Content)
		o.str("}")
	}
	if wrote {
		o.str("]}")
	}
	return wrote
}

// global writes the user's global account data.
func (b *builder) global(context.Context) error {
	mark := b.out.mark()
	b.out.str(",")
	if b.accountData(0, b.q.Filter.AccountData) {
		b.some = true
	} else {
		b.out.cut(mark)
	}
	return nil
}

// toDeviceMax is how many messages to a device one answer carries; the next brings more.
const toDeviceMax = 100

// encryption writes messages to the device, key counts and changed device lists. Where there
// are more messages than fit, the token says where the next answer has to go on.
func (b *builder) encryption(ctx context.Context) error {
	if b.q.DeviceID == "" {
		return nil
	}
	o, d := b.out, b.s.o.Devices
	after := b.q.Since.Device
	if b.q.Initial {
		after = 0
	}
	if b.view.ToDevice > after {
		events, last, more, err := d.ToDevice(ctx, b.q.User, b.q.DeviceID, after, b.upto.Log, toDeviceMax)
		if err != nil {
			return err
		}
		if len(events) > 0 {
			b.some = true
			o.str(`,"to_device":{"events":[`)
			for i, e := range events {
				if i > 0 {
					o.str(",")
				}
				o.str(string(e))
			}
			o.str("]}")
		}
		if more {
			b.upto.Device = last
		}
	}
	otk, fallback, err := d.Counts(ctx, b.q.User, b.q.DeviceID)
	if err != nil {
		return err
	}
	// Clients take a missing count for "unchanged", so none left must be said.
	if _, ok := otk["signed_curve25519"]; !ok {
		otk["signed_curve25519"] = 0
	}
	o.keyCounts(otk, fallback)
	return b.deviceLists(ctx)
}

// keyCounts writes what keys a device has left. Every answer has it, so it is written without reflection.
func (o *stream) keyCounts(otk map[string]int, fallback []string) {
	o.str(`,"device_one_time_keys_count":{`)
	for i, algorithm := range slices.Sorted(maps.Keys(otk)) {
		if i > 0 {
			o.str(",")
		}
		o.quote(algorithm)
		o.str(":")
		o.number(int64(otk[algorithm]))
	}
	o.str(`},"device_unused_fallback_key_types":[`)
	for i, algorithm := range fallback {
		if i > 0 {
			o.str(",")
		}
		o.quote(algorithm)
	}
	o.str("]")
}
