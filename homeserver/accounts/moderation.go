package accounts

import (
	"context"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Suspended is 403 M_USER_SUSPENDED: "When a client attempts to perform an action while suspended,
// the server MUST respond with a 403 Forbidden error response with M_USER_SUSPENDED".
func Suspended() error {
	return mxerror.New(403, "M_USER_SUSPENDED", "You cannot perform this action while suspended.")
}

// LocalAccount finds the account of a user id of this server. Specification of the moderation
// endpoints: 400 M_INVALID_PARAM where "the user ID does not belong to the local server", and 404
// M_NOT_FOUND where "the user ID is not found, or is deactivated".
func (a *Accounts) LocalAccount(ctx context.Context, userID string) (store.Account, error) {
	if _, server, ok := strings.Cut(userID, ":"); !strings.HasPrefix(userID, "@") || !ok || server != a.server {
		return store.Account{}, mxerror.InvalidParam("The user does not belong to this server.")
	}
	none := mxerror.NotFound("There is no such account.")
	nid, err := a.store.UserNID(ctx, userID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, none
	}
	if err != nil {
		return store.Account{}, public(err)
	}
	account, err := a.store.Account(ctx, nid)
	if errors.Is(err, store.ErrNotFound) || err == nil && account.DeactivatedTS != 0 {
		return store.Account{}, none
	}
	return account, public(err)
}

// SetSuspended suspends an account, or ends that.
func (a *Accounts) SetSuspended(ctx context.Context, user int64, suspended bool) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetSuspended(user, suspended) })
}

// SetLocked locks an account, or unlocks it. "Servers SHOULD NOT invalidate access tokens on locked
// accounts".
func (a *Accounts) SetLocked(ctx context.Context, user int64, locked bool) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetLocked(user, locked) })
}

// SetAdmin makes somebody an administrator of the server, or no longer.
func (a *Accounts) SetAdmin(ctx context.Context, user int64, admin bool) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetAdmin(user, admin) })
}

// change changes an account that is in use, and lets the next request see it.
func (a *Accounts) change(ctx context.Context, user int64, fn func(*store.Tx) error) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		if err := active(tx, user); err != nil {
			return err
		}
		return fn(tx)
	})
	if err != nil {
		return public(err)
	}
	a.sessions.forget(user, 0)
	return nil
}
