package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SchemaVersion tells the version of a database's schema, without changing anything, and the newest
// that this program knows. A database that is not there, or is empty, has version 0.
func SchemaVersion(ctx context.Context, uri string) (have, newest int, err error) {
	steps, err := loadMigrations(schemaFiles)
	if err != nil {
		return 0, 0, err
	}
	loc, err := parseURI(uri, false)
	if err != nil {
		return 0, 0, err
	}
	if loc.path != "" {
		switch info, err := os.Stat(loc.path); {
		case errors.Is(err, fs.ErrNotExist):
			return 0, len(steps), nil
		case err != nil:
			return 0, 0, fmt.Errorf("looking at the database: %w", err)
		case info.Size() == 0:
			return 0, len(steps), nil
		}
	}
	db, err := sql.Open(loc.driver, loc.dsn)
	if err != nil {
		return 0, 0, fmt.Errorf("looking at the database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	there := `SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'`
	if loc.name == "postgres" {
		there = `SELECT count(*) FROM information_schema.tables WHERE table_name = 'schema_version' AND table_schema = current_schema()`
	}
	var n int
	if err := db.QueryRowContext(ctx, there).Scan(&n); err != nil {
		return 0, 0, fmt.Errorf("looking at the database: %w", err)
	}
	if n == 0 {
		return 0, len(steps), nil
	}
	err = db.QueryRowContext(ctx, `SELECT version FROM schema_version`).Scan(&have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, 0, fmt.Errorf("reading the schema version: %w", err)
	}
	return have, len(steps), nil
}

// CheckSchema refuses a database that a newer program has written.
func CheckSchema(ctx context.Context, uri string) error {
	have, newest, err := SchemaVersion(ctx, uri)
	if err != nil {
		return err
	}
	return tooNew(have, newest)
}

// tooNew is the refusal of a database that is newer than the program, nil if it is not.
func tooNew(have, newest int) error {
	if have <= newest {
		return nil
	}
	return fmt.Errorf("the database has schema version %d, and this program knows only up to %d: start the newer program that it was used with, or restore a backup made before (landbridge backup list)", have, newest)
}

// SQLitePath is the file of a database, empty if it is no SQLite database.
func SQLitePath(uri string) string {
	loc, err := parseURI(uri, false)
	if err != nil {
		return ""
	}
	return loc.path
}

// Hold calls fn while nothing is written; writes wait meanwhile. fn may be called again, and must not
// write itself. Its error is passed on.
func (s *Store) Hold(ctx context.Context, fn func() error) error {
	return s.Write(ctx, func(*Tx) error {
		if err := fn(); err != nil {
			return Refuse(err) // nothing is wrong with what others write
		}
		return nil
	})
}
