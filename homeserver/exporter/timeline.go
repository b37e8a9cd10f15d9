package exporter

import (
	"context"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Timeline implements export.Source. What happens while it is read is not in it: the first part fixes the end.
func (x *Exporter) Timeline(ctx context.Context, room, person, after string) (out export.Timeline, err error) {
	r, err := x.load(ctx, room)
	if err != nil {
		return out, err
	}
	from, upto := store.Beginning, int64(0)
	if after == "" {
		if upto, err = x.Store.LastPosition(ctx, r.NID); err != nil {
			return out, err
		}
	} else if _, err := fmt.Sscanf(after, "%d.%d.%d", &from.Depth, &from.Pos, &upto); err != nil {
		return out, mxerror.BadJSON("%q is no place in a timeline.", after)
	}
	var whose int64
	if person != "" {
		if whose, err = x.Store.UserNID(ctx, person); errors.Is(err, store.ErrNotFound) {
			return out, export.ErrNobody
		} else if err != nil {
			return out, err
		}
	}
	var chosen []*event.Event
	for looked := 0; len(chosen) < eventsPart && looked < scanned; {
		events, err := x.Store.HistoryForward(ctx, r.NID, from, store.End, upto, eventsPart)
		if err != nil {
			return out, err
		}
		for _, e := range events {
			if whose == 0 || e.Author == whose || e.Is("m.room.member", person) {
				chosen = append(chosen, e)
			}
		}
		if len(events) < eventsPart {
			return x.happened(ctx, out, chosen, upto)
		}
		looked += len(events)
		from = store.After(events[len(events)-1])
	}
	out.Next = fmt.Sprintf("%d.%d.%d", from.Depth, from.Pos, upto)
	return x.happened(ctx, out, chosen, upto)
}

// happened adds events, with what became of them, to a part.
func (x *Exporter) happened(ctx context.Context, out export.Timeline, events []*event.Event, upto int64) (export.Timeline, error) {
	raw, err := x.render(ctx, events)
	if err != nil {
		return out, err
	}
	parents := make([]string, len(events))
	at := make(map[string]int, len(events))
	out.Events = make([]export.Happened, len(events))
	for i, e := range events {
		parents[i], at[e.ID], out.Events[i].Event = e.ID, i, raw[i]
	}
	if err := x.edits(ctx, out.Events, at, parents, upto); err != nil {
		return out, err
	}
	list, err := x.Store.Reactions(ctx, parents, upto)
	if err != nil {
		return out, err
	}
	for _, r := range list {
		i, ok := at[r.Parent]
		if !ok || events[i].Room != r.Room {
			continue
		}
		who, err := x.Store.UserID(ctx, r.Author)
		if err != nil {
			return out, err
		}
		h := &out.Events[i]
		n := 0
		for n < len(h.Reactions) && h.Reactions[n].Key != r.Key {
			n++
		}
		if n == len(h.Reactions) {
			h.Reactions = append(h.Reactions, export.Reaction{Key: r.Key})
		}
		h.Reactions[n].Senders = append(h.Reactions[n].Senders, who)
	}
	return out, nil
}

// edits puts the newest edits to what they edit.
func (x *Exporter) edits(ctx context.Context, to []export.Happened, at map[string]int, parents []string, upto int64) error {
	nids, err := x.Store.NewestEdits(ctx, parents, upto)
	if err != nil {
		return err
	}
	edits, err := x.Store.Events(ctx, nids)
	if err != nil {
		return err
	}
	raw, err := x.render(ctx, edits)
	if err != nil {
		return err
	}
	for i, e := range edits {
		if rel, ok := e.Relation(); ok {
			if n, ok := at[rel.Parent]; ok {
				to[n].Edit = raw[i]
			}
		}
	}
	return nil
}
