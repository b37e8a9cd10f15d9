package store

import (
	"context"
	"database/sql"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// States of a delayed event.
const (
	DelayedScheduled = "scheduled"
	DelayedSent      = "sent"
	DelayedCancelled = "cancelled"
	DelayedFailed    = "failed"
)

// Delayed is an event that somebody has asked to be sent later. Times are in milliseconds.
type Delayed struct {
	ID         string
	User, Room int64
	Type       string
	StateKey   *string
	Content    string
	Delay      int64
	// StartedTS is since when the delay runs, and DueTS when it ends.
	StartedTS, DueTS int64
	// State is one of the Delayed... constants; EndedTS, EventID and Error tell how it ended.
	State          string
	EndedTS        int64
	EventID, Error string
	// TxnScope and Txn are those of the request; Txn is empty where it had none.
	TxnScope int64
	Txn      string
}

func scanDelayed(r scanner) (d Delayed, err error) {
	var key sql.NullString
	err = r.Scan(&d.ID, &d.User, &d.Room, &d.Type, &key, &d.Content, &d.Delay, &d.StartedTS, &d.DueTS, &d.State, &d.EndedTS, &d.EventID, &d.Error, &d.TxnScope, &d.Txn)
	if key.Valid {
		d.StateKey = &key.String
	}
	return d, err
}

// AddDelayed schedules an event.
func (t *Tx) AddDelayed(d Delayed) error {
	var key any
	if d.StateKey != nil {
		key = *d.StateKey
		// From now on new state is looked at; see cancelDelayed.
		t.w.s.counters.delayed.Add(1)
	}
	return t.exec("delayed_insert", d.ID, d.User, d.Room, d.Type, key, d.Content, d.Delay, d.StartedTS, d.DueTS, d.TxnScope, d.Txn)
}

// DelayedByTxn is Store.DelayedByTxn as the transaction sees it.
func (t *Tx) DelayedByTxn(scope int64, txn string, room int64) (Delayed, error) {
	return scanDelayed(t.row("delayed_by_txn", scope, txn, room))
}

// DelayedCount counts the events that a user has scheduled, as the transaction sees it.
func (t *Tx) DelayedCount(user int64) (n int64, err error) {
	return n, t.row("delayed_count", user).Scan(&n)
}

// RestartDelayed lets the delay of a scheduled event begin again; false if it is not scheduled any
// more.
func (t *Tx) RestartDelayed(id string, nowMS, dueMS int64) (bool, error) {
	n, err := t.execCount("delayed_restart", id, nowMS, dueMS)
	return n == 1, err
}

// EndDelayed says what has become of a scheduled event; false if it was not scheduled any more.
func (t *Tx) EndDelayed(id, state string, nowMS int64, eventID, reason string) (bool, error) {
	n, err := t.execCount("delayed_end", id, state, nowMS, eventID, reason)
	return n == 1, err
}

// ForgetDelayed forgets events that ended before a time.
func (t *Tx) ForgetDelayed(beforeMS int64) error { return t.exec("delayed_old", beforeMS) }

// cancelDelayed cancels scheduled state of others that new state overtakes: MSC4140: "a delayed
// state event is cancelled if a new state event with the same type and state_key is sent by a
// different user before it is sent". Where no state is scheduled at all, nothing is asked.
func (t *Tx) cancelDelayed(e *event.Event) error {
	if !e.IsState() || t.w.s.counters.delayed.Load() == 0 {
		return nil
	}
	return t.exec("delayed_cancel_state", e.Room, e.Type, *e.StateKey, e.Author, e.OriginServerTS)
}

// Delayed reads a delayed event; ErrNotFound if there is none such.
func (s *Store) Delayed(ctx context.Context, id string) (Delayed, error) {
	return scanDelayed(s.row(ctx, "delayed_get", id))
}

// DelayedDue lists scheduled events whose time has come, the longest overdue first.
func (s *Store) DelayedDue(ctx context.Context, nowMS int64, limit int) ([]Delayed, error) {
	return collect(ctx, s, "delayed_due", scanDelayed, nowMS, limit)
}

// DelayedNext is when the next scheduled event is due; 0 if none is.
func (s *Store) DelayedNext(ctx context.Context) (dueMS int64, err error) {
	return dueMS, s.row(ctx, "delayed_next").Scan(&dueMS)
}

// DelayedOf lists a user's scheduled, or with ended the other, delayed events after (dueMS, id), in
// the order of their time.
func (s *Store) DelayedOf(ctx context.Context, user int64, ended bool, dueMS int64, id string, limit int) ([]Delayed, error) {
	query := "delayed_scheduled"
	if ended {
		query = "delayed_ended"
	}
	return collect(ctx, s, query, scanDelayed, user, dueMS, id, limit)
}
