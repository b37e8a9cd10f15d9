package sync

import (
	"context"
)

// presence writes whose presence has changed, and that of whom the user has just met: "Presence
// events are sent to interested parties where users share a room membership."
func (b *builder) presence(ctx context.Context) error {
	p := b.s.o.Presence
	if p == nil {
		return nil
	}
	f := b.q.Filter.Presence
	after := b.q.Since.Presence
	if b.q.Initial {
		after = 0
	}
	if b.upto.Presence <= after && len(b.met) == 0 && len(b.hall) == 0 {
		return nil
	}
	if len(b.hall) > 0 {
		// Somebody who has come into a room gets to know everybody in it.
		after = 0
	}
	met := b.met
	if b.q.Initial {
		met = nil // whoever is not told of is offline
	}
	events, err := p.Changed(ctx, b.q.User, after, met)
	if err != nil {
		return err
	}
	first := true
	for _, e := range events {
		if !f.AllowsType(e.Type) || !allow(f.Senders, f.NotSenders, e.Sender, false) || b.ignored[e.Sender] {
			continue
		}
		if first {
			b.out.str(`,"presence":{"events":[`)
		} else {
			b.out.str(",")
		}
		first = false
		if err := b.out.json(e); err != nil {
			return err
		}
	}
	if !first {
		b.some = true
		b.out.str("]}")
	}
	return nil
}
