package importer

import (
	"context"
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// readMax is how much is read in one go.
const readMax = 1000

// Ledger lists what is here of a source.
func (i *Importer) Ledger(ctx context.Context, q Ledger) (out Entries, err error) {
	source, err := i.source(ctx, q.Source)
	if err != nil {
		return out, err
	}
	list, err := i.o.Store.ImportedAfter(ctx, source, q.After, limit(q.Limit))
	if err != nil {
		return out, err
	}
	out.Entries = make([]Entry, len(list))
	for n, e := range list {
		room, err := i.o.Store.RoomByNID(ctx, e.Room)
		if err != nil {
			return out, err
		}
		out.Entries[n] = Entry{Remote: e.Remote, RoomID: room.ID, EventID: e.EventID}
	}
	return out, nil
}

// Timeline lists a room's events, as clients see them, in the order in which they came.
func (i *Importer) Timeline(ctx context.Context, q Timeline) (out Events, err error) {
	name, err := i.room(ctx, q.RoomID)
	if err != nil {
		return out, err
	}
	events, err := i.o.Store.TimelineForward(ctx, name.NID, q.After, 1<<62, limit(q.Limit))
	if err != nil {
		return out, err
	}
	out.Events = make([]jsontext.Value, len(events))
	render := sync.Render{Store: i.o.Store, RoomID: true}
	for n, e := range events {
		if out.Events[n], err = render.Event(ctx, nil, e); err != nil {
			return out, err
		}
	}
	if len(events) == limit(q.Limit) {
		out.Next = events[len(events)-1].Pos
	}
	return out, nil
}

func limit(n int) int {
	if n <= 0 || n > readMax {
		return readMax
	}
	return n
}
