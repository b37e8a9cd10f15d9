package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"
)

// lockWait is how long one attempt waits for the write lock of a database. It is short: whoever
// has it may be waiting for the homeserver, which is being held.
const lockWait = 1500 * time.Millisecond

// snapshot shows a SQLite database as it was at one moment.
type snapshot struct {
	name   string // in the archive
	path   string
	db     *sql.DB
	lock   *sql.Conn // has the write lock while everybody holds still
	reader *sql.Conn // in a read transaction
	pages  int64
	size   int64 // of a page
}

// openSnapshot opens a database. Nothing is locked yet.
func openSnapshot(ctx context.Context, name, path string) (_ *snapshot, err error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(),
		RawQuery: url.Values{"mode": {"rw"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds())}}.Encode()}
	s := &snapshot{name: name, path: path}
	if s.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.lock, err = s.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	if s.reader, err = s.db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return s, nil
}

// hold takes the write lock.
func (s *snapshot) hold(ctx context.Context) error {
	if _, err := s.lock.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("waiting until nothing is written to %s: %w", s.path, err)
	}
	return nil
}

// release gives the write lock back.
func (s *snapshot) release() error {
	_, err := s.lock.ExecContext(context.Background(), "ROLLBACK")
	return err
}

// begin fixes the moment that is shown. It may be called again.
func (s *snapshot) begin(ctx context.Context) error {
	s.end()
	if _, err := s.reader.ExecContext(ctx, "BEGIN"); err != nil {
		return fmt.Errorf("reading %s: %w", s.path, err)
	}
	// The read transaction begins with the first query.
	for pragma, to := range map[string]*int64{"page_count": &s.pages, "page_size": &s.size} {
		if err := s.reader.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(to); err != nil {
			return fmt.Errorf("reading %s: %w", s.path, err)
		}
	}
	var n int64
	if err := s.reader.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil {
		return fmt.Errorf("reading %s: %w", s.path, err)
	}
	return nil
}

// end ends the read transaction, if there is one.
func (s *snapshot) end() {
	_, _ = s.reader.ExecContext(context.Background(), "ROLLBACK") // fails if there is none
}

// bytes is the size of the copy.
func (s *snapshot) bytes() int64 { return s.pages * s.size }

// writeTo writes the pages, which are a database file.
func (s *snapshot) writeTo(ctx context.Context, w io.Writer) error {
	rows, err := s.reader.QueryContext(ctx, "SELECT data FROM sqlite_dbpage")
	if err != nil {
		return fmt.Errorf("reading the pages of %s: %w", s.path, err)
	}
	defer rows.Close()
	var page sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&page); err != nil {
			return fmt.Errorf("reading the pages of %s: %w", s.path, err)
		}
		if _, err := w.Write(page); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("reading the pages of %s: %w", s.path, err)
	}
	return nil
}

func (s *snapshot) close() error {
	var errs []error
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if s.reader != nil {
		s.end()
		errs = append(errs, s.reader.Close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}

// checkDatabase makes sure that a file is a sound database.
func checkDatabase(ctx context.Context, path string) (err error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return fmt.Errorf("checking %s: %w", filepath.Base(path), err)
	}
	if verdict != "ok" {
		return fmt.Errorf("checking %s: %s", filepath.Base(path), verdict)
	}
	return nil
}
