package client

import (
	"encoding/json/jsontext"
	"errors"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Bounds of a page of /messages, and of what is looked through for one.
const (
	pageDefault = 10
	pageMax     = 1000
	pageScan    = 10000
)

// messages is GET /rooms/{roomId}/messages.
func (a *API) messages(c *call) (any, error) {
	v, err := c.lookParam(0)
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", pageDefault)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, mxerror.InvalidParam("limit must not be negative.")
	}
	var f sync.EventFilter
	if raw := c.query.Get("filter"); raw != "" {
		if f, err = sync.ParseEventFilter([]byte(raw)); err != nil {
			return nil, err
		}
		if f.Limit != nil && *f.Limit > 0 && c.query.Get("limit") == "" {
			limit = int64(*f.Limit)
		}
	}
	limit = min(limit, pageMax)
	back := false
	switch c.query.Get("dir") {
	case "b":
		back = true
	case "f":
	default:
		return nil, mxerror.InvalidParam("dir must be \"b\" or \"f\".")
	}
	from, err := c.position("from")
	if err != nil {
		return nil, err
	}
	to, err := c.position("to")
	if err != nil {
		return nil, err
	}
	p := page{limit: int(limit), back: back, filter: f}
	p.from, p.to = store.Beginning, store.End
	if back {
		p.from, p.to = p.to, p.from
		if from != nil {
			p.bound = from.Upto
		}
	} else if from != nil && from.Upto != 0 {
		from = &sync.Position{Log: from.Upto, IsLog: true}
	}
	for _, t := range []struct {
		token *sync.Position
		place *store.Place
	}{{from, &p.from}, {to, &p.to}} {
		if t.token == nil {
			continue
		}
		if *t.place, err = t.token.In(c.ctx, a.o.Store, v.room.NID); err != nil {
			return nil, err
		}
	}
	events, end, err := a.fullPage(c, v, p)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), `{"chunk":`...)
	if out, err = c.renderBundled(v).Events(c.ctx, out, events); err != nil {
		return nil, err
	}
	start := sync.At(p.from)
	if from != nil {
		start = *from
	} else if back {
		start = sync.Position{Log: min(a.o.Store.Position(), v.upto), IsLog: true}
	}
	out = append(out, `,"start":"`+start.String()+`"`...)
	if end != nil {
		out = append(out, `,"end":"`+end.String()+`"`...)
	}
	if f.LazyLoadMembers {
		if out, err = a.lazyMembers(c, v, events, append(out, `,"state":`...)); err != nil {
			return nil, err
		}
	}
	return jsontext.Value(append(out, '}')), nil
}

// position reads a pagination token, nil if it is not given.
func (c *call) position(name string) (*sync.Position, error) {
	s := c.query.Get(name)
	if s == "" {
		return nil, nil
	}
	p, err := sync.ParsePosition(s)
	return &p, err
}

// page is one page of a room's history.
type page struct {
	from, to store.Place
	limit    int
	back     bool
	filter   sync.EventFilter
	// bound leaves out what came later in the log, unless it is 0; see sync.Position.
	bound int64
}

// page reads events that the reader may see and the filter lets through. end is nil when there
// is nothing more.
func (a *API) page(c *call, v view, p page) (events []*event.Event, end *sync.Position, err error) {
	ignored, err := sync.Ignored(c.ctx, a.o.Store, c.session.User)
	if err != nil {
		return nil, nil, err
	}
	if !p.filter.AllowsRoom(v.room.ID) {
		return nil, nil, nil
	}
	at, seen, upto := p.from, 0, v.upto
	if p.bound != 0 {
		upto = min(upto, p.bound)
	}
	here := func() *sync.Position { return &sync.Position{Place: at, Upto: p.bound} }
	for {
		chunk := min(max(p.limit, 1)+1, 200)
		var got []*event.Event
		if p.back {
			got, err = a.o.Store.HistoryBack(c.ctx, v.room.NID, at, p.to, upto, chunk)
		} else {
			got, err = a.o.Store.HistoryForward(c.ctx, v.room.NID, at, p.to, upto, chunk)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, e := range got {
			if len(events) == p.limit {
				return events, here(), nil
			}
			// Specification, "Ignoring Users": "the client will no longer receive events sent by
			// that user, with the exception of state events."
			ok := p.filter.Allows(e) && (e.IsState() || !ignored[string(e.Sender)])
			if ok {
				if ok, err = sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil {
					return nil, nil, err
				}
			}
			if ok {
				events = append(events, e)
			}
			at = store.After(e)
			if p.back {
				at = store.Before(e)
			}
		}
		seen += len(got)
		if len(got) < chunk && len(events) > 0 {
			// Clients expect a token with anything but an empty page; the next will be that.
			return events, here(), nil
		} else if len(got) < chunk {
			return events, nil, nil
		}
		if seen >= pageScan {
			return events, here(), nil
		}
	}
}

// lazyMembers appends the memberships of the events' senders.
func (a *API) lazyMembers(c *call, v view, events []*event.Event, dst []byte) ([]byte, error) {
	var members []*event.Event
	var done []string
	for _, e := range events {
		sender := string(e.Sender)
		if slices.Contains(done, sender) {
			continue
		}
		done = append(done, sender)
		m, err := sync.MemberAt(c.ctx, a.o.Store, v.root, sender, events)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return c.render().Events(c.ctx, dst, members)
}

// visibleEvent reads an event of a room that the caller may see.
func (a *API) visibleEvent(c *call, r store.RoomName, id string) (*event.Event, view, error) {
	missing := mxerror.NotFound("There is no such event in this room, or you may not see it.")
	v, err := c.look(r)
	if mxerror.Is(err, "M_FORBIDDEN") {
		v.outside = true
		return nil, v, missing // somebody outside is not told whether it is there
	} else if err != nil {
		return nil, v, err
	}
	if id, err = a.realName(c, r.NID, id); err != nil {
		return nil, v, err
	}
	e, err := a.o.Store.ClientEvent(c.ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (e.Room != r.NID || e.Pos == 0 || e.Pos > v.upto) {
		return nil, v, missing
	} else if err != nil {
		return nil, v, err
	}
	ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader)
	if err != nil {
		return nil, v, err
	}
	if !ok {
		return nil, v, missing
	}
	return e, v, nil
}

// getEvent is GET /rooms/{roomId}/event/{eventId}.
func (a *API) getEvent(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	e, v, err := a.visibleEvent(c, r, c.params[1])
	if err != nil {
		return nil, err
	}
	rend, err := c.renderBundled(v).With(c.ctx, []*event.Event{e})
	if err != nil {
		return nil, err
	}
	out, err := rend.Event(c.ctx, nil, e)
	return jsontext.Value(out), err
}

// eventContext is GET /rooms/{roomId}/context/{eventId}.
func (a *API) eventContext(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	limit, err := c.number("limit", pageDefault)
	if err != nil {
		return nil, err
	}
	limit = min(max(limit, 0), pageMax)
	var f sync.EventFilter
	if raw := c.query.Get("filter"); raw != "" {
		if f, err = sync.ParseEventFilter([]byte(raw)); err != nil {
			return nil, err
		}
	}
	e, v, err := a.visibleEvent(c, r, c.params[1])
	if mxerror.Is(err, "M_NOT_FOUND") && v.outside {
		return nil, mxerror.Forbidden("You are not in this room.")
	} else if err != nil {
		return nil, err
	}
	before, start, err := a.page(c, v, page{from: store.Before(e), to: store.Beginning, limit: int(limit) / 2, back: true, filter: f})
	if err != nil {
		return nil, err
	}
	after, end, err := a.page(c, v, page{from: store.After(e), to: store.End, limit: int(limit) - int(limit)/2, filter: f})
	if err != nil {
		return nil, err
	}
	if start == nil {
		start = lastOf(before, store.Before(e), true)
	}
	if end == nil {
		end = lastOf(after, store.After(e), false)
	}
	last := e
	if len(after) > 0 {
		last = after[len(after)-1]
	}
	state, err := a.contextState(c, last, slices.Concat(before, []*event.Event{e}, after), f)
	if err != nil {
		return nil, err
	}
	rend, err := c.renderBundled(v).With(c.ctx, []*event.Event{e}, before, after)
	if err != nil {
		return nil, err
	}
	out, err := rend.Event(c.ctx, []byte(`{"event":`), e)
	for _, part := range []struct {
		name   string
		events []*event.Event
	}{{"events_before", before}, {"events_after", after}, {"state", state}} {
		if err == nil {
			out, err = rend.Events(c.ctx, append(out, `,"`+part.name+`":`...), part.events)
		}
	}
	out = append(out, `,"start":"`+start.String()+`","end":"`+end.String()+`"}`...)
	return jsontext.Value(out), err
}

// lastOf is the token after the last of some events, in the direction of reading.
func lastOf(events []*event.Event, none store.Place, back bool) *sync.Position {
	p := sync.At(none)
	if len(events) > 0 {
		last := events[len(events)-1]
		p = sync.At(store.After(last))
		if back {
			p = sync.At(store.Before(last))
		}
	}
	return &p
}

// contextState is "the state of the room at the last event returned".
func (a *API) contextState(c *call, last *event.Event, events []*event.Event, f sync.EventFilter) ([]*event.Event, error) {
	s := a.o.Store
	if last.Has(event.Partial) && !f.LazyLoadMembers {
		if err := c.whole(last.Room); err != nil {
			return nil, err
		}
		var err error
		if last, err = s.Event(c.ctx, last.NID); err != nil {
			return nil, err
		}
	}
	senders := map[string]bool{}
	for _, e := range events {
		senders[string(e.Sender)] = true
	}
	var nids []int64
	if err := s.State().Walk(c.ctx, last.Root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	all, err := s.Events(c.ctx, nids)
	if err == nil && last.Has(event.Partial) {
		all, err = a.citedMembers(c, last.Root, senders, events, all)
	}
	return slices.DeleteFunc(all, func(e *event.Event) bool {
		return f.LazyLoadMembers && e.Type == "m.room.member" && !senders[*e.StateKey] || !f.Allows(e)
	}), err
}

// citedMembers adds the memberships of senders that a room which isn't complete doesn't know.
func (a *API) citedMembers(c *call, root statetree.Ref, senders map[string]bool, events, all []*event.Event) ([]*event.Event, error) {
	for _, sender := range slices.Sorted(maps.Keys(senders)) {
		m, err := sync.MemberAt(c.ctx, a.o.Store, root, sender, events)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(e *event.Event) bool { return e.NID == m.NID }) {
			all = append(all, m)
		}
	}
	return all, nil
}
