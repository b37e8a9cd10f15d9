package inbound

import (
	"bufio"
	"context"
	"encoding/json/v2"
	"net/http"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// stateOf reads the state that a request asks for: "the resolved state of a room at a given event",
// which is that before it.
func (a *API) stateOf(c *call) (state []int64, err error) {
	id, err := c.needed("event_id")
	if err != nil {
		return nil, err
	}
	e, err := a.known(c, id)
	if err != nil {
		return nil, err
	}
	if e == nil || e.Room != c.room.NID || e.Has(event.Outlier) {
		return nil, mxerror.NotFound("This server does not know the state before the event %s.", clip(id))
	}
	if e.Has(event.Partial) {
		if e, err = a.whole(c, e); err != nil {
			return nil, err
		}
	}
	view := a.o.Store.StateBefore(e)
	if !view.Complete {
		return nil, mxerror.NotFound("This server does not know all of the state before the event %s yet.", clip(id))
	}
	return walk(c.ctx, a.o.Store, view)
}

// wholeWait is how long another server waits for a room to be completed.
const wholeWait = 30 * time.Second

// whole waits until the state at an event is complete.
func (a *API) whole(c *call, e *event.Event) (*event.Event, error) {
	ctx, cancel := context.WithTimeout(c.ctx, wholeWait)
	defer cancel()
	if err := a.o.Store.WaitComplete(ctx, e.Room); err != nil {
		return e, c.ctx.Err() // it is as it was
	}
	return a.o.Store.Event(c.ctx, e.NID)
}

// walk lists the events of a state, the oldest first.
func walk(ctx context.Context, s *store.Store, view store.StateView) (state []int64, err error) {
	err = s.WalkState(ctx, view, func(_, nid int64) bool {
		state = append(state, nid)
		return true
	})
	slices.Sort(state)
	return state, err
}

// chainOf lists the events of the auth chains of some events, without those that are in one of the
// lists given, the oldest first. Numbers only are in memory.
func chainOf(ctx context.Context, s *store.Store, of []int64, without ...[]int64) (chain []int64, err error) {
	seen := map[int64]bool{}
	for _, list := range without {
		for _, nid := range list {
			seen[nid] = true
		}
	}
	const step = 64
	front := slices.Clone(of)
	for len(front) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(step, len(front))
		links, err := s.Links(ctx, front[len(front)-n:])
		if err != nil {
			return nil, err
		}
		front = front[:len(front)-n]
		for _, l := range links {
			for _, nid := range l.Auth {
				if !seen[nid] {
					seen[nid] = true
					chain = append(chain, nid)
					front = append(front, nid)
				}
			}
		}
	}
	slices.Sort(chain)
	return chain, nil
}

// fullChain is the auth chain of a state: what its events rest on, those of the state too where
// others rest on them.
func fullChain(ctx context.Context, s *store.Store, state []int64) ([]int64, error) {
	return chainOf(ctx, s, state)
}

// state is GET /state/{roomId}.
func (a *API) state(c *call) error {
	state, err := a.stateOf(c)
	if err != nil {
		return err
	}
	chain, err := fullChain(c.ctx, a.o.Store, state)
	if err != nil {
		return err
	}
	return a.stream(c, func(w *writer) error {
		w.list("auth_chain", chain, w.pdu)
		w.list("pdus", state, w.pdu)
		return nil
	})
}

// stateIDs is GET /state_ids/{roomId}.
func (a *API) stateIDs(c *call) error {
	state, err := a.stateOf(c)
	if err != nil {
		return err
	}
	chain, err := fullChain(c.ctx, a.o.Store, state)
	if err != nil {
		return err
	}
	return a.stream(c, func(w *writer) error {
		w.list("auth_chain_ids", chain, w.id)
		w.list("pdu_ids", state, w.id)
		return nil
	})
}

// eventAuth is GET /event_auth/{roomId}/{eventId}: "the complete auth chain for a given event".
func (a *API) eventAuth(c *call) error {
	e, err := a.o.Store.EventByID(c.ctx, c.params[1])
	if err != nil || e.Room != c.room.NID {
		return notFoundOr(err, mxerror.NotFound("This server does not know the event %s.", clip(c.params[1])))
	}
	chain, err := chainOf(c.ctx, a.o.Store, []int64{e.NID})
	if err != nil {
		return err
	}
	return a.stream(c, func(w *writer) error {
		w.list("auth_chain", chain, w.pdu)
		return nil
	})
}

// writer writes an answer that is not built in memory. The first error stays.
type writer struct {
	ctx   context.Context
	store *store.Store
	buf   *bufio.Writer
	first bool
	err   error
}

// stream writes an object. Once it has begun it can only break off.
func (a *API) stream(c *call, fill func(*writer) error) error {
	return a.streamAround(c, "", fill, "")
}

// streamAround is stream with something before and behind the object.
func (a *API) streamAround(c *call, before string, fill func(*writer) error, behind string) error {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	if c.r.Method == http.MethodHead {
		return nil
	}
	w := &writer{ctx: c.ctx, store: a.o.Store, buf: bufio.NewWriterSize(c.w, 32<<10), first: true}
	w.str(before + "{")
	if err := fill(w); w.err == nil {
		w.err = err
	}
	w.str("}" + behind)
	if w.err == nil {
		w.err = w.buf.Flush()
	}
	if w.err != nil {
		a.broken(c.ctx, w.err)
	}
	return nil
}

func (w *writer) str(s string) {
	if w.err == nil {
		_, w.err = w.buf.WriteString(s)
	}
}

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.buf.Write(b)
	}
}

// name begins a member.
func (w *writer) name(s string) {
	if !w.first {
		w.str(",")
	}
	w.first = false
	w.str(`"` + s + `":`)
}

// value writes a member.
func (w *writer) value(name string, v any) {
	raw, err := json.Marshal(v)
	if w.err == nil {
		w.err = err
	}
	w.name(name)
	w.bytes(raw)
}

// listStep is how many events of a list are in memory.
const listStep = 64

// list writes a member that lists events.
func (w *writer) list(name string, nids []int64, one func(*event.Event)) {
	w.name(name)
	w.str("[")
	first := true
	for chunk := range slices.Chunk(nids, listStep) {
		if w.err != nil {
			return
		}
		var events []*event.Event
		if events, w.err = w.store.Events(w.ctx, chunk); w.err != nil {
			return
		}
		for _, e := range events {
			if !first {
				w.str(",")
			}
			first = false
			one(e)
		}
	}
	w.str("]")
}

func (w *writer) pdu(e *event.Event) {
	raw, err := encodePDU(e)
	if w.err == nil {
		w.err = err
	}
	w.bytes(raw)
}

func (w *writer) id(e *event.Event) { w.str(`"` + e.ID + `"`) }
