package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// importedMax is how many ids of imported events are gathered before they are filed, and importedSlice how many are filed at once.
	importedMax, importedSlice = 1 << 16, 1 << 10
	// importedRows is how many one statement files.
	importedRows = 64
	// importedIdle is how long none may come before those that are there are filed.
	importedIdle = 5 * time.Second
	// importedBehind bounds how much of the log has to be read at a start to find those that were not filed.
	importedBehind = 20_000
	// importedMeta is where it is written up to which position of the log all are filed.
	importedMeta = "imported_ids"
)

// importedKey is the beginning of an id, without its "$": enough to tell ids apart.
type importedKey [16]byte

func importedKeyOf(id string) (k importedKey) {
	copy(k[:], id[min(1, len(id)):])
	return k
}

// importedIDs finds imported events by their ids. The index of the other events would be changed in a random place for each, which is
// most of what an import writes: the ids are gathered in memory instead, and filed in the order of the index many at once, by a
// goroutine of its own. After a crash those that were not filed are found by the log.
type importedIDs struct {
	s *Store

	mu sync.RWMutex
	// fresh are those that came since filing began last, and filing those that are being filed: their numbers.
	fresh, filing map[importedKey]int64
	// rooms are those whose events are among them.
	rooms, filingRooms map[int64]bool

	// working is held while ids are filed.
	working sync.Mutex
	// filed is the position of the log up to which all are.
	filed atomic.Int64
	wake  chan struct{}
	stop  context.CancelFunc
	done  sync.WaitGroup
}

func newImportedIDs(s *Store) *importedIDs {
	return &importedIDs{s: s, fresh: map[importedKey]int64{}, rooms: map[int64]bool{}, wake: make(chan struct{}, 1)}
}

// load reads those that were not filed.
func (x *importedIDs) load(ctx context.Context) error {
	value, err := x.s.Meta(ctx, importedMeta)
	if err != nil {
		return fmt.Errorf("reading which ids of imported events are filed: %w", err)
	}
	filed, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("reading which ids of imported events are filed: %w", err)
	}
	x.filed.Store(filed)
	return x.s.each(ctx, "imported_id_unfiled", func(r scanner) error {
		var nid, room int64
		var id string
		err := r.Scan(&nid, &room, &id)
		x.add(nid, room, id)
		return err
	}, filed, int64(KindEvent), int64(KindPast))
}

func (x *importedIDs) start() {
	ctx, stop := context.WithCancel(context.Background())
	x.stop = stop
	x.done.Go(func() { x.run(ctx) })
}

func (x *importedIDs) close() {
	x.stop()
	x.done.Wait()
}

// add takes in an event that is being written. If it is not written after all, nothing is found by its number.
func (x *importedIDs) add(nid, room int64, id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fresh[importedKeyOf(id)] = nid
	x.rooms[room] = true
	if n := len(x.fresh); n == 1 || n == importedMax {
		x.due()
	}
}

// due tells that there is something to do. It does not block.
func (x *importedIDs) due() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// logged tells how long the log is. Where some ids are waiting it is noted with them.
func (x *importedIDs) logged(pos int64) {
	if pos-x.filed.Load() > importedBehind && x.count() == 0 {
		x.due()
	}
}

// find looks for an id among those that are not filed. Whether the event is there, and has that id to its end, is for the caller to see.
func (x *importedIDs) find(id string) (nid int64, ok bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if len(x.fresh)+len(x.filing) == 0 {
		return 0, false
	}
	k := importedKeyOf(id)
	if nid, ok = x.fresh[k]; !ok {
		nid, ok = x.filing[k]
	}
	return nid, ok
}

// drop forgets events that are no longer in the database.
func (x *importedIDs) drop(nids []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.fresh)+len(x.filing) == 0 {
		return
	}
	gone := make(map[int64]bool, len(nids))
	for _, nid := range nids {
		gone[nid] = true
	}
	for _, list := range [...]map[importedKey]int64{x.fresh, x.filing} {
		maps.DeleteFunc(list, func(_ importedKey, nid int64) bool { return gone[nid] })
	}
}

func (x *importedIDs) count() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.fresh)
}

func (x *importedIDs) run(ctx context.Context) {
	for {
		select {
		case <-x.wake:
		case <-ctx.Done():
			return
		}
		for n := x.count(); n > 0 && n < importedMax; {
			select {
			case <-x.wake:
			case <-time.After(importedIdle):
			case <-ctx.Done():
				return
			}
			now := x.count()
			if now == n {
				break
			}
			n = now
		}
		err := x.file(ctx)
		switch {
		case errors.Is(err, ErrClosed) || ctx.Err() != nil:
			return
		case err != nil:
			x.s.log.ErrorContext(ctx, "the ids of imported events could not be filed", "err", err)
			x.due() // when some time has passed
			select {
			case <-time.After(importedIdle):
			case <-ctx.Done():
				return
			}
		}
	}
}

// settle files all that are there of a room.
func (x *importedIDs) settle(ctx context.Context, room int64) error {
	x.mu.RLock()
	some := x.rooms[room] || x.filingRooms[room]
	x.mu.RUnlock()
	if !some {
		return nil
	}
	return x.file(ctx)
}

// file files all that are there.
func (x *importedIDs) file(ctx context.Context) (err error) {
	x.working.Lock()
	defer x.working.Unlock()
	// What is published has been added before.
	upto := x.s.counters.published.Load()
	x.mu.Lock()
	x.filing, x.filingRooms = x.fresh, x.rooms
	x.fresh, x.rooms = map[importedKey]int64{}, map[int64]bool{}
	keys := make([]importedKey, 0, len(x.filing))
	for k := range x.filing {
		keys = append(keys, k)
	}
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if err != nil { // they stay
			maps.Copy(x.fresh, x.filing)
			maps.Copy(x.rooms, x.filingRooms)
		}
		x.filing, x.filingRooms = nil, nil
	}()
	slices.SortFunc(keys, func(a, b importedKey) int { return bytes.Compare(a[:], b[:]) })
	for slice := range slices.Chunk(keys, importedSlice) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.s.Write(ctx, func(t *Tx) error { return t.fileImported(slice) }); err != nil {
			return err
		}
	}
	if err := x.s.Write(ctx, func(t *Tx) error { return t.SetMeta(importedMeta, strconv.FormatInt(upto, 10)) }); err != nil {
		return err
	}
	x.filed.Store(upto)
	return nil
}

// fileImported puts ids into the index, in its order.
func (t *Tx) fileImported(keys []importedKey) error {
	x := t.w.s.imported
	args := make([]any, 2*importedRows)
	for rows := range slices.Chunk(keys, importedRows) {
		x.mu.RLock()
		for i := range importedRows {
			k := rows[min(i, len(rows)-1)] // what is there twice is taken once
			args[2*i], args[2*i+1] = string(k[:8]), x.filing[k]
		}
		x.mu.RUnlock()
		if err := t.exec("imported_id_insert", args...); err != nil {
			return err
		}
	}
	return nil
}

// numbersOf finds the numbers of those of some events that are known.
func (s *Store) numbersOf(ctx context.Context, ids []string) (map[string]int64, error) {
	out := make(map[string]int64, len(ids))
	var rest []string
	for _, id := range ids {
		if nid, ok := s.imported.find(id); ok {
			out[id] = nid
		} else {
			rest = append(rest, id)
		}
	}
	for chunk := range slices.Chunk(rest, eventBatch) {
		args := make([]any, 2*eventBatch)
		for i := range eventBatch {
			args[i], args[eventBatch+i] = "", "" // no event has that id
			if i < len(chunk) {
				args[i], args[eventBatch+i] = chunk[i], prefixOf(chunk[i])
			}
		}
		err := s.each(ctx, "event_nids_by_id", func(r scanner) error {
			var id string
			var nid int64
			err := r.Scan(&id, &nid)
			out[id] = nid
			return err
		}, args...)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// prefixOf is what the index of imported events has of an id.
func prefixOf(id string) string {
	id = id[min(1, len(id)):]
	return id[:min(8, len(id))]
}
