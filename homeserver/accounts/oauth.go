package accounts

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// oauthAccess is how long access tokens of the OAuth 2.0 API are good for where those of other
// clients are for ever: "The access token MUST be short-lived".
const oauthAccess = 5 * time.Minute

// spentGrace is for how long a refresh token that was replaced is only refused. Two windows of a
// client, or a proxy that repeats a request, are no thieves.
const spentGrace = time.Minute

// ErrNoOAuthClient says that a client is not registered any more.
var ErrNoOAuthClient = errors.New("accounts: no such client of the OAuth 2.0 API")

// GrantOAuth gives a client of the OAuth 2.0 API what a user has allowed it: a device, d.ID, with an
// access and a refresh token. "If the client sets the device_id, the server will invalidate any
// access and refresh tokens previously assigned to that device."
func (a *Accounts) GrantOAuth(ctx context.Context, user int64, d DeviceRequest, client, scope string) (*Login, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	id, err := a.store.UserID(ctx, user)
	if err != nil {
		return nil, public(err)
	}
	d.Refresh, d.oauth = true, true
	var login *Login
	err = a.store.Write(ctx, func(tx *store.Tx) (err error) {
		if err := a.mayLogIn(tx, user); err != nil {
			return err
		}
		if _, err := tx.OAuthClient(client); errors.Is(err, store.ErrNotFound) {
			return store.Refuse(ErrNoOAuthClient)
		} else if err != nil {
			return err
		}
		if err := tx.OAuthClientUsed(client, a.nowMS()); err != nil {
			return err
		}
		if login, err = a.putLogin(tx, id, user, d, true); err != nil {
			return err
		}
		return tx.PutOAuthSession(store.OAuthSession{Device: login.DeviceNID, Client: client, Scope: scope, GrantedTS: a.nowMS()})
	})
	if err != nil {
		return nil, public(err)
	}
	a.sessions.forget(user, login.DeviceNID)
	return login, nil
}

// RefreshOAuth exchanges a refresh token of a client for a new pair, and tells its scope.
func (a *Accounts) RefreshOAuth(ctx context.Context, token, client string) (login *Login, scope string, err error) {
	var stolen store.Token
	login, err = a.refresh(ctx, token, func(tx *store.Tx, k store.Token) (bool, error) {
		stolen = store.Token{}
		s, err := tx.OAuthSession(k.Device)
		if errors.Is(err, store.ErrNotFound) || err == nil && s.Client != client {
			return false, store.Refuse(unknownToken(false))
		}
		if err != nil {
			return false, err
		}
		if k.Kind == "spent" && a.nowMS()-k.ExpiresTS > spentGrace.Milliseconds() {
			stolen = k
		}
		scope = s.Scope
		return true, nil
	})
	if stolen.Device == 0 {
		return login, scope, err
	}
	// "The homeserver SHOULD consider that the session is compromised if an old, invalidated refresh
	// token is used, and SHOULD revoke the session."
	a.log.WarnContext(ctx, "a refresh token was used again after it had been replaced; the device is logged out", "user", stolen.User, "client", client)
	if dropErr := a.dropDevice(ctx, stolen.User, stolen.Device); dropErr != nil {
		return nil, "", dropErr
	}
	return nil, "", err
}

// Revoke logs the device of a token out, whoever shows it: "If the client_id is not provided, or does
// not match the client associated with the token, the server SHOULD still revoke the token." A token
// that is not known, or of another kind, is no error.
func (a *Accounts) Revoke(ctx context.Context, token string) error {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	k, err := a.store.Token(ctx, hash[:])
	if errors.Is(err, store.ErrNotFound) || err == nil && (k.Device == 0 || k.Kind == "spent") {
		return nil
	}
	if err != nil {
		return public(err)
	}
	return a.dropDevice(ctx, k.User, k.Device)
}

// RevokeGrant ends what GrantOAuth gave, unless the device has come in another way since.
func (a *Accounts) RevokeGrant(ctx context.Context, l *Login, client string) error {
	s, err := a.store.OAuthSession(ctx, l.DeviceNID)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Client != client {
		return nil
	}
	if err != nil {
		return public(err)
	}
	return a.dropDevice(ctx, l.UserNID, l.DeviceNID)
}

// dropDevice deletes a device by number; one that there is not counts as deleted.
func (a *Accounts) dropDevice(ctx context.Context, user, device int64) error {
	d, err := a.store.DeviceByNID(ctx, device)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return public(err)
	}
	return a.DeleteDevices(ctx, user, d.ID)
}

// AllowKeyReset lets a user's clients replace the cross-signing keys for a while without asking
// again: the user has confirmed it on a page.
func (a *Accounts) AllowKeyReset(ctx context.Context, user int64, life time.Duration) error {
	return public(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := active(tx, user); err != nil {
			return err
		}
		return tx.SetKeysUntil(user, a.now().Add(life).UnixMilli())
	}))
}

// WebSession is a browser that is signed in to the server's own pages.
type WebSession struct {
	User   int64
	UserID string
	Admin  bool
	Since  time.Time
}

// BeginWeb signs a browser in, by a token that is good for nothing else.
func (a *Accounts) BeginWeb(ctx context.Context, user int64, life time.Duration) (token string, err error) {
	token, hash := newToken()
	err = a.store.Write(ctx, func(tx *store.Tx) error {
		if err := a.mayLogIn(tx, user); err != nil {
			return err
		}
		account, err := tx.Account(user)
		if err != nil {
			return err
		}
		if account.Kind != "user" {
			return store.Refuse(mxerror.Forbidden("This account is not a person's."))
		}
		if err := tx.DeleteOldTokens(a.nowMS()); err != nil {
			return err
		}
		return tx.AddToken(store.Token{Hash: hash[:], Kind: "web", User: user, CreatedTS: a.nowMS(), ExpiresTS: a.expiry(life)})
	})
	return token, public(err)
}

// FindWeb tells who is signed in by a token; store.ErrNotFound if nobody is.
func (a *Accounts) FindWeb(ctx context.Context, token string) (*WebSession, error) {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return nil, store.ErrNotFound
	}
	hash := sha256.Sum256([]byte(token))
	k, err := a.store.Token(ctx, hash[:])
	if err != nil {
		return nil, err
	}
	if k.Kind != "web" || k.ExpiresTS != 0 && a.nowMS() >= k.ExpiresTS {
		return nil, store.ErrNotFound
	}
	account, err := a.store.Account(ctx, k.User)
	if err != nil {
		return nil, err
	}
	if account.DeactivatedTS != 0 || account.Locked {
		return nil, store.ErrNotFound
	}
	id, err := a.store.UserID(ctx, k.User)
	return &WebSession{User: k.User, UserID: id, Admin: account.Admin, Since: time.UnixMilli(k.CreatedTS)}, err
}

// EndWeb signs a browser out.
func (a *Accounts) EndWeb(ctx context.Context, token string) error {
	if !strings.HasPrefix(token, tokenPrefix) || len(token) > 128 {
		return nil
	}
	hash := sha256.Sum256([]byte(token))
	k, err := a.store.Token(ctx, hash[:])
	if errors.Is(err, store.ErrNotFound) || err == nil && k.Kind != "web" {
		return nil
	}
	if err != nil {
		return public(err)
	}
	return public(a.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteToken(hash[:]) }))
}

// CheckPassword finds the account of a user whose password this is, as LoginPassword does, and
// logs nobody in.
func (a *Accounts) CheckPassword(ctx context.Context, who Identifier, password string) (userID string, user int64, err error) {
	return a.checkPassword(ctx, who, password)
}

// HasPassword tells whether an account has a password.
func (a *Accounts) HasPassword(ctx context.Context, user int64) (bool, error) {
	account, err := a.store.Account(ctx, user)
	return account.Password != "", public(err)
}

// Validated gives the address that somebody has shown to be theirs for a purpose.
func (a *Accounts) Validated(ctx context.Context, c ThreePIDCreds, purpose Purpose) (store.ThreePID, error) {
	return a.validated(ctx, c, purpose)
}

// ResetPassword sets a new password for whose account a validated e-mail address is, and logs all
// devices out.
func (a *Accounts) ResetPassword(ctx context.Context, c ThreePIDCreds, password string) (user int64, err error) {
	p, err := a.validated(ctx, c, ForPassword)
	if err != nil {
		return 0, err
	}
	owner, err := a.store.ThreePID(ctx, p.Medium, p.Address)
	if errors.Is(err, store.ErrNotFound) {
		return 0, threePIDNotFound()
	}
	if err != nil {
		return 0, public(err)
	}
	if err := a.ChangePassword(ctx, owner.User, 0, password, true); err != nil {
		return 0, err
	}
	return owner.User, public(a.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteThreePIDSession(c.SID) }))
}

// notHere answers where one of the two ways of logging in is used for what the other one gave: "The
// two APIs are mutually incompatible, which means that after logging in, clients MUST only use the
// API that was used to obtain their current access token."
func notHere() error {
	return mxerror.New(http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "This token came by the OAuth 2.0 API: refresh it there.").With("soft_logout", true)
}
