package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Bounds of the writer: how many writes may wait, and how many share a commit.
const (
	writeQueue = 4096
	groupMax   = 512
)

// anyEpoch marks writes that do not build on anything uncommitted.
const anyEpoch = -1

// op is one write: the function may run more than once, so it must only change the database
// and variables that it sets anew each time.
type op struct {
	epoch int64
	apply func(*Tx) error
	done  func(error)
}

// writer owns the write connection. It folds all that has arrived into one transaction: while
// one group is being flushed to disk the next one gathers.
type writer struct {
	s       *Store
	conn    *sql.Conn
	publish func([]Entry)
	stmts   map[string]*sql.Stmt

	queue chan op
	// pauses are what others do on the connection between two transactions.
	pauses chan pause
	// executed counts the statements since the last checkpoint.
	executed int
	// closing is held for reading while something is put into the queue.
	closing sync.RWMutex
	closed  bool
	ended   chan struct{}

	groups, writes atomic.Int64
}

func newWriter(s *Store, conn *sql.Conn, publish func([]Entry)) *writer {
	if publish == nil {
		publish = func([]Entry) {}
	}
	w := &writer{s: s, conn: conn, publish: publish, stmts: map[string]*sql.Stmt{},
		queue: make(chan op, writeQueue), pauses: make(chan pause), ended: make(chan struct{})}
	go w.run()
	return w
}

func (w *writer) close() {
	w.closing.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.closing.Unlock()
	<-w.ended
}

func (w *writer) put(ctx context.Context, o op) error {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return ErrClosed
	}
	select {
	case w.queue <- o:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pause is something that is done between two transactions.
type pause struct {
	do   func(context.Context, *sql.Conn) error
	done chan error
}

// between has the writer do something on its connection, outside of a transaction. Writes wait meanwhile.
func (w *writer) between(ctx context.Context, do func(context.Context, *sql.Conn) error) error {
	p := pause{do, make(chan error, 1)}
	select {
	case w.pauses <- p:
		return <-p.done
	case <-w.ended:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// next is the first write of the next group.
func (w *writer) next() (o op, ok bool) {
	for {
		select {
		case o, ok = <-w.queue:
			return o, ok
		case p := <-w.pauses:
			err := error(nil)
			if w.conn != nil {
				err = p.do(context.Background(), w.conn)
			}
			p.done <- err
		}
	}
}

func (w *writer) run() {
	defer close(w.ended)
	group := make([]op, 0, groupMax)
	for {
		first, ok := w.next()
		if !ok {
			break
		}
		group = append(group[:0], first)
	gather:
		for len(group) < groupMax {
			select {
			case o, ok := <-w.queue:
				if !ok {
					break gather
				}
				group = append(group, o)
			default:
				break gather
			}
		}
		w.commit(group)
		clear(group)
	}
	w.disconnect()
}

// commit writes a group in one transaction. If something in it fails it is done again with a
// savepoint before each write, so that a bad one is undone alone; and if that can't be done
// either, each write gets a transaction of its own.
func (w *writer) commit(group []op) {
	errs := make([]error, len(group))
	err := w.try(group, errs, false)
	if err != nil && len(group) > 1 && w.conn != nil {
		err = w.try(group, errs, true)
	}
	switch {
	case err == nil:
	case len(group) == 1 || w.conn == nil: // without a database they fail together
		err = w.failed(err)
		for i := range errs {
			errs[i] = err
		}
	default:
		for i := range group {
			if err := w.try(group[i:i+1], errs[i:i+1], false); err != nil {
				errs[i] = w.failed(err)
			}
		}
	}
	w.groups.Add(1)
	w.writes.Add(int64(len(group)))
	for i, o := range group {
		o.done(errs[i])
	}
}

// try runs writes in one transaction. Writes of a past epoch are left out with ErrStale in
// errs. Any other failure undoes all and is returned; with savepoints it is put into errs, and
// undoes only its own write.
func (w *writer) try(group []op, errs []error, savepoints bool) error {
	ctx := context.Background()
	clear(errs)
	if err := w.begin(ctx); err != nil {
		return err
	}
	c := &w.s.counters
	pos, past := c.pos, c.past
	tx := &Tx{w: w, ctx: ctx}
	var broken error // the first failure that is no refusal; what follows it may build on it
	err := func() error {
		for i, o := range group {
			if o.epoch != anyEpoch && (broken != nil || o.epoch != w.s.epoch.Load()) {
				errs[i] = ErrStale
				continue
			}
			if !savepoints {
				if err := tx.run(o.apply); err != nil {
					return err
				}
				continue
			}
			err := tx.alone(o.apply)
			if errors.Is(err, errUndo) {
				return err
			}
			if errs[i] = refused(err); err != nil && errs[i] == nil {
				broken, errs[i] = errors.Join(broken, err), err
			}
		}
		return tx.flush()
	}()
	if err == nil {
		if _, err = w.conn.ExecContext(ctx, "COMMIT"); err != nil {
			err = fmt.Errorf("committing: %w", err)
		}
	}
	if err != nil {
		if _, rollback := w.conn.ExecContext(ctx, "ROLLBACK"); rollback != nil {
			// SQLite has already rolled back by itself after some errors.
			w.s.log.Debug("rollback after a failed write", "err", rollback)
		}
		last := c.pos
		c.pos, c.past = pos, past
		w.check(ctx) // which, on a new connection, reads c.pos from the log
		// A connection may be lost after the database has committed and before it could say so.
		// Nobody else writes the log, so its end tells.
		if len(tx.entries) == 0 || c.pos < last {
			return err
		}
	}
	if w.executed >= checkpointAfter && w.s.checkpointer != nil {
		w.executed = 0
		w.s.checkpointer.due()
	}
	for _, fn := range tx.after {
		fn()
	}
	if len(tx.entries) > 0 {
		c.published.Store(c.pos)
		w.publish(tx.entries)
		w.s.imported.logged(c.pos)
	}
	for _, fn := range tx.told {
		fn()
	}
	if broken != nil {
		// Only now: who sees the new epoch will read anew, and must find what was just committed.
		w.failed(broken)
	}
	return nil
}

// refusal is an error by which a write declines to happen: nothing is wrong with the store.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// Refuse marks an error as a decision of the write itself ("that alias is taken"): the write is
// undone, and nothing that others built is in doubt.
func Refuse(err error) error { return refusal{err} }

// refused is the reason of a refusal, or nil if err is none.
func refused(err error) error {
	var r refusal
	if errors.As(err, &r) {
		return r.error
	}
	return nil
}

// failed begins a new epoch, unless err is a refusal: whatever was built on writes that have not
// become durable must be built anew.
func (w *writer) failed(err error) error {
	if reason := refused(err); reason != nil {
		return reason
	}
	w.s.epoch.Add(1)
	w.s.names.purge()
	w.s.rooms.purge()
	w.s.log.Error("a write to the database failed", "err", err)
	return err
}

// Write runs fn in the writer and returns once its changes are durable. fn may be run more than
// once. It must not call Store methods that write.
func (s *Store) Write(ctx context.Context, fn func(*Tx) error) error {
	done := make(chan error, 1)
	if err := s.writer.put(ctx, op{anyEpoch, fn, traced(ctx, func(err error) { done <- err })}); err != nil {
		return err
	}
	// Once queued it will happen: the answer has to wait for it whatever becomes of the caller.
	return <-done
}

// Submit queues fn and returns; done is called by the writer, in the order of the log, once the
// changes are durable or have failed, and must not block. The write is refused with ErrStale
// if an epoch has begun since the given one.
func (s *Store) Submit(ctx context.Context, epoch int64, fn func(*Tx) error, done func(error)) error {
	return s.writer.put(ctx, op{epoch, fn, traced(ctx, done)})
}

// WriterStats tells how the writer does.
type WriterStats struct {
	// Groups counts commits, and Writes the writes in them, since the start.
	Groups, Writes int64
	// Waiting writes are in the queue, which holds WaitingMax.
	Waiting, WaitingMax int
}

// WriterStats tells how the writer does.
func (s *Store) WriterStats() WriterStats {
	w := s.writer
	return WriterStats{w.groups.Load(), w.writes.Load(), len(w.queue), cap(w.queue)}
}
