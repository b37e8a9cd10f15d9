package inbound

import (
	"container/heap"
	"encoding/json/jsontext"
	"errors"
	"math"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Most events that one request is answered with.
const (
	backfillMax = 100
	missingMax  = 20
	// lookedAt bounds the events that a request lets us look at.
	lookedAt = 1000
)

// version is GET /version.
func (a *API) version(*call) (any, error) {
	return object{"server": object{"name": "Landbridge", "version": a.o.Version}}, nil
}

// transaction is an answer in the form of one.
func (a *API) transaction(pdus []jsontext.Value) any {
	if pdus == nil {
		pdus = []jsontext.Value{}
	}
	return object{"origin": a.o.Server, "origin_server_ts": a.o.Now().UnixMilli(), "pdus": pdus}
}

// known finds an event that others may be told of; nil if there is none.
func (a *API) known(c *call, id string) (*event.Event, error) {
	e, err := a.o.Store.EventByID(c.ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Has(event.Rejected) {
		return nil, nil
	}
	return e, err
}

// event is GET /event/{eventId}.
func (a *API) event(c *call) (any, error) {
	e, err := a.known(c, c.params[0])
	if err != nil {
		return nil, err
	}
	if e == nil {
		return nil, mxerror.NotFound("This server does not know the event %s.", clip(c.params[0]))
	}
	if _, err := a.gate.room(c.ctx, e.InRoom, c.origin, true); err != nil {
		return nil, err
	}
	raw, err := newSight(a.o.Store, c.origin).show(c.ctx, e)
	if err != nil {
		return nil, err
	}
	return a.transaction([]jsontext.Value{raw}), nil
}

// byDepth is a heap of events, the deepest first.
type byDepth []*event.Event

func (h byDepth) Len() int           { return len(h) }
func (h byDepth) Less(i, j int) bool { return h[i].Depth > h[j].Depth }
func (h byDepth) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byDepth) Push(x any)        { *h = append(*h, x.(*event.Event)) }
func (h *byDepth) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// backfill is GET /backfill/{roomId}: "Starting from the PDU ID(s) given in the v argument, the PDUs
// given in v and the PDUs that preceded them are retrieved, up to the total number given by the
// limit."
func (a *API) backfill(c *call) (any, error) {
	from := c.query["v"]
	if len(from) == 0 {
		return nil, mxerror.MissingParam("v is missing.")
	}
	limit, err := c.number("limit", 10)
	if err != nil {
		return nil, err
	}
	if limit <= 0 {
		return nil, mxerror.InvalidParam("limit must be greater than zero.")
	}
	limit = min(limit, backfillMax)
	var (
		queue byDepth
		seen  = map[string]bool{}
		pdus  []jsontext.Value
		view  = newSight(a.o.Store, c.origin)
	)
	add := func(id string) error {
		if seen[id] || len(seen) >= lookedAt {
			return nil
		}
		seen[id] = true
		e, err := a.known(c, id)
		if err == nil && e != nil && e.Room == c.room.NID && !e.Has(event.Outlier) {
			heap.Push(&queue, e)
		}
		return err
	}
	for _, id := range from[:min(len(from), backfillMax)] {
		if err := add(id); err != nil {
			return nil, err
		}
	}
	for len(queue) > 0 && int64(len(pdus)) < limit {
		e := heap.Pop(&queue).(*event.Event)
		raw, err := view.show(c.ctx, e)
		if err != nil {
			return nil, err
		}
		pdus = append(pdus, raw)
		for _, id := range e.PrevEvents {
			if err := add(string(id)); err != nil {
				return nil, err
			}
		}
	}
	return a.transaction(pdus), nil
}

// missingEvents is POST /get_missing_events/{roomId}: "a breadth-first walk of the prev_events for
// the latest_events, ignoring any events in earliest_events and stopping at the limit".
func (a *API) missingEvents(c *call) (any, error) {
	q := struct {
		Limit    int64    `json:"limit"`
		MinDepth int64    `json:"min_depth"`
		Earliest []string `json:"earliest_events"`
		Latest   []string `json:"latest_events"`
	}{Limit: 10}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	limit := int(min(max(q.Limit, 0), missingMax))
	seen := map[string]bool{}
	for _, id := range q.Earliest {
		seen[id] = true
	}
	var found []*event.Event
	front := q.Latest[:min(len(q.Latest), missingMax)]
	looked := 0
	first := true
	for len(front) > 0 && len(found) < limit && looked < lookedAt {
		var next []string
		for _, id := range front {
			if !first && len(found) == limit {
				break
			}
			looked++
			e, err := a.known(c, id)
			if err != nil {
				return nil, err
			}
			if e == nil || e.Room != c.room.NID || e.Has(event.Outlier) {
				continue
			}
			if !first {
				if e.PDU.Depth < q.MinDepth {
					continue
				}
				found = append(found, e)
			}
			for _, prev := range e.PrevEvents {
				if !seen[string(prev)] {
					seen[string(prev)] = true
					next = append(next, string(prev))
				}
			}
		}
		front, first = next, false
	}
	slices.SortStableFunc(found, func(x, y *event.Event) int { return int(min(max(x.Depth-y.Depth, -1), 1)) })
	view := newSight(a.o.Store, c.origin)
	events := make([]jsontext.Value, len(found))
	for i, e := range found {
		var err error
		if events[i], err = view.show(c.ctx, e); err != nil {
			return nil, err
		}
	}
	return object{"events": events}, nil
}

// timestampScan bounds how many events are looked at to find one that may be seen.
const timestampScan = 5000

// timestampToEvent is GET /timestamp_to_event/{roomId}: "Get the ID of the event closest to the given
// timestamp, in the direction specified by the dir parameter."
func (a *API) timestampToEvent(c *call) (any, error) {
	if _, err := c.needed("ts"); err != nil {
		return nil, err
	}
	ts, err := c.number("ts", 0)
	if err != nil {
		return nil, err
	}
	dir, err := c.needed("dir")
	if err != nil {
		return nil, err
	}
	at := store.Timed{TS: ts}
	switch dir {
	case "f":
	case "b":
		at.NID = math.MaxInt64
	default:
		return nil, mxerror.InvalidParam("dir must be \"b\" or \"f\".")
	}
	const page = 50
	view := newSight(a.o.Store, c.origin)
	for seen := 0; seen < timestampScan; {
		found, err := a.o.Store.EventsByTime(c.ctx, c.room.NID, a.o.Store.Position(), at, dir == "b", page)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			e, err := a.o.Store.Event(c.ctx, t.NID)
			if err != nil {
				return nil, err
			}
			if ok, err := view.sees(c.ctx, e); err != nil {
				return nil, err
			} else if ok && !e.Has(event.SoftFailed) {
				return object{"event_id": e.ID, "origin_server_ts": e.OriginServerTS}, nil
			}
			at = t
		}
		if seen += len(found); len(found) < page {
			break
		}
	}
	return nil, mxerror.NotFound("There is no event from %d on in that direction.", ts)
}
