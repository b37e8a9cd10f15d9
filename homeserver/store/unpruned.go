package store

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Unpruned is an event as it was before By redacted it in a room that isn't complete.
type Unpruned struct {
	Event, By int64
	JSON      []byte
}

// KeepUnpruned remembers an event's form before the first redaction, until the room is complete.
func (t *Tx) KeepUnpruned(room int64, u Unpruned) error {
	return t.exec("unpruned_event_put", room, u.Event, u.By, u.JSON)
}

// DropUnpruned forgets it.
func (t *Tx) DropUnpruned(room, event int64) error {
	return t.exec("unpruned_event_delete", room, event)
}

// Unpruned lists them for a room.
func (s *Store) Unpruned(ctx context.Context, room int64) ([]Unpruned, error) {
	return collect(ctx, s, "unpruned_event_list", func(r scanner) (u Unpruned, err error) {
		return u, r.Scan(&u.Event, &u.By, &u.JSON)
	}, room)
}

// RestoreEvent puts an event back that was redacted by what turns out to be forbidden. raw is its encoded form.
func (t *Tx) RestoreEvent(e *event.Event, raw []byte) error {
	if err := t.exec("event_prune", e.NID, int64(e.Flags), e.RedactedBy, raw); err != nil {
		return err
	}
	if e.Pos != 0 {
		if err := t.addRelation(e); err != nil {
			return err
		}
	}
	if err := t.pruneMediaRefs(e.NID, e.Room, raw); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.events.prune(e, len(raw)) })
	return nil
}
