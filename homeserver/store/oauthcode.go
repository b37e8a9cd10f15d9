package store

import "context"

// OAuthCode is an authorization code or a device code of the OAuth 2.0 API.
type OAuthCode struct {
	// Sum is the SHA-256 of the code itself, which is not kept.
	Sum []byte
	// Kind tells codes of different sorts apart, and UserCode is what a device shows, or "".
	Kind, UserCode string
	// Client is who may use it, Redirect and Challenge with what; Device and Scope are what is granted.
	Client, Redirect, Challenge, Device, Scope string
	State                                      OAuthCodeState
	// User is who allowed it, and Given the device that was made of it; 0 for none yet.
	User, Given int64
	ExpiresTS   int64
}

// OAuthCodeState is how far an OAuthCode has come.
type OAuthCodeState string

// The states.
const (
	CodeWaiting OAuthCodeState = "waiting"
	CodeAllowed OAuthCodeState = "allowed"
	CodeDenied  OAuthCodeState = "denied"
	CodeUsed    OAuthCodeState = "used"
	// CodeStolen is one that was used twice.
	CodeStolen OAuthCodeState = "stolen"
)

func scanOAuthCode(r scanner) (c OAuthCode, err error) {
	return c, r.Scan(&c.Sum, &c.Kind, &c.UserCode, &c.Client, &c.Redirect, &c.Challenge, &c.Device, &c.Scope, &c.State, &c.User, &c.Given, &c.ExpiresTS)
}

// OAuthCode finds a code by its sum, expired or not; ErrNotFound if there is none such.
func (s *Store) OAuthCode(ctx context.Context, sum []byte) (OAuthCode, error) {
	return scanOAuthCode(s.row(ctx, "oauth_code_get", sum))
}

// OAuthCodeOf finds one by what a device shows.
func (s *Store) OAuthCodeOf(ctx context.Context, userCode string) (OAuthCode, error) {
	return scanOAuthCode(s.row(ctx, "oauth_code_of_user_code", userCode))
}

// OAuthCode is Store.OAuthCode as the transaction sees it.
func (t *Tx) OAuthCode(sum []byte) (OAuthCode, error) {
	return scanOAuthCode(t.row("oauth_code_get", sum))
}

// AddOAuthCode adds a code, and removes those of its kind that expired before a time, and of the others the oldest
// beyond a number of at least two. It is false if another one has its user code.
func (t *Tx) AddOAuthCode(c OAuthCode, beforeMS int64, keep int) (bool, error) {
	var nth int64
	if err := t.row("oauth_code_nth", c.Kind, keep-2).Scan(&nth); err != nil {
		return false, err
	}
	if err := t.exec("oauth_code_trim", c.Kind, max(beforeMS, nth)); err != nil {
		return false, err
	}
	n, err := t.execCount("oauth_code_put", c.Sum, c.Kind, c.UserCode, c.Client, c.Redirect, c.Challenge, c.Device, c.Scope, string(c.State), c.User, c.ExpiresTS)
	return n == 1, err
}

// MoveOAuthCode brings a code from one state to that of c, with its User and Given; false if it is in another.
func (t *Tx) MoveOAuthCode(from OAuthCodeState, c OAuthCode) (bool, error) {
	n, err := t.execCount("oauth_code_move", c.Sum, string(from), string(c.State), c.User, c.Given)
	return n == 1, err
}
