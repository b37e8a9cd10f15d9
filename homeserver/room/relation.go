package room

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// checkRelation refuses relations that the specification wants refused: a second annotation of
// the same type and key by the same user, and a thread that begins at a child of another event.
func (a *actor) checkRelation(ctx context.Context, b *batch, p Proposal) error {
	rel, ok := event.RelationOf(p.Content)
	if !ok || p.StateKey != nil || p.past {
		return nil
	}
	switch rel.Type {
	case event.RelAnnotation:
		return a.checkAnnotation(ctx, b, p, rel)
	case event.RelThread:
		root, err := a.find(ctx, b, rel.Parent)
		if errors.Is(err, store.ErrNotFound) || err == nil && root.Room != a.nid {
			return nil // "Relationships which ... break the rules of a relationship, are simply ignored"
		} else if err != nil {
			return err
		}
		// "If the client attempts to target an event which itself has an m.relates_to property,
		// then it should receive a HTTP 400 error response"; a plain reply, which has no rel_type,
		// can be one: "any event without a rel_type can become a thread root".
		if _, child := root.Relation(); child {
			return mxerror.New(400, "M_UNKNOWN", "A thread can't begin at an event that belongs to another one.")
		}
	}
	return nil
}

// checkAnnotation applies: "Homeservers should prevent users from sending a second annotation for
// a given event with identical event type and annotation key (unless the first event has been
// redacted)."
func (a *actor) checkAnnotation(ctx context.Context, b *batch, p Proposal, rel event.Relation) error {
	twice := mxerror.New(400, "M_DUPLICATE_ANNOTATION", "You have given this event the same annotation before.")
	gone := map[int64]bool{}
	for _, f := range append(a.flying[:len(a.flying):len(a.flying)], b) {
		for _, e := range f.pruned {
			gone[e.NID] = true
		}
	}
	for _, f := range append(a.flying[:len(a.flying):len(a.flying)], b) {
		for _, e := range f.events {
			if have, ok := e.Relation(); ok && have == rel && e.Type == p.Type && string(e.Sender) == p.Sender && !e.IsState() && !gone[e.NID] {
				return twice
			}
		}
	}
	author, err := a.m.o.Store.UserNID(ctx, p.Sender)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	nids, err := a.m.o.Store.Annotations(ctx, a.nid, author, rel.Parent, p.Type, rel.Key)
	if err != nil {
		return err
	}
	for _, nid := range nids {
		if !gone[nid] {
			return twice
		}
	}
	return nil
}
