package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
	// after runs when the transaction is durable.
	after []func()
}

func (t *Tx) stmt(name string) (*sql.Stmt, error) {
	if st := t.w.stmts[name]; st != nil {
		return st, nil
	}
	text, ok := t.w.s.queries[name]
	if !ok {
		return nil, fmt.Errorf("no query is called %q", name)
	}
	st, err := t.w.conn.PrepareContext(t.ctx, text)
	if err != nil {
		return nil, fmt.Errorf("preparing query %s: %w", name, err)
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
	res, err := st.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("query %s: %w", name, err)
	}
	return res.RowsAffected()
}

// row reads one row as the transaction sees it.
func (t *Tx) row(name string, args ...any) scanner {
	st, err := t.stmt(name)
	if err != nil {
		return result{err: err}
	}
	return result{row: st.QueryRowContext(t.ctx, args...)}
}

// each reads rows as the transaction sees them.
func (t *Tx) each(name string, fn func(scanner) error, args ...any) error {
	st, err := t.stmt(name)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(t.ctx, args...)
	if err != nil {
		return fmt.Errorf("query %s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return fmt.Errorf("query %s: %w", name, err)
		}
	}
	return errors.Join(rows.Err())
}

// flush writes what was gathered for the end of the transaction.
func (t *Tx) flush() error {
	for _, r := range t.rooms {
		if err := t.exec("room_update", r.NID, int64(r.Root), r.Depth, encodeNIDs(r.Extremities)); err != nil {
			return err
		}
	}
	return nil
}
