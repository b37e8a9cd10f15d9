package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Tx is the transaction of a group of writes. Its methods may be used only inside the function
// that was given it.
type Tx struct {
	w   *writer
	ctx context.Context
	// entries are what the log gains.
	entries []Entry
	// rooms are changed room rows, written once a group.
	rooms map[int64]Room
	// undo brings rooms back to what it was before the write that is running.
	undo []func()
	// after runs when the transaction is durable, told when it has been published besides.
	after, told []func()
	// err is the first failure of a statement in the write that is running.
	err error
}

// run runs a write. It fails also if one of its statements did and it took no notice: PostgreSQL
// has given the transaction up by then, and would answer COMMIT with a rollback.
func (t *Tx) run(apply func(*Tx) error) error {
	t.err = nil
	if err := apply(t); err != nil {
		return err
	}
	return t.err
}

// note remembers that a statement failed.
func (t *Tx) note(err error) error {
	if err != nil && t.err == nil && !errors.Is(err, ErrNotFound) {
		t.err = err
	}
	return err
}

// errUndo reports that a write failed and could not be undone alone.
var errUndo = errors.New("undoing a failed write")

// alone runs a write such that its failure leaves no trace in the transaction.
func (t *Tx) alone(apply func(*Tx) error) error {
	c := &t.w.s.counters
	pos, past, entries, after, told := c.pos, c.past, len(t.entries), len(t.after), len(t.told)
	t.undo = t.undo[:0]
	if _, err := t.w.conn.ExecContext(t.ctx, "SAVEPOINT op"); err != nil {
		return fmt.Errorf("%w: setting a savepoint: %w", errUndo, err)
	}
	err := t.run(apply)
	end := "RELEASE SAVEPOINT op"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT op"
	}
	if _, endErr := t.w.conn.ExecContext(t.ctx, end); endErr != nil {
		return fmt.Errorf("%w: %s: %w", errUndo, end, errors.Join(endErr, err))
	}
	if err != nil {
		for _, fn := range slices.Backward(t.undo) {
			fn()
		}
		c.pos, c.past, t.entries, t.after, t.told = pos, past, t.entries[:entries], t.after[:after], t.told[:told]
	}
	return err
}

func (t *Tx) stmt(name string) (*sql.Stmt, error) {
	if st := t.w.stmts[name]; st != nil {
		return st, nil
	}
	text, ok := t.w.s.queries[name]
	if !ok {
		return nil, t.note(fmt.Errorf("no query is called %q", name))
	}
	st, err := t.w.conn.PrepareContext(t.ctx, text)
	if err != nil {
		return nil, t.note(fmt.Errorf("preparing query %s: %w", name, err))
	}
	t.w.stmts[name] = st
	return st, nil
}

func (t *Tx) exec(name string, args ...any) error {
	_, err := t.execCount(name, args...)
	return err
}

// execCount also tells how many rows were touched.
func (t *Tx) execCount(name string, args ...any) (int64, error) {
	st, err := t.stmt(name)
	if err != nil {
		return 0, err
	}
	t.w.executed++
	res, err := st.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, t.note(fmt.Errorf("query %s: %w", name, err))
	}
	if strings.HasPrefix(name, "one_time_key_") || strings.HasPrefix(name, "fallback_key_") {
		t.after = append(t.after, func() { t.w.s.counters.keyChanges.Add(1) })
	}
	return res.RowsAffected()
}

// row reads one row as the transaction sees it.
func (t *Tx) row(name string, args ...any) scanner {
	st, err := t.stmt(name)
	if err != nil {
		return result{err: err}
	}
	return txResult{t, result{row: st.QueryRowContext(t.ctx, args...)}}
}

// txResult is a result whose failure the transaction remembers.
type txResult struct {
	t *Tx
	r result
}

func (r txResult) Scan(dst ...any) error { return r.t.note(r.r.Scan(dst...)) }

// each reads rows as the transaction sees them. fn must not use the transaction: one connection
// does one thing at a time.
func (t *Tx) each(name string, fn func(scanner) error, args ...any) error {
	st, err := t.stmt(name)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(t.ctx, args...)
	if err != nil {
		return t.note(fmt.Errorf("query %s: %w", name, err))
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return fmt.Errorf("query %s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return t.note(fmt.Errorf("query %s: %w", name, err))
	}
	return nil
}

// flush writes what was gathered for the end of the transaction.
func (t *Tx) flush() error {
	for _, r := range t.rooms {
		if err := t.exec("room_update", r.NID, int64(r.Root), r.Depth, encodeNIDs(r.Extremities), r.LocalPos); err != nil {
			return err
		}
	}
	return nil
}
