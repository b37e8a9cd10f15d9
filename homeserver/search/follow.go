package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of following: how many entries are taken in at once, and how the index makes room for
// others. After each batch it rests for as many times as long as the batch took.
const (
	batchMax  = 1000
	restTimes = 19
	restMin   = 250 * time.Millisecond
	restMax   = 10 * time.Second
)

// Run follows the log until ctx ends.
func (ix *Index) Run(ctx context.Context) error {
	for failures := 0; ; {
		began := time.Now()
		more, err := ix.step(ctx)
		took := time.Since(began)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			failures++
			ix.o.Log.ErrorContext(ctx, "the search index could not go on", "err", err)
			if !pause(ctx, nil, min(time.Duration(failures)*time.Second, time.Minute)) {
				return nil
			}
			continue
		}
		failures = 0
		if !more {
			select {
			case <-ix.wake:
			case <-ctx.Done():
				return nil
			}
		}
		if ix.waiting.Load() > 0 {
			continue
		}
		if !pause(ctx, ix, min(max(restTimes*took, restMin), restMax)) {
			return nil
		}
	}
}

// pause rests; if ix is given, only until somebody searches. It reports whether to go on.
func pause(ctx context.Context, ix *Index, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var wake <-chan struct{}
	if ix != nil {
		wake = ix.wake
	}
	for {
		select {
		case <-wake:
			if ix.waiting.Load() > 0 {
				return true
			}
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// step takes in one batch, and tells whether there may be more.
func (ix *Index) step(ctx context.Context) (more bool, err error) {
	at, _ := ix.cursor()
	entries, err := ix.o.Store.Entries(ctx, at.pos, batchMax)
	if err != nil {
		return false, err
	}
	var nids []int64
	late := map[int64]bool{}
	for _, e := range entries {
		at.pos = e.Pos
		if e.Kind == store.KindPast {
			late[e.Ref] = true
		}
		if e.Kind == store.KindEvent || e.Kind == store.KindPast {
			nids = append(nids, e.Ref)
		}
	}
	more = len(entries) == batchMax
	if len(entries) < batchMax {
		past, err := ix.o.Store.PastEvents(ctx, at.past, batchMax-len(entries))
		if err != nil {
			return false, err
		}
		nids = append(nids, past...)
		more = len(entries)+len(past) == batchMax
	}
	if len(entries) == 0 && len(nids) == 0 {
		return false, nil
	}
	events := make([]*event.Event, 0, len(nids))
	for _, nid := range nids {
		e, err := ix.o.Store.Event(ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			continue // it is gone, and must not be found
		} else if err != nil {
			return false, err
		}
		if !late[nid] {
			at.past = min(at.past, e.Pos)
		}
		events = append(events, e)
	}
	if err := ix.write(ctx, events, at); err != nil {
		return false, err
	}
	ix.move(at)
	return more, nil
}

// write takes events in and stores the cursor with them.
func (ix *Index) write(ctx context.Context, events []*event.Event, at cursor) (err error) {
	tx, err := ix.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing the search index: %w", err)
	}
	defer func() {
		if err != nil {
			if e := tx.Rollback(); !errors.Is(e, sql.ErrTxDone) {
				err = errors.Join(err, e)
			}
		}
	}()
	b := &batch{ctx: ctx, ix: ix, tx: tx, stmts: map[string]*sql.Stmt{}}
	for _, e := range events {
		if err := b.add(e); err != nil {
			return fmt.Errorf("indexing event %s: %w", e.ID, err)
		}
	}
	if err := b.exec(`UPDATE state SET pos = ?, past = ?`, at.pos, at.past); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("writing the search index: %w", err)
	}
	return nil
}
