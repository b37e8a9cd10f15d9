package store

import "context"

// AccountEnd is when an account is to be locked, in milliseconds.
type AccountEnd struct{ User, TS int64 }

// SetAccountEnd says when an account is to be locked, in milliseconds; 0 means never.
func (t *Tx) SetAccountEnd(user, atMS int64) error {
	if atMS == 0 {
		return t.exec("account_end_delete", user)
	}
	return t.exec("account_end_put", user, atMS)
}

// FirstAccountEnd is the next account to be locked; ErrNotFound if there is none.
func (s *Store) FirstAccountEnd(ctx context.Context) (e AccountEnd, err error) {
	return e, s.row(ctx, "account_end_first").Scan(&e.User, &e.TS)
}
