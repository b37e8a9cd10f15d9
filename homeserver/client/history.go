package client

import (
	"context"
	"math"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// History fetches what isn't here of rooms that other servers are in.
type History interface {
	// Backfill fetches what is missing before events of the given depths, and tells whether some came.
	Backfill(ctx context.Context, r store.RoomName, low, high int64) (more bool, err error)
	// Nearest finds an event near a time that is better than what is here; nil if there is none.
	Nearest(ctx context.Context, r store.RoomName, ts int64, back bool, better func(ts int64) bool) (*event.Event, error)
}

// fillTries is how often history is fetched for one page.
const fillTries = 3

// fullPage is page, with history that other servers have. Specification, "GET
// /rooms/{roomId}/messages": the server "may need to fetch events over federation".
func (a *API) fullPage(c *call, v view, p page) (events []*event.Event, end *sync.Position, err error) {
	for try := 0; ; try++ {
		events, end, err = a.page(c, v, p)
		if err != nil || !p.back || a.o.History == nil || v.outside || try == fillTries {
			return events, end, err
		}
		low, high := int64(-1), int64(math.MaxInt64)
		if len(events) == p.limit && end != nil {
			low = end.Depth + 1 // what is missing before the last one is for the next page
		} else if end != nil {
			low = end.Depth
		}
		if p.from.Depth < math.MaxInt64-1 {
			high = p.from.Depth + 1
		}
		more, err := a.o.History.Backfill(c.ctx, v.room, low, high)
		if err != nil {
			return nil, nil, err
		}
		if !more {
			return events, end, nil
		}
	}
}

// nearest asks other servers for an event near a time that is nearer than one that is here, if there
// is one, and that the reader may see.
func (a *API) nearest(c *call, v view, ts int64, back bool, here *event.Event) (*event.Event, error) {
	if a.o.History == nil || v.outside {
		return nil, nil
	}
	better := func(at int64) bool {
		return here == nil || back && at > here.OriginServerTS || !back && at < here.OriginServerTS
	}
	e, err := a.o.History.Nearest(c.ctx, v.room, ts, back, better)
	if err != nil || e == nil || e.Flags&(event.Rejected|event.SoftFailed|event.Withheld) != 0 {
		return nil, err
	}
	if ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil || !ok {
		return nil, err
	}
	return e, nil
}

// nearer answers with what is here, or something better.
func (a *API) nearer(c *call, v view, ts int64, back bool, here *event.Event) (any, error) {
	e, err := a.nearest(c, v, ts, back, here)
	if err != nil {
		return nil, err
	}
	if e == nil {
		e = here
	}
	return timed(e), nil
}

func timed(e *event.Event) any {
	if e == nil {
		return nil
	}
	return map[string]any{"event_id": e.ID, "origin_server_ts": e.OriginServerTS}
}
