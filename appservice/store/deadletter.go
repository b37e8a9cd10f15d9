package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// DeadLetter is an event that did not get across. What it says is not kept here: who wants it again asks
// the homeserver.
type DeadLetter struct {
	EventID string
	Room    string
	Sender  string
	Type    string
	Reason  string    // for people
	Tries   int       // how often it was tried
	At      time.Time // of the last try
}

// keepDead is how many dead letters are kept; the oldest go first.
const keepDead = 10_000

// Bury records that an event did not get across, once more perhaps.
func (b *Inbox) Bury(ctx context.Context, d DeadLetter) error {
	_, err := b.normal.ExecContext(ctx, `INSERT INTO landbridge_dead (event_id, room, sender, type, reason, tries, at) VALUES (?, ?, ?, ?, ?, 1, ?)
		ON CONFLICT (event_id) DO UPDATE SET reason = excluded.reason, tries = tries + 1, at = excluded.at`,
		d.EventID, d.Room, d.Sender, d.Type, d.Reason, d.At.UnixMilli())
	if err != nil {
		return fmt.Errorf("record a dead letter: %w", err)
	}
	_, err = b.normal.ExecContext(ctx, `DELETE FROM landbridge_dead WHERE n <= (SELECT MAX(n) FROM landbridge_dead) - ?`, keepDead)
	if err != nil {
		return fmt.Errorf("forget old dead letters: %w", err)
	}
	return nil
}

// Dead lists the dead letters, oldest first.
func (b *Inbox) Dead(ctx context.Context) ([]DeadLetter, error) {
	rows, err := b.normal.QueryContext(ctx, `SELECT event_id, room, sender, type, reason, tries, at FROM landbridge_dead ORDER BY n`)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	defer rows.Close()
	var out []DeadLetter
	for rows.Next() {
		var d DeadLetter
		var at int64
		if err := rows.Scan(&d.EventID, &d.Room, &d.Sender, &d.Type, &d.Reason, &d.Tries, &at); err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
		d.At = time.UnixMilli(at)
		out = append(out, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return out, nil
}

// maxNamed bounds the events of one statement.
const maxNamed = 500

// Unbury forgets dead letters, and tells how many there were.
func (b *Inbox) Unbury(ctx context.Context, events ...string) (n int, err error) {
	for len(events) > 0 {
		some := events[:min(len(events), maxNamed)]
		events = events[len(some):]
		args := make([]any, len(some))
		for i, e := range some {
			args[i] = e
		}
		res, err := b.normal.ExecContext(ctx, `DELETE FROM landbridge_dead WHERE event_id IN (?`+strings.Repeat(", ?", len(some)-1)+`)`, args...)
		if err != nil {
			return n, fmt.Errorf("forget dead letters: %w", err)
		}
		gone, err := res.RowsAffected()
		if err != nil {
			return n, fmt.Errorf("forget dead letters: %w", err)
		}
		n += int(gone)
	}
	return n, nil
}

// Forget has events that were handled taken over once more when they come. Those that wait to be handled
// stay.
func (b *Inbox) Forget(ctx context.Context, event string) error {
	_, err := b.normal.ExecContext(ctx, `DELETE FROM landbridge_inbox WHERE event_id = ? AND done = 1`, event)
	if err != nil {
		return fmt.Errorf("forget a handled event: %w", err)
	}
	return nil
}
