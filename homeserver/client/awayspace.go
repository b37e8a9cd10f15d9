package client

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// viaOf reads a list of servers.
func viaOf(list gjson.Result) (out []string) {
	for _, s := range list.Array() {
		if s.Type == gjson.String && isServerName(s.Str) && len(out) < viaMax {
			out = append(out, s.Str)
		}
	}
	return out
}

// awaySummary is the summary of a room that this server is not in.
func (a *API) awaySummary(ctx context.Context, l located) (*summary, error) {
	none := mxerror.NotFound("There is no such room, or you may not know of it.")
	if a.o.Remote == nil {
		return nil, none
	}
	h, err := a.remoteHierarchy(ctx, l.id, l.via, false)
	if err != nil {
		return nil, none.Because(err)
	}
	return remoteSummary(h.Room, l.id)
}

// visitAny takes a room and what is in it, wherever it is; false if the caller may not know of it.
func (w *spaceWalk) visitAny(id string, via []string, depth int) (bool, error) {
	a := w.c.api
	r, err := a.o.Store.RoomByID(w.c.ctx, id)
	resident := err == nil
	if err == nil && a.o.Joins != nil {
		_, resident, err = a.o.Joins.Resident(w.c.ctx, id)
	}
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return false, err
	case resident:
		return w.visit(r, depth)
	case a.o.Remote == nil:
		return false, nil
	}
	return w.visitAway(id, via, depth)
}

// awayMax is how many rooms other servers are asked for, for one answer.
const awayMax = 50

// visitAway is visit for a room that this server is not in: "If the room is not known to the server,
// it should ask the servers in via".
func (w *spaceWalk) visitAway(id string, via []string, depth int) (bool, error) {
	a, ctx := w.c.api, w.c.ctx
	w.seen[id] = true
	room, told := w.told[id]
	if !told {
		if w.asked == awayMax {
			return false, nil
		}
		w.asked++
		h, err := a.remoteHierarchy(ctx, id, via, w.suggested)
		if err != nil {
			return false, ctx.Err() // a room that nobody describes is left out
		}
		room = h.Room
		// What it says of the rooms in it need not be asked for, unless those are spaces.
		for _, child := range h.Children {
			if g := gjson.ParseBytes(child); g.Get("room_type").Str != "m.space" && len(w.told) < hierarchyRooms {
				if w.told == nil {
					w.told = map[string]jsontext.Value{}
				}
				w.told[g.Get("room_id").Str] = child
			}
		}
	}
	sum, err := remoteSummary(room, id)
	if err != nil {
		return false, nil
	}
	var m store.Membership
	if r, err := a.o.Store.RoomByID(ctx, id); err == nil {
		if m, err = a.standing(ctx, r, w.c.session.UserID); err != nil {
			return false, err
		}
	}
	if ok, err := a.mayLook(ctx, sum, m.Membership, w.c.session.User); err != nil || !ok {
		return false, err
	}
	if len(w.rooms) == w.limit {
		w.more = true
		return true, nil
	}
	children := []jsontext.Value{}
	for _, child := range gjson.GetBytes(room, "children_state").Array() {
		if child.Get("type").Str == "m.space.child" && child.Get("content.via").IsArray() && (!w.suggested || child.Get("content.suggested").Bool()) && len(children) < hierarchyMax {
			children = append(children, jsontext.Value(child.Raw))
		}
	}
	if w.passed++; w.passed > w.skip {
		w.rooms = append(w.rooms, spaceRoom{summary: sum, Children: slices.Clone(children)})
	}
	if depth == w.depth || w.passed > hierarchyRooms {
		return true, nil
	}
	for _, child := range children {
		g := gjson.ParseBytes(child)
		next := g.Get("state_key").Str
		if w.more || w.seen[next] || checkRoomID(next) != nil {
			continue
		}
		if _, err := w.visitAny(next, viaOf(g.Get("content.via")), depth+1); err != nil {
			return false, err
		}
	}
	return true, nil
}
