package elsewhere

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // driver "sqlite"
)

// ledger says what has become what. It is one file, which one process at a time uses.
type ledger struct{ db *sql.DB }

// Tables: item has the events (and rooms, without an event) that things of a source are, and begun what was about to be sent and
// has perhaps been. who are accounts with the name and picture that they were given, inside who is in which room.
const tables = `
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS item (source TEXT NOT NULL, remote TEXT NOT NULL, room TEXT NOT NULL, event TEXT NOT NULL, PRIMARY KEY (source, remote)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS item_event ON item (event) WHERE event <> '';
CREATE TABLE IF NOT EXISTS begun (place TEXT NOT NULL, source TEXT NOT NULL, remote TEXT NOT NULL, PRIMARY KEY (place, source, remote)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS inside (room TEXT NOT NULL, user TEXT NOT NULL, membership TEXT NOT NULL, PRIMARY KEY (room, user)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS media (id TEXT PRIMARY KEY, uri TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS who (user TEXT PRIMARY KEY, name TEXT NOT NULL, avatar TEXT NOT NULL) WITHOUT ROWID;
`

func openLedger(path string) (_ *ledger, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the ledger's folder: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+url.Values{
		"_txlock": {"immediate"}, "_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}}.Encode())
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	db.SetMaxOpenConns(1) // each use is a moment
	if _, err := db.Exec(tables); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the ledger %s: %w", path, err), db.Close())
	}
	return &ledger{db}, nil
}

func (l *ledger) close() error { return l.db.Close() }

// text asks for one text; "" if there is none.
func (l *ledger) text(ctx context.Context, query string, args ...any) (out string, err error) {
	err = l.db.QueryRowContext(ctx, query, args...).Scan(&out)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the ledger: %w", err)
	}
	return out, nil
}

// texts asks for many.
func (l *ledger) texts(ctx context.Context, query string, args ...any) (out []string, err error) {
	rows, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func (l *ledger) exec(ctx context.Context, query string, args ...any) error {
	if _, err := l.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	return nil
}

// server notes whose ledger this is, and refuses another's.
func (l *ledger) server(ctx context.Context, name string) error {
	have, err := l.text(ctx, "SELECT value FROM about WHERE name='server'")
	if err == nil && have == "" {
		return l.exec(ctx, "INSERT INTO about VALUES ('server', ?)", name)
	}
	if err == nil && have != name {
		err = fmt.Errorf("the ledger is that of the server %s, and this is %s", have, name)
	}
	return err
}

// entry is where an item is.
type entry struct{ room, event string }

// find finds an item; ok is false if it is not there.
func (l *ledger) find(ctx context.Context, source, remote string) (e entry, ok bool, err error) {
	err = l.db.QueryRowContext(ctx, "SELECT room, event FROM item WHERE source=? AND remote=?", source, remote).Scan(&e.room, &e.event)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return e, false, nil
	case err != nil:
		return e, false, fmt.Errorf("reading the ledger: %w", err)
	}
	return e, true, nil
}

// begin notes what is about to be done at a place, a room or the list of rooms. end notes that it is done.
func (l *ledger) begin(ctx context.Context, place, source, remote string) error {
	return l.exec(ctx, "INSERT INTO begun VALUES (?, ?, ?) ON CONFLICT DO NOTHING", place, source, remote)
}

// begun tells whether something was begun at a place and not noted as done.
func (l *ledger) begun(ctx context.Context, place, source, remote string) (bool, error) {
	have, err := l.text(ctx, "SELECT remote FROM begun WHERE place=? AND source=? AND remote=?", place, source, remote)
	return have != "", err
}

// forget notes that what was begun has not been done.
func (l *ledger) forget(ctx context.Context, place, source, remote string) error {
	return l.exec(ctx, "DELETE FROM begun WHERE place=? AND source=? AND remote=?", place, source, remote)
}

func (l *ledger) end(ctx context.Context, place, source, remote string, e entry) (err error) {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("writing the ledger: %w", err), tx.Rollback())
		}
	}()
	if _, err = tx.ExecContext(ctx, "INSERT INTO item VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", source, remote, e.room, e.event); err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "DELETE FROM begun WHERE place=? AND source=? AND remote=?", place, source, remote); err != nil {
		return err
	}
	return tx.Commit()
}
