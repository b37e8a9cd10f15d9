package sync

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/invitefilter"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
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
func (b *builder) wants(ctx context.Context, st standing) (store.RoomName, bool, error) {
	if st.Pos > b.upto.Log {
		return store.RoomName{}, false, nil // the next answer's
	}
	name, err := b.s.o.Store.RoomByNID(ctx, st.Room)
	return name, err == nil && b.q.Filter.Room.AllowsRoom(name.ID), err
}

// joined writes a room that the user is in.
func (b *builder) joined(ctx context.Context, st standing) (bool, error) {
	if st.Membership.Membership != "join" {
		return false, nil
	}
	typing, typed := b.s.o.Typing.Since(st.Room, b.q.Since.Brief)
	news := b.q.Initial || b.q.FullState || st.last > b.since() || st.brief > b.since() || typed || len(b.data[st.Room]) > 0
	if !news {
		return false, nil
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	from := b.since()
	if from > 0 && st.Pos > from {
		// Joined since, or only a new display name? Somebody who has just come gets the room
		// from the start.
		was, err := b.membershipAt(ctx, st.Room, from)
		if err != nil {
			return false, err
		}
		if was != "join" {
			from = 0
		}
	}
	o := b.out
	o.quote(name.ID)
	o.str(":{")
	empty := len(o.buf)
	comma := func() {
		if len(o.buf) > empty {
			o.str(",")
		}
	}
	wrote, err := b.timeline(ctx, st, name, from, b.upto.Log, "join")
	if err != nil {
		return false, err
	}
	if wrote && b.people {
		if err := b.summary(ctx, st); err != nil {
			return false, err
		}
	}
	if err := b.ephemeral(ctx, st, typing, typed, comma); err != nil {
		return false, err
	}
	mark := len(o.buf)
	comma()
	if !b.accountData(st.Room, b.q.Filter.Room.AccountData) {
		o.buf = o.buf[:mark]
	}
	if len(o.buf) == empty && !b.q.Initial && !b.q.FullState {
		return false, nil
	}
	o.str("}")
	return true, nil
}

// invited writes a room that the user is invited to.
func (b *builder) invited(ctx context.Context, st standing) (bool, error) {
	return b.stripped(ctx, st, "invite", "invite_state")
}

// knocked writes a room that the user has knocked on.
func (b *builder) knocked(ctx context.Context, st standing) (bool, error) {
	return b.stripped(ctx, st, "knock", "knock_state")
}

// strippedTypes is what somebody outside is told of a room: specification, "Stripped state":
// "servers SHOULD include m.room.create, name, avatar, topic, join_rules, canonical_alias and
// encryption".
var strippedTypes = [...]string{"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic",
	"m.room.join_rules", "m.room.canonical_alias", "m.room.encryption"}

func (b *builder) stripped(ctx context.Context, st standing, membership, section string) (bool, error) {
	if st.Membership.Membership != membership || !b.q.FullState && !b.q.Initial && st.Pos <= b.since() {
		return false, nil
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	own, err := b.s.o.Store.Event(ctx, st.Event)
	if err != nil {
		return false, err
	}
	if membership == "invite" && (b.ignored[string(own.Sender)] || b.invites.Judge(string(own.Sender)) != invitefilter.Allow) {
		return false, nil
	}
	o := b.out
	o.quote(name.ID)
	o.str(`:{"` + section + `":{"events":[`)
	events, err := StrippedState(ctx, b.s.o.Store, own)
	if err != nil {
		return false, err
	}
	for i, e := range events {
		if i > 0 {
			o.str(",")
		}
		if e == own || e.Type == "m.room.create" {
			// The create event whole, so that clients can tell who made the room (MSC4311).
			o.buf, err = b.rend.Event(ctx, o.buf, e)
			if err != nil {
				return false, err
			}
			continue
		}
		o.buf = e.AppendStripped(o.buf)
	}
	o.str("]}}")
	return true, nil
}

// StrippedState is what an invited or knocking user is told of a room; the last is the
// membership event itself.
func StrippedState(ctx context.Context, s *store.Store, own *event.Event) ([]*event.Event, error) {
	var out []*event.Event
	add := func(typ, key string) error {
		e, err := s.StateEvent(ctx, own.Root, typ, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		out = append(out, e)
		return nil
	}
	for _, typ := range strippedTypes {
		if err := add(typ, ""); err != nil {
			return nil, err
		}
	}
	if string(own.Sender) != *own.StateKey {
		if err := add("m.room.member", string(own.Sender)); err != nil {
			return nil, err
		}
	}
	return append(out, own), nil
}

// left writes a room that the user has left or was removed from since.
func (b *builder) left(ctx context.Context, st standing) (bool, error) {
	m := st.Membership.Membership
	if m != "leave" && m != "ban" {
		return false, nil
	}
	if b.q.Initial || st.Pos <= b.since() {
		if st.Forgotten || !b.q.Filter.Room.IncludeLeave || !b.q.Initial && !b.q.FullState {
			return false, nil
		}
	}
	name, ok, err := b.wants(ctx, st)
	if err != nil || !ok {
		return false, err
	}
	from := b.since()
	if from > 0 {
		was, err := b.membershipAt(ctx, st.Room, from)
		if err != nil {
			return false, err
		}
		if was != "join" {
			// An invitation turned down, or all of it happened since: only the end matters.
			from = 0
			if prev, err := b.membershipAt(ctx, st.Room, st.Pos-1); err != nil {
				return false, err
			} else if prev != "join" {
				from = st.Pos - 1
			}
		}
	}
	o := b.out
	o.quote(name.ID)
	o.str(":{")
	if _, err := b.timeline(ctx, st, name, from, st.Pos, m); err != nil {
		return false, err
	}
	o.str("}")
	return true, nil
}

// membershipAt is the user's membership in a room at a place in the log.
func (b *builder) membershipAt(ctx context.Context, room, pos int64) (string, error) {
	root, err := b.s.o.Store.RootAt(ctx, room, pos)
	if err != nil || root == 0 {
		return "", err
	}
	return stateString(ctx, b.s.o.Store, root, "m.room.member", b.q.UserID, "membership")
}

// timeline writes timeline and state of a room for what lies in (from, upto]; from 0 means that
// the client does not know the room.
func (b *builder) timeline(ctx context.Context, st standing, name store.RoomName, from, upto int64, current string) (bool, error) {
	f := b.q.Filter.Room
	if from > 0 && st.last <= from && !b.q.FullState && st.Pos <= from {
		return false, nil
	}
	events, limited, err := b.recent(ctx, st, name, from, upto, current)
	if err != nil {
		return false, err
	}
	if len(events) == 0 && !limited && from > 0 && !b.q.FullState && st.Pos <= from {
		return false, nil
	}
	start, before, err := b.startOf(ctx, st.Room, events, upto)
	if err != nil {
		return false, err
	}
	o := b.out
	o.str(`"timeline":{"events":`)
	if o.buf, err = b.rend.bundling(limited, b.q.User, upto).Events(ctx, o.buf, events); err != nil {
		return false, err
	}
	o.str(`,"limited":` + strconv.FormatBool(limited) + `,"prev_batch":`)
	o.quote(Position{Place: start, Log: upto}.String())
	o.str("}")
	to, section := before, `,"state":{"events":[`
	if b.q.StateAfter {
		section = `,"state_after":{"events":[`
		if to, err = b.s.o.Store.RootAt(ctx, st.Room, upto); err != nil {
			return false, err
		}
	}
	state, err := b.stateChange(ctx, st.Room, from, to, events)
	if err != nil {
		return false, err
	}
	isMember := func(e *event.Event) bool { return e.Type == "m.room.member" }
	b.people = from == 0 || limited || slices.ContainsFunc(events, isMember) || slices.ContainsFunc(state, isMember)
	if f.State.Rooms != nil || f.State.NotRooms != nil {
		if !f.State.AllowsRoom(name.ID) {
			state = nil
		}
	}
	o.str(section)
	for i, e := range state {
		if i > 0 {
			o.str(",")
		}
		if o.buf, err = b.rend.Event(ctx, o.buf, e); err != nil {
			return false, err
		}
	}
	o.str("]}")
	return true, nil
}

// startOf is the place just before a timeline, and the state there.
func (b *builder) startOf(ctx context.Context, room int64, events []*event.Event, upto int64) (store.Place, statetree.Ref, error) {
	s := b.s.o.Store
	if len(events) == 0 {
		place, err := s.PlaceAt(ctx, room, upto)
		if err != nil {
			return place, 0, err
		}
		root, err := s.RootAt(ctx, room, upto)
		return place, root, err
	}
	first := events[0]
	if !first.IsState() {
		return store.Before(first), first.Root, nil
	}
	root, err := s.RootAt(ctx, room, first.Pos-1)
	return store.Before(first), root, err
}

// recent reads the newest events of (from, upto] that the filter lets through, oldest first.
func (b *builder) recent(ctx context.Context, st standing, name store.RoomName, from, upto int64, current string) (events []*event.Event, limited bool, err error) {
	f := b.q.Filter.Room.Timeline
	limit := f.limit()
	if !f.AllowsRoom(name.ID) {
		return nil, false, nil
	}
	reader := Reader{ID: b.q.UserID, Current: current}
	// For a client that knows the room, what is new is what came since; else it is the end of the
	// room's history, which also has what was brought in later.
	place := store.End
	// Filters and what may not be seen can hide many events: look through a bounded number.
	for at, seen := upto, 0; len(events) <= limit; {
		var page []*event.Event
		if from > 0 {
			page, err = b.s.o.Store.Timeline(ctx, st.Room, from, at, min(limit+1, 100))
		} else {
			page, err = b.s.o.Store.HistoryBack(ctx, st.Room, place, store.Beginning, upto, min(limit+1, 100))
		}
		if err != nil {
			return nil, false, err
		}
		for _, e := range page {
			ok := f.Allows(e) && !b.hides(e)
			if ok {
				if ok, err = Visible(ctx, b.s.o.Store, e, reader); err != nil {
					return nil, false, err
				}
			}
			if ok {
				events = append(events, e)
				if len(events) > limit {
					break
				}
			}
		}
		seen += len(page)
		if len(page) < min(limit+1, 100) || seen >= 10*maxLimit {
			break
		}
		at, place = page[len(page)-1].Pos-1, store.Before(page[len(page)-1])
	}
	if len(events) > limit {
		events, limited = events[:limit], true
	}
	if from == 0 && !b.q.Initial && len(events) > 0 {
		// For a client that meets the room, what it gets is never the continuation of what it has.
		limited = true
	}
	slices.Reverse(events)
	return events, limited, nil
}

// hides tells whether an event is by somebody whom the user ignores: "servers must no longer
// send events from that user ... State events will still be sent".
func (b *builder) hides(e *event.Event) bool {
	return !e.IsState() && b.ignored[string(e.Sender)]
}

func (b *builder) loadIgnored(ctx context.Context) (err error) {
	if b.invites, err = invitefilter.Load(ctx, b.s.o.Store, b.q.User); err != nil {
		return err
	}
	d, err := b.s.o.Store.AccountData(ctx, b.q.User, 0, "m.ignored_user_list")
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	b.ignored = map[string]bool{}
	gjson.Get(d.Content, "ignored_users").ForEach(func(k, _ gjson.Result) bool {
		b.ignored[k.Str] = true
		return true
	})
	return nil
}

// stateChange lists the state events by which a client gets from what it knows of a room to the
// given state.
func (b *builder) stateChange(ctx context.Context, room, from int64, after statetree.Ref, timeline []*event.Event) ([]*event.Event, error) {
	s, f := b.s.o.Store, b.q.Filter.Room.State
	var before statetree.Ref
	var err error
	if from > 0 && !b.q.FullState {
		if before, err = s.RootAt(ctx, room, from); err != nil {
			return nil, err
		}
	}
	senders := map[string]bool{}
	if f.LazyLoadMembers {
		for _, e := range timeline {
			senders[string(e.Sender)] = true
		}
		if from == 0 || b.q.FullState {
			senders[b.q.UserID] = true
		}
	}
	var nids []int64
	seen := map[int64]bool{}
	want := func(key, nid int64) error {
		if f.LazyLoadMembers {
			k, err := s.StateKey(ctx, key)
			if err != nil {
				return err
			}
			if k.Type == "m.room.member" && !senders[k.Key] {
				return nil
			}
		}
		nids = append(nids, nid)
		seen[nid] = true
		return nil
	}
	var failed error
	err = s.State().Diff(ctx, before, after, func(c statetree.Change) {
		if c.InNew && failed == nil {
			failed = want(c.Key, c.New)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	if f.LazyLoadMembers {
		for user := range senders {
			e, err := s.StateEvent(ctx, after, "m.room.member", user)
			if err == nil && !seen[e.NID] {
				nids = append(nids, e.NID)
			} else if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
		}
	}
	slices.Sort(nids)
	events, err := s.Events(ctx, nids)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(events, func(e *event.Event) bool { return !f.Allows(e) }), nil
}
