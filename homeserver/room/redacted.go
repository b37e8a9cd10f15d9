package room

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// redactions applies a received redaction, or those that came before the received event: "in either
// order".
func (a *actor) redactions(ctx context.Context, b *batch, e *event.Event) error {
	s := a.m.o.Store
	if id := e.RedactsID(); id != "" && !e.IsState() {
		target, err := a.find(ctx, b, id)
		switch {
		case errors.Is(err, store.ErrNotFound):
			b.extra = append(b.extra, func(t *store.Tx) error { return t.AddWaitingRedaction(a.nid, id, e.NID) })
		case err != nil:
			return err
		default:
			if err := a.prune(ctx, b, target, e); err != nil {
				return err
			}
		}
	}
	waiting, err := s.WaitingRedactions(ctx, a.nid, e.ID)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		b.extra = append(b.extra, func(t *store.Tx) error { return t.DeleteWaitingRedactions(a.nid, e.ID) })
	}
	for _, x := range a.aloft { // their rows may not be there yet
		if x.RedactsID() == e.ID && x.Flags&(event.Rejected|event.SoftFailed|event.Outlier) == 0 {
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

// prune redacts an event by another, if that one may. Room version 3, "Handling redactions": the
// redaction is applied if "the power level of the redaction event's sender is greater than or equal
// to the redact level" or "the domain of the redaction event's sender matches that of the original
// event's sender".
func (a *actor) prune(ctx context.Context, b *batch, target, by *event.Event) error {
	if target.Room != a.nid || target.Flags&event.Redacted != 0 || target.NID == by.NID {
		return nil
	}
	if store.ServerOf(string(by.Sender)) != store.ServerOf(string(target.Sender)) {
		create, err := a.stateIn(ctx, by.Root, "m.room.create", "")
		if err != nil {
			return err
		}
		levels, err := a.stateIn(ctx, by.Root, "m.room.power_levels", "")
		if err != nil {
			return err
		}
		if power := parsePower(create, levels); power.User(string(by.Sender)) < power.Redact {
			return nil
		}
	}
	a.prunes(b, target.Pruned(by.NID))
	return nil
}

// prunes takes a pruned form of an event in.
func (a *actor) prunes(b *batch, pruned *event.Event) {
	b.pruned = append(b.pruned, pruned)
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
