package store

import "context"

// Peer is another server.
type Peer struct {
	Server string
	// Rooms are those shared with it now, and Users how many of its users are in them, counted for each room.
	Rooms, Users int64
	Backoff
	// Waiting counts what is for it and was not taken yet: rooms with news, and messages to devices.
	Waiting int64
}

// Peers lists the servers that are known behind one, in the order of their names. Those whose names do not
// contain search are left out, and with failing those that can be reached; own is this server's name.
func (s *Store) Peers(ctx context.Context, own, after, search string, failing bool, limit int) ([]Peer, error) {
	least := 0
	if failing {
		least = 1
	}
	return collect(ctx, s, "peer_list", func(r scanner) (p Peer, err error) {
		return p, r.Scan(&p.Server, &p.Rooms, &p.Users, &p.Failures, &p.SinceTS, &p.RetryTS, &p.Waiting)
	}, after, own, "%"+search+"%", least, limit)
}

// PeerCounts tells how many servers other than our own share a room with it, and how many servers can't be reached.
func (s *Store) PeerCounts(ctx context.Context, own string) (sharing, failing int64, err error) {
	return sharing, failing, s.row(ctx, "peer_counts", own).Scan(&sharing, &failing)
}
