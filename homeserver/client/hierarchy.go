package client

import (
	"cmp"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of a walk through a space.
const (
	hierarchyPage  = 50
	hierarchyMax   = 1000
	hierarchyDepth = 100
	hierarchyRooms = 20000
)

type spaceRoom struct {
	*summary
	Children []jsontext.Value `json:"children_state"`
}

// hierarchy is GET /rooms/{roomId}/hierarchy.
func (a *API) hierarchy(c *call) (any, error) {
	limit, err := c.number("limit", hierarchyPage)
	if err != nil {
		return nil, err
	}
	depth, err := c.number("max_depth", hierarchyDepth)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || depth < 0 {
		return nil, mxerror.InvalidParam("limit must be greater than zero, and max_depth not negative.")
	}
	suggested, _, err := c.truth("suggested_only")
	if err != nil {
		return nil, err
	}
	w := &spaceWalk{c: c, seen: map[string]bool{}, limit: int(min(limit, hierarchyMax)), depth: int(min(depth, hierarchyDepth)),
		suggested: suggested}
	settings := strconv.Itoa(w.depth) + "_" + strconv.FormatBool(w.suggested)
	if from := c.query.Get("from"); from != "" {
		skip, rest, _ := strings.Cut(strings.TrimPrefix(from, "h"), "_")
		n, err := strconv.Atoi(skip)
		if err != nil || n < 0 || !strings.HasPrefix(from, "h") {
			return nil, mxerror.InvalidParam("from is not a token of this server.")
		}
		if rest != settings {
			return nil, mxerror.InvalidParam("max_depth and suggested_only can't be changed on the way.")
		}
		w.skip = n
	}
	// "The user cannot view or peek on the room ... The room does not exist": the same answer.
	forbidden := mxerror.Forbidden("You may not look into this space, or there is none.")
	if err := checkRoomID(c.params[0]); err != nil {
		return nil, err
	}
	ok, err := w.visitAny(c.params[0], nil, 0)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, forbidden
	}
	out := map[string]any{"rooms": w.rooms}
	if w.more {
		out["next_batch"] = "h" + strconv.Itoa(w.skip+len(w.rooms)) + "_" + settings
	}
	return out, nil
}

// spaceWalk goes through a space, depth first.
type spaceWalk struct {
	c         *call
	limit     int
	depth     int
	suggested bool
	// skip is how many rooms the pages before had.
	skip, passed int
	rooms        []spaceRoom
	more         bool
	seen         map[string]bool
	// told are rooms that other servers have described, and asked is how often they were asked.
	told  map[string]jsontext.Value
	asked int
}

// visit takes a room and what is in it; false if the caller may not know of it.
func (w *spaceWalk) visit(r store.RoomName, depth int) (bool, error) {
	a, ctx := w.c.api, w.c.ctx
	w.seen[r.ID] = true
	sum, err := a.summarise(ctx, r)
	if err != nil {
		return false, err
	}
	m, err := a.standing(ctx, r, w.c.session.UserID)
	if err != nil {
		return false, err
	}
	if !w.c.all {
		if ok, err := a.mayLook(ctx, sum, m.Membership, w.c.session.User); err != nil || !ok {
			return false, err
		}
	}
	var children []*event.Event
	if sum.Type == "m.space" {
		if children, err = w.children(r); err != nil {
			return false, err
		}
	}
	if len(w.rooms) == w.limit {
		w.more = true
		return true, nil
	}
	if w.passed++; w.passed > w.skip {
		room := spaceRoom{summary: sum, Children: []jsontext.Value{}}
		for _, e := range children {
			room.Children = append(room.Children, childState(e))
		}
		w.rooms = append(w.rooms, room)
	}
	if depth == w.depth || w.passed > hierarchyRooms {
		return true, nil
	}
	for _, e := range children {
		if w.more || w.seen[*e.StateKey] {
			continue
		}
		if _, err := w.visitAny(*e.StateKey, viaOf(gjson.GetBytes(e.Content, "via")), depth+1); err != nil {
			return false, err
		}
	}
	return true, nil
}

// children lists a space's m.space.child events in order. Specification, "Ordering of children
// within a space": by a valid order, then by when they were added, then by room id. A child
// "without a via is not a child".
func (w *spaceWalk) children(r store.RoomName) ([]*event.Event, error) {
	s := w.c.api.o.Store
	row, err := s.LoadRoom(w.c.ctx, r.NID)
	if err != nil {
		return nil, err
	}
	var nids []int64
	var failed error
	err = s.State().Walk(w.c.ctx, row.Root, func(key, nid int64) bool {
		k, err := s.StateKey(w.c.ctx, key)
		if err != nil {
			failed = err
			return false
		}
		if k.Type == "m.space.child" && strings.HasPrefix(k.Key, "!") {
			nids = append(nids, nid)
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	events, err := s.Events(w.c.ctx, nids)
	if err != nil {
		return nil, err
	}
	events = slices.DeleteFunc(events, func(e *event.Event) bool {
		via := gjson.GetBytes(e.Content, "via")
		return !via.IsArray() || len(via.Array()) == 0 || w.suggested && !gjson.GetBytes(e.Content, "suggested").Bool()
	})
	slices.SortFunc(events, func(x, y *event.Event) int {
		ox, oy := childOrder(x), childOrder(y)
		switch {
		case ox != "" && oy == "":
			return -1
		case ox == "" && oy != "":
			return 1
		}
		return cmp.Or(cmp.Compare(ox, oy), cmp.Compare(x.OriginServerTS, y.OriginServerTS), cmp.Compare(*x.StateKey, *y.StateKey))
	})
	return events, nil
}

// childOrder is the order of a child, if it is a valid one: at most 50 characters, all of them
// printable ASCII.
func childOrder(e *event.Event) string {
	o := e.ContentString("order")
	if len(o) > 50 || strings.ContainsFunc(o, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return ""
	}
	return o
}
