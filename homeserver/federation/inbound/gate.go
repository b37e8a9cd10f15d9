package inbound

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/federation/acl"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// gate decides which server may ask about which room. It is safe for concurrent use.
type gate struct{ store *store.Store }

// room finds a room and tells whether a server may ask about it: its access control list must allow
// it, and where resident is set it must be in the room.
func (g gate) room(ctx context.Context, id, server string, resident bool) (store.RoomName, error) {
	r, err := g.store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, mxerror.NotFound("This server does not know the room %s.", clip(id))
	} else if err != nil {
		return r, err
	}
	ok, err := g.allows(ctx, r.NID, server)
	if err != nil {
		return r, err
	}
	if !ok {
		return r, errBarred
	}
	if !resident {
		return r, nil
	}
	in, err := g.store.ServerInRoom(ctx, r.NID, server)
	if err == nil && !in {
		err = mxerror.Forbidden("No user of %s is in the room.", server)
	}
	return r, err
}

// errBarred: "If the server is denied access to a room, the receiving server MUST reply with a 403
// HTTP status code and an errcode of M_FORBIDDEN."
var errBarred = mxerror.Forbidden("The server is banned from the room by its access control list.")

// allows applies the room's m.room.server_acl.
func (g gate) allows(ctx context.Context, room int64, server string) (bool, error) {
	row, err := g.store.LoadRoom(ctx, room)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	e, err := g.store.StateEvent(ctx, row.Root, "m.room.server_acl", "")
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	return acl.Allows(e.Content, server), nil
}
