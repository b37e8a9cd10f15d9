package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// Link is what connects an event to others.
type Link struct {
	// Key is the number of the (type, state key) pair; 0 for events that aren't state.
	Key   int64
	Flags event.Flags
	// Prev and Auth are the numbers of the previous and the auth events that are here.
	Prev, Auth []int64
}

// linkCache bounds the links in memory.
const linkCache = 16384

// Links reads the links of events, in the order given. Unknown events are an error.
func (s *Store) Links(ctx context.Context, nids []int64) ([]Link, error) {
	out := make([]Link, len(nids))
	var missing []int
	for i, nid := range nids {
		if l, ok := s.links.Get(nid); ok {
			out[i] = l
		} else {
			missing = append(missing, i)
		}
	}
	for len(missing) > 0 {
		chunk := missing[:min(eventBatch, len(missing))]
		missing = missing[len(chunk):]
		args := make([]any, eventBatch)
		for i := range args {
			args[i] = int64(0)
		}
		for i, at := range chunk {
			args[i] = nids[at]
		}
		found := make(map[int64]Link, len(chunk))
		var old []int64
		mark := s.events.pruned()
		err := s.each(ctx, "event_links", func(r scanner) error {
			var nid int64
			var l Link
			var prev, auth []byte
			err := r.Scan(&nid, &l.Key, &l.Flags, &prev, &auth)
			if err != nil {
				return err
			}
			if len(prev)+len(auth) == 0 { // SQLite gives an empty blob as none; such events have few links
				old = append(old, nid)
			} else if l.Prev, err = decodeNIDs(prev); err == nil {
				l.Auth, err = decodeNIDs(auth)
			}
			found[nid] = l
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
		for _, nid := range old {
			l := found[nid]
			if l.Prev, l.Auth, err = s.linksByID(ctx, nid); err != nil {
				return nil, err
			}
			found[nid] = l
		}
		for _, at := range chunk {
			l, ok := found[nids[at]]
			if !ok {
				return nil, fmt.Errorf("event %d: %w", nids[at], ErrNotFound)
			}
			out[at] = l
			if s.events.pruned() == mark { // else a flag may have changed meanwhile
				s.links.Add(nids[at], l)
			}
		}
	}
	return out, nil
}

// linksByID finds the links of an event whose row was written before there were any in it.
func (s *Store) linksByID(ctx context.Context, nid int64) (prev, auth []int64, err error) {
	e, err := s.Event(ctx, nid)
	if err != nil {
		return nil, nil, err
	}
	number := func(id string) (int64, error) {
		n, err := s.EventNID(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return 0, nil
		}
		return n, err
	}
	for _, id := range e.PrevEvents {
		n, err := number(string(id))
		if err != nil {
			return nil, nil, err
		}
		if n != 0 {
			prev = append(prev, n)
		}
	}
	for _, id := range e.AuthEvents {
		n, err := number(string(id))
		if err != nil {
			return nil, nil, err
		}
		if n != 0 {
			auth = append(auth, n)
		}
	}
	return prev, auth, nil
}

// nidsOrNull encodes numbers of events; nil is none that are known of.
func nidsOrNull(nids []int64) any {
	if nids == nil {
		return nil
	}
	return encodeNIDs(nids)
}

// AddOutlier writes an event that has no place in its room's graph.
func (t *Tx) AddOutlier(e *event.Event, raw []byte) error {
	if err := t.insertEvent(e, raw); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.events.add(e, len(raw)) })
	return nil
}

// AddUnseen writes an event that has its place in the graph but not in the timeline: one that is
// rejected or soft-failed.
func (t *Tx) AddUnseen(e *event.Event, raw []byte) error { return t.AddOutlier(e, raw) }

// PlaceEvent gives an event that was an outlier its place. With logged it comes into the timeline
// and the log, as by AddEvent.
func (t *Tx) PlaceEvent(e *event.Event, raw []byte, logged bool) error {
	var pos any
	if logged {
		var err error
		if e.Pos, err = t.Log(Entry{Kind: KindEvent, Room: e.Room, User: e.Author, Ref: e.NID, Event: e}); err != nil {
			return err
		}
		pos = e.Pos
	}
	if e.Pos != 0 {
		pos = e.Pos
	}
	err := t.exec("event_place", e.NID, pos, e.Depth, int64(e.Root), int64(e.Current), e.Replaces, int64(e.Flags), nidsOrNull(e.Prev), nidsOrNull(e.Auth))
	if err != nil {
		return err
	}
	if err := t.addRelation(e); err != nil {
		return err
	}
	if logged {
		if err := t.cancelDelayed(e); err != nil {
			return err
		}
	}
	t.after = append(t.after, func() { t.w.s.events.prune(e, len(raw)); t.w.s.links.Remove(e.NID) })
	return nil
}

// PlacePastEvent gives an event that was an outlier its place before all others in the log.
func (t *Tx) PlacePastEvent(e *event.Event, raw []byte) error {
	t.w.s.counters.past--
	e.Pos = t.w.s.counters.past
	return t.PlaceEvent(e, raw, false)
}
