package store

import "context"

// Timed is an event's number and its time.
type Timed struct{ NID, TS int64 }

// EventsByTime lists events of a room by time, those after (ts, nid) in order, or with back those
// before it in reverse.
func (s *Store) EventsByTime(ctx context.Context, room, upto int64, from Timed, back bool, limit int) ([]Timed, error) {
	query := "event_time_forward"
	if back {
		query = "event_time_back"
	}
	return collect(ctx, s, query, func(r scanner) (t Timed, err error) { return t, r.Scan(&t.NID, &t.TS) }, room, upto, from.TS, from.NID, limit)
}

// MutualRooms lists the rooms numbered above after that two users are both joined to.
func (s *Store) MutualRooms(ctx context.Context, a, b, after int64, limit int) ([]int64, error) {
	return collect(ctx, s, "mutual_rooms", scanInt, a, b, after, limit)
}

// MutualRoomCount counts the rooms that two users are both joined to.
func (s *Store) MutualRoomCount(ctx context.Context, a, b int64) (n int64, err error) {
	return n, s.row(ctx, "mutual_rooms_count", a, b).Scan(&n)
}

// SetNetworkRoom puts a room into the directory of an application service's network, or takes it
// out.
func (t *Tx) SetNetworkRoom(service, network string, room int64, public bool) error {
	if public {
		return t.exec("network_room_insert", service, network, room)
	}
	return t.exec("network_room_delete", service, network, room)
}

// NetworkRooms lists the directory of one network; of all if service is empty.
func (s *Store) NetworkRooms(ctx context.Context, service, network string) ([]int64, error) {
	if service == "" {
		return collect(ctx, s, "network_room_all", scanInt)
	}
	return collect(ctx, s, "network_room_list", scanInt, service, network)
}
