package store

import "context"

// OAuthClient is a client of the OAuth 2.0 API.
type OAuthClient struct {
	ID string
	// Metadata is JSON, as package oauth writes it.
	Metadata          string
	CreatedTS, UsedTS int64
}

// OAuthSession is how a device came by the OAuth 2.0 API.
type OAuthSession struct {
	Device int64
	// Client is the id of an OAuthClient, and Scope what was granted to it.
	Client, Scope string
	GrantedTS     int64
}

func scanOAuthClient(r scanner) (c OAuthClient, err error) {
	return c, r.Scan(&c.ID, &c.Metadata, &c.CreatedTS, &c.UsedTS)
}

func scanOAuthSession(r scanner) (s OAuthSession, err error) {
	return s, r.Scan(&s.Device, &s.Client, &s.Scope, &s.GrantedTS)
}

// OAuthClient finds a client; ErrNotFound if there is none such.
func (s *Store) OAuthClient(ctx context.Context, id string) (OAuthClient, error) {
	return scanOAuthClient(s.row(ctx, "oauth_client_get", id))
}

// OAuthClient is Store.OAuthClient as the transaction sees it.
func (t *Tx) OAuthClient(id string) (OAuthClient, error) {
	return scanOAuthClient(t.row("oauth_client_get", id))
}

// PutOAuthClient adds a client, or notes that one that is known was used at c.UsedTS; fresh tells
// which.
func (t *Tx) PutOAuthClient(c OAuthClient) (fresh bool, err error) {
	n, err := t.execCount("oauth_client_put", c.ID, c.Metadata, c.UsedTS)
	if err != nil || n == 1 {
		return n == 1, err
	}
	return false, t.OAuthClientUsed(c.ID, c.UsedTS)
}

// OAuthClientUsed notes when a client was used.
func (t *Tx) OAuthClientUsed(id string, nowMS int64) error {
	return t.exec("oauth_client_used", id, nowMS)
}

// TrimOAuthClients removes clients that no device came by and that were not used since a time, and
// of the others the oldest beyond a number.
func (t *Tx) TrimOAuthClients(beforeMS int64, keep int) error {
	var nth int64
	if err := t.row("oauth_client_nth", keep).Scan(&nth); err != nil {
		return err
	}
	return t.exec("oauth_client_trim", max(beforeMS, nth))
}

// OAuthSession finds how a device came; ErrNotFound if not by the OAuth 2.0 API.
func (s *Store) OAuthSession(ctx context.Context, device int64) (OAuthSession, error) {
	return scanOAuthSession(s.row(ctx, "oauth_session_get", device))
}

// OAuthSession is Store.OAuthSession as the transaction sees it.
func (t *Tx) OAuthSession(device int64) (OAuthSession, error) {
	return scanOAuthSession(t.row("oauth_session_get", device))
}

// OAuthSessionsOf lists those of a user's devices that came by the OAuth 2.0 API.
func (s *Store) OAuthSessionsOf(ctx context.Context, user int64) ([]OAuthSession, error) {
	return collect(ctx, s, "oauth_session_of_user", scanOAuthSession, user)
}

// PutOAuthSession notes how a device came.
func (t *Tx) PutOAuthSession(s OAuthSession) error {
	return t.exec("oauth_session_put", s.Device, s.Client, s.Scope, s.GrantedTS)
}

// DeleteOAuthSession forgets it: the device has come in another way since.
func (t *Tx) DeleteOAuthSession(device int64) error { return t.exec("oauth_session_delete", device) }
