package accounts

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// RegisterGuest makes a guest account and logs it in. Specification of /register: "When registering
// a guest account, all parameters in the request body with the exception of
// initial_device_display_name MUST BE ignored by the server. The server MUST pick a device_id for
// the account regardless of input."
func (a *Accounts) RegisterGuest(ctx context.Context, d DeviceRequest) (*Login, error) {
	return a.Register(ctx, Registration{Localpart: "guest-" + randomText(12, lower32), Kind: "guest", Login: true,
		Device: DeviceRequest{Name: d.Name, IP: d.IP, Agent: d.Agent}})
}

// UpgradeGuest makes the guest whose access token is given an ordinary user with a password.
// Specification, "Guest access": "Guest users can also upgrade their account by going through the
// ordinary register flow, but specifying the additional POST parameter guest_access_token containing
// the guest's access token. They are also required to specify the username parameter to the value of
// the local part of their username".
func (a *Accounts) UpgradeGuest(ctx context.Context, s *Session, r Registration) (*Login, error) {
	if err := r.Device.check(); err != nil {
		return nil, err
	}
	if err := a.CheckNewPassword(r.Password); err != nil {
		return nil, err
	}
	hash, err := a.passwords.hash(ctx, r.Password)
	if err != nil {
		return nil, public(err)
	}
	var login *Login
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		if err := a.mayLogIn(tx, s.User); err != nil {
			return err
		}
		account, err := tx.Account(s.User)
		if err != nil {
			return err
		}
		if account.Kind != "guest" {
			return store.Refuse(notThatGuest())
		}
		admin, err := a.useToken(tx, r.Token)
		if err != nil {
			return err
		}
		if err := tx.UpgradeGuest(s.User, hash); err != nil {
			return err
		}
		if admin {
			if err := tx.SetAdmin(s.User, true); err != nil {
				return err
			}
		}
		if err := a.putExtras(tx, s.User, r); err != nil {
			return err
		}
		if !r.Login {
			login = &Login{UserID: s.UserID, UserNID: s.User}
			return nil
		}
		login, err = a.putLogin(tx, s.UserID, s.User, r.Device, true)
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(s.User, 0)
	return login, nil
}

// Guest finds the guest that wishes to become the user localpart.
func (a *Accounts) Guest(ctx context.Context, token, localpart string) (*Session, error) {
	s, err := a.Authenticate(ctx, token, "", "")
	if err != nil || !s.Guest {
		return nil, notThatGuest()
	}
	if err := s.Usable(); err != nil {
		return nil, err
	}
	if s.UserID != "@"+localpart+":"+a.server {
		return nil, notThatGuest()
	}
	return s, nil
}

func notThatGuest() error {
	return mxerror.Forbidden("guest_access_token must be the access token of the guest whose name is given as username.")
}
