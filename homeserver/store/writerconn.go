package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// begin starts a transaction, on a new connection if the old one is gone.
func (w *writer) begin(ctx context.Context) error {
	if w.conn == nil {
		if err := w.connect(ctx); err != nil {
			return err
		}
	}
	// After a lost connection the log may hold what nobody was told of.
	if err := w.catchUp(ctx); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, w.s.loc.begin)
	if err == nil {
		return nil
	}
	if w.check(ctx); w.conn != nil {
		if _, err = w.conn.ExecContext(ctx, w.s.loc.begin); err == nil {
			return nil
		}
		// Whatever keeps this connection from it, a new one will not have.
		w.disconnect()
	}
	return fmt.Errorf("beginning a write: %w", err)
}

// catchUp publishes what is in the log and was not published, because the connection was lost
// while it was being committed.
func (w *writer) catchUp(ctx context.Context) error {
	c := &w.s.counters
	if c.pos == c.published.Load() {
		return nil
	}
	// The entries are those of one group.
	rows, err := w.conn.QueryContext(ctx, w.s.queries["log_after"], c.published.Load(), c.pos-c.published.Load())
	if err != nil {
		return fmt.Errorf("reading the end of the log: %w", err)
	}
	defer rows.Close()
	var entries []Entry
	for rows.Next() {
		e, err := scanEntry(rows)
		if err != nil {
			return fmt.Errorf("reading the end of the log: %w", err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the end of the log: %w", err)
	}
	c.published.Store(c.pos)
	w.publish(entries)
	return nil
}

// check replaces the connection if it is broken. It is nil afterwards if that can't be done.
func (w *writer) check(ctx context.Context) {
	if w.conn.PingContext(ctx) == nil {
		return
	}
	w.disconnect()
	if err := w.connect(ctx); err != nil {
		w.s.log.Error("the database does not answer", "err", err)
	}
}

// connectTimeout bounds how long writes wait for a database that does not answer.
const connectTimeout = 10 * time.Second

// connect opens a connection and learns from it where the log ends.
func (w *writer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := w.s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connecting to the database: %w", err)
	}
	var pos, past int64
	for query, to := range map[string]*int64{"log_max": &pos, "event_past": &past} {
		if err := conn.QueryRowContext(ctx, w.s.queries[query]).Scan(to); err != nil {
			return errors.Join(fmt.Errorf("reading the end of the log: %w", err), conn.Close())
		}
	}
	w.conn, w.s.counters.pos, w.s.counters.past = conn, pos, past
	return nil
}

// disconnect gives the connection up; errors don't matter, since nothing is under way on it.
func (w *writer) disconnect() {
	for _, st := range w.stmts {
		st.Close()
	}
	clear(w.stmts)
	if w.conn != nil {
		// A connection that is reported as bad is closed, not kept for the next user.
		w.conn.Raw(func(any) error { return driver.ErrBadConn })
		w.conn.Close()
	}
	w.conn = nil
}
