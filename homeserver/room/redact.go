package room

import (
	"context"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// redact prunes the event that a redaction points at. The specification (client-server API,
// "Redactions"): "Any user with power level greater than or equal to the redact level can redact
// any event; users may redact their own events."
func (a *actor) redact(ctx context.Context, b *batch, by *event.Event, admin bool) error {
	target, err := a.find(ctx, b, by.RedactsID())
	if err == nil && target.Room != a.nid {
		return mxerror.InvalidParam("An event of another room can't be redacted here.")
	} else if errors.Is(err, store.ErrNotFound) && len(a.others) > 0 {
		// Other servers may have what isn't here; if it comes, the redaction is applied as one of
		// another server would be.
		id, nid := by.RedactsID(), by.NID
		b.extra = append(b.extra, func(t *store.Tx) error { return t.AddWaitingRedaction(a.nid, id, nid) })
		return nil
	} else if errors.Is(err, store.ErrNotFound) {
		return mxerror.NotFound("There is no such event in this room to redact.")
	}
	if err != nil {
		return err
	}
	// "Server administrators may redact events sent by users on their server."
	admin = admin && strings.HasSuffix(string(target.Sender), ":"+a.m.o.Signer.Server)
	if target.Sender != by.Sender && !admin {
		power, err := a.levels(ctx)
		if err != nil {
			return err
		}
		if have := power.User(string(by.Sender)); have < power.Redact {
			return mxerror.Forbidden("Redacting other people's events needs power level %d in this room, and you have %d.", power.Redact, have)
		}
	}
	if target.Has(event.Redacted) {
		return nil
	}
	a.prunes(b, target, by)
	return nil
}

// find looks an event up by id, also among those that are not durable yet, in the form that the
// latest redaction left.
func (a *actor) find(ctx context.Context, b *batch, eventID string) (*event.Event, error) {
	for _, f := range append(a.flying[:len(a.flying):len(a.flying)], b) {
		for _, e := range f.pruned {
			if e.ID == eventID {
				return e, nil
			}
		}
	}
	for _, f := range append(a.flying[:len(a.flying):len(a.flying)], b) {
		for _, e := range f.events {
			if e.ID == eventID {
				return e, nil
			}
		}
		for _, e := range f.late {
			if e.ID == eventID {
				return e, nil
			}
		}
	}
	return a.m.o.Store.EventByID(ctx, eventID)
}
