package room

import (
	"context"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// keepUnpruned remembers what an event said before a redaction that can't be judged for good yet.
func (a *actor) keepUnpruned(b *batch, target, by *event.Event) {
	raw, err := encode(target)
	if err != nil {
		return // it was stored as this; then it stays redacted
	}
	u := store.Unpruned{Event: target.NID, By: by.NID, JSON: raw}
	b.extra = append(b.extra, func(t *store.Tx) error { return t.KeepUnpruned(a.nid, u) })
}

// restore finds the events that were redacted by what turns out not to be allowed to, and gives them back what they
// said. The events as they are from now on are in m.aloft already.
func (m *mending) restore(ctx context.Context) error {
	list, err := m.m.o.Store.Unpruned(ctx, m.nid)
	if err != nil {
		return err
	}
	for _, u := range list {
		by := m.fresh[u.By]
		if by == nil {
			continue // it was judged over all of the state
		}
		was, err := m.event(ctx, u.Event)
		if err != nil {
			return err
		}
		if by.Flags&event.Rejected == 0 {
			if ok, err := m.mayPrune(ctx, was, by); err != nil {
				return err
			} else if ok {
				continue
			}
		}
		parsed, err := event.ParseFor(u.JSON, was.ID, was.InRoom, was.Version, &m.m.o.Signer)
		if err != nil {
			return fmt.Errorf("reading what %s said before it was redacted: %w", was.ID, err)
		}
		e := *was
		e.PDU, e.RedactedBy = parsed.PDU, 0
		e.Flags &^= event.Redacted
		if m.fresh[e.NID] != nil {
			m.fresh[e.NID] = &e
		}
		m.aloft[e.NID] = &e
		m.b.mended = append(m.b.mended, &e)
		m.restored, m.restoredRaw = append(m.restored, &e), append(m.restoredRaw, u.JSON)
	}
	return nil
}
