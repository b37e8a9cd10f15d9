package store

import (
	"context"
	"errors"
)

// DeviceUpdate is a change of a device of a user of this server. Device "" stands for the user's
// cross-signing keys. Prev is the position of the change of the user's devices before it, or 0.
type DeviceUpdate struct {
	User      int64
	Device    string
	Pos, Prev int64
}

// DeviceUpdates lists the devices that changed in (after, upto] of those users of this server who
// share a room with a server, each by its last change, oldest first.
func (s *Store) DeviceUpdates(ctx context.Context, server, after, upto int64, limit int) ([]DeviceUpdate, error) {
	return collect(ctx, s, "device_update_for", func(r scanner) (u DeviceUpdate, err error) {
		return u, r.Scan(&u.User, &u.Device, &u.Pos, &u.Prev)
	}, server, after, upto, limit)
}

// ReceiptsFor lists the public receipts of this server's users that moved in (after, upto] in the rooms that
// they share with a server, the oldest first.
func (s *Store) ReceiptsFor(ctx context.Context, server, after, upto int64, limit int) ([]Receipt, error) {
	return collect(ctx, s, "receipt_for", scanReceipt, server, after, upto, limit)
}

// ServersBehind lists the other servers that there is something for in the log which they have not
// acknowledged.
func (s *Store) ServersBehind(ctx context.Context) ([]int64, error) {
	return collect(ctx, s, "server_behind", scanInt)
}

// ServersSharing lists the servers that have users in a room which a user is in.
func (s *Store) ServersSharing(ctx context.Context, user int64) ([]string, error) {
	return collect(ctx, s, "server_sharing", scanString, user)
}

// NewServers tells whether there are servers in a room, but for own, that share no other room with a
// user.
func (s *Store) NewServers(ctx context.Context, room, user int64, own string) (bool, error) {
	var n int64
	err := s.row(ctx, "server_new_to", room, user, own).Scan(&n)
	return n > 0, err
}

// JoinedFrom counts the users of a server who are in a room.
func (s *Store) JoinedFrom(ctx context.Context, room int64, server string) (int64, error) {
	nid, err := s.ServerNID(ctx, server)
	if err == nil {
		var x RoomServer
		if x, err = scanRoomServer(s.row(ctx, "room_server_get", nid, room)); err == nil {
			return x.Joined, nil
		}
	}
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return 0, err
}
