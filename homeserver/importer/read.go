package importer

import (
	"context"
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// readMax is how much is read in one go.
const readMax = 1000

// Ledger lists what is here of a source.
func (i *Importer) Ledger(ctx context.Context, q wire.Ledger) (out wire.Entries, err error) {
	source, err := i.source(ctx, q.Source)
	if err != nil {
		return out, err
	}
	list, err := i.o.Store.ImportedAfter(ctx, source, q.After, limit(q.Limit))
	if err != nil {
		return out, err
	}
	out.Entries = make([]wire.Entry, len(list))
	for n, e := range list {
		room, err := i.o.Store.RoomByNID(ctx, e.Room)
		if err != nil {
			return out, err
		}
		out.Entries[n] = wire.Entry{Remote: e.Remote, RoomID: room.ID, EventID: e.EventID}
	}
	return out, nil
}

// Timeline lists a room's events, as clients see them, in the order in which they came.
func (i *Importer) Timeline(ctx context.Context, q wire.Timeline) (out wire.Events, err error) {
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

// Look finds the events that items are here.
func (i *Importer) Look(ctx context.Context, q wire.Look) (out wire.Looked, err error) {
	if len(q.Remotes) > wire.MaxItems {
		return out, mxerror.TooLarge("One request can ask for at most %d items.", wire.MaxItems)
	}
	source, err := i.source(ctx, q.Source)
	if err != nil {
		return out, err
	}
	known, err := i.o.Store.Imported(ctx, source, q.Remotes)
	if err != nil {
		return out, err
	}
	render := sync.Render{Store: i.o.Store, RoomID: true}
	for _, remote := range q.Remotes {
		k, ok := known[remote]
		if !ok {
			continue
		}
		e, err := i.o.Store.Event(ctx, k.Event)
		if err != nil {
			return out, err
		}
		raw, err := render.Event(ctx, nil, e)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, wire.Seen{Remote: remote, RoomID: e.InRoom, Event: raw, Bridged: !e.Has(event.Imported)})
	}
	return out, nil
}

// Members lists who is in a room.
func (i *Importer) Members(ctx context.Context, q wire.Members) (out wire.Joined, err error) {
	name, err := i.room(ctx, q.RoomID)
	if err != nil {
		return out, err
	}
	list, err := i.o.Store.MembersOf(ctx, name.NID)
	if err != nil {
		return out, err
	}
	for _, m := range list {
		if m.Membership != "join" {
			continue
		}
		id, err := i.o.Store.UserID(ctx, m.User)
		if err != nil {
			return out, err
		}
		out.Joined = append(out.Joined, id)
	}
	return out, nil
}
