package client

import (
	"encoding/json/jsontext"
	"net/http"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Bounds of a page of relations or threads, and of what is looked through for one.
const (
	relationsPage = 20
	relationsMax  = 100
	relationsScan = 2000
	// relationsDepth is how far recursion goes: "Homeservers SHOULD traverse at least 3 levels of
	// relationships."
	relationsDepth = 3
)

func (a *API) relationRoutes() {
	v1 := []string{"/_matrix/client/v1", "/_matrix/client/unstable"}
	for _, path := range []string{"", "/{relType}", "/{relType}/{eventType}"} {
		a.on(http.MethodGet, v1, "/rooms/{roomId}/relations/{eventId}"+path, user, a.relations)
	}
	a.on(http.MethodGet, []string{"/_matrix/client/v1", "/_matrix/client/unstable/org.matrix.msc3856"}, "/rooms/{roomId}/threads", user, a.threads)
}

// pageSize reads limit, which must be greater than zero and is bounded.
func (c *call) pageSize(absent, largest int64) (int, error) {
	n, err := c.number("limit", absent)
	if err != nil {
		return 0, err
	}
	if n <= 0 {
		return 0, mxerror.InvalidParam("limit must be greater than zero.")
	}
	return int(min(n, largest)), nil
}

// truth reads a query parameter that is true or false.
func (c *call) truth(name string) (value, given bool, err error) {
	switch c.query.Get(name) {
	case "":
		return false, c.query.Has(name), nil
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	return false, true, mxerror.InvalidParam("%s must be true or false.", name)
}

// relations is GET /rooms/{roomId}/relations/{eventId}[/{relType}[/{eventType}]].
func (a *API) relations(c *call) (any, error) {
	r, err := c.room(0)
	if err != nil {
		return nil, err
	}
	limit, err := c.pageSize(relationsPage, relationsMax)
	if err != nil {
		return nil, err
	}
	recurse, asked, err := c.truth("recurse")
	if err != nil {
		return nil, err
	}
	q := store.Related{Room: r.NID, Levels: 1, Back: true, Limit: limit + 1}
	if recurse {
		q.Levels = relationsDepth
	}
	switch c.query.Get("dir") {
	case "", "b":
	case "f":
		q.Back = false
	default:
		return nil, mxerror.InvalidParam("dir must be \"b\" or \"f\".")
	}
	parent, v, err := a.visibleEvent(c, r, c.params[1])
	if err != nil {
		return nil, err
	}
	q.Parent, q.Upto = parent.ID, v.upto
	if len(c.params) > 2 {
		q.RelType = c.params[2]
	}
	if len(c.params) > 3 {
		q.Type = c.params[3]
	}
	q.From, q.To = store.Beginning, store.End
	if q.Back {
		q.From, q.To = q.To, q.From
	}
	for name, place := range map[string]*store.Place{"from": &q.From, "to": &q.To} {
		token, err := c.position(name)
		if err != nil {
			return nil, err
		}
		if token != nil {
			if *place, err = token.In(c.ctx, a.o.Store, r.NID); err != nil {
				return nil, err
			}
		}
	}
	events, next, err := a.relatedPage(c, v, q, limit)
	if err != nil {
		return nil, err
	}
	out, err := c.renderBundled(v).Events(c.ctx, []byte(`{"chunk":`), events)
	if err != nil {
		return nil, err
	}
	if next != nil {
		out = append(out, `,"next_batch":"`+next.String()+`"`...)
	}
	if c.query.Get("from") != "" {
		// "The absence of this token means this is the start of the result set".
		out = append(out, `,"prev_batch":"`+sync.At(q.From).String()+`"`...)
	}
	if asked {
		depth := 1
		if recurse {
			depth = relationsDepth
		}
		out = append(out, `,"recursion_depth":`+strconv.Itoa(depth)...)
	}
	return jsontext.Value(append(out, '}')), nil
}

// relatedPage reads the children that the caller may see. next is nil when there are no more.
func (a *API) relatedPage(c *call, v view, q store.Related, limit int) (events []*event.Event, next *sync.Position, err error) {
	ignored, err := sync.Ignored(c.ctx, a.o.Store, c.session.User)
	if err != nil {
		return nil, nil, err
	}
	for seen := 0; ; {
		got, err := a.o.Store.Related(c.ctx, q)
		if err != nil {
			return nil, nil, err
		}
		for _, e := range got {
			if len(events) == limit {
				at := sync.At(q.From)
				return events, &at, nil
			}
			if ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil {
				return nil, nil, err
			} else if ok && (e.IsState() || !ignored[string(e.Sender)]) {
				events = append(events, e)
			}
			q.From = store.After(e)
			if q.Back {
				q.From = store.Before(e)
			}
		}
		if seen += len(got); len(got) < q.Limit {
			return events, nil, nil
		} else if seen >= relationsScan {
			at := sync.At(q.From)
			return events, &at, nil
		}
	}
}
