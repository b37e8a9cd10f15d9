package slack

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

	slackgo "github.com/slack-go/slack"
)

// granted is what oauth.v2.access answers.
type granted struct {
	slackgo.SlackResponse
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	ExpiresIn    int64  `json:"expires_in"` // seconds; 0 if the token does not end
	Scope        string `json:"scope"`
	BotUser      string `json:"bot_user_id"`
	OrgWide      bool   `json:"is_enterprise_install"`
	Team         struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"team"`
	User struct {
		ID           string `json:"id"`
		Scope        string `json:"scope"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		ExpiresIn    int64  `json:"expires_in"`
	} `json:"authed_user"`
}

func until(seconds int64) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(seconds) * time.Second)
}

// bot is the token of the bot that was granted.
func (g *granted) bot() token {
	return token{Access: g.AccessToken, Refresh: g.RefreshToken, Expires: until(g.ExpiresIn), Scopes: g.Scope, User: g.BotUser, Team: g.Team.ID}
}

// person is the token of the person who has granted it.
func (g *granted) person() token {
	return token{Access: g.User.AccessToken, Refresh: g.User.RefreshToken, Expires: until(g.User.ExpiresIn), Scopes: g.User.Scope, User: g.User.ID, Team: g.Team.ID}
}

// maxAccess is how often a method is called while Slack wants patience; somebody may wait before a page.
const maxAccess = 5

// access calls oauth.v2.access, which needs no token but the app's secret.
func (w *workspace) access(ctx context.Context, args url.Values) (*granted, error) {
	var g granted
	return &g, w.patiently(ctx, "oauth.v2.access", args, w.asApp, &g)
}

// answered is an answer of Slack that says whether it is an error.
type answered interface{ Err() error }

// asApp has a request show the app's secret.
func (w *workspace) asApp(r *http.Request) { r.SetBasicAuth(w.cfg.ClientID, w.cfg.ClientSecret) }

// patiently calls a method that is not the bot's, and waits for its limit. as has the request say who asks.
func (w *workspace) patiently(ctx context.Context, method string, args url.Values, as func(*http.Request), out answered) (err error) {
	for range maxAccess {
		if err = w.once(ctx, method, args, as, out); err != nil {
			err = fmt.Errorf("%s: %w", method, err)
		}
		var limited *slackgo.RateLimitedError
		if !errors.As(err, &limited) {
			return err
		}
		if err := sleep(ctx, max(limited.RetryAfter, 100*time.Millisecond)); err != nil {
			return err
		}
	}
	return err
}

func (w *workspace) once(ctx context.Context, method string, args url.Values, as func(*http.Request), out answered) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.api.base+method, strings.NewReader(args.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	as(req)
	resp, err := w.api.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := limitedBy(resp); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return statusError(resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(out); err != nil {
		return fmt.Errorf("the answer is no JSON: %w", err)
	}
	return out.Err()
}

// authorizeURL is where a browser asks Slack's user for consent.
func (w *workspace) authorizeURL(redirect, state string, personal bool) string {
	args := values("client_id", w.cfg.ClientID, "redirect_uri", redirect, "state", state)
	w.mu.Lock()
	if w.self != nil {
		args.Set("team", w.self.TeamID)
	}
	w.mu.Unlock()
	if personal {
		args.Set("user_scope", strings.Join(personScopes[:], ","))
	} else {
		var list []string
		for _, s := range botScopes {
			list = append(list, s.name)
		}
		args.Set("scope", strings.Join(list, ","))
	}
	return w.site() + "oauth/v2/authorize?" + args.Encode()
}

// site is the address of Slack's pages, with a slash at the end.
func (w *workspace) site() string { return strings.TrimSuffix(w.api.base, "api/") }

const (
	// renewBefore is how long before its end a token is renewed; Slack's live for twelve hours.
	renewBefore = 2 * time.Hour
	// renewPause is between two tries.
	renewPause = time.Minute
)

var errNoToken = errors.New("the app is not installed in the workspace: an administrator can do that with the command install, or give the bot's token in the configuration")

// keep renews a token before it ends, until ctx is done. use is called with each new one, and lost when there will be none.
func (w *workspace) keep(ctx context.Context, name string, use func(token), lost func(error)) {
	for {
		tok, ok, err := w.b.tokens.get(name)
		if err != nil {
			w.log.Error("a token is not renewed", "error", err)
			return
		}
		if !ok || tok.Refresh == "" || tok.Expires.IsZero() {
			return
		}
		before := min(renewBefore, time.Until(tok.Expires)/2)
		if wait := time.Until(tok.Expires) - max(before, 0); wait > 0 {
			if sleep(ctx, wait) != nil {
				return
			}
			continue // it may be another by now
		}
		g, err := w.access(ctx, values("grant_type", "refresh_token", "refresh_token", tok.Refresh))
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !transient(err):
			w.log.Error("a token cannot be renewed", "error", err)
			lost(fmt.Errorf("the token has ended and cannot be renewed: %w", err))
			return
		case err != nil:
			w.log.Warn("a token is not renewed, trying again", "error", err)
			if sleep(ctx, renewPause) != nil {
				return
			}
			continue
		}
		next := g.bot()
		if g.User.AccessToken != "" && g.AccessToken == "" {
			next = g.person()
		}
		if next.Refresh == "" {
			next.Refresh = tok.Refresh
		}
		next.User, next.Team = tok.User, tok.Team
		// Slack takes the old one for a while longer; so the new one is stored before it is used.
		for w.b.tokens.set(name, next) != nil {
			w.log.Error("a renewed token is not stored, trying again")
			if sleep(ctx, time.Second) != nil {
				return
			}
		}
		use(next)
	}
}
