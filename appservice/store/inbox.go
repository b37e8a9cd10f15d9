package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Kind says what an item is.
type Kind int

// The numbers are stored: never change their meaning.
const (
	KindEvent       Kind = 1 // a room event
	KindToDevice    Kind = 2 // a to-device event (MSC2409)
	KindDeviceLists Kind = 3 // changed device lists (MSC3202)
	KindKeyCounts   Kind = 4 // counts of one-time keys (MSC3202)
)

// Item is one thing to be handled.
type Item struct {
	Seq     int64 // place in the inbox; given by Accept
	Kind    Kind
	Lane    string // items of one lane are handled one after the other
	EventID string // empty for what has none
	Body    []byte // JSON, as the homeserver sent it
	// Self is the user who has changed their own membership with this event; empty
	// for all other events. It is not stored.
	Self string
	// Redelivered is set by Pending on the items whose handling may have begun
	// before a crash: the first one of each lane.
	Redelivered bool
}

var (
	// ErrFull means that too much is waiting to be handled.
	ErrFull = errors.New("inbox is full")
	// ErrClosed means that the inbox was closed.
	ErrClosed = errors.New("inbox is closed")
)

// Inbox is the durable queue between the homeserver and a bridge. What Accept
// has taken is there until Done, over crashes of the process and of the
// machine, and is taken once, however often it is offered.
//
// One goroutine writes, so that what arrives together is committed together.
// All methods are safe for concurrent use.
type Inbox struct {
	full   *sql.DB // commits wait for the disk
	normal *sql.DB // commits reach the operating system

	limit   int64
	pending atomic.Int64

	accepts  chan *acceptRequest
	dones    chan *doneRequest
	closing  chan struct{}
	stopped  chan struct{}
	stopOnce sync.Once
}

type acceptRequest struct {
	ctx    context.Context
	txn    string
	items  []Item
	result chan acceptResult
}

type acceptResult struct {
	stored []Item
	dup    bool
	err    error
}

type doneRequest struct {
	seq    int64
	result chan error
}

const (
	// keepHandled is how many handled events are remembered by their ids.
	keepHandled = 20_000
	// keepTxns is how many transaction ids are remembered.
	keepTxns = 5_000
	// pruneEvery is after how many transactions what is older is forgotten.
	pruneEvery = 500
	// maxGroup bounds how many marks one commit carries.
	maxGroup = 256
)

// OpenInbox opens the inbox in the database file at path, which must exist.
// limit bounds the items that wait to be handled.
func OpenInbox(ctx context.Context, path string, limit int) (*Inbox, error) {
	full, err := open(path, syncFull, 1)
	if err != nil {
		return nil, err
	}
	normal, err := open(path, syncNormal, 1)
	if err != nil {
		full.Close()
		return nil, err
	}
	b := &Inbox{
		full: full, normal: normal, limit: int64(limit),
		accepts: make(chan *acceptRequest), dones: make(chan *doneRequest, maxGroup),
		closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := b.prepare(ctx); err != nil {
		b.closePools()
		return nil, err
	}
	go b.write()
	return b, nil
}

func (b *Inbox) prepare(ctx context.Context) error {
	if err := upgrade(ctx, b.full); err != nil {
		return fmt.Errorf("upgrade inbox tables: %w", err)
	}
	var n int64
	if err := b.full.QueryRowContext(ctx, `SELECT COUNT(*) FROM landbridge_inbox WHERE done = 0`).Scan(&n); err != nil {
		return fmt.Errorf("count inbox: %w", err)
	}
	b.pending.Store(n)
	return nil
}

// Len is how many items wait to be handled.
func (b *Inbox) Len() int { return int(b.pending.Load()) }

// Pending returns what waits to be handled, oldest first. It is meant for the
// time before the first Accept.
func (b *Inbox) Pending(ctx context.Context) ([]Item, error) {
	rows, err := b.normal.QueryContext(ctx, `SELECT seq, kind, lane, COALESCE(event_id, ''), body FROM landbridge_inbox WHERE done = 0 ORDER BY seq`)
	if err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	defer rows.Close()
	var items []Item
	begun := make(map[string]bool)
	for rows.Next() {
		var it Item
		if err := rows.Scan(&it.Seq, &it.Kind, &it.Lane, &it.EventID, &it.Body); err != nil {
			return nil, fmt.Errorf("read inbox: %w", err)
		}
		// A lane's next item begins only after the mark of the one before is
		// committed: no other one can have been begun.
		it.Redelivered = !begun[it.Lane]
		begun[it.Lane] = true
		items = append(items, it)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read inbox: %w", err)
	}
	return items, nil
}

// Accept takes over a transaction. When it returns without an error the items
// are on the disk. stored are those that were new, with Seq set, in order; dup
// says that the transaction was taken over before and nothing was stored.
func (b *Inbox) Accept(ctx context.Context, txn string, items []Item) (stored []Item, dup bool, err error) {
	req := &acceptRequest{ctx: ctx, txn: txn, items: items, result: make(chan acceptResult, 1)}
	select {
	case b.accepts <- req:
	case <-b.closing:
		return nil, false, ErrClosed
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	// Once handed over, the result is awaited: it is not known otherwise
	// whether the items were taken.
	res := <-req.result
	return res.stored, res.dup, res.err
}

// Done marks an item as handled; its effects must be committed. It returns
// when the mark is committed.
func (b *Inbox) Done(ctx context.Context, seq int64) error {
	req := &doneRequest{seq: seq, result: make(chan error, 1)}
	select {
	case b.dones <- req:
	case <-b.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-req.result:
		return err
	case <-b.stopped:
		// The writer may have answered before it stopped.
		select {
		case err := <-req.result:
			return err
		default:
			return ErrClosed
		}
	}
}

// Close ends the inbox after what was handed over is committed.
func (b *Inbox) Close() error {
	b.stopOnce.Do(func() { close(b.closing) })
	<-b.stopped
	return b.closePools()
}

func (b *Inbox) closePools() error { return errors.Join(b.full.Close(), b.normal.Close()) }

// write is the one goroutine that writes.
func (b *Inbox) write() {
	defer close(b.stopped)
	txns := 0
	for {
		select {
		case req := <-b.accepts:
			stored, dup, err := b.accept(req.ctx, req.txn, req.items)
			req.result <- acceptResult{stored, dup, err}
			if txns++; err == nil && txns%pruneEvery == 0 {
				// What is not forgotten now is forgotten later.
				_ = b.prune()
			}
		case req := <-b.dones:
			b.markGroup(req)
		case <-b.closing:
			for {
				select {
				case req := <-b.dones:
					b.markGroup(req)
				default:
					return
				}
			}
		}
	}
}

func (b *Inbox) accept(ctx context.Context, txn string, items []Item) (stored []Item, dup bool, err error) {
	if b.pending.Load() > 0 && b.pending.Load()+int64(len(items)) > b.limit {
		return nil, false, ErrFull
	}
	tx, err := b.full.BeginTx(ctx, nil)
	if err != nil {
		return nil, false, fmt.Errorf("take over transaction: %w", err)
	}
	defer tx.Rollback()
	res, err := tx.ExecContext(ctx, `INSERT INTO landbridge_txn (txn) VALUES (?) ON CONFLICT DO NOTHING`, txn)
	if err != nil {
		return nil, false, fmt.Errorf("remember transaction: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil {
		return nil, false, fmt.Errorf("remember transaction: %w", err)
	} else if n == 0 {
		return nil, true, nil
	}
	if len(items) > 0 {
		insert, err := tx.PrepareContext(ctx, `INSERT INTO landbridge_inbox (kind, lane, event_id, body, done) VALUES (?, ?, NULLIF(?, ''), ?, 0) ON CONFLICT DO NOTHING`)
		if err != nil {
			return nil, false, fmt.Errorf("store items: %w", err)
		}
		defer insert.Close()
		for _, it := range items {
			res, err := insert.ExecContext(ctx, it.Kind, it.Lane, it.EventID, it.Body)
			if err != nil {
				return nil, false, fmt.Errorf("store item: %w", err)
			}
			if n, err := res.RowsAffected(); err != nil {
				return nil, false, fmt.Errorf("store item: %w", err)
			} else if n == 0 {
				continue // known by its event id
			}
			if it.Seq, err = res.LastInsertId(); err != nil {
				return nil, false, fmt.Errorf("store item: %w", err)
			}
			stored = append(stored, it)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, false, fmt.Errorf("commit transaction: %w", err)
	}
	b.pending.Add(int64(len(stored)))
	return stored, false, nil
}

// markGroup commits the mark of first and of whatever else has arrived.
func (b *Inbox) markGroup(first *doneRequest) {
	group := []*doneRequest{first}
	for len(group) < maxGroup {
		select {
		case req := <-b.dones:
			group = append(group, req)
			continue
		default:
		}
		break
	}
	err := b.mark(group)
	if err == nil {
		b.pending.Add(-int64(len(group)))
	}
	for _, req := range group {
		req.result <- err
	}
}

func (b *Inbox) mark(group []*doneRequest) error {
	tx, err := b.normal.Begin()
	if err != nil {
		return fmt.Errorf("mark items as handled: %w", err)
	}
	defer tx.Rollback()
	for _, req := range group {
		if _, err := tx.Exec(`UPDATE landbridge_inbox SET done = 1, body = NULL WHERE seq = ?`, req.seq); err != nil {
			return fmt.Errorf("mark item as handled: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit marks: %w", err)
	}
	return nil
}

// prune forgets old transaction ids and handled events.
func (b *Inbox) prune() error {
	_, err := b.normal.Exec(`DELETE FROM landbridge_txn WHERE n <= (SELECT MAX(n) FROM landbridge_txn) - ?`, keepTxns)
	if err != nil {
		return fmt.Errorf("forget old transactions: %w", err)
	}
	_, err = b.normal.Exec(`DELETE FROM landbridge_inbox WHERE done = 1 AND seq <= (SELECT MAX(seq) FROM landbridge_inbox) - ?`, keepHandled)
	if err != nil {
		return fmt.Errorf("forget handled events: %w", err)
	}
	return nil
}
