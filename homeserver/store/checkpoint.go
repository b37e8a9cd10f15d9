package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// SQLite appends what is written to a log of its own (the WAL), which is brought into the database file from time to time: a
// checkpoint. The writer would do that by itself, and everybody who has something to write would wait for it, for the tenth of a
// second and more that it takes. So it is done beside the writer, which only does what is left in the end, for then it begins the log
// anew.
const (
	// checkpointAfter is how many statements that write there are between two checkpoints: some 5,000 pages.
	checkpointAfter = 16_000
	// checkpointRest is how many pages may be left for the writer, and checkpointTurns how often it is tried to come to that.
	checkpointRest, checkpointTurns = 300, 4
	// checkpointPatience is how long the writer waits for those who still read from the log, in milliseconds; checkpointAgain is after how
	// many statements it is tried again.
	checkpointPatience, checkpointAgain = 25, 8_000
)

// checkpointer makes the checkpoints of a SQLite database.
type checkpointer struct {
	s  *Store
	db *sql.DB
	// wake is signalled by the writer.
	wake chan struct{}
	stop context.CancelFunc
	done sync.WaitGroup
}

// newCheckpointer starts one; nil if the database needs none.
func newCheckpointer(s *Store) (*checkpointer, error) {
	if s.loc.path == "" {
		return nil, nil
	}
	db, err := sql.Open(s.loc.driver, s.loc.dsn)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	db.SetMaxOpenConns(1)
	ctx, stop := context.WithCancel(context.Background())
	c := &checkpointer{s: s, db: db, wake: make(chan struct{}, 1), stop: stop}
	c.done.Go(func() { c.run(ctx) })
	return c, nil
}

// due tells it that there is much to do. It does not block.
func (c *checkpointer) due() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close ends it, before the writer ends. What it has not done is done by the last connection to the database.
func (c *checkpointer) close() error {
	if c == nil {
		return nil
	}
	c.stop()
	c.done.Wait()
	return c.db.Close()
}

func (c *checkpointer) run(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		if err := c.checkpoint(ctx); err != nil && ctx.Err() == nil {
			// The writer does it by itself when there is much more.
			c.s.log.WarnContext(ctx, "the database's log could not be brought in", "err", err)
		}
	}
}

func (c *checkpointer) checkpoint(ctx context.Context) error {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for range checkpointTurns {
		rest, err := checkpoint(ctx, conn)
		if err != nil {
			return err
		}
		if rest <= checkpointRest {
			break
		}
	}
	return c.s.writer.between(ctx, func(ctx context.Context, conn *sql.Conn) error {
		done, err := restart(ctx, conn)
		if err == nil && !done {
			c.s.writer.executed = checkpointAfter - checkpointAgain
		}
		return err
	})
}

// restart brings in what is left and has the log begin anew, and tells whether that was done: it waits a moment for those who read from
// the log.
func restart(ctx context.Context, conn *sql.Conn) (bool, error) {
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout(%d)", checkpointPatience)); err != nil {
		return false, err
	}
	var busy, pages, done int64
	err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(RESTART)").Scan(&busy, &pages, &done)
	_, patient := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout(%d)", busyTimeout))
	return busy == 0, errors.Join(err, patient)
}

// checkpoint brings in what no reader keeps from it, without waiting for anybody, and tells how many pages are left.
func checkpoint(ctx context.Context, conn *sql.Conn) (rest int64, err error) {
	var busy, pages, done int64
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &pages, &done); err != nil {
		return 0, err
	}
	return pages - done, nil
}
