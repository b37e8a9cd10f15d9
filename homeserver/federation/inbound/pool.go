package inbound

import (
	"cmp"
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of events that are fetched without their place in the graph.
const (
	// poolMax is how many events of one answer are looked at, and poolBytes how much of them is kept
	// in memory at once.
	poolMax   = 200_000
	poolBytes = 256 << 20
	// fetchSingly is how many events are fetched one by one at most.
	fetchSingly = 50
	// outlierChunk is how many are stored at once.
	outlierChunk = 100
)

// errPoolFull: another server answered with too much.
var errPoolFull = errors.New("another server answered with too many events")

// verifiers is how many events of an answer are verified at once.
const verifiers = 8

// pool gathers events that are to be outliers: auth chains and states. It is used by one goroutine, which calls
// settle before it looks at what was gathered, and before it ends.
type pool struct {
	g    *gap
	seen int
	// work are events that are being verified, and cause why no more are wanted.
	work errgroup.Group

	mu     sync.Mutex
	events map[string]*event.Event
	bytes  int
	cause  error
}

func newPool(g *gap) *pool {
	p := &pool{g: g, events: map[string]*event.Event{}}
	p.work.SetLimit(verifiers)
	return p
}

// add takes in an event that another server told. What is not acceptable is left out. Why one was not looked at at all
// is told at a later call, or by settle.
func (p *pool) add(ctx context.Context, raw jsontext.Value) error {
	if p.seen++; p.seen > poolMax {
		return errPoolFull
	}
	raw = raw.Clone()
	p.work.Go(func() error {
		err := p.admit(ctx, raw)
		if err != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.cause = cmp.Or(p.cause, err)
		}
		return err
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cause
}

// settle waits for what is being verified.
func (p *pool) settle() error { return p.work.Wait() }

// has finds an event.
func (p *pool) has(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[id] != nil
}

// admit verifies an event.
func (p *pool) admit(ctx context.Context, raw jsontext.Value) error {
	e, err := parsePDUWithin(raw, p.g.room.ID, p.g.room.Version, prevMaxPast, authMaxPast)
	if err != nil {
		p.g.i.o.Log.DebugContext(ctx, "an event of an answer is not acceptable", "room", p.g.room.ID, "err", err)
		return nil
	}
	if p.has(e.ID) {
		return nil
	}
	if _, err := p.g.i.o.Store.EventNID(ctx, e.ID); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v, err := p.g.i.check.verify(ctx, e)
	if err != nil {
		p.g.i.o.Log.InfoContext(ctx, "an event of an answer could not be verified", "room", p.g.room.ID, "event", e.ID, "err", short(err))
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes += len(raw); p.bytes > poolBytes {
		return errPoolFull
	}
	p.events[v.ID] = v
	return nil
}

// store makes outliers of the events wanted and all that they rest on, fetching what is not in the pool.
// What can't be had, or rests on what can't, is left out.
func (p *pool) store(ctx context.Context, server string, wanted []string) error {
	if err := p.settle(); err != nil {
		return err
	}
	// Depth first, auth events before what cites them; the stack is explicit since chains are long.
	type frame struct {
		id   string
		next int
	}
	const (
		begun = iota + 1
		good
		bad
	)
	state := map[string]int{}
	fetched := 0
	var order []*event.Event
	for _, root := range wanted {
		stack := []frame{{id: root}}
		for len(stack) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			f := &stack[len(stack)-1]
			if state[f.id] == 0 {
				_, err := p.g.i.o.Store.EventNID(ctx, f.id)
				switch {
				case err == nil:
					state[f.id] = good
				case !errors.Is(err, store.ErrNotFound):
					return err
				default:
					if p.events[f.id] == nil && fetched < fetchSingly {
						fetched++
						if err := p.fetch(ctx, server, f.id); err != nil {
							return err
						}
					}
					if state[f.id] = begun; p.events[f.id] == nil {
						state[f.id] = bad
					}
				}
			}
			if state[f.id] != begun {
				stack = stack[:len(stack)-1]
				continue
			}
			e := p.events[f.id]
			if f.next < len(e.AuthEvents) {
				id := string(e.AuthEvents[f.next])
				switch state[id] {
				case good:
					f.next++
				case begun, bad: // a cycle, which no honest server makes; or what can't be had
					state[f.id] = bad
				default:
					stack = append(stack, frame{id: id})
				}
				continue
			}
			state[f.id] = good
			order = append(order, e)
		}
	}
	return p.outliers(ctx, order)
}

// fetch asks for one event.
func (p *pool) fetch(ctx context.Context, server, id string) error {
	raw, err := p.g.i.o.Remote.Event(ctx, server, id)
	if err != nil {
		p.g.i.o.Log.DebugContext(ctx, "an event can't be had", "server", server, "event", id, "err", err)
		return ctx.Err()
	}
	e, err := parsePDUWithin(raw, p.g.room.ID, p.g.room.Version, prevMaxPast, authMaxPast)
	if err != nil || e.ID != id {
		return nil // the server tells of another event than it was asked for
	}
	return p.admit(ctx, raw)
}

// outliers stores events, auth events before what cites them, with check 4 made.
func (p *pool) outliers(ctx context.Context, order []*event.Event) error {
	i := p.g.i
	nids := map[string]int64{}
	// Whether an event was rejected decides about those that cite it.
	checked := map[string]*event.Event{}
	find := func(id string) *event.Event { return checked[id] }
	var list []room.Received
	flush := func() error {
		if len(list) == 0 {
			return nil
		}
		err := i.o.Rooms.Outliers(ctx, p.g.room.NID, list)
		list = nil
		clear(checked)
		return err
	}
	for _, e := range order {
		r := room.Received{Event: e}
		var err error
		if r.Reject, err = i.check.byAuth(ctx, e, find); errors.Is(err, errUnknownAuth) {
			continue
		} else if err != nil {
			return err
		}
		if r.ByAuth = r.Reject != nil; r.ByAuth {
			c := *e
			c.Flags |= event.Rejected | event.RejectedByAuth
			r.Event = &c
		}
		for _, id := range e.AuthEvents {
			nid, ok := nids[string(id)]
			if !ok {
				if nid, err = i.o.Store.EventNID(ctx, string(id)); err != nil {
					return fmt.Errorf("finding the auth event %s: %w", id, err)
				}
			}
			r.Auth = append(r.Auth, nid)
		}
		if _, err := i.o.Rooms.Number(ctx, p.g.room.NID, r.Event); err != nil {
			return err
		}
		nids[e.ID] = r.Event.NID
		checked[e.ID] = r.Event
		if list = append(list, r); len(list) == outlierChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
