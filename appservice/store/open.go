package store

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"go.mau.fi/util/dbutil"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// maxConns bounds the connections that bridgev2 may use at once. More than one
// is needed: it holds one for a transaction while it reads with another.
const maxConns = 6

// synchronous is SQLite's pragma of that name.
type synchronous string

const (
	// syncNormal survives a crash of the process, and keeps the file sound in a
	// power failure, which may undo the last commits.
	syncNormal synchronous = "NORMAL"
	// syncFull survives a power failure too: a commit waits for the disk.
	syncFull synchronous = "FULL"
)

// open returns a pool of at most conns connections to the file.
//
// _txlock=immediate is what makes concurrent writers wait for each other
// instead of failing when a reader becomes a writer.
func open(path string, sync synchronous, conns int) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(10000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(" + string(sync) + ")"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.Ping(); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

// OpenBridge opens the database file of a bridge, making it and its folder if
// they are missing, as bridgev2 wants it. The caller closes it.
func OpenBridge(path string) (*dbutil.Database, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of bridge database: %w", err)
	}
	// The file holds access tokens and encryption keys.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make bridge database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("make bridge database: %w", err)
	}
	raw, err := open(path, syncNormal, maxConns)
	if err != nil {
		return nil, err
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("wrap bridge database: %w", err)
	}
	db.Owner = "landbridge"
	return db, nil
}
