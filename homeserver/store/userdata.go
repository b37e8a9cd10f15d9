package store

import (
	"context"
	"database/sql"
	"errors"
)

// Field is one field of a profile.
type Field struct {
	Name  string
	Value string // JSON
}

// Profile reads a user's profile, in order of the fields' names.
func (s *Store) Profile(ctx context.Context, user int64) ([]Field, error) {
	return collect(ctx, s, "profile_get", func(r scanner) (f Field, err error) {
		return f, r.Scan(&f.Name, &f.Value)
	}, user)
}

// SetProfile sets one field; an empty value removes it.
func (t *Tx) SetProfile(user int64, f Field) error {
	var err error
	if f.Value == "" {
		err = t.exec("profile_delete", user, f.Name)
	} else {
		err = t.exec("profile_put", user, f.Name, f.Value)
	}
	if err == nil && f.Name == "displayname" {
		err = t.IndexPerson(user)
	}
	return err
}

// AccountData is one piece of a user's account data.
type AccountData struct {
	Room    int64 // 0: global
	Type    string
	Content string
	Pos     int64
}

func scanAccountData(r scanner) (d AccountData, err error) {
	return d, r.Scan(&d.Room, &d.Type, &d.Content, &d.Pos)
}

// AccountData reads one piece; ErrNotFound if it was never set.
func (s *Store) AccountData(ctx context.Context, user, room int64, typ string) (AccountData, error) {
	return scanAccountData(s.row(ctx, "account_data_get", user, room, typ))
}

// AccountData is Store.AccountData as the transaction sees it.
func (t *Tx) AccountData(user, room int64, typ string) (AccountData, error) {
	return scanAccountData(t.row("account_data_get", user, room, typ))
}

// AccountDataAfter lists what changed in (after, upto], in order.
func (s *Store) AccountDataAfter(ctx context.Context, user, after, upto int64) ([]AccountData, error) {
	return collect(ctx, s, "account_data_after", scanAccountData, user, after, upto)
}

// SetAccountData sets one piece and logs it.
func (t *Tx) SetAccountData(user int64, d AccountData) error {
	pos, err := t.Log(Entry{Kind: KindAccountData, Room: d.Room, User: user})
	if err != nil {
		return err
	}
	return t.exec("account_data_put", user, d.Room, d.Type, d.Content, pos)
}

// Deleted tells that there was something and there is nothing now. MSC3391: "account data with an empty
// content is considered deleted".
func (d AccountData) Deleted() bool { return d.Content == "{}" }

// DeleteAccountData deletes one piece, if there is one, and logs that.
func (t *Tx) DeleteAccountData(user, room int64, typ string) error {
	d, err := t.AccountData(user, room, typ)
	if errors.Is(err, ErrNotFound) || err == nil && d.Deleted() {
		return nil
	} else if err != nil {
		return err
	}
	d.Content = "{}"
	return t.SetAccountData(user, d)
}

// Receipt tells how far a user has read.
type Receipt struct {
	Room, User int64
	// Kind is m.read or m.read.private.
	Kind string
	// Thread is "", "main" or a thread root.
	Thread  string
	EventID string
	Event   int64
	TS      int64
	Pos     int64
}

func scanReceipt(r scanner) (c Receipt, err error) {
	return c, r.Scan(&c.Room, &c.User, &c.Kind, &c.Thread, &c.EventID, &c.Event, &c.TS, &c.Pos)
}

// ReceiptsAfter lists a room's receipts that changed in (after, upto], in order.
func (s *Store) ReceiptsAfter(ctx context.Context, room, after, upto int64) ([]Receipt, error) {
	return collect(ctx, s, "receipt_after", scanReceipt, room, after, upto)
}

// ReceiptsOf lists a user's own receipts in a room.
func (s *Store) ReceiptsOf(ctx context.Context, room, user int64) ([]Receipt, error) {
	return collect(ctx, s, "receipt_of_user", scanReceipt, room, user)
}

// SetReceipt moves a receipt and logs it.
func (t *Tx) SetReceipt(c Receipt) error {
	pos, err := t.Log(Entry{Kind: KindReceipt, Room: c.Room, User: c.User, Ref: c.Event})
	if err != nil {
		return err
	}
	return t.exec("receipt_put", c.Room, c.User, c.Kind, c.Thread, c.EventID, c.Event, c.TS, pos)
}

// MoveReceipt is SetReceipt, unless the receipt stands at or after a position already: pos is that
// of its event.
func (t *Tx) MoveReceipt(c Receipt, pos int64) error {
	var have sql.NullInt64
	err := t.row("receipt_place", c.Room, c.User, c.Kind, c.Thread).Scan(&have)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && have.Valid && have.Int64 >= pos {
		return nil
	}
	return t.SetReceipt(c)
}

// Filter reads a stored filter; ErrNotFound if there is none such.
func (s *Store) Filter(ctx context.Context, user, id int64) (json string, err error) {
	return json, s.row(ctx, "filter_get", user, id).Scan(&json)
}

// EnsureFilter stores a filter once and returns its number. hash is that of the filter.
func (t *Tx) EnsureFilter(user int64, hash []byte, json string) (id int64, err error) {
	err = t.row("filter_find", user, hash).Scan(&id)
	if !errors.Is(err, ErrNotFound) {
		return id, err
	}
	if err := t.exec("filter_insert", user, hash, json); err != nil {
		return 0, err
	}
	return id, t.row("filter_find", user, hash).Scan(&id)
}

// Cursor is how far an application service has been told.
type Cursor struct {
	// Pos is the last position that it has acknowledged or that did not concern it.
	Pos int64
	// Txn is the number of the newest transaction, and Upto the last position in it; it is
	// under way while Upto is greater than Pos.
	Txn, Upto int64
}

// Cursor reads an application service's cursor; ErrNotFound before the first.
func (s *Store) Cursor(ctx context.Context, service string) (c Cursor, err error) {
	return c, s.row(ctx, "service_cursor_get", service).Scan(&c.Pos, &c.Txn, &c.Upto)
}

// SetCursor moves an application service's cursor.
func (t *Tx) SetCursor(service string, c Cursor) error {
	return t.exec("service_cursor_put", service, c.Pos, c.Txn, c.Upto)
}

// ServiceTransaction reads a transaction to an application service as it was sent; ErrNotFound if the newest that was kept has
// another number.
func (s *Store) ServiceTransaction(ctx context.Context, service string, txn int64) (body []byte, err error) {
	return body, s.row(ctx, "service_transaction_get", service, txn).Scan(&body)
}

// SetServiceTransaction keeps a transaction to an application service instead of the one before.
func (t *Tx) SetServiceTransaction(service string, txn int64, body []byte) error {
	return t.exec("service_transaction_put", service, txn, body)
}

// Meta reads a setting that the server keeps for itself; ErrNotFound if it was never set.
func (s *Store) Meta(ctx context.Context, key string) (value string, err error) {
	return value, s.row(ctx, "meta_get", key).Scan(&value)
}

// SetMeta keeps a setting.
func (t *Tx) SetMeta(key, value string) error { return t.exec("meta_set", key, value) }
