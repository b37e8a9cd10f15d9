package accounts

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Deactivate closes an account for good: no password, no devices, no addresses. Leaving the rooms
// is left to the caller. With erase, "any users (or servers) which join the room after
// the erasure request are served redacted copies of the events sent by this account", and "the
// server should additionally erase any non-event data associated with the user, such as account
// data and contact 3PIDs".
func (a *Accounts) Deactivate(ctx context.Context, user int64, erase bool) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		if err := active(tx, user); err != nil {
			return err
		}
		if err := tx.Deactivate(user, a.nowMS()); err != nil {
			return err
		}
		if err := deleteDevices(tx, user, 0); err != nil {
			return err
		}
		if !erase {
			return tx.DeleteContacts(user)
		}
		if err := tx.Erase(user); err != nil {
			return err
		}
		return tx.ForgetUser(user)
	})
	if err != nil {
		return public(err)
	}
	a.sessions.forget(user, 0)
	return nil
}
