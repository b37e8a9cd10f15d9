package client

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// endless is the last position of a view without an end.
const endless = 1<<62 - 1

// view is what somebody may see of a room.
type view struct {
	room store.RoomName
	// root is the state that is to be shown, and upto the last position.
	root statetree.Ref
	upto int64
	// membership is that of the reader now, and reader what history is read as.
	membership string
	reader     sync.Reader
	// outside tells that the reader may not look at all.
	outside bool
}

// look opens a room for reading: for its members as it is; for those who have left as it was
// then; for others only if the world may read it.
func (c *call) look(r store.RoomName) (view, error) {
	v := view{room: r, upto: endless}
	s := c.api.o.Store
	m, err := c.api.standing(c.ctx, r, c.session.UserID)
	if err != nil {
		return v, err
	}
	v.membership = m.Membership
	if v.reader, err = sync.ReaderOf(c.ctx, s, c.session.UserID, m); err != nil {
		return v, err
	}
	row, err := s.LoadRoom(c.ctx, r.NID)
	if err != nil {
		return v, err
	}
	v.root = row.Root
	if c.all {
		v.reader.All = true
		return v, nil
	}
	if m.Membership == "join" {
		return v, nil
	}
	e, err := s.StateEvent(c.ctx, row.Root, "m.room.history_visibility", "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	if e != nil && e.ContentString("history_visibility") == "world_readable" {
		return v, nil
	}
	if v.reader.Until == 0 {
		return v, mxerror.Forbidden("You are not in this room.")
	}
	// Specification, "Room History Visibility": "After a user has left a room, they may see any
	// events which they were allowed to see before they left the room, but no events received
	// after they left."
	v.upto = v.reader.Until
	v.root, err = s.RootAt(c.ctx, r.NID, v.upto)
	return v, err
}

// lookParam opens the room of a path parameter. Of a room that is not here, nobody is told more
// than of one that they are not in.
func (c *call) lookParam(i int) (view, error) {
	r, err := c.room(i)
	if mxerror.Is(err, "M_NOT_FOUND") {
		return view{}, mxerror.Forbidden("You are not in this room.")
	} else if err != nil {
		return view{}, err
	}
	return c.look(r)
}

// wholeWait is how long a client waits for all of a room's state.
const wholeWait = 50 * time.Second

// whole waits until all of a room's state is here: MSC3902: requests that need the members of a room
// "block until the full state is available".
func (c *call) whole(room int64) error {
	ctx, cancel := context.WithTimeout(c.ctx, wholeWait)
	defer cancel()
	err := c.api.o.Store.WaitComplete(ctx, room)
	if err != nil && c.ctx.Err() == nil {
		return mxerror.New(504, "M_UNKNOWN", "This server is still fetching the members of the room; try again later.").Because(err)
	}
	return err
}

// wholeParam is lookParam for what needs all of the room's state.
func (c *call) wholeParam(i int) (view, error) {
	v, err := c.lookParam(i)
	if err != nil || !c.api.o.Store.Incomplete(v.room.NID) {
		return v, err
	}
	if err := c.whole(v.room.NID); err != nil {
		return v, err
	}
	return c.look(v.room)
}

// render is how this client sees events.
func (c *call) render() sync.Render {
	return sync.Render{Store: c.api.o.Store, User: c.session.UserID, Scope: c.session.Scope(), RoomID: true, Membership: true, NowMS: c.api.o.Now().UnixMilli()}
}

// renderBundled is render with bundled aggregations, as a view shows them.
func (c *call) renderBundled(v view) sync.Render {
	r := c.render()
	r.Bundle, r.UserNID, r.Upto = true, c.session.User, v.upto
	return r
}

// showsState refuses the room's state to who is banned. The specification says what those get who "left the room":
// "the state of the room when they left". It says nothing of the banned, to whom other servers answer 403.
func (v view) showsState() error {
	if v.membership == "ban" && v.upto != endless {
		return mxerror.Forbidden("You are banned from this room.")
	}
	return nil
}

// getState is GET /rooms/{roomId}/state.
func (a *API) getState(c *call) (any, error) {
	v, err := c.wholeParam(0)
	if err == nil {
		err = v.showsState()
	}
	if err != nil {
		return nil, err
	}
	var nids []int64
	if err := a.o.Store.State().Walk(c.ctx, v.root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	events, err := a.o.Store.Events(c.ctx, nids)
	if err != nil {
		return nil, err
	}
	out, err := c.render().Events(c.ctx, nil, events)
	return jsontext.Value(out), err
}

// getStateEvent is GET /rooms/{roomId}/state/{eventType}/{stateKey}.
func (a *API) getStateEvent(c *call) (any, error) {
	v, err := c.lookParam(0)
	if err == nil {
		err = v.showsState()
	}
	if err != nil {
		return nil, err
	}
	key := ""
	if len(c.params) > 2 {
		key = c.params[2]
	}
	e, err := a.o.Store.StateEvent(c.ctx, v.root, c.params[1], key)
	if errors.Is(err, store.ErrNotFound) && c.params[1] == "m.room.member" && a.o.Store.Incomplete(v.room.NID) {
		if v, err = c.wholeParam(0); err == nil {
			e, err = a.o.Store.StateEvent(c.ctx, v.root, c.params[1], key)
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("The room has no such state.")
	} else if err != nil {
		return nil, err
	}
	switch c.query.Get("format") {
	case "event":
		out, err := c.render().Event(c.ctx, nil, e)
		return jsontext.Value(out), err
	case "", "content":
		return e.Content, nil
	default:
		return nil, mxerror.InvalidParam("format must be \"content\" or \"event\".")
	}
}

// members is GET /rooms/{roomId}/members.
func (a *API) members(c *call) (any, error) {
	v, err := c.wholeParam(0)
	if err != nil {
		return nil, err
	}
	if at := c.query.Get("at"); at != "" {
		pos, err := sync.ParsePosition(at)
		if err != nil {
			return nil, err
		}
		if v.root, err = a.rootAt(c, v, pos); err != nil {
			return nil, err
		}
	}
	events, err := a.memberEvents(c, v.root)
	if err != nil {
		return nil, err
	}
	want, not := c.query.Get("membership"), c.query.Get("not_membership")
	for name, m := range map[string]string{"membership": want, "not_membership": not} {
		switch m {
		case "", "join", "invite", "knock", "leave", "ban":
		default:
			return nil, mxerror.InvalidParam("%s is no kind of membership.", name)
		}
	}
	events = slices.DeleteFunc(events, func(e *event.Event) bool {
		m := e.Membership()
		switch {
		case want != "" && not != "":
			// "When specified alongside not_membership, the two parameters create an 'or'
			// condition: either the membership is the same as membership or is not the same as
			// not_membership."
			return m != want && m == not
		case want != "":
			return m != want
		}
		return not != "" && m == not
	})
	out, err := c.render().Events(c.ctx, []byte(`{"chunk":`), events)
	return jsontext.Value(append(out, '}')), err
}

// rootAt is the state at a place that the reader may know.
func (a *API) rootAt(c *call, v view, p sync.Position) (statetree.Ref, error) {
	if p.Log != 0 {
		return a.o.Store.RootAt(c.ctx, v.room.NID, min(p.Log, v.upto))
	}
	last, err := a.o.Store.HistoryBack(c.ctx, v.room.NID, p.Place, store.Beginning, v.upto, 1)
	if err != nil || len(last) == 0 {
		return 0, err
	}
	return last[0].Root, nil
}

// memberEvents lists the membership events of a state.
func (a *API) memberEvents(c *call, root statetree.Ref) ([]*event.Event, error) {
	s := a.o.Store
	var nids []int64
	var failed error
	err := s.State().Walk(c.ctx, root, func(key, nid int64) bool {
		k, err := s.StateKey(c.ctx, key)
		if err != nil {
			failed = err
			return false
		}
		if k.Type == "m.room.member" {
			nids = append(nids, nid)
		}
		return true
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	return s.Events(c.ctx, nids)
}

// joinedMembers is GET /rooms/{roomId}/joined_members.
func (a *API) joinedMembers(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	if err := c.whole(r.NID); err != nil {
		return nil, err
	}
	row, err := a.o.Store.LoadRoom(c.ctx, r.NID)
	if err != nil {
		return nil, err
	}
	events, err := a.memberEvents(c, row.Root)
	if err != nil {
		return nil, err
	}
	// "The current user must be in the room for it to work, unless it is an Application Service in
	// which case any of the AS's users must be in the room."
	if !slices.ContainsFunc(events, func(e *event.Event) bool {
		return e.Membership() == "join" && (*e.StateKey == c.session.UserID || c.session.Service != nil && a.owns(c.session.Service, *e.StateKey))
	}) {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	// The keys are always there, null for none: clients such as matrix-nio refuse the answer otherwise.
	type member struct {
		Name   *string `json:"display_name"`
		Avatar *string `json:"avatar_url"`
	}
	text := func(e *event.Event, key string) *string {
		if s := e.ContentString(key); s != "" {
			return &s
		}
		return nil
	}
	joined := map[string]member{}
	for _, e := range events {
		if e.Membership() == "join" {
			joined[*e.StateKey] = member{text(e, "displayname"), text(e, "avatar_url")}
		}
	}
	return map[string]any{"joined": joined}, nil
}
