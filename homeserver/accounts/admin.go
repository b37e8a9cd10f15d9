package accounts

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// SetType notes what an account is ("bot"); "" for an ordinary one.
func (a *Accounts) SetType(ctx context.Context, user int64, typ string) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetUserType(user, typ) })
}

// SetShadowBanned makes what an account sends go nowhere, without its user being told, or ends that.
func (a *Accounts) SetShadowBanned(ctx context.Context, user int64, on bool) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetShadowBanned(user, on) })
}

// SetRate gives an account its own limit of requests; see store.Account.RateMilli.
func (a *Accounts) SetRate(ctx context.Context, user, milli, burst int64) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetRate(user, milli, burst) })
}

// AllowNewKeys lets a user replace the cross-signing keys without a confirmation until a time, in
// milliseconds.
func (a *Accounts) AllowNewKeys(ctx context.Context, user, untilMS int64) error {
	return a.change(ctx, user, func(tx *store.Tx) error { return tx.SetKeysUntil(user, untilMS) })
}

// Reactivate opens an account again that was closed, with a new password, "" for none.
func (a *Accounts) Reactivate(ctx context.Context, user int64, password string) error {
	hash := ""
	if password != "" {
		if err := a.CheckNewPassword(password); err != nil {
			return err
		}
		var err error
		if hash, err = a.passwords.hash(ctx, password); err != nil {
			return public(err)
		}
	}
	err := a.store.Write(ctx, func(tx *store.Tx) error { return tx.Reactivate(user, hash) })
	if err == nil {
		a.sessions.forget(user, 0)
	}
	return public(err)
}

// SetThreePIDs makes these the addresses of a user, who need not have shown them.
func (a *Accounts) SetThreePIDs(ctx context.Context, user int64, list []store.ThreePID) error {
	for i, p := range list {
		switch p.Medium {
		case MediumEmail:
			address, err := CanonicalEmail(p.Address)
			if err != nil {
				return err
			}
			list[i].Address = address
		case MediumPhone:
			if p.Address == "" || len(p.Address) > 255 {
				return mxerror.InvalidParam("%q is no telephone number.", p.Address)
			}
		default:
			return mxerror.InvalidParam("medium must be email or msisdn.")
		}
	}
	now := a.nowMS()
	return public(a.store.Write(ctx, func(tx *store.Tx) error {
		var keep []store.ThreePID
		for _, p := range list {
			have, err := tx.ThreePID(p.Medium, p.Address)
			if errors.Is(err, store.ErrNotFound) {
				have = store.ThreePID{Medium: p.Medium, Address: p.Address, User: user, ValidatedTS: now, AddedTS: now}
			} else if err != nil {
				return err
			} else if have.User != user {
				return store.Refuse(mxerror.New(409, "M_THREEPID_IN_USE", "%s belongs to another account.", p.Address))
			}
			keep = append(keep, have)
		}
		if err := tx.DeleteThreePIDs(user); err != nil {
			return err
		}
		for _, p := range keep {
			if _, err := tx.AddThreePID(p); err != nil {
				return err
			}
		}
		return nil
	}))
}

// SetSSOLinks makes these what a user is at identity providers.
func (a *Accounts) SetSSOLinks(ctx context.Context, user int64, list []store.SSOLink) error {
	now := a.nowMS()
	return public(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UnlinkSSO(user); err != nil {
			return err
		}
		for _, l := range list {
			ok, err := tx.LinkSSO(l.Provider, l.Subject, user, now)
			if err != nil {
				return err
			}
			if !ok {
				return store.Refuse(mxerror.New(409, "M_UNKNOWN", "External id is already in use."))
			}
		}
		return nil
	}))
}

// LoginAsUntil is LoginAs with a token that ends at a time, in milliseconds; 0 means never.
func (a *Accounts) LoginAsUntil(ctx context.Context, user string, d DeviceRequest, untilMS int64) (*Login, error) {
	l, err := a.LoginAs(ctx, user, d)
	if err != nil || untilMS == 0 {
		return l, err
	}
	err = a.store.Write(ctx, func(tx *store.Tx) error { return tx.ExpireTokens(l.UserNID, l.DeviceNID, untilMS) })
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(l.UserNID, l.DeviceNID)
	return l, nil
}
