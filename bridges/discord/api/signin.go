package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// scopeIdentify lets an application read who somebody is. Discord: "OAuth2 Scopes".
const scopeIdentify = "identify"

// signInTime bounds what is asked while somebody waits before a page.
const signInTime = 20 * time.Second

var (
	// ErrBadGrant says that Discord does not know a code, or not any more.
	ErrBadGrant = errors.New("the code is not known to Discord")
	// ErrBadSecret says that Discord does not take the application's secret.
	ErrBadSecret = errors.New("the client secret is not taken by Discord")
)

// SignIn is how people show an application who they are: Discord, "OAuth2", "Authorization Code Grant".
type SignIn struct {
	// App and Secret are the client id and the client secret of the application.
	App, Secret string
	// Redirect is where people come back to; the application must have it among its redirects.
	Redirect string
}

func (c *Client) grant(s SignIn) *oauth2.Config {
	site := c.opts.APIURL
	if u, err := url.Parse(site); err == nil { // has been read before
		site = u.Scheme + "://" + u.Host
	}
	return &oauth2.Config{ClientID: s.App, ClientSecret: s.Secret, RedirectURL: s.Redirect, Scopes: []string{scopeIdentify},
		Endpoint: oauth2.Endpoint{AuthURL: site + "/oauth2/authorize", TokenURL: c.opts.APIURL + "/oauth2/token", AuthStyle: oauth2.AuthStyleInHeader}}
}

// SignInURL is the page on which Discord asks people whether they want to show who they are.
func (c *Client) SignInURL(s SignIn, state string) string { return c.grant(s).AuthCodeURL(state) }

// maxUser bounds what is read of an answer that says who somebody is, in bytes.
const maxUser = 1 << 20

// SignedIn asks who a code is about. Nothing is kept: the token is taken back at once.
func (c *Client) SignedIn(ctx context.Context, s SignIn, code string) (u wire.User, err error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, c.http), signInTime)
	defer cancel()
	token, err := c.grant(s).Exchange(ctx, code)
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_grant":
		return u, ErrBadGrant
	case errors.As(err, &refused) && refused.ErrorCode == "invalid_client":
		return u, ErrBadSecret
	case errors.As(err, &refused): // whose text has the answer's body
		return u, fmt.Errorf("POST /oauth2/token: Discord answers %d (%.100q)", refused.Response.StatusCode, refused.ErrorCode)
	case err != nil:
		return u, fmt.Errorf("POST /oauth2/token: %w", bare(err))
	}
	defer c.revoke(ctx, s, token)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.opts.APIURL+"/users/@me", nil)
	if err != nil {
		return u, err
	}
	token.SetAuthHeader(req)
	res, err := c.http.Do(req)
	if err != nil {
		return u, fmt.Errorf("GET /users/@me: %w", bare(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return u, &Error{Status: res.StatusCode, What: "GET /users/@me", Message: http.StatusText(res.StatusCode)}
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxUser))
	if err == nil {
		err = wire.Decode(json.RawMessage(raw), &u)
	}
	if err == nil && u.ID == "" {
		err = errors.New("the answer has no id")
	}
	if err != nil {
		return u, fmt.Errorf("GET /users/@me: %w", err)
	}
	return u, nil
}

// revoke gives a token back. One that is left ends by itself.
func (c *Client) revoke(ctx context.Context, s SignIn, token *oauth2.Token) {
	form := url.Values{"token": {token.AccessToken}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.opts.APIURL+"/oauth2/token/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(s.App, s.Secret)
	res, err := c.http.Do(req)
	if err != nil {
		c.log.Debug("a token of somebody who signed in is not given back", "error", bare(err))
		return
	}
	res.Body.Close()
}

// bare is an error of a request without its address, which may hold a secret.
func bare(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}
