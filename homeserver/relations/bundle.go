package relations

import (
	"context"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Viewer is somebody who is shown events.
type Viewer struct {
	Store *store.Store
	// User is the viewer's number, 0 for nobody in particular.
	User int64
	// Upto is the last log position that counts.
	Upto int64
	// Ignored lists the numbers of the users that the viewer ignores. It is asked only where
	// there are relations at all. May be nil.
	Ignored func(context.Context) (map[int64]bool, error)
	// Visible tells whether the viewer may see an event of the room.
	Visible func(context.Context, *event.Event) (bool, error)
}

// Bundle is what an event's children come to: specification, "Aggregations of child events".
type Bundle struct {
	// Edit is the newest valid edit, or nil.
	Edit *event.Event
	// References are the ids of the events that refer to this one.
	References []string
	// Thread is nil where no thread begins.
	Thread *Thread
}

// Thread is a thread in short.
type Thread struct {
	Latest *event.Event
	// LatestBundle is that of the newest event itself; nil if it has none.
	LatestBundle *Bundle
	Count        int64
	Participated bool
}

// referencesMax bounds the references listed with one event.
const referencesMax = 500

// Bundles aggregates the children of many events at once, in a number of queries that depends on
// the kinds of relations only (for each 64 events). The result is by event number; events without
// children are not in it. State events have none: "State events do not currently receive bundled
// aggregations."
func Bundles(ctx context.Context, v Viewer, events []*event.Event) (map[int64]*Bundle, error) {
	return bundles(ctx, v, events, true)
}

func bundles(ctx context.Context, v Viewer, events []*event.Event, threads bool) (map[int64]*Bundle, error) {
	parents := map[string]*event.Event{}
	var ids []string
	for _, e := range events {
		if !e.IsState() && parents[e.ID] == nil {
			parents[e.ID] = e
			ids = append(ids, e.ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	counts, err := v.Store.RelationCounts(ctx, ids, v.Upto)
	if err != nil {
		return nil, fmt.Errorf("counting relations: %w", err)
	}
	if len(counts) == 0 {
		return nil, nil
	}
	g := gatherer{v: v, parents: parents, out: map[int64]*Bundle{}, ignored: map[int64]bool{}}
	if v.Ignored != nil {
		if g.ignored, err = v.Ignored(ctx); err != nil {
			return nil, err
		}
	}
	var edited, referred, roots []string
	for _, c := range counts {
		e := parents[c.Parent]
		if g.ignored[c.Author] || c.Room != e.Room {
			continue // "the original event and replacement event must have the same room_id"; so for all
		}
		switch c.Type {
		case event.RelReplace:
			// "If the original event is redacted, any m.replace relationship should not be bundled
			// with it"; "The original event must not, itself, have a rel_type of m.replace".
			if rel, _ := e.Relation(); !e.Has(event.Redacted) && rel.Type != event.RelReplace && c.Author == e.Author {
				edited = append(edited, c.Parent)
			}
		case event.RelReference:
			if len(referred) == 0 || referred[len(referred)-1] != c.Parent {
				referred = append(referred, c.Parent)
			}
		case event.RelThread:
			// "It is not possible to create a thread from an event which itself is the child of
			// an event relationship".
			if _, child := e.Relation(); child || !threads {
				continue
			}
			b := g.bundle(e)
			if b.Thread == nil {
				b.Thread = &Thread{Participated: v.User != 0 && e.Author == v.User}
				roots = append(roots, c.Parent)
			}
			b.Thread.Count += c.Count
			b.Thread.Participated = b.Thread.Participated || v.User != 0 && c.Author == v.User
		}
	}
	err = errors.Join(g.edits(ctx, edited), g.references(ctx, referred), g.threads(ctx, roots))
	return g.out, err
}

// gatherer makes the bundles of one page.
type gatherer struct {
	v       Viewer
	parents map[string]*event.Event
	ignored map[int64]bool
	out     map[int64]*Bundle
}

func (g *gatherer) bundle(e *event.Event) *Bundle {
	b := g.out[e.NID]
	if b == nil {
		b = &Bundle{}
		g.out[e.NID] = b
	}
	return b
}

// edits finds the newest edit of each event: "The most recent event is determined by comparing
// origin_server_ts; if two or more replacement events have identical origin_server_ts, the event
// with the lexicographically largest event_id is treated as more recent."
func (g *gatherer) edits(ctx context.Context, parents []string) error {
	if len(parents) == 0 {
		return nil
	}
	nids, err := g.v.Store.NewestEdits(ctx, parents, g.v.Upto)
	if err != nil {
		return fmt.Errorf("finding edits: %w", err)
	}
	events, err := g.v.Store.Events(ctx, nids)
	if err != nil {
		return err
	}
	for _, e := range events {
		rel, ok := e.Relation()
		parent := g.parents[rel.Parent]
		if !ok || parent == nil || parent.Type != e.Type || parent.Room != e.Room || parent.Sender != e.Sender {
			continue
		}
		if ok, err := g.v.Visible(ctx, e); err != nil {
			return err
		} else if ok {
			g.bundle(parent).Edit = e
		}
	}
	return nil
}

func (g *gatherer) references(ctx context.Context, parents []string) error {
	if len(parents) == 0 {
		return nil
	}
	children, err := g.v.Store.References(ctx, parents, g.v.Upto, referencesMax)
	if err != nil {
		return fmt.Errorf("finding references: %w", err)
	}
	for _, c := range children {
		if parent := g.parents[c.Parent]; !g.ignored[c.Author] && parent.Room == c.Room {
			b := g.bundle(parent)
			b.References = append(b.References, c.ID)
		}
	}
	return nil
}

// threads fills in the newest event of each thread: "latest_event is the most recent event
// (topologically to the server) in the thread sent by an un-ignored user."
func (g *gatherer) threads(ctx context.Context, roots []string) error {
	if len(roots) == 0 {
		return nil
	}
	children, err := g.v.Store.NewestReplies(ctx, roots)
	if err != nil {
		return fmt.Errorf("finding threads' newest events: %w", err)
	}
	newest := map[string]int64{}
	var nids []int64
	for _, c := range children {
		if c.Room == g.parents[c.Parent].Room && c.Pos <= g.v.Upto && !g.ignored[c.Author] {
			newest[c.Parent] = c.NID
			nids = append(nids, c.NID)
		}
	}
	// Read together here, they are at hand one by one below.
	if _, err := g.v.Store.Events(ctx, nids); err != nil {
		return err
	}
	var shown []*event.Event
	for _, id := range roots {
		e, err := g.latest(ctx, g.parents[id], newest[id])
		if err != nil {
			return err
		}
		if e != nil {
			g.out[g.parents[id].NID].Thread.Latest = e
			shown = append(shown, e)
		}
	}
	// "child events of the latest_event should themselves be aggregated".
	nested, err := bundles(ctx, g.v, shown, false)
	if err != nil {
		return err
	}
	for _, id := range roots {
		b := g.out[g.parents[id].NID]
		if b.Thread.Latest == nil {
			b.Thread = nil // nothing of it may be seen
			continue
		}
		b.Thread.LatestBundle = nested[b.Thread.Latest.NID]
	}
	return nil
}

// hiddenMax bounds how many events of a thread are looked at to find one that may be seen.
const hiddenMax = 50

// latest is the newest event of a thread, if that counts for the viewer (newest is then not 0) and
// may be seen; else the newest that does and may; nil if there is none.
func (g *gatherer) latest(ctx context.Context, root *event.Event, newest int64) (*event.Event, error) {
	if newest != 0 {
		e, err := g.v.Store.Event(ctx, newest)
		if err != nil {
			return nil, err
		}
		if ok, err := g.v.Visible(ctx, e); ok || err != nil {
			return e, err
		}
	}
	older, err := g.v.Store.Replies(ctx, root.Room, root.ID, g.v.Upto, hiddenMax)
	if err != nil {
		return nil, err
	}
	for _, e := range older {
		if g.ignored[e.Author] || e.NID == newest {
			continue
		}
		if ok, err := g.v.Visible(ctx, e); ok || err != nil {
			return e, err
		}
	}
	return nil, nil
}
