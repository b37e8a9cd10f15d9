package store

import "context"

// UnreadMemo reads what was noted of a user's unread events in a room; ErrNotFound if nothing.
func (s *Store) UnreadMemo(ctx context.Context, user, room int64) (data []byte, err error) {
	return data, s.row(ctx, "unread_memo_get", user, room).Scan(&data)
}

// SetUnreadMemo replaces it.
func (t *Tx) SetUnreadMemo(user, room int64, data []byte) error {
	return t.exec("unread_memo_put", user, room, data)
}

// EventPlace is an event's number and its place in the log.
type EventPlace struct{ NID, Pos int64 }

// PlacesBack lists the events of a room in (after, upto], newest first, without reading them.
func (s *Store) PlacesBack(ctx context.Context, room, after, upto int64, limit int) ([]EventPlace, error) {
	return collect(ctx, s, "event_places_back", func(r scanner) (p EventPlace, err error) {
		return p, r.Scan(&p.NID, &p.Pos)
	}, room, after, upto, limit)
}

// RoomsWithNews lists the rooms that a user is in, or is invited to, that have events in
// (after, upto].
func (s *Store) RoomsWithNews(ctx context.Context, user, after, upto int64) ([]int64, error) {
	return collect(ctx, s, "membership_news", scanInt, user, after, upto)
}

// NthPlaceBack is the position of the nth event of a room in (after, upto], counted back from the
// newest, which is number 0; ErrNotFound if there are fewer.
func (s *Store) NthPlaceBack(ctx context.Context, room, after, upto int64, n int) (pos int64, err error) {
	return pos, s.row(ctx, "event_place_nth_back", room, after, upto, n).Scan(&pos)
}
