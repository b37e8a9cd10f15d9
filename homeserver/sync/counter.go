package sync

import "context"

// Counter tells how much a user has not read.
type Counter interface {
	// Unread counts what a user has not read of a room, as of a log position.
	Unread(ctx context.Context, user int64, userID string, room int64, upto int64) (Unread, error)
}

// Unread are the unread notification counts of a room as of a log position. Threads has those of
// threads by root event id; where the client doesn't ask for threads apart, they are added to the
// total (specification, RoomEventFilter, unread_thread_notifications). Notifications and
// Highlights are those of the main timeline only.
type Unread struct {
	Notifications, Highlights int
	Threads                   map[string]Unread
}

// Total adds the threads up, for a client that does not ask for them apart.
func (u Unread) Total() Unread {
	for _, t := range u.Threads {
		u.Notifications += t.Notifications
		u.Highlights += t.Highlights
	}
	u.Threads = nil
	return u
}
