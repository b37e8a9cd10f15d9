package joins

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

const (
	// chunkSize is how many events are verified at once.
	chunkSize = 500
	// eventsMax bounds the events of a room's state and its auth chain.
	eventsMax = 1_000_000
)

// gathering is a room's state as it arrives: verified, but not yet checked against the rules.
type gathering struct {
	j    *Joins
	ctx  context.Context
	v    event.Version
	room string

	chunk []*event.Event
	// events are those that are properly signed, by id.
	events map[string]*event.Event
	// state are the ids of those that are the room's state.
	state   map[string]bool
	dropped int
	// known are events that were here before, by id; nil for those that weren't.
	known map[string]*event.Event
}

func (j *Joins) gather(ctx context.Context, v event.Version, room string) *gathering {
	return &gathering{j: j, ctx: ctx, v: v, room: room, events: map[string]*event.Event{}, state: map[string]bool{}, known: map[string]*event.Event{}}
}

// add takes one event. What isn't an event of the room is left out: it could have been added by
// anybody on the way, and what needs it will fail.
func (g *gathering) add(s fclient.Section, raw jsontext.Value) error {
	e, err := parse(raw, g.v, g.room)
	if err != nil {
		g.dropped++
		return nil
	}
	if s == fclient.SectionState {
		g.state[e.ID] = true
	}
	if g.events[e.ID] != nil {
		return nil
	}
	if len(g.events) == eventsMax {
		return fmt.Errorf("the room's state has more than %d events", eventsMax)
	}
	g.chunk = append(g.chunk, e)
	if len(g.chunk) < chunkSize {
		return nil
	}
	return g.verify()
}

// find finds an event among what has gathered, or that was here before: of a room that this server was in
// not everything is told again. Nil if there is none that passed its checks.
func (g *gathering) find(id string) *event.Event {
	if e := g.events[id]; e != nil {
		return e
	}
	e, asked := g.known[id]
	if !asked {
		had, err := g.j.o.Store.EventByID(g.ctx, id)
		if err == nil && had.InRoom == g.room && !had.Has(event.Rejected) {
			e = had
		}
		g.known[id] = e
	}
	return e
}

// verify checks the signatures of what has gathered.
func (g *gathering) verify() error {
	good := g.j.verifyAll(g.ctx, g.chunk)
	for _, e := range good {
		g.events[e.ID] = e
	}
	g.dropped += len(g.chunk) - len(good)
	g.chunk = g.chunk[:0]
	return g.ctx.Err()
}

// verifyAll checks the signatures of events, on all processors, and gives those that are good. What has
// a wrong content hash is pruned.
func (j *Joins) verifyAll(ctx context.Context, chunk []*event.Event) (good []*event.Event) {
	var needs []keyring.Need
	for _, e := range chunk {
		for _, server := range signers(e) {
			for keyID := range e.Signatures[server] {
				needs = append(needs, keyring.Need{Server: server, KeyID: string(keyID), At: e.OriginServerTS})
				break
			}
		}
	}
	j.o.Keys.Prefetch(ctx, needs)
	ok := make([]bool, len(chunk))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if ok[i] = j.verify(ctx, chunk[i]) == nil; ok[i] {
					pruneForged(chunk[i])
				}
			}
		})
	}
	for i := range chunk {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, e := range chunk {
		if ok[i] {
			good = append(good, e)
		}
	}
	return good
}

// verify checks that all have signed an event who must.
func (j *Joins) verify(ctx context.Context, e *event.Event) error {
	for _, server := range signers(e) {
		if err := j.o.Keys.VerifyEvent(ctx, e.Version, e.PDU, server); err != nil {
			return err
		}
	}
	return nil
}

// ordered are the events in an order in which each comes after its auth events. What cites
// something that isn't there is left out, and so is what breaks the rules and all that cites it.
func (g *gathering) ordered() []*event.Event {
	const (
		fresh = iota
		open
		done
		bad
	)
	status := make(map[string]int, len(g.events))
	var out []*event.Event
	check := func(e *event.Event) bool {
		auth := make([]*pdu.PDU, 0, len(e.AuthEvents))
		for _, a := range e.AuthEvents {
			x := g.find(string(a))
			if x == nil || g.events[x.ID] != nil && status[x.ID] != done {
				return false
			}
			auth = append(auth, x.PDU)
		}
		return authrules.Authorize(g.v, e.PDU, auth, g.lookUp, g.j.o.Keys.GetKey(g.ctx)) == nil
	}
	type frame struct {
		e    *event.Event
		next int
	}
	for start := range g.events {
		if status[start] != fresh {
			continue
		}
		stack := []frame{{e: g.events[start]}}
		status[start] = open
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.next < len(f.e.AuthEvents) {
				a := string(f.e.AuthEvents[f.next])
				f.next++
				if x := g.events[a]; x != nil && status[a] == fresh {
					status[a] = open
					stack = append(stack, frame{e: x})
				}
				continue
			}
			status[f.e.ID] = bad
			if check(f.e) {
				status[f.e.ID] = done
				out = append(out, f.e)
			}
			stack = stack[:len(stack)-1]
		}
	}
	return out
}

func (g *gathering) lookUp(ids []id.EventID) ([]*pdu.PDU, error) {
	var out []*pdu.PDU
	for _, x := range ids {
		e := g.find(string(x))
		if e == nil {
			return nil, fmt.Errorf("event %.64s is not there", x)
		}
		out = append(out, e.PDU)
	}
	return out, nil
}

// checkJoin applies the rules to a join, over the state before it. Where memberships were left out of
// that, those count that the join cites.
func (g *gathering) checkJoin(join *event.Event, state []*event.Event, partial bool) error {
	byKey := map[pdu.StateKey]*event.Event{}
	var create *event.Event
	for _, e := range state {
		byKey[pdu.StateKey{Type: e.Type, StateKey: *e.StateKey}] = e
		if e.Is("m.room.create", "") {
			create = e
		}
	}
	if create == nil {
		return errors.New("the state has no create event")
	}
	if v := create.ContentString("room_version"); v != string(g.v) {
		return fmt.Errorf("the room is of version %.16q and not %s", v, g.v)
	}
	// The events that it cites must be there and allow it as well.
	var cited []*pdu.PDU
	for _, a := range join.AuthEvents {
		e := g.find(string(a))
		if e == nil {
			return fmt.Errorf("auth event %.64s of the join is not there", a)
		}
		cited = append(cited, e.PDU)
		if e.IsState() && partial && e.Type == "m.room.member" {
			if k := (pdu.StateKey{Type: e.Type, StateKey: *e.StateKey}); byKey[k] == nil {
				byKey[k] = e
			}
		}
	}
	var auth []*pdu.PDU
	for _, k := range join.AuthEventSelection(g.v) {
		if e := byKey[k]; e != nil {
			auth = append(auth, e.PDU)
		}
	}
	for _, list := range [][]*pdu.PDU{cited, auth} {
		if err := authrules.Authorize(g.v, join.PDU, list, g.lookUp, g.j.o.Keys.GetKey(g.ctx)); err != nil {
			return mxerror.Forbidden("The room's rules do not let you join.").Because(err)
		}
	}
	return nil
}

// stateOf picks the state out of what passed; one event for each key.
func (g *gathering) stateOf(passed []*event.Event) ([]*event.Event, error) {
	seen := map[pdu.StateKey]bool{}
	var out []*event.Event
	for _, e := range passed {
		if !g.state[e.ID] || e.StateKey == nil {
			continue
		}
		k := pdu.StateKey{Type: e.Type, StateKey: *e.StateKey}
		if seen[k] {
			return nil, fmt.Errorf("the state has two events for %.64s %.64q", k.Type, k.StateKey)
		}
		seen[k] = true
		out = append(out, e)
	}
	return slices.Clip(out), nil
}
