package client

import (
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// OAuth is what this API needs of the OAuth 2.0 API beside it.
type OAuth interface {
	// Metadata are the server metadata.
	Metadata() any
	// Issuer and AccountURL are addresses that older clients look for.
	Issuer() string
	AccountURL() string
	// ContinuePath is the page on which the user of a client that came by m.login.sso goes on.
	ContinuePath(redirectURL, action string) string
	// KeyResetURL is the page on which a user allows that cross-signing keys are replaced, for an
	// interactive authentication that waits for it.
	KeyResetURL(session string) string
	// Arrived signs the browser of somebody in who comes from an identity provider, and sends it on.
	Arrived(w http.ResponseWriter, r *http.Request, user int64, next string) error
}

func (a *API) oauthRoutes() {
	a.on(http.MethodGet, []string{"/_matrix/client/v1", "/_matrix/client/unstable/org.matrix.msc2965"}, "/auth_metadata", anyone, a.authMetadata)
	a.on(http.MethodGet, []string{"/_matrix/client/unstable/org.matrix.msc2965"}, "/auth_issuer", anyone, a.authIssuer)
}

// noOAuth is 404 M_UNRECOGNIZED: "the homeserver does not support the OAuth 2.0 API".
func noOAuth() error {
	return mxerror.New(http.StatusNotFound, "M_UNRECOGNIZED", "This server has the legacy authentication API alone.")
}

// authMetadata is GET /auth_metadata.
func (a *API) authMetadata(*call) (any, error) {
	if a.o.OAuth == nil {
		return nil, noOAuth()
	}
	return a.o.OAuth.Metadata(), nil
}

// authIssuer is GET /auth_issuer, from before there was /auth_metadata.
func (a *API) authIssuer(*call) (any, error) {
	if a.o.OAuth == nil {
		return nil, noOAuth()
	}
	return map[string]string{"issuer": a.o.OAuth.Issuer()}, nil
}

// byOAuth tells whether the access token came by the OAuth 2.0 API.
func (c *call) byOAuth() bool { return c.session != nil && c.session.OAuthClient != "" }

// notByOAuth refuses what needs interactive authentication: "The User-Interactive Authentication API is
// not compatible with the OAuth 2.0 API, so the endpoints that depend on it for authentication can't be
// used when an access token is obtained with this API."
func (c *call) notByOAuth() error {
	if !c.byOAuth() {
		return nil
	}
	return mxerror.New(http.StatusNotFound, "M_UNRECOGNIZED", "This client is logged in by the OAuth 2.0 API: its user does this on the account page.")
}

// confirmByOAuth makes the user confirm on the account page that the cross-signing keys are replaced,
// the one exception: "... which uses the m.oauth authentication type".
func (a *API) confirmByOAuth(c *call, raw []byte) error {
	if a.o.OAuth == nil {
		return c.notByOAuth() // it has been switched off since
	}
	flows := []accounts.Flow{{Stages: []string{accounts.StageOAuth}}, {Stages: []string{accounts.StageOAuthOld}}}
	_, err := a.o.Accounts.Interact(c.ctx, accounts.UIARequest{Flows: flows, Method: c.r.Method, Path: c.r.URL.Path, Body: raw, Session: c.session.Session,
		StageParams: func(session string) map[string]any {
			url := map[string]string{"url": a.o.OAuth.KeyResetURL(session)}
			return map[string]any{accounts.StageOAuth: url, accounts.StageOAuthOld: url}
		}})
	return err
}
