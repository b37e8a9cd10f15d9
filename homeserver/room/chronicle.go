package room

import (
	"context"
	"encoding/json/jsontext"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Scribe writes the history of a room down, in a turn of the room; see Manager.Chronicle. It is
// good until the function that it was given to returns.
type Scribe struct {
	ctx context.Context
	a   *actor
	b   *batch
	// at is where the last late event came to.
	at place
}

// Chronicle lets write put history at the end of a room: the events of a community that comes from
// elsewhere, by those who were there and with the times of then. They obey the room's rules like all
// others, and are marked as event.Imported. All that write does is stored together, or nothing is.
// write may be called more than once, and must not call the Manager.
func (m *Manager) Chronicle(ctx context.Context, room int64, write func(*Scribe) error) ([]*event.Event, error) {
	return m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error { return write(&Scribe{ctx: ctx, a: a, b: b}) })
}

// Append puts an event at the end of the room. State that would not change gives the event that is
// there already; fresh tells whether there is a new one.
func (s *Scribe) Append(p Proposal) (e *event.Event, fresh bool, err error) {
	before := len(s.b.events)
	p.past, p.imported = true, true
	if e, err = s.a.propose(s.ctx, s.b, p); err != nil {
		return nil, false, err
	}
	if fresh = len(s.b.events) > before; fresh {
		s.b.result = append(s.b.result, e)
	}
	return e, fresh, nil
}

// Membership is how a user stands in the room now; "" if they were never there.
func (s *Scribe) Membership(user string) (string, error) {
	e, err := s.a.state(s.ctx, "m.room.member", user)
	if err != nil || e == nil {
		return "", err
	}
	return e.Membership(), nil
}

// State is the content of an event of the room's state; nil if there is none.
func (s *Scribe) State(typ, key string) (jsontext.Value, error) {
	e, err := s.a.state(s.ctx, typ, key)
	if err != nil || e == nil {
		return nil, err
	}
	return e.Content, nil
}

// Server is how this server is called.
func (s *Scribe) Server() string { return s.a.m.o.Signer.Server }

// Event finds an event of the room by its id, also one that was appended just now.
func (s *Scribe) Event(id string) (*event.Event, error) {
	e, err := s.a.find(s.ctx, s.b, id)
	if err == nil && e.Room != s.a.nid {
		err = fmt.Errorf("event %s: %w", id, store.ErrNotFound)
	}
	return e, err
}

// Also has fn run in the transaction that stores the events, after them.
func (s *Scribe) Also(fn func(*store.Tx) error) { s.b.extra = append(s.b.extra, fn) }
