package store

import "context"

// NoticeRoom is the room in which a user gets the server's notices; ErrNotFound if there is none.
func (s *Store) NoticeRoom(ctx context.Context, user int64) (room int64, err error) {
	return room, s.row(ctx, "notice_room_get", user).Scan(&room)
}

// SetNoticeRoom makes a room the one in which a user gets the server's notices.
func (t *Tx) SetNoticeRoom(user, room int64) error { return t.exec("notice_room_put", user, room) }
