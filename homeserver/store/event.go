package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// NextEvent allots an event's number.
func (s *Store) NextEvent() int64 { return s.counters.event.Add(1) }

// StatePack reads a pack of state nodes; it makes Store a statetree.Loader.
func (s *Store) StatePack(ctx context.Context, pack int64) (data []byte, err error) {
	return data, s.row(ctx, "state_pack_by_nid", pack).Scan(&data)
}

var _ statetree.Loader = (*Store)(nil)

// AddPacks writes the nodes that a change of state added.
func (t *Tx) AddPacks(packs []statetree.Pack) error {
	for _, p := range packs {
		if err := t.exec("state_pack_insert", p.ID, p.Data); err != nil {
			return err
		}
	}
	return nil
}

// AddEvent appends an event to its room's timeline and to the log, and sets its Pos. raw is its
// encoded form.
func (t *Tx) AddEvent(e *event.Event, raw []byte) error {
	pos, err := t.Log(Entry{Kind: KindEvent, Room: e.Room, User: e.Author, Ref: e.NID, Event: e})
	if err != nil {
		return err
	}
	e.Pos = pos
	if err := t.insertEvent(e, raw); err != nil {
		return err
	}
	if err := t.cancelDelayed(e); err != nil {
		return err
	}
	// A long history would only drive out what is in use.
	if e.Flags&event.Imported == 0 || e.IsState() {
		t.after = append(t.after, func() { t.w.s.events.add(e, len(raw)) })
	}
	return nil
}

// AddPastEvent writes an event that comes before all others in the log; clients page back to
// it, and no cursor ever sees it.
func (t *Tx) AddPastEvent(e *event.Event, raw []byte) error {
	t.w.s.counters.past--
	e.Pos = t.w.s.counters.past
	return t.insertEvent(e, raw)
}

func (t *Tx) insertEvent(e *event.Event, raw []byte) error {
	var scope, txn, pos any
	if e.TxnScope != 0 {
		scope, txn = e.TxnScope, e.Txn
	}
	if e.Pos != 0 {
		pos = e.Pos
	}
	err := t.exec("event_insert", e.NID, e.Room, e.ID, pos, e.Depth, e.Author, e.Key, e.OriginServerTS,
		int64(e.Root), e.Replaces, int64(e.Flags), e.RedactedBy, scope, txn, raw,
		int64(e.Current), nidsOrNull(e.Prev), nidsOrNull(e.Auth))
	if err != nil {
		return err
	}
	if e.Has(event.Imported) {
		t.w.s.imported.add(e.NID, e.Room, e.ID)
	}
	if err := t.addRelation(e); err != nil {
		return err
	}
	return t.addMediaRefs(e.NID, e.Room, raw)
}

// PruneEvent replaces a stored event by its redacted form.
func (t *Tx) PruneEvent(e *event.Event, raw []byte) error {
	if err := t.exec("event_prune", e.NID, int64(e.Flags), e.RedactedBy, raw); err != nil {
		return err
	}
	if err := t.dropRelation(e.NID); err != nil {
		return err
	}
	if err := t.pruneMediaRefs(e.NID, e.Room, raw); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.events.prune(e, len(raw)) })
	return nil
}

// readEvent runs a query for one event.
func (s *Store) readEvent(ctx context.Context, query string, args ...any) (*event.Event, error) {
	mark := s.events.pruned()
	return s.scanEvent(ctx, s.row(ctx, query, args...), mark)
}

// scanEvent reads an event out of a row; mark was taken from the cache before the query.
func (s *Store) scanEvent(ctx context.Context, r scanner, mark int64) (*event.Event, error) {
	var (
		nid, room, depth, author, key, ts, root, replaces, flags, by int64
		id                                                           string
		pos, scope                                                   sql.NullInt64
		txn                                                          sql.NullString
		raw, prev, auth                                              []byte
		current                                                      int64
	)
	if err := r.Scan(&nid, &room, &id, &pos, &depth, &author, &key, &ts, &root, &replaces, &flags, &by, &scope, &txn, &raw, &current, &prev, &auth); err != nil {
		return nil, err
	}
	if e, ok := s.events.get(nid); ok {
		return e, nil
	}
	name, err := s.RoomByNID(ctx, room)
	if err != nil {
		return nil, err
	}
	e, err := event.ParseFor(raw, id, name.ID, name.Version, s.signer.Load())
	if err != nil {
		return nil, err
	}
	e.NID, e.Pos, e.Room, e.Author, e.Key, e.Depth = nid, pos.Int64, room, author, key, depth
	e.Root, e.Replaces, e.Flags, e.RedactedBy = statetree.Ref(root), replaces, event.Flags(flags), by
	e.TxnScope, e.Txn, e.Current = scope.Int64, txn.String, statetree.Ref(current)
	if e.Prev, err = decodeNIDs(prev); err == nil {
		e.Auth, err = decodeNIDs(auth)
	}
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", id, err)
	}
	return s.events.keep(e, len(raw), mark), nil
}

// Event reads an event by number.
func (s *Store) Event(ctx context.Context, nid int64) (*event.Event, error) {
	if e, ok := s.events.get(nid); ok {
		return e, nil
	}
	e, err := s.readEvent(ctx, "event_by_nid", nid)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", nid, err)
	}
	return e, nil
}

// EventByID reads an event by its id; ErrNotFound if it is not known.
func (s *Store) EventByID(ctx context.Context, id string) (*event.Event, error) {
	if nid, ok := s.imported.find(id); ok {
		e, err := s.Event(ctx, nid)
		if errors.Is(err, ErrNotFound) || err == nil && e.ID != id {
			return nil, ErrNotFound
		}
		return e, err
	}
	e, err := s.readEvent(ctx, "event_by_id", id, prefixOf(id))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("event %s: %w", id, err)
	}
	return e, err
}

// EventByTxn finds the event that a request made before; ErrNotFound if it has made none.
func (s *Store) EventByTxn(ctx context.Context, scope int64, txn string, room int64) (*event.Event, error) {
	return s.readEvent(ctx, "event_by_txn", scope, txn, room)
}

// Timeline reads events of a room by position, in (after, upto], newest first.
func (s *Store) Timeline(ctx context.Context, room, after, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "event_timeline_back", room, after, upto, limit)
}

// TimelineForward reads events of a room by position, in (after, upto], oldest first.
func (s *Store) TimelineForward(ctx context.Context, room, after, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "event_timeline_forward", room, after, upto, limit)
}

// Place is a place in a room's history: just after the event of this depth and position. History
// is in the order of the graph; for what happened here that is the order of the log, and what
// was brought in later stands where it belongs.
type Place struct{ Depth, Pos int64 }

// Before is the place just before an event, and After the one just after it.
func Before(e *event.Event) Place { return Place{e.Depth, e.Pos - 1} }

// After is the place just after an event.
func After(e *event.Event) Place { return Place{e.Depth, e.Pos} }

// Beginning and End lie before and after everything in a room.
var (
	Beginning = Place{-1, 0}
	End       = Place{1<<62 - 1, 1<<62 - 1}
)

// HistoryBack reads a room's history in (to, from], newest first, as it was at a log position.
func (s *Store) HistoryBack(ctx context.Context, room int64, from, to Place, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "event_history_back", room, from.Depth, from.Pos, to.Depth, to.Pos, upto, limit)
}

// HistoryForward reads a room's history in (from, to], oldest first, as it was at a log position.
func (s *Store) HistoryForward(ctx context.Context, room int64, from, to Place, upto int64, limit int) ([]*event.Event, error) {
	return s.timeline(ctx, "event_history_forward", room, from.Depth, from.Pos, to.Depth, to.Pos, upto, limit)
}

// PlaceAt is the place in a room's history that a log position stands for.
func (s *Store) PlaceAt(ctx context.Context, room, upto int64) (Place, error) {
	e, err := s.LastEvent(ctx, room, upto)
	if errors.Is(err, ErrNotFound) {
		return Beginning, nil
	} else if err != nil {
		return Place{}, err
	}
	return After(e), nil
}

// timeline asks for numbers only, which the index alone can tell; most events are in memory.
func (s *Store) timeline(ctx context.Context, query string, args ...any) ([]*event.Event, error) {
	nids, err := collect(ctx, s, query, scanInt, args...)
	if err != nil {
		return nil, err
	}
	return s.Events(ctx, nids)
}

func scanInt(r scanner) (n int64, err error) { return n, r.Scan(&n) }

// LastEvent is the newest event of a room at or before a position; ErrNotFound if there is none.
func (s *Store) LastEvent(ctx context.Context, room, upto int64) (*event.Event, error) {
	return s.readEvent(ctx, "event_last", room, upto)
}

// LastPosition is the position of the newest event of a room; 0 if there is none.
func (s *Store) LastPosition(ctx context.Context, room int64) (pos int64, err error) {
	err = s.row(ctx, "event_last_pos", room).Scan(&pos)
	return pos, err
}

// RootAt is the current state of a room once its newest event at or before a position was taken in.
func (s *Store) RootAt(ctx context.Context, room, upto int64) (root statetree.Ref, err error) {
	err = s.row(ctx, "event_root_at", room, upto).Scan(&root)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	return root, err
}

// StateEvent reads one state event out of a state; ErrNotFound if the state has none.
func (s *Store) StateEvent(ctx context.Context, root statetree.Ref, typ, key string) (*event.Event, error) {
	k, err := s.StateKeyNID(ctx, StateKey{typ, key})
	if err != nil {
		return nil, err
	}
	nid, ok, err := s.state.Get(ctx, root, k)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, ErrNotFound
	}
	return s.Event(ctx, nid)
}

// eventBatch is how many events are fetched by one query when many are wanted.
const eventBatch = 64

// Events reads many events by number, in the order given. Unknown ones are an error.
func (s *Store) Events(ctx context.Context, nids []int64) ([]*event.Event, error) {
	out := make([]*event.Event, len(nids))
	var missing []int
	for i, nid := range nids {
		if e, ok := s.events.get(nid); ok {
			out[i] = e
		} else {
			missing = append(missing, i)
		}
	}
	for len(missing) > 0 {
		chunk := missing[:min(eventBatch, len(missing))]
		missing = missing[len(chunk):]
		// The query has a fixed number of parameters; unused ones are 0, which no event has.
		args := make([]any, eventBatch)
		for i := range args {
			args[i] = int64(0)
		}
		for i, at := range chunk {
			args[i] = nids[at]
		}
		found := make(map[int64]*event.Event, len(chunk))
		mark := s.events.pruned()
		err := s.each(ctx, "event_by_nids", func(r scanner) error {
			e, err := s.scanEvent(ctx, r, mark)
			if err == nil {
				found[e.NID] = e
			}
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
		for _, at := range chunk {
			if out[at] = found[nids[at]]; out[at] == nil {
				return nil, fmt.Errorf("event %d: %w", nids[at], ErrNotFound)
			}
		}
	}
	return out, nil
}
