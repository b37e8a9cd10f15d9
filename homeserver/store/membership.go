package store

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Membership is a user's current standing in a room.
type Membership struct {
	Room, User int64
	// Membership is join, invite, knock, leave or ban.
	Membership string
	// Event is the m.room.member event that says so, and Pos its place in the log.
	Event, Pos int64
	Forgotten  bool
}

func scanMembership(r scanner) (m Membership, err error) {
	var forgotten int
	err = r.Scan(&m.Room, &m.User, &m.Membership, &m.Event, &m.Pos, &forgotten)
	m.Forgotten = forgotten != 0
	return m, err
}

// Membership reads one user's standing in one room; ErrNotFound if there never was any.
func (s *Store) Membership(ctx context.Context, room, user int64) (Membership, error) {
	return scanMembership(s.row(ctx, "membership_get", room, user))
}

// MembersOf lists everyone who ever had a standing in a room.
func (s *Store) MembersOf(ctx context.Context, room int64) ([]Membership, error) {
	return collect(ctx, s, "membership_of_room", scanMembership, room)
}

// RoomsOf lists the rooms that a user ever had a standing in.
func (s *Store) RoomsOf(ctx context.Context, user int64) ([]Membership, error) {
	return collect(ctx, s, "membership_of_user", scanMembership, user)
}

// MembershipAndEnd is a standing together with the position of the room's newest event and the
// state after it.
type MembershipAndEnd struct {
	Membership
	Last int64
	Root statetree.Ref
}

// RoomsAndEndsOf is RoomsOf together with the newest event of each room. The rooms' names are known
// afterwards without a look-up.
func (s *Store) RoomsAndEndsOf(ctx context.Context, user int64) ([]MembershipAndEnd, error) {
	return collect(ctx, s, "membership_and_end_of_user", func(r scanner) (m MembershipAndEnd, err error) {
		var forgotten int
		var name RoomName
		err = r.Scan(&m.Room, &m.User, &m.Membership.Membership, &m.Event, &m.Pos, &forgotten, &m.Last, &m.Root, &name.ID, &name.Version)
		m.Forgotten = forgotten != 0
		if name.NID = m.Room; err == nil && name.ID != "" {
			s.rooms.add(name)
		}
		return m, err
	}, user)
}

// JoinedCount counts the joined members of a room.
func (s *Store) JoinedCount(ctx context.Context, room int64) (n int64, err error) {
	return n, s.row(ctx, "membership_joined_count", room).Scan(&n)
}

// SetMembership records a user's new standing. It goes with the entry logged just before: that
// of the event, or of the change of state.
func (t *Tx) SetMembership(m Membership) error {
	if last := len(t.entries) - 1; last >= 0 && (t.entries[last].Ref == m.Event || t.entries[last].Kind == KindState && t.entries[last].Ref == 0) {
		t.entries[last].Member = &m
	}
	return t.exec("membership_put", m.Room, m.User, m.Membership, m.Event, m.Pos)
}

// Forget hides a room from a user's lists.
func (t *Tx) Forget(room, user int64) error {
	if err := t.exec("unread_memo_delete", user, room); err != nil {
		return err
	}
	return t.exec("membership_forget", room, user)
}

// MemberCounts counts the joined and the invited members of a room.
func (s *Store) MemberCounts(ctx context.Context, room int64) (joined, invited int64, err error) {
	return joined, invited, s.row(ctx, "membership_counts", room).Scan(&joined, &invited)
}

// HeroesMax is how many heroes a room has.
const HeroesMax = 5

// FirstMembers lists those who are in a room or invited to it, by when they came: specification,
// "RoomSummary", "m.heroes": "This should be the first 5 members of the room, ordered by stream
// ordering, which are joined or invited."
func (s *Store) FirstMembers(ctx context.Context, room int64, limit int) ([]int64, error) {
	return collect(ctx, s, "membership_first", scanInt, room, limit)
}

// FormerMembers lists others who were in a room: "When no joined or invited members are available,
// this should consist of the banned and left users."
func (s *Store) FormerMembers(ctx context.Context, room, but int64) ([]int64, error) {
	return collect(ctx, s, "membership_former", scanInt, room, but, HeroesMax)
}

// ShareRoom tells whether two users are in one room.
func (s *Store) ShareRoom(ctx context.Context, a, b int64) (bool, error) {
	var n int
	err := s.row(ctx, "membership_shared", a, b).Scan(&n)
	return n > 0, err
}
