package homeserver

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/oauth"
	"github.com/landbridge-im/landbridge/homeserver/sso"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// webLife is how long a browser stays signed in to the server's own pages unless the options say
// otherwise.
const webLife = 7 * 24 * time.Hour

// OAuthOptions are those of the OAuth 2.0 API.
type OAuthOptions struct {
	Enabled bool
	// BrowserLife is how long a browser stays signed in; 0 means a week.
	BrowserLife time.Duration
}

// keeper keeps the sessions of browsers among the tokens of accounts.
type keeper struct {
	accounts *accounts.Accounts
	life     time.Duration
}

var (
	_ page.Keeper  = keeper{}
	_ client.OAuth = (*oauth.Provider)(nil)
	_ oauth.Client = client.Pages{}
)

func (k keeper) BeginSession(ctx context.Context, user int64) (string, time.Duration, error) {
	token, err := k.accounts.BeginWeb(ctx, user, k.life)
	return token, k.life, err
}

func (k keeper) FindSession(ctx context.Context, token string) (*page.Session, error) {
	s, err := k.accounts.FindWeb(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return nil, page.ErrNoSession
	}
	if err != nil {
		return nil, err
	}
	return &page.Session{User: s.User, UserID: s.UserID, Admin: s.Admin, Since: s.Since}, nil
}

func (k keeper) EndSession(ctx context.Context, token string) error {
	return k.accounts.EndWeb(ctx, token)
}

// linkedOffers are offers of claims, and whom users are linked to.
type linkedOffers struct{ *claims.Claims }

var _ oauth.Offers = linkedOffers{}

// LinkedTo implements oauth.Offers.
func (l linkedOffers) LinkedTo(ctx context.Context, user int64) (out []oauth.Linked, bridged bool, err error) {
	list, err := l.Claims.LinkedTo(ctx, user)
	for _, k := range list {
		out = append(out, oauth.Linked{Service: k.Service, Person: k.Person, Network: k.Network, Name: k.Name, SinceTS: k.SinceTS})
	}
	return out, l.Bridged(), err
}

// openPages makes the frame of the server's own pages.
func (s *Server) openPages() (err error) {
	life := s.o.OAuth.BrowserLife
	if life <= 0 {
		life = webLife
	}
	s.pages, err = page.New(page.Options{Name: s.o.Name, PublicURL: s.o.PublicURL, Keeper: keeper{s.accounts, life}, Log: s.o.Log})
	return err
}

// openOAuth makes the OAuth 2.0 API, which asks the client-server API, made after it, only when it is
// used.
func (s *Server) openOAuth(single *sso.SSO) (err error) {
	if !s.o.OAuth.Enabled {
		return nil
	}
	s.oauth, err = oauth.New(oauth.Options{ServerName: s.o.Name, PublicURL: s.o.PublicURL, Store: s.store, Accounts: s.accounts, SSO: single, Media: s.media,
		Pages: s.pages, Client: func() oauth.Client { return s.client.Pages() }, Offers: func() oauth.Offers { return linkedOffers{s.claims} },
		Export: s.Exporter(), Version: s.o.Version, Log: s.o.Log, Now: s.o.Now})
	return err
}

// Pages is the frame of the server's own pages, for others than those of accounts.
func (s *Server) Pages() *page.Site { return s.pages }

// web serves the pages and the OAuth 2.0 API, and passes what else is asked for on.
func (s *Server) web(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, page.AssetPrefix):
			s.pages.ServeAsset(w, r)
		case s.oauth != nil && s.oauth.Serves(p):
			s.oauth.ServeHTTP(w, r)
		case s.claims.Serves(p):
			s.claims.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
