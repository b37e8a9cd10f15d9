package sync

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// since is the log position from which this client knows a room.
func (b *builder) since() int64 {
	if b.q.Initial {
		return 0
	}
	return b.q.Since.Log
}

// wants tells whether the filter lets a room through, and names it.
func (b *builder) wants(ctx context.Context, st Standing) (store.RoomName, bool, error) {
	name, err := b.s.o.Store.RoomByNID(ctx, st.Room)
	if errors.Is(err, store.ErrNotFound) {
		return name, false, nil // removed just now
	}
	return name, err == nil && b.q.Filter.Room.AllowsRoom(name.ID), err
}

// joined writes a room that the user is in.
func (b *builder) joined(ctx context.Context, st Standing) (bool, error) {
	if st.Membership.Membership != "join" {
		return false, nil
	}
	shown, fresh := b.whole(st.Room)
	if !shown {
		return false, nil
	}
	typing, typed := b.s.o.Typing.Since(st.Room, b.q.Since.Brief)
	if news := fresh || b.q.Initial || b.q.FullState || st.Last > b.since() || st.Receipts > b.since() || typed || len(b.data[st.Room]) > 0; !news {
		return false, nil
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	from := b.since()
	if fresh {
		from = 0
		b.hall[st.Room] = true
		if err := b.loadRoomData(ctx, st.Room); err != nil {
			return false, err
		}
	}
	if from > 0 && st.Pos > from {
		// Joined since, or only a new display name? Somebody who has just come gets the room
		// from the start.
		was, err := b.membershipAt(ctx, st, from)
		if err != nil {
			return false, err
		}
		if was != "join" {
			from = 0
			b.hall[st.Room] = true
		}
	}
	receipts, moved, err := b.receipts(ctx, st, from)
	if err != nil {
		return false, err
	}
	o := b.out
	begin := o.mark()
	o.quote(name.ID)
	o.str(":{")
	empty := o.mark()
	comma := func() {
		if o.mark() > empty {
			o.str(",")
		}
	}
	people, err := b.timeline(ctx, st, name, part{from: from, upto: b.upto.Log, current: "join"})
	if err != nil {
		return false, err
	}
	if people {
		if err := b.summary(ctx, st); err != nil {
			return false, err
		}
	}
	mark := o.mark()
	if err := b.ephemeral(ctx, name, typing, typed, receipts, comma); err != nil {
		return false, err
	}
	brief := o.mark() > mark
	mark = o.mark()
	b.roomData(st, name, comma)
	data := o.mark() > mark
	if o.mark() == empty && !moved && !b.q.Initial && !b.q.FullState {
		o.cut(begin)
		return false, nil
	}
	// The specification allows these to be absent; older clients look into them unasked.
	if !brief {
		comma()
		o.str(`"ephemeral":{"events":[]}`)
	}
	if !data {
		comma()
		o.str(`"account_data":{"events":[]}`)
	}
	comma()
	if err := b.unread(ctx, st); err != nil {
		return false, err
	}
	o.str("}")
	return true, nil
}

// lazy tells whether the client gets the members of rooms by and by.
func (b *builder) lazy() bool { return b.q.Filter.Room.State.LazyLoadMembers }

// roomData writes the user's account data of a room.
func (b *builder) roomData(st Standing, name store.RoomName, comma func()) {
	if f := b.q.Filter.Room.AccountData; f.AllowsRoom(name.ID) {
		mark := b.out.mark()
		comma()
		if !b.accountData(st.Room, f) {
			b.out.cut(mark)
		}
	}
}

// unread writes the counts of unread notifications.
func (b *builder) unread(ctx context.Context, st Standing) error {
	var n Unread
	if c := b.s.o.Counter; c != nil {
		var err error
		if n, err = c.Unread(ctx, b.q.User, b.q.UserID, st.Room, b.upto.Log); err != nil {
			return err
		}
	}
	type counts struct {
		Highlights    int `json:"highlight_count"`
		Notifications int `json:"notification_count"`
	}
	threads := map[string]counts{}
	if b.q.Filter.Room.Timeline.UnreadThreads {
		for root, t := range n.Threads {
			if t.Notifications > 0 || t.Highlights > 0 {
				threads[root] = counts{t.Highlights, t.Notifications}
			}
		}
	} else {
		n = n.Total()
	}
	b.out.str(`"unread_notifications":{"highlight_count":`)
	b.out.number(int64(n.Highlights))
	b.out.str(`,"notification_count":`)
	b.out.number(int64(n.Notifications))
	b.out.str("}")
	if len(threads) == 0 {
		return nil
	}
	b.out.str(`,"unread_thread_notifications":`)
	return b.out.json(threads)
}

// left writes a room that the user has left or was removed from since.
func (b *builder) left(ctx context.Context, st Standing) (bool, error) {
	m := st.Membership.Membership
	if m != "leave" && m != "ban" {
		return false, nil
	}
	old := b.q.Initial || st.Pos <= b.since()
	// Who was banned is told so at every first sync, as by other servers: the room is not one that the user
	// has left.
	told := b.q.Filter.Room.IncludeLeave || m == "ban" && b.q.Initial
	if old && (st.Forgotten || !told || !b.q.Initial && !b.q.FullState) {
		return false, nil
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	from := b.since()
	was := ""
	if from > 0 && !old {
		if was, err = b.membershipAt(ctx, st, from); err != nil {
			return false, err
		}
		if !b.lazy() && b.s.o.Store.Span(st.Room).At(from) {
			was = "" // it was never shown
		}
	}
	if was != "join" {
		// An invitation turned down, or all of it happened since. Somebody who was not in the room
		// at the end is told of the end only.
		from = 0
		prev, err := b.membershipAt(ctx, st, st.Pos-1)
		if err != nil {
			return false, err
		}
		if prev != "join" {
			from = st.Pos - 1
		}
	}
	o := b.out
	o.quote(name.ID)
	o.str(":{")
	if _, err := b.timeline(ctx, st, name, part{from: from, upto: st.Pos, current: m, always: true}); err != nil {
		return false, err
	}
	b.roomData(st, name, func() { o.str(",") })
	o.str("}")
	return true, nil
}

// membershipAt is the user's membership in a room at a place in the log.
func (b *builder) membershipAt(ctx context.Context, st Standing, pos int64) (string, error) {
	root, err := b.s.o.Store.RootAt(ctx, st.Room, pos)
	if err != nil || root == 0 {
		return "", err
	}
	return stateString(ctx, b.s.o.Store, root, "m.room.member", b.q.UserID, "membership")
}
