package accounts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Lifetimes are how long tokens are good for; 0 means for ever.
type Lifetimes struct {
	// Access is that of access tokens of clients that can't refresh them. When it is over they are
	// softly logged out.
	Access time.Duration
	// Refreshable is that of access tokens of clients that can.
	Refreshable time.Duration
	// Refresh is how long a refresh token may lie unused.
	Refresh time.Duration
}

// expiredKept is how long an expired access token is remembered after its successor is in use, so
// that a late request is told to refresh and not that it was logged out.
const expiredKept = time.Hour

// expiry is the time in milliseconds at which something that begins now ends; 0 for never.
func (a *Accounts) expiry(life time.Duration) int64 {
	if life <= 0 {
		return 0
	}
	return a.now().Add(life).UnixMilli()
}

// putTokens gives a login an access token and, if its client can refresh, a refresh token. parent
// is the hash of the refresh token that they replace, or nil.
func (a *Accounts) putTokens(tx *store.Tx, l *Login, refresh bool, parent []byte) error {
	life := a.lifetimes.Access
	if refresh {
		life = a.lifetimes.Refreshable
	}
	if l.oauth && life <= 0 {
		life = oauthAccess
	}
	add := func(kind string, life time.Duration) (string, error) {
		token, hash := newToken()
		return token, tx.AddToken(store.Token{Hash: hash[:], Kind: kind, User: l.UserNID, Device: l.DeviceNID,
			CreatedTS: a.nowMS(), ExpiresTS: a.expiry(life), Parent: parent})
	}
	var err error
	l.ExpiresIn, l.RefreshToken = life, ""
	if l.AccessToken, err = add("access", life); err != nil || !refresh {
		return err
	}
	l.RefreshToken, err = add("refresh", a.lifetimes.Refresh)
	return err
}

// Refresh exchanges a refresh token for a new pair. Specification, "Refreshing access tokens":
// "The old refresh token remains valid until the new access token or refresh token is used, at
// which point the old refresh token is revoked."
func (a *Accounts) Refresh(ctx context.Context, token string) (*Login, error) {
	return a.refresh(ctx, token, func(tx *store.Tx, k store.Token) (bool, error) {
		_, err := tx.OAuthSession(k.Device)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err == nil {
			err = store.Refuse(notHere())
		}
		return false, err
	})
}

// refresh is Refresh for the tokens that may, which tells whether they are of the OAuth 2.0 API, lets
// pass.
func (a *Accounts) refresh(ctx context.Context, token string, may func(*store.Tx, store.Token) (oauth bool, err error)) (*Login, error) {
	if token == "" {
		return nil, mxerror.MissingParam("refresh_token is missing.")
	}
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return nil, unknownToken(false)
	}
	hash := sha256.Sum256([]byte(token))
	var login *Login
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		k, err := tx.Token(hash[:])
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && k.Kind != "refresh" && k.Kind != "spent":
			return store.Refuse(unknownToken(false))
		case err != nil:
			return err
		}
		oauth, err := may(tx, k)
		switch {
		case err != nil:
			return err
		case k.Kind == "spent", k.ExpiresTS != 0 && a.nowMS() >= k.ExpiresTS:
			// The device is still there, so the client need not throw its keys away.
			return store.Refuse(unknownToken(true))
		}
		if err := a.mayLogIn(tx, k.User); err != nil {
			return err
		}
		if k.Parent != nil {
			if err := tx.SettleToken(k, a.nowMS()); err != nil {
				return err
			}
		}
		// Whoever asks again has not got, or has lost, the answer to the first time.
		if err := tx.DeleteTokenChildren(k); err != nil {
			return err
		}
		if err := tx.DeleteExpiredTokens(k.User, k.Device, a.now().Add(-expiredKept).UnixMilli()); err != nil {
			return err
		}
		login = &Login{UserNID: k.User, DeviceNID: k.Device, oauth: oauth}
		return a.putTokens(tx, login, true, hash[:])
	})
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(login.UserNID, login.DeviceNID)
	return login, nil
}

// settle notes the first use of a token that came from a refresh.
func (a *Accounts) settle(ctx context.Context, k store.Token) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		have, err := tx.Token(k.Hash)
		if errors.Is(err, store.ErrNotFound) {
			return nil // logged out since; what follows finds that out
		}
		if err != nil || !bytes.Equal(have.Parent, k.Parent) {
			return err
		}
		return tx.SettleToken(have, a.nowMS())
	})
	if err == nil {
		a.sessions.forget(k.User, k.Device)
	}
	return err
}

// mayLogIn refuses accounts that are deactivated or locked.
func (a *Accounts) mayLogIn(tx *store.Tx, user int64) error {
	account, err := tx.Account(user)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Refuse(mxerror.Forbidden("There is no such account here."))
	case err != nil:
		return err
	case account.DeactivatedTS != 0:
		return store.Refuse(deactivated())
	case account.Locked:
		return store.Refuse(userLocked())
	}
	return nil
}

// addToken makes a token that belongs to no device: for one log-in, or for OpenID.
func (a *Accounts) addToken(ctx context.Context, kind string, user int64, life time.Duration) (string, error) {
	token, hash := newToken()
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.DeleteOldTokens(a.nowMS()); err != nil {
			return err
		}
		return tx.AddToken(store.Token{Hash: hash[:], Kind: kind, User: user, CreatedTS: a.nowMS(), ExpiresTS: a.expiry(life)})
	})
	return token, public(err)
}

// LoginTokenLife is how long a token for one log-in is good for: "120000 (2 minutes) is
// recommended as a default".
const LoginTokenLife = 2 * time.Minute

// MakeLoginToken makes a token with which a client can log in as the user, once.
func (a *Accounts) MakeLoginToken(ctx context.Context, user int64, life time.Duration) (string, error) {
	return a.addToken(ctx, "login", user, life)
}

// spendLoginToken takes a login token within the transaction that acts on it.
func (a *Accounts) spendLoginToken(tx *store.Tx, token string) (user int64, err error) {
	// "In the case that the token is not valid, the homeserver must respond with 403 Forbidden and
	// an error code of M_FORBIDDEN."
	invalid := store.Refuse(mxerror.Forbidden("The login token is not valid: each is good for one use within a short time."))
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return 0, invalid
	}
	hash := sha256.Sum256([]byte(token))
	k, err := tx.Token(hash[:])
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (k.Kind != "login" || a.nowMS() >= k.ExpiresTS):
		return 0, invalid
	case err != nil:
		return 0, err
	}
	return k.User, tx.DeleteToken(hash[:])
}

// LoginToken logs in with a login token.
func (a *Accounts) LoginToken(ctx context.Context, token string, d DeviceRequest) (*Login, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, mxerror.MissingParam("token is missing.")
	}
	var login *Login
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		user, err := a.spendLoginToken(tx, token)
		if err != nil {
			return err
		}
		if err := a.mayLogIn(tx, user); err != nil {
			return err
		}
		id, err := a.store.UserID(ctx, user)
		if err != nil {
			return err
		}
		login, err = a.putLogin(tx, id, user, d, true)
		return err
	})
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(login.UserNID, login.DeviceNID)
	return login, nil
}

// OpenIDLife is how long an OpenID token is good for.
const OpenIDLife = time.Hour

// MakeOpenIDToken makes a token by which a third party can ask who the user is, and nothing else.
func (a *Accounts) MakeOpenIDToken(ctx context.Context, user int64) (string, error) {
	return a.addToken(ctx, "openid", user, OpenIDLife)
}

// OpenIDUser tells whose an OpenID token is: for GET /_matrix/federation/v1/openid/userinfo, whose
// specification has it that a token which "was not recognized or has expired" is answered with
// 401 M_UNKNOWN_TOKEN.
func (a *Accounts) OpenIDUser(ctx context.Context, token string) (userID string, err error) {
	unknown := mxerror.New(401, "M_UNKNOWN_TOKEN", "The OpenID token is not known here, or has expired.")
	if token == "" {
		return "", mxerror.New(401, "M_MISSING_TOKEN", "access_token is missing.")
	}
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return "", unknown
	}
	hash := sha256.Sum256([]byte(token))
	k, err := a.store.Token(ctx, hash[:])
	if errors.Is(err, store.ErrNotFound) || err == nil && (k.Kind != "openid" || a.nowMS() >= k.ExpiresTS) {
		return "", unknown
	}
	if err != nil {
		return "", public(err)
	}
	account, err := a.store.Account(ctx, k.User)
	if err != nil {
		return "", public(err)
	}
	if account.DeactivatedTS != 0 || account.Locked {
		return "", unknown
	}
	id, err := a.store.UserID(ctx, k.User)
	return id, public(err)
}
