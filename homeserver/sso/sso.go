package sso

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/oauth2"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Provider is an identity provider.
type Provider struct {
	// ID names it for ever; Name is for people, Brand and Icon (an mxc address) for clients.
	ID, Name, Brand, Icon string
	// Issuer is the provider's address, which tells the rest.
	Issuer                 string
	ClientID, ClientSecret string
	// Scopes are asked for beside openid.
	Scopes []string
	// LocalpartClaim, NameClaim and EmailClaim say what of the provider's answer becomes the user name,
	// the display name and the e-mail address of a new account. Empty: preferred_username, name, and no
	// address.
	LocalpartClaim, NameClaim, EmailClaim string
	// Register makes accounts for those who have none.
	Register bool
	// Existing lets somebody who comes for the first time into the account of the same name. It is safe
	// only where names at the provider belong to the same people as here.
	Existing bool
}

// Options say what New needs.
type Options struct {
	Providers []Provider
	// Callback is the address that providers send people back to.
	Callback string
	Accounts *accounts.Accounts
	Store    *store.Store
	Log      *slog.Logger
	Now      func() time.Time
	// HTTP reaches the providers; nil means a client with a time limit.
	HTTP *http.Client
}

// SSO logs in with identity providers. It is safe for concurrent use.
type SSO struct {
	o         Options
	providers map[string]*provider
	pending   *lru.Cache[string, pending]
}

// provider is a Provider and what it says of itself, which is asked when it is first needed.
type provider struct {
	Provider
	mu  sync.Mutex
	got *oidc.Provider
}

// Aim is why somebody logs in with a provider.
type Aim struct {
	// RedirectURL is where a client waits for a login token.
	RedirectURL string
	// Session is that of an interactive authentication, instead.
	Session string
	// Next is the path of this server's own pages where somebody goes on, instead.
	Next string
}

// pending is a log-in that is under way.
type pending struct {
	provider, nonce, verifier string
	cookie                    [sha256.Size]byte
	until                     time.Time
	aim                       Aim
}

const (
	pendingKept = 8192
	pendingLife = 15 * time.Minute
	httpTime    = 20 * time.Second
)

// New makes an SSO. It reaches nobody yet.
func New(o Options) (*SSO, error) {
	if o.HTTP == nil {
		o.HTTP = &http.Client{Timeout: httpTime}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &SSO{o: o, providers: map[string]*provider{}}
	for i, p := range o.Providers {
		if p.LocalpartClaim == "" {
			p.LocalpartClaim = "preferred_username"
		}
		if p.NameClaim == "" {
			p.NameClaim = "name"
		}
		if s.providers[p.ID] != nil {
			return nil, fmt.Errorf("two identity providers have the id %q", p.ID)
		}
		s.o.Providers[i] = p
		s.providers[p.ID] = &provider{Provider: p}
	}
	var err error
	s.pending, err = lru.New[string, pending](pendingKept)
	return s, err
}

// Providers lists the providers in the order of the configuration.
func (s *SSO) Providers() []Provider { return s.o.Providers }

// discover asks the provider what it is, once.
func (s *SSO) discover(ctx context.Context, p *provider) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.got != nil {
		return p.got, nil
	}
	// The provider's keys are fetched later with this context, so it must outlive the request.
	ctx = oidc.ClientContext(context.WithoutCancel(ctx), s.o.HTTP)
	got, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, mxerror.New(502, "M_UNKNOWN", "The identity provider %s does not answer as it should. Please try again later.", p.Name).Because(fmt.Errorf("asking the identity provider %s about itself: %w", p.ID, err))
	}
	p.got = got
	return got, nil
}

func (s *SSO) config(p *provider, got *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: got.Endpoint(), RedirectURL: s.o.Callback,
		Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}
}

// Begin sends somebody to a provider: to the address, with the cookie, by which they are known
// again when they come back.
func (s *SSO) Begin(ctx context.Context, id string, aim Aim) (address, cookie string, err error) {
	p := s.providers[id]
	if p == nil {
		return "", "", mxerror.NotFound("There is no such identity provider.")
	}
	got, err := s.discover(ctx, p)
	if err != nil {
		return "", "", err
	}
	state, cookie := random(), random()
	in := pending{provider: id, nonce: random(), verifier: oauth2.GenerateVerifier(), cookie: sha256.Sum256([]byte(cookie)), until: s.o.Now().Add(pendingLife), aim: aim}
	s.pending.Add(state, in)
	return s.config(p, got).AuthCodeURL(state, oidc.Nonce(in.nonce), oauth2.S256ChallengeOption(in.verifier)), cookie, nil
}

func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Arrival is somebody who has come back from a provider.
type Arrival struct {
	Aim
	UserID string
	User   int64
	// Fresh tells that the account was made just now.
	Fresh bool
}

// Finish receives somebody who comes back. "For added security, homeservers SHOULD guard against
// unsolicited authentication attempts by tracking pending requests": the cookie must be that which
// went with the state.
func (s *SSO) Finish(ctx context.Context, cookie string, q url.Values) (*Arrival, error) {
	state := q.Get("state")
	in, ok := s.pending.Get(state)
	hash := sha256.Sum256([]byte(cookie))
	if !ok || !s.o.Now().Before(in.until) || subtle.ConstantTimeCompare(hash[:], in.cookie[:]) != 1 {
		return nil, mxerror.New(400, "M_UNKNOWN", "This log-in was not begun in this browser, or has taken too long. Please begin again.")
	}
	s.pending.Remove(state)
	p := s.providers[in.provider]
	if code := q.Get("error"); code != "" {
		return nil, mxerror.Forbidden("%s did not log you in.", p.Name).Because(fmt.Errorf("the identity provider %s says %q", p.ID, code))
	}
	claims, err := s.claims(ctx, p, in, q.Get("code"))
	if err != nil {
		if _, ok := mxerror.As(err); ok {
			return nil, err
		}
		return nil, mxerror.Forbidden("What %s said of you could not be checked.", p.Name).Because(fmt.Errorf("identity provider %s: %w", p.ID, err))
	}
	a := &Arrival{Aim: in.aim}
	if err := s.account(ctx, p, claims, a); err != nil {
		return nil, err
	}
	a.UserID, err = s.o.Store.UserID(ctx, a.User)
	return a, err
}

// claims exchanges the code for what the provider says of somebody, and checks it.
func (s *SSO) claims(ctx context.Context, p *provider, in pending, code string) (map[string]jsontext.Value, error) {
	if code == "" {
		return nil, errors.New("the answer has no code")
	}
	got, err := s.discover(ctx, p)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.o.HTTP), httpTime)
	defer cancel()
	conf := s.config(p, got)
	token, err := conf.Exchange(ctx, code, oauth2.VerifierOption(in.verifier))
	if err != nil {
		return nil, fmt.Errorf("exchanging the code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return nil, errors.New("the answer has no id_token")
	}
	id, err := got.Verifier(&oidc.Config{ClientID: p.ClientID, Now: s.o.Now}).Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("the id_token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(in.nonce)) != 1 {
		return nil, errors.New("the id_token is for another log-in")
	}
	claims, err := decode(id.Claims)
	if err != nil {
		return nil, fmt.Errorf("the id_token: %w", err)
	}
	if text(claims, p.LocalpartClaim) != "" || got.UserInfoEndpoint() == "" {
		return claims, nil
	}
	info, err := got.UserInfo(ctx, conf.TokenSource(ctx, token))
	if err != nil {
		return nil, fmt.Errorf("asking who it is: %w", err)
	}
	if info.Subject != id.Subject {
		return nil, errors.New("the user info is about somebody else")
	}
	more, err := decode(info.Claims)
	if err != nil {
		return nil, fmt.Errorf("the user info: %w", err)
	}
	for k, v := range more {
		if _, ok := claims[k]; !ok {
			claims[k] = v
		}
	}
	return claims, nil
}

// decode reads claims by the library's own reader, which takes anything that encoding/json fills.
func decode(read func(any) error) (map[string]jsontext.Value, error) {
	var raw rawJSON
	if err := read(&raw); err != nil {
		return nil, err
	}
	claims := map[string]jsontext.Value{}
	return claims, json.Unmarshal(raw, &claims)
}

// rawJSON keeps what it is read from.
type rawJSON []byte

// UnmarshalJSON implements the interface of encoding/json.
func (r *rawJSON) UnmarshalJSON(b []byte) error { *r = append((*r)[:0], b...); return nil }

// text is a claim that is text, or "".
func text(claims map[string]jsontext.Value, name string) string {
	var s string
	if v, ok := claims[name]; ok && v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return ""
}
