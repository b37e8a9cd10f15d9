package joins

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// singly is how many events are asked for one by one; of more, the whole state is.
	singly = 50
	// waitingMax bounds the events in memory that rest on some that have not come yet.
	waitingMax = 500_000
	// lostMax is the part of a state, one in so many, that may be missing.
	lostMax = 10
)

// keeper stores the events of a room's state as they arrive, so that no more of them than a chunk is in
// memory, but for those that rest on others which have not come yet. It is used by one goroutine.
type keeper struct {
	j    *Joins
	ctx  context.Context
	room store.RoomName

	chunk   []*event.Event
	waiting map[string]*event.Event
	// wanted are the ids that are not here yet.
	wanted map[string]bool
	// cited are auth events that were looked up of late: most members rest on the same few.
	cited map[string]*event.Event
}

// citedMax is how many of them are remembered.
const citedMax = 256

// auth finds an event that others rest on.
func (k *keeper) auth(id string) (*event.Event, error) {
	if e := k.cited[id]; e != nil {
		return e, nil
	}
	e, err := k.j.o.Store.EventByID(k.ctx, id)
	if err == nil {
		if len(k.cited) >= citedMax {
			clear(k.cited)
		}
		k.cited[id] = e
	}
	return e, err
}

func (j *Joins) keep(ctx context.Context, name store.RoomName) *keeper {
	return &keeper{j: j, ctx: ctx, room: name, waiting: map[string]*event.Event{}, wanted: map[string]bool{}, cited: map[string]*event.Event{}}
}

// stateAfter fetches and stores the state after an event, as a server tells it, with what it rests on.
func (k *keeper) stateAfter(server, id string) (nids []int64, err error) {
	s := k.j.o.Store
	state, auth, err := k.j.o.Remote.StateIDs(k.ctx, server, k.room.ID, id)
	if err != nil {
		return nil, err
	}
	if len(state) == 0 {
		return nil, errors.New("the state is empty")
	}
	if len(state)+len(auth) > eventsMax {
		return nil, fmt.Errorf("the state has more than %d events", eventsMax)
	}
	// The event itself belongs to the state after it, in the place of what it replaces.
	state = append(slices.DeleteFunc(state, func(x string) bool { return x == id }), id)
	for _, list := range [...][]string{state, auth} {
		for _, x := range list {
			k.wanted[x] = true
		}
		have, err := s.EventNIDs(k.ctx, k.room.NID, list)
		if err != nil {
			return nil, err
		}
		for x := range have {
			delete(k.wanted, x)
		}
	}
	if len(k.wanted) > singly {
		err := k.j.o.Remote.State(k.ctx, server, k.room.ID, id, func(_ fclient.Section, raw jsontext.Value) error { return k.add(raw) })
		if err != nil {
			return nil, err
		}
		if err := k.flush(); err != nil {
			return nil, err
		}
	}
	if err := k.rest(server); err != nil {
		return nil, err
	}
	have, err := s.EventNIDs(k.ctx, k.room.NID, state)
	if err != nil {
		return nil, err
	}
	if have[id] == 0 {
		return nil, fmt.Errorf("the event %.64s can't be had", id)
	}
	if lost := len(state) - len(have); lost > len(state)/lostMax {
		return nil, fmt.Errorf("%d of %d events of the state can't be had", lost, len(state))
	} else if lost > 0 {
		k.j.o.Log.WarnContext(k.ctx, "events of a room's state were left out", "room", k.room.ID, "server", server, "events", lost)
	}
	for _, x := range state {
		if nid := have[x]; nid != 0 {
			nids = append(nids, nid)
		}
	}
	return nids, nil
}

// rest asks for what is still wanted one by one.
func (k *keeper) rest(server string) error {
	asked := 0
	for x := range k.wanted {
		if asked++; asked > singly {
			break
		}
		raw, err := k.j.o.Remote.Event(k.ctx, server, x)
		if err != nil {
			if k.ctx.Err() != nil {
				return err
			}
			k.j.o.Log.DebugContext(k.ctx, "an event can't be had", "room", k.room.ID, "server", server, "event", x, "err", err)
			continue
		}
		if err := k.add(raw); err != nil {
			return err
		}
	}
	return k.flush()
}

// add takes one event. What isn't an event of the room, or wasn't asked for, is left out.
func (k *keeper) add(raw jsontext.Value) error {
	e, err := parse(raw, k.room.Version, k.room.ID)
	if err != nil || !k.wanted[e.ID] {
		return nil
	}
	if len(k.waiting) >= waitingMax {
		return fmt.Errorf("more than %d events rest on others that are not there", waitingMax)
	}
	if k.chunk = append(k.chunk, e); len(k.chunk) < chunkSize {
		return nil
	}
	return k.flush()
}

// flush verifies what has gathered, and stores those events of which the auth events are here.
func (k *keeper) flush() error {
	for _, e := range k.j.verifyAll(k.ctx, k.chunk) {
		k.waiting[e.ID] = e
	}
	k.chunk = k.chunk[:0]
	if err := k.ctx.Err(); err != nil {
		return err
	}
	for {
		ready, err := k.ready()
		if err != nil || len(ready) == 0 {
			return err
		}
		for len(ready) > 0 {
			n := min(len(ready), chunkSize)
			if err := k.store(ready[:n]); err != nil {
				return err
			}
			ready = ready[n:]
		}
	}
}

// ready takes out those that wait for no other one.
func (k *keeper) ready() (out []*event.Event, err error) {
	asked := map[string]bool{}
	for _, e := range k.waiting {
		for _, a := range e.AuthEvents {
			if k.waiting[string(a)] == nil {
				asked[string(a)] = true
			}
		}
	}
	ids := make([]string, 0, len(asked))
	for a := range asked {
		ids = append(ids, a)
	}
	have, err := k.j.o.Store.EventNIDs(k.ctx, k.room.NID, ids)
	if err != nil {
		return nil, err
	}
	for x, e := range k.waiting {
		here := true
		for _, a := range e.AuthEvents {
			here = here && have[string(a)] != 0
		}
		if here {
			out = append(out, e)
			delete(k.waiting, x)
		}
	}
	return out, nil
}

// store makes outliers of events whose auth events are here, with check 4 made: "Passes authorization
// rules based on the event's auth events, otherwise it is rejected."
func (k *keeper) store(events []*event.Event) error {
	list := make([]room.Received, 0, len(events))
	for _, e := range events {
		r := room.Received{Event: e}
		auth := make([]*pdu.PDU, 0, len(e.AuthEvents))
		for _, a := range e.AuthEvents {
			x, err := k.auth(string(a))
			if err != nil {
				return err
			}
			r.Auth = append(r.Auth, x.NID)
			p := x.PDU
			if x.Has(event.Rejected) {
				c := *p
				c.InternalMeta.Rejected = true
				p = &c
			}
			auth = append(auth, p)
		}
		if err := authrules.Authorize(e.Version, e.PDU, auth, k.lookUp, k.j.o.Keys.GetKey(k.ctx)); err != nil {
			r.Reject, r.ByAuth = err, true
			e.Flags |= event.Rejected | event.RejectedByAuth
		}
		known, err := k.j.o.Rooms.Number(k.ctx, k.room.NID, e)
		if err != nil {
			return fmt.Errorf("numbering the state of a room: %w", err)
		}
		delete(k.wanted, e.ID)
		if !known {
			list = append(list, r)
		}
	}
	if err := k.j.o.Rooms.Outliers(k.ctx, k.room.NID, list); err != nil {
		return fmt.Errorf("keeping the state of a room: %w", err)
	}
	return nil
}

func (k *keeper) lookUp(ids []id.EventID) ([]*pdu.PDU, error) {
	var out []*pdu.PDU
	for _, x := range ids {
		e, err := k.auth(string(x))
		if err != nil {
			return nil, err
		}
		out = append(out, e.PDU)
	}
	return out, nil
}
