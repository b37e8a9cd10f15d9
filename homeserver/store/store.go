package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"

	_ "github.com/lib/pq"  // driver "postgres"
	_ "modernc.org/sqlite" // driver "sqlite"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// ErrNotFound reports that there is no such row.
var ErrNotFound = errors.New("not found")

// ErrStale reports a write that was built on something that did not become durable. Whoever
// made it must read the state anew and try again.
var ErrStale = errors.New("an earlier write failed")

// ErrClosed reports a write after Close.
var ErrClosed = errors.New("the store is closed")

// Options say how to open a store.
type Options struct {
	// URI is sqlite:PATH or postgres://...
	URI string
	// Readers is the number of read connections; 0 means 4.
	Readers int
	// Relaxed lets SQLite skip the flush to disk at every commit: a power cut may lose the last
	// moments, a crash of the program still loses nothing.
	Relaxed bool
	// Publish is called by the writer, in log order, after each commit and before the writes
	// are answered. It must not block.
	Publish func([]Entry)
	Log     *slog.Logger
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	loc     location
	log     *slog.Logger
	signer  atomic.Pointer[event.Signer]
	queries map[string]string
	read    *sql.DB
	write   *sql.DB

	stmtMu sync.RWMutex
	stmts  map[string]*sql.Stmt

	names  names
	erased sync.Map // user NID to log position, see ErasedAt
	naming sync.Map // service id to whether it has names of its own for events
	state  *statetree.Forest
	events *eventCache
	links  *lru.Cache[int64, Link]
	rooms  *roomNames
	spans  spans

	imported *importedIDs

	counters counters
	epoch    atomic.Int64
	writer   *writer
	// checkpointer is nil where the database needs none.
	checkpointer *checkpointer

	// toDeviceMax is ToDeviceMax, but in tests.
	toDeviceMax     int64
	toDeviceDropped atomic.Int64
}

// counters allot the store's numbers. They start after the largest in use.
type counters struct {
	// keyChanges counts changes of one-time and fallback keys.
	keyChanges                                atomic.Int64
	user, key, room, event, pack, device, otk atomic.Int64
	// pos and past belong to the writer alone; pos is read by others through published.
	pos, past int64
	published atomic.Int64
	// delayed is not 0 if state may be scheduled to be sent later: it counts those that were at
	// the start and those scheduled since, and never goes down.
	delayed atomic.Int64
}

// Open opens a database, brings its schema up to date and starts the writer.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	loc, err := parseURI(o.URI, !o.Relaxed)
	if err != nil {
		return nil, err
	}
	if info, ok := debug.ReadBuildInfo(); ok && loc.name == "sqlite" {
		if err := checkLibc(info); err != nil {
			return nil, err
		}
	}
	if loc.path != "" {
		if err := os.MkdirAll(filepath.Dir(loc.path), 0o700); err != nil {
			return nil, fmt.Errorf("making the database folder: %w", err)
		}
		// Others on the machine have no business in it; SQLite gives its companions the same mode.
		f, err := os.OpenFile(loc.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("opening the database: %w", err)
		}
	}
	if o.Readers == 0 {
		o.Readers = 4
	}
	s := &Store{loc: loc, log: o.Log, stmts: map[string]*sql.Stmt{}, events: newEventCache(eventCacheBytes), toDeviceMax: ToDeviceMax}
	if s.queries, err = loadQueries(queryFiles); err != nil {
		return nil, err
	}
	for name, q := range s.queries {
		s.queries[name] = loc.param(q)
	}
	if s.write, err = sql.Open(loc.driver, loc.dsn); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.write.Close())
			if s.read != nil {
				err = errors.Join(err, s.read.Close())
			}
		}
	}()
	s.write.SetMaxOpenConns(1)
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := s.migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.read, err = sql.Open(loc.driver, loc.dsn); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), conn.Close())
	}
	s.read.SetMaxOpenConns(o.Readers)
	s.read.SetMaxIdleConns(o.Readers)
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if s.checkpointer, err = newCheckpointer(s); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	s.writer = newWriter(s, conn, o.Publish)
	s.imported.start()
	return s, nil
}

// start loads the counters and makes the caches.
func (s *Store) start(ctx context.Context) error {
	c := &s.counters
	load := func(query string) (int64, error) {
		var n int64
		err := s.row(ctx, query).Scan(&n)
		if err != nil {
			return 0, fmt.Errorf("reading counter %s: %w", query, err)
		}
		return n, nil
	}
	for query, to := range map[string]*atomic.Int64{
		"user_max": &c.user, "state_key_max": &c.key, "room_max": &c.room, "event_max": &c.event,
		"state_pack_max": &c.pack, "device_max": &c.device, "one_time_key_max": &c.otk,
		"delayed_state_count": &c.delayed,
	} {
		n, err := load(query)
		if err != nil {
			return err
		}
		floor, err := s.floor(ctx, query)
		if err != nil {
			return err
		}
		to.Store(max(n, floor))
	}
	var err error
	if c.pos, err = load("log_max"); err != nil {
		return err
	}
	if c.past, err = load("event_past"); err != nil {
		return err
	}
	floor, err := s.floor(ctx, "event_past")
	if err != nil {
		return err
	}
	c.past = min(c.past, -floor)
	c.published.Store(c.pos)
	s.names.init()
	s.imported = newImportedIDs(s)
	if err := s.loadErased(ctx); err != nil {
		return fmt.Errorf("reading who was erased: %w", err)
	}
	if err := s.loadSpans(ctx); err != nil {
		return fmt.Errorf("reading which rooms are incomplete: %w", err)
	}
	if err := s.imported.load(ctx); err != nil {
		return err
	}
	s.rooms = newRoomNames()
	if s.links, err = lru.New[int64, Link](linkCache); err != nil {
		return fmt.Errorf("making the cache of links: %w", err)
	}
	s.state, err = statetree.NewForest(s, func() int64 { return c.pack.Add(1) }, statePacks)
	return err
}

// Bounds of the caches.
const (
	eventCacheBytes = 8 << 20
	statePacks      = 4096
)

// Close waits for the writes under way, then closes the database.
func (s *Store) Close() error {
	s.imported.close()
	err := s.checkpointer.close()
	s.writer.close()
	return errors.Join(err, s.read.Close(), s.write.Close())
}

// SignBy says who signs events of this server that were stored without a signature (see event.Drafts) when they leave it. Whoever stores
// such events has to say so before.
func (s *Store) SignBy(signer event.Signer) { s.signer.Store(&signer) }

// State gives access to the state trees.
func (s *Store) State() *statetree.Forest { return s.state }

// Position is the newest published position of the log.
func (s *Store) Position() int64 { return s.counters.published.Load() }

// Epoch changes whenever a write fails. What was read or numbered in an earlier epoch must not
// be built upon; see Submit.
func (s *Store) Epoch() int64 { return s.epoch.Load() }

// stmt prepares a named query once for the read pool.
func (s *Store) stmt(ctx context.Context, name string) (*sql.Stmt, error) {
	s.stmtMu.RLock()
	st := s.stmts[name]
	s.stmtMu.RUnlock()
	if st != nil {
		return st, nil
	}
	text, ok := s.queries[name]
	if !ok {
		return nil, fmt.Errorf("no query is called %q", name)
	}
	s.stmtMu.Lock()
	defer s.stmtMu.Unlock()
	if st = s.stmts[name]; st != nil {
		return st, nil
	}
	st, err := s.read.PrepareContext(context.WithoutCancel(ctx), text)
	if err != nil {
		return nil, fmt.Errorf("preparing query %s: %w", name, err)
	}
	s.stmts[name] = st
	return st, nil
}

// scanner is what *sql.Row and *sql.Rows have in common.
type scanner interface{ Scan(...any) error }

// result is a row or the error that kept it away.
type result struct {
	row *sql.Row
	err error
}

func (r result) Scan(dst ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.row.Scan(dst...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// row runs a query for one row. Look-ups take microseconds, so they run to their end: watching
// for cancellation would cost more than it saves.
func (s *Store) row(ctx context.Context, name string, args ...any) result {
	if err := ctx.Err(); err != nil {
		return result{err: err}
	}
	st, err := s.stmt(ctx, name)
	if err != nil {
		return result{err: err}
	}
	return result{row: st.QueryRowContext(context.WithoutCancel(ctx), args...)}
}

// each runs a query and calls fn for every row.
func (s *Store) each(ctx context.Context, name string, fn func(scanner) error, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	st, err := s.stmt(ctx, name)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return fmt.Errorf("query %s: %w", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return fmt.Errorf("query %s: %w", name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("query %s: %w", name, err)
	}
	return nil
}

// collect gathers the rows of a query.
func collect[T any](ctx context.Context, s *Store, name string, scan func(scanner) (T, error), args ...any) ([]T, error) {
	var out []T
	err := s.each(ctx, name, func(r scanner) error {
		v, err := scan(r)
		out = append(out, v)
		return err
	}, args...)
	return out, err
}
