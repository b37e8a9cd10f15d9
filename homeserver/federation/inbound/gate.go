package inbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
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
	return aclAllows(e.Content, server), nil
}

// aclAllows applies the content of an m.room.server_acl: specification, client-server API:
//
//  1. "If there is no m.room.server_acl event in the room state, allow."
//  2. "If the server name is an IP address (v4 or v6) literal, and allow_ip_literals is present and
//     false, deny."
//  3. "If the server name matches an entry in the deny list, deny."
//  4. "If the server name matches an entry in the allow list, allow."
//  5. "Otherwise, deny."
//
// "The server name ... port number, if any, [is] ignored"; "* matches zero or more characters; ?
// matches exactly one".
func aclAllows(content jsontext.Value, server string) bool {
	name, err := discovery.ParseName(server)
	if err != nil {
		return false
	}
	host := strings.ToLower(name.Host)
	if v := gjson.GetBytes(content, "allow_ip_literals"); v.Type == gjson.False && name.IP.IsValid() {
		return false
	}
	bracketed := "[" + host + "]"
	matches := func(list string) bool {
		v := gjson.GetBytes(content, list)
		if !v.IsArray() {
			return false
		}
		found := false
		v.ForEach(func(_, glob gjson.Result) bool {
			g := strings.ToLower(glob.Str)
			found = glob.Type == gjson.String && (matchGlob(g, host) || name.IP.Is6() && matchGlob(g, bracketed))
			return !found
		})
		return found
	}
	return !matches("deny") && matches("allow")
}

// matchGlob matches in time proportional to the product of both lengths, whatever the glob.
func matchGlob(glob, s string) bool {
	star, from := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(glob) && glob[i] == '*':
			star, from = i, j
			i++
		case i < len(glob) && (glob[i] == '?' || glob[i] == s[j]):
			i++
			j++
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(glob) && glob[i] == '*' {
		i++
	}
	return i == len(glob)
}
