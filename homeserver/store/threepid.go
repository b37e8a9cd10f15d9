package store

import (
	"context"
	"errors"
)

// ThreePID is an address of another kind, such as an e-mail address, that belongs to an account.
type ThreePID struct {
	// Medium is "email" or "msisdn".
	Medium string
	// Address is in canonical form.
	Address     string
	User        int64
	ValidatedTS int64
	AddedTS     int64
}

func scanThreePID(r scanner) (p ThreePID, err error) {
	return p, r.Scan(&p.Medium, &p.Address, &p.User, &p.ValidatedTS, &p.AddedTS)
}

// ThreePID finds whose an address is; ErrNotFound if nobody's.
func (s *Store) ThreePID(ctx context.Context, medium, address string) (ThreePID, error) {
	return scanThreePID(s.row(ctx, "threepid_get", medium, address))
}

// ThreePID is Store.ThreePID as the transaction sees it.
func (t *Tx) ThreePID(medium, address string) (ThreePID, error) {
	return scanThreePID(t.row("threepid_get", medium, address))
}

// ThreePIDsOf lists the addresses of a user, oldest first.
func (s *Store) ThreePIDsOf(ctx context.Context, user int64) ([]ThreePID, error) {
	return collect(ctx, s, "threepid_of_user", scanThreePID, user)
}

// AddThreePID gives an address to a user, or notes that the user has shown it anew; false if it is
// somebody else's.
func (t *Tx) AddThreePID(p ThreePID) (bool, error) {
	n, err := t.execCount("threepid_put", p.Medium, p.Address, p.User, p.ValidatedTS, p.AddedTS)
	if err != nil || n == 1 {
		return n == 1, err
	}
	n, err = t.execCount("threepid_refresh", p.Medium, p.Address, p.User, p.ValidatedTS)
	return n == 1, err
}

// DeleteThreePID takes an address from a user; false if it was not the user's.
func (t *Tx) DeleteThreePID(user int64, medium, address string) (bool, error) {
	n, err := t.execCount("threepid_delete", medium, address, user)
	return n == 1, err
}

// ThreePIDSession is an attempt to show that an address is one's own.
type ThreePIDSession struct {
	ID              string
	Medium, Address string
	// Purpose is what the session is good for.
	Purpose string
	// Secret and Token are hashes of what the client and the address hold.
	Secret, Token []byte
	// Attempt is the client's count of requests for a message.
	Attempt int64
	// Tries is how often a wrong token was given since the last message.
	Tries int
	// NextLink is where the browser goes afterwards, or "".
	NextLink string
	// ValidatedTS is when the address was shown to be the client's, or 0.
	ValidatedTS int64
	ExpiresTS   int64
}

func scanThreePIDSession(r scanner) (p ThreePIDSession, err error) {
	return p, r.Scan(&p.ID, &p.Medium, &p.Address, &p.Purpose, &p.Secret, &p.Token, &p.Attempt, &p.Tries, &p.NextLink, &p.ValidatedTS, &p.ExpiresTS)
}

// ThreePIDSession reads a session; ErrNotFound if there is none such.
func (s *Store) ThreePIDSession(ctx context.Context, id string) (ThreePIDSession, error) {
	return scanThreePIDSession(s.row(ctx, "threepid_session_get", id))
}

// ThreePIDSession is Store.ThreePIDSession as the transaction sees it.
func (t *Tx) ThreePIDSession(id string) (ThreePIDSession, error) {
	return scanThreePIDSession(t.row("threepid_session_get", id))
}

// EnsureThreePIDSession finds the session of the same client, address and purpose, or makes it, and
// drops those that ended before nowMS. A session with an older attempt number is given the new
// token, link and expiry; send tells whether a message is to be sent, which it is not for an
// attempt number that was there before.
func (t *Tx) EnsureThreePIDSession(p ThreePIDSession, nowMS int64) (_ ThreePIDSession, send bool, err error) {
	if err := t.exec("threepid_session_old", nowMS); err != nil {
		return p, false, err
	}
	have, err := scanThreePIDSession(t.row("threepid_session_find", p.Medium, p.Address, p.Purpose, p.Secret))
	switch {
	case errors.Is(err, ErrNotFound):
		return p, true, t.exec("threepid_session_put", p.ID, p.Medium, p.Address, p.Purpose, p.Secret, p.Token, p.Attempt, p.NextLink, p.ExpiresTS)
	case err != nil:
		return p, false, err
	case p.Attempt <= have.Attempt:
		return have, false, nil
	}
	have.Token, have.Attempt, have.NextLink, have.ExpiresTS, have.Tries = p.Token, p.Attempt, p.NextLink, p.ExpiresTS, 0
	return have, true, t.exec("threepid_session_again", have.ID, have.Token, have.Attempt, have.NextLink, have.ExpiresTS)
}

// CountThreePIDTry counts a wrong token.
func (t *Tx) CountThreePIDTry(id string) error { return t.exec("threepid_session_tried", id) }

// ValidateThreePID notes that the address is the client's.
func (t *Tx) ValidateThreePID(id string, nowMS int64) error {
	return t.exec("threepid_session_validate", id, nowMS)
}

// DeleteThreePIDSession ends a session.
func (t *Tx) DeleteThreePIDSession(id string) error { return t.exec("threepid_session_delete", id) }

// SSOUser finds who a subject of an identity provider is here; ErrNotFound if nobody.
func (s *Store) SSOUser(ctx context.Context, provider, subject string) (user int64, err error) {
	return user, s.row(ctx, "sso_link_get", provider, subject).Scan(&user)
}

// SSOProvidersOf lists the identity providers that a user is known to.
func (s *Store) SSOProvidersOf(ctx context.Context, user int64) ([]string, error) {
	return collect(ctx, s, "sso_link_of_user", func(r scanner) (p string, err error) { return p, r.Scan(&p) }, user)
}

// LinkSSO says who a subject of an identity provider is here; false if that is settled already.
func (t *Tx) LinkSSO(provider, subject string, user, nowMS int64) (bool, error) {
	n, err := t.execCount("sso_link_put", provider, subject, user, nowMS)
	return n == 1, err
}

// AcceptPolicy notes that somebody accepted a version of a policy.
func (t *Tx) AcceptPolicy(user int64, policy, version string, nowMS int64) error {
	return t.exec("accepted_policy_put", user, policy, version, nowMS)
}

// AcceptedPolicies gives the versions of the policies that somebody accepted, as policy and version.
func (s *Store) AcceptedPolicies(ctx context.Context, user int64) ([][2]string, error) {
	return collect(ctx, s, "accepted_policy_get", func(r scanner) (p [2]string, err error) { return p, r.Scan(&p[0], &p[1]) }, user)
}

// BoundThreePID is that an identity server has been told that an address is a user's.
type BoundThreePID struct {
	User                    int64
	Medium, Address, Server string
}

// BoundThreePIDs lists what identity servers have been told of a user's addresses.
func (s *Store) BoundThreePIDs(ctx context.Context, user int64) ([]BoundThreePID, error) {
	return collect(ctx, s, "threepid_bound_list", func(r scanner) (b BoundThreePID, err error) {
		return b, r.Scan(&b.User, &b.Medium, &b.Address, &b.Server)
	}, user)
}

// BindThreePID notes that an identity server has been told.
func (t *Tx) BindThreePID(b BoundThreePID) error {
	return t.exec("threepid_bound_put", b.User, b.Medium, b.Address, b.Server)
}

// UnbindThreePID notes that it has been told otherwise.
func (t *Tx) UnbindThreePID(b BoundThreePID) error {
	return t.exec("threepid_bound_delete", b.User, b.Medium, b.Address, b.Server)
}
