package oauth

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// tokenReply answers the token endpoint.
type tokenReply struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

func sendTokens(w http.ResponseWriter, l *accounts.Login, scope string) error {
	return sendJSON(w, http.StatusOK, tokenReply{l.AccessToken, "Bearer", int64(l.ExpiresIn.Seconds()), l.RefreshToken, scope})
}

// token is the token endpoint.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Client().Stranger(r); err != nil {
		return err
	}
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	typ := v.Get("grant_type")
	if typ == "" {
		return bad("invalid_request", "grant_type is missing.")
	}
	if !slices.Contains([]string{grantCode, grantRefresh, grantDevice}, typ) {
		return bad("unsupported_grant_type", "This server does not know the grant type.")
	}
	c, err := p.client(r.Context(), v.Get("client_id"))
	if err != nil {
		return err
	}
	if !c.may(typ) {
		return bad("unauthorized_client", "The client has not registered this grant type.")
	}
	switch typ {
	case grantCode:
		return p.exchange(w, r, c, v)
	case grantRefresh:
		return p.refresh(w, r, c, v)
	default:
		return p.poll(w, r, c, v)
	}
}

var errGrant = bad("invalid_grant", "The code is not valid: each is good for one use, by the client that it was made for, within a short time.")

// exchange takes an authorization code: RFC 6749, section 4.1.3.
func (p *Provider) exchange(w http.ResponseWriter, r *http.Request, c *client, v url.Values) error {
	for _, name := range [...]string{"code", "redirect_uri", "code_verifier"} {
		if v.Get(name) == "" {
			return bad("invalid_request", name+" is missing.")
		}
	}
	in := p.codes.find(v.Get("code"))
	if in == nil {
		return errGrant
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	// "If an authorization code is used more than once, the authorization server MUST deny the request
	// and SHOULD revoke (when possible) all tokens previously issued based on that authorization code."
	if in.used {
		if in.login != nil {
			p.o.Log.WarnContext(r.Context(), "an authorization code was used twice; the device is logged out", "user", in.user, "client", in.client)
			if err := p.o.Accounts.RevokeGrant(r.Context(), in.login, in.client); err != nil {
				return err
			}
			in.login = nil
		}
		return errGrant
	}
	// Whoever shows a code with anything else wrong has not got it in an honest way: it is used up.
	in.used = true
	if in.client != c.ID || in.redirect != v.Get("redirect_uri") || !verifies(in.challenge, v.Get("code_verifier")) {
		return errGrant
	}
	l, err := p.grant(r, in.user, c, in.grant)
	if err != nil {
		return err
	}
	in.login = l
	return sendTokens(w, l, in.grant.Scope)
}

// grant makes the device of a client.
func (p *Provider) grant(r *http.Request, user int64, c *client, g grant) (*accounts.Login, error) {
	name := c.ClientName
	if name == "" {
		name = c.Host()
	}
	l, err := p.o.Accounts.GrantOAuth(r.Context(), user, accounts.DeviceRequest{ID: g.Device, Name: clip(name, 100), IP: p.o.Client().Address(r)}, c.ID, g.Scope)
	if errors.Is(err, accounts.ErrNoOAuthClient) {
		return nil, errNoClient
	}
	if m, ok := mxerror.As(err); ok && m.Status < 500 {
		// Deactivated or locked since, or a device id that can't be had.
		return nil, bad("invalid_grant", m.Message)
	}
	return l, err
}

// clip cuts a text to a number of bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 {
		most--
	}
	return s[:most]
}

// refresh takes a refresh token: RFC 6749, section 6.
func (p *Provider) refresh(w http.ResponseWriter, r *http.Request, c *client, v url.Values) error {
	token := v.Get("refresh_token")
	if token == "" {
		return bad("invalid_request", "refresh_token is missing.")
	}
	l, scope, err := p.o.Accounts.RefreshOAuth(r.Context(), token, c.ID)
	if m, ok := mxerror.As(err); ok && m.Status < 500 {
		return bad("invalid_grant", "The refresh token is not valid, or not any more.")
	}
	if err != nil {
		return err
	}
	return sendTokens(w, l, scope)
}

// revoke is the revocation endpoint: RFC 7009.
func (p *Provider) revoke(w http.ResponseWriter, r *http.Request) error {
	if err := p.o.Client().Stranger(r); err != nil {
		return err
	}
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	if v.Get("token") == "" {
		return bad("invalid_request", "token is missing.")
	}
	// A hint that is no help is no error; nor is a client that the token is not of: "the server SHOULD
	// still revoke the token".
	if err := p.o.Accounts.Revoke(r.Context(), v.Get("token")); err != nil {
		return err
	}
	return sendJSON(w, http.StatusOK, struct{}{})
}

// sameText compares secrets.
func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
