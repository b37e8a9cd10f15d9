package sync

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/relations"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Render appends events in the form that one client sees.
type Render struct {
	Store *store.Store
	// User is who reads; Scope the device's transaction scope, 0 for none.
	User  string
	Scope int64
	// RoomID includes room_id, as everywhere but in /sync.
	RoomID bool
	// Old is the form of the endpoints from before /sync, which have user_id beside sender.
	Old bool
	// Membership adds unsigned.membership.
	Membership bool
	NowMS      int64
	// Bundle adds unsigned.m.relations to what Events renders, of children up to the log position
	// Upto, for the reader of number UserNID.
	Bundle  bool
	UserNID int64
	Upto    int64

	bundles map[int64]*relations.Bundle
}

// Event appends one event with what belongs into its unsigned part.
func (r Render) Event(ctx context.Context, dst []byte, e *event.Event) ([]byte, error) {
	e, err := r.erased(ctx, e)
	if err != nil {
		return dst, err
	}
	v := event.View{RoomID: r.RoomID, UserID: r.Old, NowMS: r.NowMS, Txn: r.Scope != 0 && e.TxnScope == r.Scope}
	if e.Replaces != 0 {
		prev, err := r.Store.Event(ctx, e.Replaces)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return dst, err
		}
		v.Previous = prev
	}
	if e.RedactedBy != 0 {
		by, err := r.Store.Event(ctx, e.RedactedBy)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return dst, err
		}
		v.Because = by
	}
	if r.Membership {
		// MSC4115: "the membership of the user at the time of the event".
		m, err := stateString(ctx, r.Store, e.Root, "m.room.member", r.User, "membership")
		if err != nil {
			return dst, err
		}
		if m == "" {
			m = "leave"
		}
		v.Membership = m
	}
	if b := r.bundles[e.NID]; b != nil {
		raw, err := r.relations(ctx, b)
		if err != nil {
			return dst, err
		}
		v.Relations = raw
	}
	return e.AppendClient(dst, v), nil
}

// erased gives the event as the reader is to see it whose sender has had everything erased:
// specification, /account/deactivate: "Erasure means that any users (or servers) which join the room
// after the erasure request are served redacted copies of the events sent by this account. Users
// which had visibility on those events prior to the erasure are still able to see unredacted copies."
// State other than the user's own membership is the room's, and stays: newcomers would find a room
// without a name.
func (r Render) erased(ctx context.Context, e *event.Event) (*event.Event, error) {
	at := r.Store.ErasedAt(e.Author)
	if at == 0 || r.User == "" || r.User == string(e.Sender) || e.Has(event.Redacted) || e.IsState() && !e.Is("m.room.member", string(e.Sender)) {
		return e, nil
	}
	root, err := r.Store.RootAt(ctx, e.Room, at)
	if err != nil {
		return e, err
	}
	for _, root := range [...]statetree.Ref{e.Root, root} {
		m, err := stateString(ctx, r.Store, root, "m.room.member", r.User, "membership")
		if err != nil || m == "join" {
			return e, err
		}
	}
	return e.Pruned(0), nil
}

// Events appends a JSON array of events.
func (r Render) Events(ctx context.Context, dst []byte, events []*event.Event) (_ []byte, err error) {
	if r.Bundle {
		if r, err = r.With(ctx, events); err != nil {
			return dst, err
		}
	}
	dst = append(dst, '[')
	for i, e := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = r.Event(ctx, dst, e); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}
