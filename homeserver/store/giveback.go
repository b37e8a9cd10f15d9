package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// giveBackPages is how many free pages one write gives back, and giveBackPause how long others have their turn after
// each: a purge of millions of events is to hold up nobody.
const (
	giveBackPages = 500
	giveBackPause = 10 * time.Millisecond
)

// FreePages is how many pages of the database hold nothing. PostgreSQL keeps such to itself: it is 0 there.
func (s *Store) FreePages(ctx context.Context) (n int64, err error) {
	if s.loc.giveBack == "" {
		return 0, nil
	}
	if err := s.read.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&n); err != nil {
		return 0, fmt.Errorf("counting free pages: %w", err)
	}
	return n, nil
}

// GiveBack gives the space of what was removed back to the disk, as far as the database can do so while it is used, and
// tells how many pages were. A SQLite database that was made before this was thought of has to be compacted once (see
// Compact); PostgreSQL does as its autovacuum is set.
func (s *Store) GiveBack(ctx context.Context) (pages int64, err error) {
	if s.loc.giveBack == "" {
		return 0, nil
	}
	before, err := s.FreePages(ctx)
	if err != nil {
		return 0, err
	}
	for left := before; left > 0; {
		if err := s.Write(ctx, func(t *Tx) error { return t.giveBack(min(left, giveBackPages)) }); err != nil {
			return before - left, fmt.Errorf("giving space back: %w", err)
		}
		now, err := s.FreePages(ctx)
		if err != nil {
			return before - left, err
		}
		if now >= left {
			break // it can't
		}
		left, pages = now, before-now
		select {
		case <-time.After(giveBackPause):
		case <-ctx.Done():
			return pages, ctx.Err()
		}
	}
	return pages, nil
}

func (t *Tx) giveBack(pages int64) error {
	// The pragma frees one page a row that is asked for.
	rows, err := t.w.conn.QueryContext(t.ctx, fmt.Sprintf(t.w.s.loc.giveBack, pages))
	if err != nil {
		return t.note(err)
	}
	defer rows.Close()
	for rows.Next() {
	}
	return t.note(rows.Err())
}

// Compact makes a SQLite database as small as it can be, which nobody else may have open, and able to give space back from
// then on. While it works it takes as much space again as the database has.
func Compact(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+url.Values{"_pragma": {"busy_timeout(1000)"}, "mode": {"rw"}}.Encode())
	if err != nil {
		return fmt.Errorf("compacting %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	for _, q := range [...]string{"PRAGMA auto_vacuum = 2", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("compacting %s: %w", path, err)
		}
	}
	return nil
}
