package search

import (
	"context"
	"database/sql"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// batch is a transaction that takes events in.
type batch struct {
	ctx   context.Context
	ix    *Index
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
}

func (b *batch) stmt(query string) (*sql.Stmt, error) {
	if st := b.stmts[query]; st != nil {
		return st, nil
	}
	st, err := b.tx.PrepareContext(b.ctx, query) // is closed with the transaction
	if err == nil {
		b.stmts[query] = st
	}
	return st, err
}

func (b *batch) exec(query string, args ...any) error {
	st, err := b.stmt(query)
	if err == nil {
		_, err = st.ExecContext(b.ctx, args...)
	}
	return err
}

// add takes one event in. It may have been there before.
func (b *batch) add(e *event.Event) error {
	if e.Has(event.Redacted) {
		return nil // it was before it came here
	}
	if e.Type == "m.room.redaction" {
		return b.redaction(e)
	}
	if target := edits(e); target != "" {
		if err := b.exec(`INSERT OR REPLACE INTO edit (nid, target, ts, id) VALUES (?, ?, ?, ?)`, e.NID, target, e.OriginServerTS, e.ID); err != nil {
			return err
		}
		return b.renew(e.Room, target)
	}
	return b.put(e)
}

// redaction takes out what an event redacted.
func (b *batch) redaction(by *event.Event) error {
	e, err := b.ix.o.Store.EventByID(b.ctx, by.RedactsID())
	if errors.Is(err, store.ErrNotFound) || err == nil && (e.Room != by.Room || !e.Has(event.Redacted)) {
		return nil
	} else if err != nil {
		return err
	}
	if err := b.remove(e); err != nil {
		return err
	}
	// Without the edit, the text is again what it was.
	st, err := b.stmt(`DELETE FROM edit WHERE nid = ? RETURNING target`)
	if err != nil {
		return err
	}
	var target string
	if err := st.QueryRowContext(b.ctx, e.NID).Scan(&target); errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	return b.renew(e.Room, target)
}

// renew takes an event in again, because its edits have changed.
func (b *batch) renew(room int64, id string) error {
	e, err := b.ix.o.Store.EventByID(b.ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (e.Room != room || e.Has(event.Redacted) || e.Pos == 0) {
		return nil
	} else if err != nil {
		return err
	}
	return b.put(e)
}

// put takes in the text that an event has now.
func (b *batch) put(e *event.Event) error {
	if e.Pos == 0 || e.Has(event.Rejected) || e.Has(event.SoftFailed) || edits(e) != "" {
		return nil
	}
	content := gjson.ParseBytes(e.Content)
	if e.Type == "m.room.message" && !e.IsState() {
		newest, err := b.newest(e)
		if err != nil {
			return err
		}
		if newest != nil {
			content = gjson.GetBytes(newest.Content, `m\.new_content`)
		}
	}
	t := textOf(e, content)
	if err := b.remove(e); err != nil || t == (text{}) {
		return err
	}
	if err := b.exec(`INSERT INTO text (rowid, body, name, topic) VALUES (?, ?, ?, ?)`, e.Pos, t.body, t.name, t.topic); err != nil {
		return err
	}
	return b.exec(`INSERT INTO doc (pos, nid, room, sender) VALUES (?, ?, ?, ?)`, e.Pos, e.NID, e.Room, e.Author)
}

// remove takes an event out, if it is there.
func (b *batch) remove(e *event.Event) error {
	st, err := b.stmt(`DELETE FROM doc WHERE pos = ?`)
	if err != nil {
		return err
	}
	res, err := st.ExecContext(b.ctx, e.Pos)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return b.exec(`DELETE FROM text WHERE rowid = ?`, e.Pos)
}

// editsLooked bounds how many edits of one event are looked at for a valid one.
const editsLooked = 20

// newest is the edit that an event is shown with, or nil. Specification, "Event replacements":
// "when more than one valid replacement event exists, the one with the latest origin_server_ts,
// ties broken by the lexicographically largest event_id".
func (b *batch) newest(e *event.Event) (*event.Event, error) {
	st, err := b.stmt(`SELECT nid FROM edit WHERE target = ? ORDER BY ts DESC, id DESC LIMIT ?`)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(b.ctx, e.ID, editsLooked)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var nid int64
		if err := rows.Scan(&nid); err != nil {
			return nil, err
		}
		by, err := b.ix.o.Store.Event(b.ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		if by.Room == e.Room && by.Author == e.Author && by.Type == e.Type && !by.Has(event.Redacted) && gjson.GetBytes(by.Content, `m\.new_content`).IsObject() {
			return by, rows.Err()
		}
	}
	return nil, rows.Err()
}
