package sync

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// whole tells whether a room is shown: MSC3902: rooms of which not all of the state is known are left out
// for clients that count on being told of all members. fresh tells that it was left out so far.
func (b *builder) whole(room int64) (shown, fresh bool) {
	if b.lazy() {
		return true, false
	}
	span := b.s.o.Store.Span(room)
	return !span.At(b.upto.Log), b.since() > 0 && span.At(b.since())
}

// loadRoomData reads all of the user's account data of a room that the client has not been shown yet.
func (b *builder) loadRoomData(ctx context.Context, room int64) error {
	all, err := b.s.o.Store.AccountDataAfter(ctx, b.q.User, 0, b.upto.Log)
	if err != nil {
		return err
	}
	b.data[room] = slices.DeleteFunc(all, func(d store.AccountData) bool { return d.Room != room })
	return nil
}

// corrected adds what has turned out to be otherwise than a client was told, when the room became
// complete.
func (b *builder) corrected(ctx context.Context, room int64, p part, after statetree.Ref, entries []StateEntry) ([]StateEntry, error) {
	span := b.s.o.Store.Span(room)
	if !span.Ends(p.from, p.upto) {
		return entries, nil
	}
	err := b.s.o.Store.State().Diff(ctx, span.Was, after, func(c statetree.Change) {
		if c.InOld && c.InNew && !slices.ContainsFunc(entries, func(e StateEntry) bool { return e.Key == c.Key }) {
			entries = append(entries, StateEntry{c.Key, c.New})
		}
	})
	return entries, err
}

// MemberAt finds the membership of a user in a state. Where a room is not complete, and so does not know
// it, it is that which an event of the user's among some rests on. ErrNotFound if there is none.
func MemberAt(ctx context.Context, s *store.Store, root statetree.Ref, user string, events []*event.Event) (*event.Event, error) {
	e, err := s.StateEvent(ctx, root, "m.room.member", user)
	if !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	for _, by := range slices.Backward(events) {
		if string(by.Sender) != user || !by.Has(event.Partial) {
			continue
		}
		cited, err := s.Events(ctx, by.Auth)
		if err != nil {
			return nil, err
		}
		for _, x := range cited {
			if x.Is("m.room.member", user) {
				return x, nil
			}
		}
	}
	return nil, store.ErrNotFound
}

// discovered adds those who are in a room and of whom that has become known when it became complete.
func (b *builder) discovered(ctx context.Context, room int64, was, is statetree.Ref, users map[int64]bool) error {
	members, err := b.s.o.Store.MembersOf(ctx, room)
	if err != nil {
		return err
	}
	joined := map[int64]int64{}
	for _, m := range members {
		if m.Membership == "join" {
			joined[m.Event] = m.User
		}
	}
	return b.s.o.Store.State().Diff(ctx, was, is, func(c statetree.Change) {
		if user := joined[c.New]; user != 0 && !c.InOld {
			users[user] = true
		}
	})
}
