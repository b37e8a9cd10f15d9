package store

import (
	"context"

	"github.com/tidwall/gjson"
)

// Authored says which of somebody's events in a room are wanted: those before a position, made in a span of time,
// in milliseconds, the ends included.
type Authored struct {
	Room, Author, Before int64
	FromTS, ToTS         int64
}

// EventsByAuthor lists the numbers of somebody's events in a room, newest first, and the position of the last of
// them, before which the list goes on.
func (s *Store) EventsByAuthor(ctx context.Context, q Authored, limit int) (nids []int64, last int64, err error) {
	nids, err = collect(ctx, s, "author_events", func(r scanner) (nid int64, err error) {
		return nid, r.Scan(&nid, &last)
	}, q.Room, q.Author, q.Before, q.FromTS, q.ToTS, limit)
	return nids, last, err
}

// MembershipsSet counts the invitations that somebody has sent since a time, in milliseconds, and the rooms that they
// have joined since then, also those that they have left again.
func (s *Store) MembershipsSet(ctx context.Context, author, sinceMS int64) (invites, joined int64, err error) {
	rooms := map[int64]struct{}{}
	err = s.each(ctx, "author_memberships", func(r scanner) error {
		var room int64
		var raw []byte
		if err := r.Scan(&room, &raw); err != nil {
			return err
		}
		switch gjson.GetBytes(raw, "content.membership").Str {
		case "invite":
			invites++
		case "join":
			rooms[room] = struct{}{}
		}
		return nil
	}, author, sinceMS)
	return invites, int64(len(rooms)), err
}

// SharedRoom is a room that another server is in, and the position of its newest event that was made here.
type SharedRoom struct {
	ID  string
	Pos int64
}

// RoomsWithServer lists the rooms that users of another server are in, by their ids.
func (s *Store) RoomsWithServer(ctx context.Context, server string) ([]SharedRoom, error) {
	return collect(ctx, s, "server_rooms", func(r scanner) (v SharedRoom, err error) { return v, r.Scan(&v.ID, &v.Pos) }, server)
}
