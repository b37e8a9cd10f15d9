package room

import (
	"context"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/policy"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Policy asks policy servers; *policy.Policy does.
type Policy interface {
	// Ask adds the policy server's signature to an event, or says why it isn't wanted.
	Ask(ctx context.Context, s policy.Server, e *event.Event) error
}

var _ Policy = (*policy.Policy)(nil)

// askPolicy interrupts a turn whose event the room's policy server has to sign first: the turn doesn't wait
// for that.
type askPolicy struct {
	server policy.Server
	draft  *event.Event
}

func (*askPolicy) Error() string { return "the room's policy server has to be asked first" }

// askFirst gives an *askPolicy if a new event needs the signature of a policy server: "all servers in that room
// MUST ask that Policy Server for a signature before sending an event".
func (a *actor) askFirst(ctx context.Context, e *event.Event) error {
	if a.m.o.Policy == nil || policy.Exempt(e.PDU) {
		return nil
	}
	x, err := a.state(ctx, "m.room.policy", "")
	if err != nil || x == nil {
		return err
	}
	s, ok := policy.Of(x.Content)
	if !ok || a.joined[s.Name] == 0 && !slices.Contains(a.partial, s.Name) {
		return nil
	}
	return &askPolicy{server: s, draft: e}
}

// sendAsked is SendAll in a room with a policy server: each event is drafted in one turn, signed by the server, and
// taken in in another one. What was said meanwhile stands beside it. Other than in SendAll, those before one that
// fails stay.
func (m *Manager) sendAsked(ctx context.Context, room int64, ps []Proposal) (out []*event.Event, err error) {
	for _, p := range ps {
		e, err := m.sendOneAsked(ctx, room, p)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (m *Manager) sendOneAsked(ctx context.Context, room int64, p Proposal) (*event.Event, error) {
	var asking *askPolicy
	done, err := m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		e, err := a.propose(ctx, b, p)
		if err == nil {
			b.result = []*event.Event{e}
		}
		return err
	})
	if !errors.As(err, &asking) {
		if err != nil {
			return nil, err
		}
		return done[0], nil
	}
	// What the draft cites is to be stored before anybody hears of it.
	_, err = m.do(ctx, room, func(_ context.Context, a *actor, b *batch) error {
		if n := len(a.flying); n > 0 {
			b.after = a.flying[n-1]
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := m.o.Policy.Ask(ctx, asking.server, asking.draft); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		e, err := m.adoptAsked(ctx, room, p, asking.draft)
		if !errors.Is(err, store.ErrStale) || try == tries {
			return e, err
		}
	}
}

// adoptAsked takes a signed draft in, unless the request has been answered meanwhile.
func (m *Manager) adoptAsked(ctx context.Context, room int64, p Proposal, draft *event.Event) (*event.Event, error) {
	// One after the other, so that of two tries of one request one finds the other's event.
	m.adopting.Lock()
	defer m.adopting.Unlock()
	if p.TxnScope != 0 {
		e, err := m.o.Store.EventByTxn(ctx, p.TxnScope, p.Txn, room)
		if !errors.Is(err, store.ErrNotFound) {
			return e, err
		}
	}
	r := Received{Event: draft, Prev: draft.Prev, Auth: draft.Auth}
	var err error
	if r.Before, r.Packs, err = m.StateBefore(ctx, room, r.Prev); err != nil {
		return nil, err
	}
	e, _, err := m.Adopt(ctx, room, r)
	return e, err
}
