package search

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Store is what the index is made of.
type Store interface {
	Position() int64
	Entries(ctx context.Context, after int64, limit int) ([]store.Entry, error)
	PastEvents(ctx context.Context, pos int64, limit int) ([]int64, error)
	Event(ctx context.Context, nid int64) (*event.Event, error)
	EventByID(ctx context.Context, id string) (*event.Event, error)
}

var _ Store = (*store.Store)(nil)

// Options say where the index is and what it follows.
type Options struct {
	Path  string // of the file
	Store Store
	Log   *slog.Logger
}

// Index is an open index. It is safe for concurrent use.
type Index struct {
	o    Options
	db   *sql.DB
	wake chan struct{}
	// waiting counts the searches that wait for the index.
	waiting atomic.Int64

	mu sync.Mutex
	at cursor
	// moved is closed when at changes, and replaced.
	moved chan struct{}
}

// cursor says what is in the index: the log up to pos, and history that was brought in later down
// to past.
type cursor struct{ pos, past int64 }

// format changes with the schema and with how texts are taken apart: an index of another format is
// made anew.
const format = "1"

// The words of a text are separated by spaces already, and folded; the tokenizer must leave them
// as they are. A rowid is the event's position in the log.
const schema = `
CREATE VIRTUAL TABLE text USING fts5(body, name, topic, content='', contentless_delete=1,
  tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* S* Co'");
CREATE TABLE doc (pos INTEGER PRIMARY KEY, nid INTEGER NOT NULL, room INTEGER NOT NULL, sender INTEGER NOT NULL);
CREATE TABLE edit (nid INTEGER PRIMARY KEY, target TEXT NOT NULL, ts INTEGER NOT NULL, id TEXT NOT NULL);
CREATE INDEX edit_target ON edit (target, ts, id);
CREATE TABLE state (format TEXT NOT NULL, pos INTEGER NOT NULL, past INTEGER NOT NULL);`

// Open opens the index, or makes one.
func Open(ctx context.Context, o Options) (*Index, error) {
	ix := &Index{o: o, wake: make(chan struct{}, 1), moved: make(chan struct{})}
	err := ix.open(ctx)
	if err == nil {
		err = ix.check(ctx)
	}
	if err == nil {
		return ix, nil
	}
	// Whatever is wrong with it, a new one is right.
	if !errors.Is(err, errNew) {
		o.Log.WarnContext(ctx, "the search index is made anew", "reason", err)
	}
	if ix.db != nil {
		err = ix.db.Close()
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Remove(o.Path + suffix); e != nil && !errors.Is(e, os.ErrNotExist) {
			return nil, fmt.Errorf("removing the old search index: %w", errors.Join(e, err))
		}
	}
	if err := ix.open(ctx); err != nil {
		return nil, err
	}
	if _, err := ix.db.ExecContext(ctx, schema+`INSERT INTO state VALUES ('`+format+`', 0, 0)`); err != nil {
		return nil, errors.Join(fmt.Errorf("making the search index: %w", err), ix.db.Close())
	}
	return ix, nil
}

// readers is how many searches read at once, beside the one connection that writes.
const readers = 4

func (ix *Index) open(ctx context.Context) (err error) {
	f, err := os.OpenFile(ix.o.Path, os.O_CREATE|os.O_RDWR, 0o600) // nobody else's business
	if err != nil {
		return fmt.Errorf("opening the search index: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("opening the search index: %w", err)
	}
	v := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)", "temp_store(MEMORY)", "cache_size(-4000)"}}
	if ix.db, err = sql.Open("sqlite", "file:"+(&url.URL{Path: ix.o.Path}).EscapedPath()+"?"+v.Encode()); err != nil {
		return fmt.Errorf("opening the search index: %w", err)
	}
	ix.db.SetMaxOpenConns(readers + 1)
	ix.db.SetMaxIdleConns(readers + 1)
	return ix.db.PingContext(ctx)
}

// errNew says that there was no index.
var errNew = errors.New("there is none yet")

// check makes sure that the index is of this format, and of this store: one that was restored from
// a backup is behind an index that was not.
func (ix *Index) check(ctx context.Context) error {
	var tables int
	if err := ix.db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&tables); err == nil && tables == 0 {
		return errNew
	}
	var have string
	var at cursor
	if err := ix.db.QueryRowContext(ctx, `SELECT format, pos, past FROM state`).Scan(&have, &at.pos, &at.past); err != nil {
		return fmt.Errorf("reading its state: %w", err)
	}
	if have != format {
		return fmt.Errorf("it has the format %s", have)
	}
	if at.pos > ix.o.Store.Position() {
		return errors.New("it is ahead of the database")
	}
	var nid, pos int64
	err := ix.db.QueryRowContext(ctx, `SELECT nid, pos FROM doc ORDER BY pos DESC LIMIT 1`).Scan(&nid, &pos)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	} else if err == nil {
		var e *event.Event
		if e, err = ix.o.Store.Event(ctx, nid); err == nil && e.Pos != pos {
			err = errors.New("it belongs to another database")
		}
	}
	if err == nil {
		ix.at = at
	}
	return err
}

// Close closes the index. Run must have returned.
func (ix *Index) Close() error { return ix.db.Close() }

// Publish tells the index that the log has grown. It does not block.
func (ix *Index) Publish() {
	select {
	case ix.wake <- struct{}{}:
	default:
	}
}

// Behind is how much of the log is not in the index yet.
func (ix *Index) Behind() int64 {
	at, _ := ix.cursor()
	return max(ix.o.Store.Position()-at.pos, 0)
}

// cursor is where the index is, and a channel that is closed when it moves.
func (ix *Index) cursor() (cursor, <-chan struct{}) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.at, ix.moved
}

func (ix *Index) move(to cursor) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	ix.at = to
	close(ix.moved)
	ix.moved = make(chan struct{})
}

// Wait waits until everything is in the index that was in the store when it was called, but not
// for longer than patience: then it reports false.
func (ix *Index) Wait(ctx context.Context, patience time.Duration) (bool, error) {
	upto := ix.o.Store.Position()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	ix.waiting.Add(1)
	defer ix.waiting.Add(-1)
	ix.Publish()
	for {
		at, moved := ix.cursor()
		if at.pos >= upto {
			past, err := ix.o.Store.PastEvents(ctx, at.past, 1)
			if err != nil || len(past) == 0 {
				return err == nil, err
			}
		}
		select {
		case <-moved:
		case <-timer.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}
