package room

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// amiss are events that a redaction can't be judged by: they are not shown themselves.
const amiss = event.Rejected | event.SoftFailed | event.Withheld

// withholds tells whether a received redaction is kept from clients: specification, room version 3, "Handling
// redactions": "they should not be sent to clients until both the redaction event and the event the redaction affects
// have been received, and can be validated." "If the server would apply a redaction, the redaction event is also sent
// to clients. Otherwise, the server simply waits for a valid partner event to arrive". In a room that isn't complete
// nothing can be judged for good, so nothing is held back.
func (a *actor) withholds(ctx context.Context, b *batch, e *event.Event) (bool, error) {
	id := e.RedactsID()
	if id == "" || e.IsState() || a.partial != nil {
		return false, nil
	}
	if id == e.ID {
		return true, nil
	}
	target, err := a.find(ctx, b, id)
	if errors.Is(err, store.ErrNotFound) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	if target.Room != a.nid || target.Flags&amiss != 0 {
		return true, nil
	}
	ok, err := a.mayPrune(ctx, target, e)
	return !ok, err
}

// redactions applies a received redaction, or those that came before the received event: "in either
// order".
func (a *actor) redactions(ctx context.Context, b *batch, e *event.Event) error {
	s := a.m.o.Store
	if id := e.RedactsID(); id != "" && !e.IsState() && id != e.ID {
		target, err := a.find(ctx, b, id)
		switch {
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return err
		case err != nil, target.Room == a.nid && target.Flags&amiss != 0:
			b.extra = append(b.extra, func(t *store.Tx) error { return t.AddWaitingRedaction(a.nid, id, e.NID) })
		default:
			if err := a.prune(ctx, b, target, e); err != nil {
				return err
			}
		}
	}
	if e.Flags&amiss != 0 {
		return nil // what redacts it waits for as long as it does
	}
	waiting, err := s.WaitingRedactions(ctx, a.nid, e.ID)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		b.extra = append(b.extra, func(t *store.Tx) error { return t.DeleteWaitingRedactions(a.nid, e.ID) })
	}
	for _, x := range a.aloft { // their rows may not be there yet
		if x.RedactsID() == e.ID && x.Flags&(event.Rejected|event.SoftFailed|event.Outlier) == 0 && !slices.Contains(waiting, x.NID) {
			waiting = append(waiting, x.NID)
		}
	}
	for _, nid := range waiting {
		by, err := a.event(ctx, nid)
		if err != nil {
			return err
		}
		if err := a.prune(ctx, b, e, by); err != nil {
			return err
		}
	}
	return nil
}

// mayPrune tells whether an event redacts another. Room version 3, "Handling redactions": the
// redaction is applied if "the power level of the redaction event's sender is greater than or equal
// to the redact level" or "the domain of the redaction event's sender matches that of the original
// event's sender".
func (a *actor) mayPrune(ctx context.Context, target, by *event.Event) (bool, error) {
	if target.Room != a.nid || target.NID == by.NID {
		return false, nil
	}
	if store.ServerOf(string(by.Sender)) == store.ServerOf(string(target.Sender)) {
		return true, nil
	}
	create, err := a.stateIn(ctx, by.Root, "m.room.create", "")
	if err != nil {
		return false, err
	}
	levels, err := a.stateIn(ctx, by.Root, "m.room.power_levels", "")
	if err != nil {
		return false, err
	}
	power := parsePower(create, levels)
	return power.User(string(by.Sender)) >= power.Redact, nil
}

// prune redacts an event by another, if that one may. One that was withheld is shown now.
func (a *actor) prune(ctx context.Context, b *batch, target, by *event.Event) error {
	ok, err := a.mayPrune(ctx, target, by)
	if err != nil || !ok {
		return err
	}
	if target.Flags&event.Redacted == 0 {
		a.prunes(b, target, by)
	} else if a.partial != nil {
		// It stays redacted, whether the first redaction is allowed or not.
		b.extra = append(b.extra, func(t *store.Tx) error { return t.DropUnpruned(a.nid, target.NID) })
	}
	if by.Flags&event.Withheld == 0 {
		return nil
	}
	return a.release(ctx, b, by)
}

// release shows a redaction that was withheld: it comes into the timeline now, and changes nothing.
func (a *actor) release(ctx context.Context, b *batch, was *event.Event) error {
	for _, l := range b.landings { // received in this very turn
		if i := slices.Index(b.landings, l); b.events[i].NID == was.NID && l.unseen {
			l.unseen = false
			b.events[i].Flags &^= event.Withheld
			return a.redactions(ctx, b, b.events[i])
		}
	}
	e := *was
	e.Flags &^= event.Withheld
	if e.Current = 0; e.Root != a.room.Root {
		e.Current = a.room.Root
	}
	b.add(&e, &landing{placed: true})
	a.aloft[e.NID] = &e
	return a.redactions(ctx, b, &e)
}

// prunes takes the pruned form of an event in.
func (a *actor) prunes(b *batch, target, by *event.Event) {
	pruned := target.Pruned(by.NID)
	if a.partial != nil {
		a.keepUnpruned(b, target, by)
	}
	b.pruned, b.unpruned = append(b.pruned, pruned), append(b.unpruned, target)
	if _, ok := a.aloft[pruned.NID]; ok {
		a.aloft[pruned.NID] = pruned
	}
	if pruned.IsState() {
		k := store.StateKey{Type: pruned.Type, Key: *pruned.StateKey}
		if cur := a.current[k]; cur != nil && cur.NID == pruned.NID {
			a.remember(k, pruned)
			b.touched = append(b.touched, k)
			a.power = nil
		}
	}
}

// stateIn finds an event of a state; nil if there is none.
func (a *actor) stateIn(ctx context.Context, root statetree.Ref, typ, key string) (*event.Event, error) {
	nid, err := a.m.o.Store.StateKeyNID(ctx, store.StateKey{Type: typ, Key: key})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	at, ok, err := a.m.o.Store.State().Get(ctx, root, nid)
	if err != nil || !ok {
		return nil, err
	}
	return a.event(ctx, at)
}
