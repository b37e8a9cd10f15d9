package accounts

import (
	"context"
	"encoding/json/v2"
	"errors"
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Registration is a wish for an account.
type Registration struct {
	// Localpart is the wished name; "" for a random one.
	Localpart string
	// Password may be empty for accounts that need none.
	Password string
	Admin    bool
	// Kind is "user" (also ""), "guest" or "service".
	Kind string
	// Service is the application service that makes the account for itself, or "". Its names may
	// follow the historical grammar.
	Service string
	// Token is a registration token, to be used up by this, or "".
	Token string
	// DisplayName is the first display name, or "".
	DisplayName string
	// Login gives the account a device and a token at once.
	Login  bool
	Device DeviceRequest
	// ThreePIDs are addresses that the person has shown to be theirs.
	ThreePIDs []store.ThreePID
	// Policies are those that the person accepted.
	Policies []Policy
	// SSO is who the person is at an identity provider, or nil.
	SSO *SSOLink
}

// SSOLink is who somebody is at an identity provider.
type SSOLink struct{ Provider, Subject string }

func userInUse(id string) error {
	return mxerror.New(http.StatusBadRequest, "M_USER_IN_USE", "The user id %s is taken.", id)
}

// Available tells, as an error, why a name can't be had; nil if it can.
func (a *Accounts) Available(ctx context.Context, localpart string) error {
	id, err := a.UserID(strings.ToLower(localpart), false)
	if err != nil {
		return err
	}
	nid, err := a.store.UserNID(ctx, id)
	if err == nil {
		_, err = a.store.Account(ctx, nid)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return public(err)
	}
	return userInUse(id)
}

// Register makes an account. AccessToken and device of the result are empty unless a login was
// asked for. Whether somebody may sign up is the caller's to decide.
func (a *Accounts) Register(ctx context.Context, r Registration) (*Login, error) {
	if r.Localpart == "" {
		r.Localpart = randomText(12, lower32)
	}
	if r.Service == "" {
		r.Localpart = strings.ToLower(r.Localpart)
	}
	id, err := a.UserID(r.Localpart, r.Service != "")
	if err != nil {
		return nil, err
	}
	if err := r.Device.check(); err != nil {
		return nil, err
	}
	if r.Service == "" && a.reserved != nil && a.reserved(id) {
		return nil, mxerror.New(http.StatusBadRequest, "M_EXCLUSIVE", "This name is reserved for an application service.")
	}
	account := store.Account{Kind: r.Kind, Service: r.Service, Admin: r.Admin}
	if account.Kind == "" {
		account.Kind = "user"
	}
	if r.Password != "" {
		if err := a.CheckNewPassword(r.Password); err != nil {
			return nil, err
		}
		// Hashing is dear: names that are taken are refused before. It is checked again below.
		if nid, err := a.store.UserNID(ctx, id); err == nil {
			if _, err := a.store.Account(ctx, nid); err == nil {
				return nil, userInUse(id)
			}
		}
		if account.Password, err = a.passwords.hash(ctx, r.Password); err != nil {
			return nil, public(err)
		}
	}
	var login *Login
	err = a.store.Write(ctx, func(tx *store.Tx) (err error) {
		login, err = a.putAccount(tx, id, account, r)
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	return login, nil
}

func (a *Accounts) putAccount(tx *store.Tx, id string, account store.Account, r Registration) (*Login, error) {
	now := a.nowMS()
	admin, err := a.useToken(tx, r.Token)
	if err != nil {
		return nil, err
	}
	account.Admin = account.Admin || admin
	if account.User, err = tx.NameUser(id); err != nil {
		return nil, err
	}
	account.CreatedTS = now
	fresh, err := tx.AddAccount(account)
	if err != nil {
		return nil, err
	}
	if !fresh {
		return nil, store.Refuse(userInUse(id))
	}
	if r.DisplayName != "" {
		value, err := json.Marshal(r.DisplayName)
		if err != nil {
			return nil, store.Refuse(mxerror.BadJSON("The display name is not valid UTF-8."))
		}
		if err := tx.SetProfile(account.User, store.Field{Name: "displayname", Value: string(value)}); err != nil {
			return nil, err
		}
	}
	if err := a.putExtras(tx, account.User, r); err != nil {
		return nil, err
	}
	if !r.Login {
		return &Login{UserID: id, UserNID: account.User}, nil
	}
	return a.putLogin(tx, id, account.User, r.Device, false)
}

// useToken uses a registration token up, and tells whether it makes an administrator.
func (a *Accounts) useToken(tx *store.Tx, token string) (admin bool, err error) {
	if token == "" {
		return false, nil
	}
	k, err := tx.RegistrationToken(token)
	if errors.Is(err, store.ErrNotFound) || err == nil && !k.Valid(a.nowMS()) {
		return false, store.Refuse(mxerror.Forbidden("The registration token is not valid, or has been used up."))
	}
	if err != nil {
		return false, err
	}
	return k.MakesAdmin, tx.UseRegistrationToken(token)
}

// putExtras records what somebody has shown and accepted while signing up.
func (a *Accounts) putExtras(tx *store.Tx, user int64, r Registration) error {
	for _, p := range r.ThreePIDs {
		p.User, p.AddedTS = user, a.nowMS()
		ok, err := tx.AddThreePID(p)
		if err != nil {
			return err
		}
		if !ok {
			return store.Refuse(threePIDInUse())
		}
	}
	for _, p := range r.Policies {
		if err := tx.AcceptPolicy(user, p.ID, p.Version, a.nowMS()); err != nil {
			return err
		}
	}
	if r.SSO == nil {
		return nil
	}
	return a.link(tx, user, *r.SSO)
}

// link says who somebody at an identity provider is here.
func (a *Accounts) link(tx *store.Tx, user int64, l SSOLink) error {
	fresh, err := tx.LinkSSO(l.Provider, l.Subject, user, a.nowMS())
	if err == nil && !fresh {
		return store.Refuse(userInUse("of the identity provider"))
	}
	return err
}

// LinkExisting lets somebody at an identity provider into the account of a name; 404 M_NOT_FOUND
// where there is none.
func (a *Accounts) LinkExisting(ctx context.Context, localpart string, l *SSOLink) (user int64, err error) {
	id, err := a.UserID(localpart, false)
	if err != nil {
		return 0, err
	}
	account, err := a.LocalAccount(ctx, id)
	if err != nil {
		return 0, err
	}
	if account.Kind != "user" {
		return 0, mxerror.Forbidden("The account of this name is not a person's.")
	}
	return account.User, public(a.store.Write(ctx, func(tx *store.Tx) error { return a.link(tx, account.User, *l) }))
}
