package room

import (
	"context"
	"encoding/json/jsontext"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Past is an event of a room's history that is brought in after the fact.
type Past struct {
	Sender  string
	Type    string
	Content jsontext.Value
	TS      int64
	// Name is what the other events of the same import call this one by in their relations; ""
	// if none does. It is replaced by the real id.
	Name string
}

// Direction says where history goes.
type Direction struct {
	// Forward appends it after everything that was said so far, as what a bridge has missed.
	Forward bool
	// ForwardIfQuiet appends it if nothing was said in the room so far.
	ForwardIfQuiet bool
	// News has what goes forward count as unread and be pushed. Otherwise it is news to nobody.
	News bool
	// Service is the application service whose names the events have. Those that it has brought into the room under the same names
	// already are not brought in again, and relations may name them.
	Service string
}

// Import brings a room's history in. The events are given oldest first. Unless it goes forward,
// it comes before everything that was said so far: clients find it by paging back, it is news to
// nobody, and each import comes before those that were made earlier. It is for bridges, in rooms
// whose members are all of this server: such events hang after the room's first ones, and are not
// checked against what the state was then, since the people who speak had no accounts yet.
func (m *Manager) Import(ctx context.Context, room int64, past []Past, d Direction) ([]*event.Event, error) {
	return m.do(ctx, room, func(ctx context.Context, a *actor, b *batch) error {
		anchor, quiet, err := a.firstTalk(ctx)
		if err != nil {
			return err
		}
		forward := d.Forward || d.ForwardIfQuiet && quiet
		names, err := a.m.o.Store.ServiceEvents(ctx, d.Service, a.nid, namedBy(past))
		if err != nil {
			return err
		}
		made := map[string]*event.Event{}
		for i, p := range past {
			if id := names[p.Name]; p.Name != "" && id != "" {
				e := made[p.Name]
				if e == nil {
					if e, err = a.m.o.Store.EventByID(ctx, id); err != nil {
						return err
					}
				}
				b.result = append(b.result, e)
				continue
			}
			if p.Content, err = Rename(p.Content, names); err != nil {
				return err
			}
			var e *event.Event
			if forward {
				e, err = a.propose(ctx, b, Proposal{Sender: p.Sender, Type: p.Type, Content: p.Content, TS: p.TS, past: true, imported: !d.News})
			} else if e, err = a.pastEvent(ctx, anchor, p, b.drafts); err == nil {
				b.past, b.pastLandings = append(b.past, e), append(b.pastLandings, &landing{})
			}
			if err != nil {
				return fmt.Errorf("event %d of the import: %w", i+1, err)
			}
			if p.Name != "" {
				names[p.Name], made[p.Name] = e.ID, e
			}
			if p.Name != "" && d.Service != "" {
				b.extra = append(b.extra, func(t *store.Tx) error { return t.NameServiceEvent(d.Service, p.Name, e.Room, e.NID) })
			}
			b.result = append(b.result, e)
		}
		return nil
	})
}

// namedBy are the names that some events have, or call others by.
func namedBy(past []Past) (names []string) {
	for _, p := range past {
		if p.Name != "" {
			names = append(names, p.Name)
		}
		names = append(names, Named(p.Content)...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstTalk finds the event that history hangs after: the last of those that made the room, the
// ones before anybody's first message. quiet tells that there has been none yet.
func (a *actor) firstTalk(ctx context.Context) (anchor *event.Event, quiet bool, err error) {
	if a.room.ID == "" {
		return nil, false, mxerror.NotFound("There is no such room.")
	}
	first, err := a.m.o.Store.TimelineForward(ctx, a.nid, 0, 1<<62, foundationMax)
	if err != nil {
		return nil, false, err
	}
	if len(first) == 0 {
		return nil, false, fmt.Errorf("room %s has no events", a.room.ID)
	}
	anchor = first[0]
	for _, e := range first {
		if !e.IsState() {
			return anchor, false, nil
		}
		anchor = e
	}
	return anchor, true, nil
}

// foundationMax bounds how many events are looked at to find where a room's making ends.
const foundationMax = 200

// pastEvent builds one event of history.
func (a *actor) pastEvent(ctx context.Context, anchor *event.Event, p Past, drafts *event.Drafts) (*event.Event, error) {
	proto := event.Proto{Version: a.room.Version, RoomID: a.room.ID, Type: p.Type, Sender: p.Sender, Content: p.Content,
		TS: p.TS, Depth: anchor.Depth + 1, Prev: []string{anchor.ID}}
	auth, err := a.authEvents(ctx, proto)
	if err != nil {
		return nil, err
	}
	for _, e := range auth {
		proto.Auth = append(proto.Auth, e.ID)
	}
	e, err := drafts.Build(proto)
	if err != nil {
		return nil, err
	}
	e.Root, e.Prev, e.Auth = anchor.Root, []int64{anchor.NID}, numbers(auth)
	return a.number(ctx, e, Proposal{})
}

// relations are the places where content names another event.
var relations = [...]string{`m\.relates_to.event_id`, `m\.relates_to.m\.in_reply_to.event_id`, `m\.new_content.m\.relates_to.event_id`, "redacts"}

// Named are the events that a content names.
func Named(content jsontext.Value) (names []string) {
	for _, path := range relations {
		if name := gjson.GetBytes(content, path).Str; name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Rename puts other names of events into a content.
func Rename(content jsontext.Value, names map[string]string) (jsontext.Value, error) {
	for _, path := range relations {
		id, ok := names[gjson.GetBytes(content, path).Str]
		if !ok {
			continue
		}
		out, err := sjson.SetBytes(content, path, id)
		if err != nil {
			return nil, fmt.Errorf("renaming a relation: %w", err)
		}
		content = out
	}
	return content, nil
}

// writePast writes the history of a batch. Positions go down, so the newest comes first.
func (b *batch) writePast(t *store.Tx) error {
	for i := len(b.past) - 1; i >= 0; i-- {
		if err := b.pastLandings[i].writePast(t, b.past[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *landing) writePast(t *store.Tx, e *event.Event) (err error) {
	switch {
	case !l.placed:
		err = t.AddPastEvent(e, l.raw)
	case l.at != 0:
		err = t.PlaceEvent(e, l.raw, false)
	default:
		err = t.PlacePastEvent(e, l.raw)
	}
	if err != nil {
		return err
	}
	for _, id := range l.missing {
		if err := t.AddMissingPrev(e.Room, store.MissingPrev{ID: id, After: e.NID}); err != nil {
			return err
		}
	}
	if e.Flags&event.FromFederation != 0 {
		return t.DeleteMissingPrev(e.Room, e.ID)
	}
	return nil
}
