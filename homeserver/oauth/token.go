package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
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
	ctx := r.Context()
	in, err := p.code(ctx, kindCode, v.Get("code"))
	if errors.Is(err, store.ErrNotFound) || err == nil && p.o.Now().UnixMilli() >= in.ExpiresTS {
		return errGrant
	}
	if err != nil {
		return err
	}
	// Whoever shows a code with anything else wrong has not got it in an honest way: it is used up.
	in.State = store.CodeUsed
	ok, err := p.move(ctx, store.CodeAllowed, in)
	if err != nil {
		return err
	}
	if !ok {
		return p.usedTwice(ctx, in.Sum)
	}
	if in.Client != c.ID || in.Redirect != v.Get("redirect_uri") || !verifies(in.Challenge, v.Get("code_verifier")) {
		return errGrant
	}
	g := grant{Device: in.Device, Scope: in.Scope}
	l, err := p.grant(r, in.User, c, g)
	if err != nil {
		return err
	}
	in.Given = l.DeviceNID
	if ok, err = p.move(context.WithoutCancel(ctx), store.CodeUsed, in); err != nil {
		return err
	}
	if !ok { // somebody else came with it meanwhile
		return errors.Join(p.o.Accounts.RevokeGrant(context.WithoutCancel(ctx), l, in.Client), errGrant)
	}
	return sendTokens(w, l, g.Scope)
}

// usedTwice answers a code that was used before: "If an authorization code is used more than once, the
// authorization server MUST deny the request and SHOULD revoke (when possible) all tokens previously issued
// based on that authorization code."
func (p *Provider) usedTwice(ctx context.Context, sum []byte) error {
	var in store.OAuthCode
	var first bool
	err := p.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if in, err = tx.OAuthCode(sum); err != nil {
			return err
		}
		in.State = store.CodeStolen
		first, err = tx.MoveOAuthCode(store.CodeUsed, in)
		return err
	})
	if err != nil {
		return err
	}
	if !first || in.Given == 0 {
		return errGrant
	}
	p.o.Log.WarnContext(ctx, "an authorization code was used twice; the device is logged out", "user", in.User, "client", in.Client)
	if err := p.o.Accounts.RevokeGrant(ctx, &accounts.Login{UserNID: in.User, DeviceNID: in.Given}, in.Client); err != nil {
		return err
	}
	return errGrant
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
