package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"net/url"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// PublicRoomsFor answers another server that asks for this server's directory. q is the body of POST
// /publicRooms, which is the same for servers as for clients.
func (a *API) PublicRoomsFor(ctx context.Context, q jsontext.Value) (any, error) {
	var r publicRoomsRequest
	if err := json.Unmarshal(q, &r, jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, mxerror.BadJSON("The body is not a query for rooms.").Because(err)
	}
	return a.publicRooms(&call{api: a, ctx: ctx, query: url.Values{}}, r)
}

// HierarchyFor is a space as another server may see it: the room and those of its children that
// the server's users could join or look into; which of them may is for that server to say. "Rooms
// which the responding server cannot provide details on will be outright excluded".
func (a *API) HierarchyFor(ctx context.Context, server, roomID string, suggestedOnly bool) (any, error) {
	none := mxerror.NotFound("There is no room %s here, or you may not know of it.", clip(roomID))
	r, err := a.o.Store.RoomByID(ctx, roomID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, none
	} else if err != nil {
		return nil, err
	}
	sum, ok, err := a.summaryFor(ctx, r, server)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, none
	}
	room := spaceRoom{summary: sum, Children: []jsontext.Value{}}
	children, inaccessible := []*summary{}, []string{}
	if sum.Type == "m.space" {
		w := &spaceWalk{c: &call{api: a, ctx: ctx}, suggested: suggestedOnly}
		events, err := w.children(r)
		if err != nil {
			return nil, err
		}
		for _, e := range events[:min(len(events), hierarchyMax)] {
			room.Children = append(room.Children, childState(e))
			child, err := a.o.Store.RoomByID(ctx, *e.StateKey)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			sum, ok, err := a.summaryFor(ctx, child, server)
			switch {
			case err != nil:
				return nil, err
			case sum == nil:
			case ok:
				children = append(children, sum)
			default:
				inaccessible = append(inaccessible, child.ID)
			}
		}
	}
	return map[string]any{"room": room, "children": children, "inaccessible_children": inaccessible}, nil
}

// childState is a child of a space as those who look see it: the stripped event with its time.
func childState(e *event.Event) jsontext.Value {
	raw := e.AppendStripped(nil)
	raw = append(raw[:len(raw)-1], `,"origin_server_ts":`...)
	return append(strconv.AppendInt(raw, e.OriginServerTS, 10), '}')
}

// summaryFor is a room's summary, nil if nobody here is in it, and whether a server's users may know
// of it: it is open or readable to all, or some of them are in it, are invited to it, or are in a
// room that lets them in.
func (a *API) summaryFor(ctx context.Context, r store.RoomName, server string) (*summary, bool, error) {
	s := a.o.Store
	row, err := s.LoadRoom(ctx, r.NID)
	if err != nil || row.Root == 0 {
		return nil, false, err
	}
	sum, err := a.summarise(ctx, r)
	if err != nil {
		return nil, false, err
	}
	if sum.World {
		return sum, true, nil
	}
	switch sum.JoinRule {
	case "public", "knock", "knock_restricted":
		return sum, true, nil
	}
	if in, err := s.ServerInRoom(ctx, r.NID, server); err != nil || in {
		return sum, in, err
	}
	if sum.JoinRule == "restricted" {
		for _, id := range sum.AllowedRooms {
			allowed, err := s.RoomByID(ctx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, false, err
			}
			if in, err := s.ServerInRoom(ctx, allowed.NID, server); err != nil || in {
				return sum, in, err
			}
		}
	}
	members, err := s.MembersOf(ctx, r.NID)
	if err != nil {
		return nil, false, err
	}
	for _, m := range members {
		if m.Membership != "invite" {
			continue
		}
		id, err := s.UserID(ctx, m.User)
		if err != nil {
			return nil, false, err
		}
		if store.ServerOf(id) == server {
			return sum, true, nil
		}
	}
	return sum, false, nil
}
