package client

import (
	"cmp"
	"encoding/json/jsontext"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// threads is GET /rooms/{roomId}/threads: the threads of a room, those with the newest replies
// first.
func (a *API) threads(c *call) (any, error) {
	v, err := c.lookParam(0)
	if err != nil {
		return nil, err
	}
	limit, err := c.pageSize(relationsPage, relationsMax)
	if err != nil {
		return nil, err
	}
	participant := int64(0)
	switch c.query.Get("include") {
	case "", "all":
	case "participated":
		participant = c.session.User
	default:
		return nil, mxerror.InvalidParam("include must be \"all\" or \"participated\".")
	}
	at := store.End
	if from, err := c.position("from"); err != nil {
		return nil, err
	} else if from != nil {
		if at, err = from.In(c.ctx, a.o.Store, v.room.NID); err != nil {
			return nil, err
		}
	}
	ignored, err := sync.Ignored(c.ctx, a.o.Store, c.session.User)
	if err != nil {
		return nil, err
	}
	roots, next, err := a.threadPage(c, v, threadQuery{at: at, participant: participant, limit: limit, ignored: ignored})
	if err != nil {
		return nil, err
	}
	rend, err := c.renderBundled(v).With(c.ctx, roots)
	if err != nil {
		return nil, err
	}
	for i, e := range roots {
		if ignored[string(e.Sender)] && !e.Has(event.Redacted) {
			// "If the thread root event was sent by an ignored user, the event is returned redacted
			// to the caller."
			roots[i] = e.Pruned(0)
		}
	}
	out, err := rend.Events(c.ctx, []byte(`{"chunk":`), roots)
	if err != nil {
		return nil, err
	}
	if next != nil {
		out = append(out, `,"next_batch":"`+next.String()+`"`...)
	}
	return jsontext.Value(append(out, '}')), nil
}

// threadQuery asks for threads behind a place: all, or with participant not 0 those of somebody.
type threadQuery struct {
	at          store.Place
	participant int64
	limit       int
	// ignored are those whose replies the reader does not see.
	ignored map[string]bool
}

// threadPage reads the roots of threads that the caller may see.
func (a *API) threadPage(c *call, v view, q threadQuery) (roots []*event.Event, next *sync.Position, err error) {
	list := a.threadsByAnybody
	if len(q.ignored) > 0 {
		list = a.threadsAsSeen
	}
	for seen := 0; ; {
		threads, err := list(c, v, q)
		if err != nil {
			return nil, nil, err
		}
		nids := make([]int64, len(threads))
		for i, t := range threads {
			nids[i] = t.Root
		}
		events, err := a.o.Store.Events(c.ctx, nids)
		if err != nil {
			return nil, nil, err
		}
		for i, e := range events {
			if len(roots) == q.limit {
				p := sync.At(q.at)
				return roots, &p, nil
			}
			q.at = threads[i].Place
			if _, child := e.Relation(); child || e.Pos > v.upto {
				continue // no root: the rule against nesting was broken elsewhere
			}
			if ok, err := sync.Visible(c.ctx, a.o.Store, e, v.reader); err != nil {
				return nil, nil, err
			} else if ok {
				roots = append(roots, e)
			}
		}
		if seen += len(threads); len(threads) <= q.limit {
			return roots, nil, nil
		} else if seen >= relationsScan {
			p := sync.At(q.at)
			return roots, &p, nil
		}
	}
}

// threadsByAnybody lists one thread more than a page has, by their newest replies.
func (a *API) threadsByAnybody(c *call, v view, q threadQuery) ([]store.Thread, error) {
	return a.o.Store.Threads(c.ctx, v.room.NID, q.at, q.participant, q.limit+1)
}

// threadsBatch is how many threads, or replies in one, are looked at together.
const threadsBatch = 200

// threadsAsSeen is threadsByAnybody for somebody who ignores others: "The thread roots, ordered by the latest_event in
// each event's aggregated children", which is never one of those. A thread with no other replies is none.
func (a *API) threadsAsSeen(c *call, v view, q threadQuery) (out []store.Thread, err error) {
	// A thread is seen where it stands or further back, so what is seen at or before the place that has been come to
	// is in order.
	var waiting []store.Thread
	settle := func(upto store.Place) {
		slices.SortFunc(waiting, func(x, y store.Thread) int { return -comparePlaces(x.Place, y.Place) })
		n := 0
		for n < len(waiting) && comparePlaces(waiting[n].Place, upto) >= 0 {
			n++
		}
		out, waiting = append(out, waiting[:n]...), waiting[n:]
	}
	for at := store.End; len(out) <= q.limit; {
		list, err := a.o.Store.Threads(c.ctx, v.room.NID, at, q.participant, threadsBatch)
		if err != nil {
			return nil, err
		}
		for _, t := range list {
			at = t.Place
			seen, err := a.seenThread(c, t, q.ignored)
			if err != nil {
				return nil, err
			}
			if seen.Root != 0 && comparePlaces(seen.Place, q.at) < 0 {
				waiting = append(waiting, seen)
			}
		}
		if len(list) < threadsBatch {
			settle(store.Beginning)
			break
		}
		settle(at)
	}
	return out[:min(len(out), q.limit+1)], nil
}

// seenThread is a thread with the newest reply that is not by somebody ignored; the zero Thread if there is none.
func (a *API) seenThread(c *call, t store.Thread, ignored map[string]bool) (store.Thread, error) {
	for t.Author != 0 {
		by, err := a.o.Store.UserID(c.ctx, t.Author)
		if err != nil || !ignored[by] {
			return t, err
		}
		list, err := a.o.Store.ThreadReplies(c.ctx, t.Root, t.Place, threadsBatch)
		if err != nil || len(list) == 0 {
			return store.Thread{}, err
		}
		for _, t = range list {
			if by, err := a.o.Store.UserID(c.ctx, t.Author); err != nil {
				return t, err
			} else if !ignored[by] {
				return t, nil
			}
		}
	}
	return t, nil
}

func comparePlaces(x, y store.Place) int {
	return cmp.Or(cmp.Compare(x.Depth, y.Depth), cmp.Compare(x.Pos, y.Pos))
}
