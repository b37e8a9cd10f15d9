package accounts

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Logout ends a session: the device is deleted with its tokens and keys. Specification of
// /logout: "Invalidates an existing access token, so that it can no longer be used for
// authorization. The device associated with the access token is also deleted."
func (a *Accounts) Logout(ctx context.Context, s *Session) error {
	return a.DeleteDevices(ctx, s.User, s.DeviceID)
}

// LogoutAll ends all sessions of a user.
func (a *Accounts) LogoutAll(ctx context.Context, user int64) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error { return deleteDevices(tx, user, 0) })
	if err != nil {
		return public(err)
	}
	a.sessions.forget(user, 0)
	return nil
}

// DeleteDevices deletes some devices of a user; ones that there are not count as deleted.
func (a *Accounts) DeleteDevices(ctx context.Context, user int64, ids ...string) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			d, err := tx.Device(user, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if err := tx.DeleteDevice(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return public(err)
	}
	a.sessions.forget(user, 0)
	return nil
}

// deleteDevices deletes all devices of a user but one, and the tokens that belong to no device.
func deleteDevices(tx *store.Tx, user, but int64) error {
	if err := tx.DeleteDeviceTokens(user, 0); err != nil {
		return err
	}
	devices, err := tx.DevicesOf(user)
	if err != nil {
		return err
	}
	for _, d := range devices {
		if d.NID == but {
			continue
		}
		if err := tx.DeleteDevice(d); err != nil {
			return err
		}
	}
	return nil
}

// ChangePassword sets a new password; the caller has made sure that it is the user who asks.
// With logout all devices but the given one (0: all) are logged out.
func (a *Accounts) ChangePassword(ctx context.Context, user, device int64, password string, logout bool) error {
	if err := a.CheckNewPassword(password); err != nil {
		return err
	}
	hash, err := a.passwords.hash(ctx, password)
	if err != nil {
		return public(err)
	}
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		if err := active(tx, user); err != nil {
			return err
		}
		if err := tx.SetPassword(user, hash); err != nil || !logout {
			return err
		}
		return deleteDevices(tx, user, device)
	})
	if err != nil {
		return public(err)
	}
	a.sessions.forget(user, 0)
	return nil
}

// active refuses where a user has no account that is in use.
func active(tx *store.Tx, user int64) error {
	account, err := tx.Account(user)
	if errors.Is(err, store.ErrNotFound) {
		return store.Refuse(mxerror.NotFound("There is no such account."))
	}
	if err == nil && account.DeactivatedTS != 0 {
		return store.Refuse(deactivated())
	}
	return err
}
