package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"golang.org/x/time/rate"
)

// api calls the Web API within its limits, by one token.
type api struct {
	http     *http.Client
	base     string
	appToken string
	team     string // what is added to calls that need it for an app of a whole organisation

	mu     sync.Mutex
	client *slackgo.Client
	token  string
	tiers  map[string]*rate.Limiter
	scopes string
}

func newAPI(cfg *WorkspaceConfig, client *http.Client) *api {
	if client == nil {
		client = &http.Client{Timeout: 2 * time.Minute}
	}
	a := &api{http: client, base: cfg.APIURL, appToken: cfg.AppToken, team: cfg.TeamID, tiers: make(map[string]*rate.Limiter)}
	a.setToken(cfg.BotToken)
	return a
}

// setToken has calls made by another token from now on.
func (a *api) setToken(token string) {
	client := slackgo.New(token,
		slackgo.OptionAPIURL(a.base), slackgo.OptionAppLevelToken(a.appToken), slackgo.OptionHTTPClient(&bearing{a, token}),
		slackgo.OptionOnResponseHeaders(func(_ string, h http.Header) { a.note(h) }))
	a.mu.Lock()
	defer a.mu.Unlock()
	if token != a.token {
		a.scopes = ""
	}
	a.client, a.token = client, token
}

// bearing gives calls of the Web API their token in the header, too, which is where Slack wants it; slack-go has it in the form.
type bearing struct {
	a     *api
	token string
}

// Do makes a call.
func (b *bearing) Do(req *http.Request) (*http.Response, error) {
	method, ok := strings.CutPrefix(req.URL.String(), b.a.base)
	if ok && req.Header.Get("Authorization") == "" {
		req = req.Clone(req.Context())
		token := b.token
		if method == "apps.connections.open" {
			token = b.a.appToken
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return b.a.http.Do(req)
}

// note remembers what an answer says of the token.
func (a *api) note(h http.Header) {
	if scopes := h.Get("X-OAuth-Scopes"); scopes != "" {
		a.mu.Lock()
		a.scopes = scopes
		a.mu.Unlock()
	}
}

// slack is what makes calls now.
func (a *api) slack() *slackgo.Client {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.client
}

// bearer is the token of now; "" if there is none yet.
func (a *api) bearer() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.token
}

// perMinute is how many calls a minute Slack allows of methods in its tiers 2 to 4;
// chat.postMessage, reactions and the like are paced by Slack's own answers.
// See https://docs.slack.dev/apis/web-api/rate-limits/.
var perMinute = map[string]int{
	"conversations.list": 20, "users.list": 20, "usergroups.list": 20, "emoji.list": 20, "pins.list": 50,
	"conversations.history": 50, "conversations.replies": 50, "conversations.info": 50, "bots.info": 50, "team.info": 50,
	"users.info": 100, "conversations.members": 100, "files.info": 100,
}

// pace waits until a method may be called again.
func (a *api) pace(ctx context.Context, method string) error {
	n := perMinute[method]
	if n == 0 {
		return nil
	}
	a.mu.Lock()
	l := a.tiers[method]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(float64(n)/60), n)
		a.tiers[method] = l
	}
	a.mu.Unlock()
	return l.Wait(ctx)
}

const (
	// maxPatience is how often a call is tried that reads something.
	maxPatience = 5
	// maxLimited is how often a call waits because Slack asks for patience.
	maxLimited = 100
)

// read makes a call that changes nothing, again where Slack asks for it or could not
// be reached.
func (a *api) read(ctx context.Context, method string, f func() error) error {
	var err error
	asked := 0
	for try := 0; try < maxPatience; try++ {
		if err := a.pace(ctx, method); err != nil {
			return err
		}
		if err = f(); err == nil {
			return nil
		}
		wait := time.Duration(1<<try) * 250 * time.Millisecond
		var limited *slackgo.RateLimitedError
		switch {
		case errors.As(err, &limited):
			wait = max(limited.RetryAfter, 100*time.Millisecond)
			if asked++; asked < maxLimited {
				try-- // Slack works; it only wants to be asked later
			}
		case !transient(err):
			return fmt.Errorf("%s: %w", method, err)
		}
		if e := sleep(ctx, wait); e != nil {
			return e
		}
	}
	return fmt.Errorf("%s: %w", method, err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// code returns Slack's error code, or "".
func code(err error) string {
	var resp slackgo.SlackErrorResponse
	if errors.As(err, &resp) {
		return resp.Err
	}
	return ""
}

// transient reports whether a call that failed may succeed later.
func transient(err error) bool {
	if errors.Is(err, errTooLarge) || errors.Is(err, context.Canceled) {
		return false
	}
	switch code(err) {
	case "":
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "team_added_to_org":
		return true
	default:
		return false
	}
	var status slackgo.StatusCodeError
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == http.StatusTooManyRequests
	}
	return true // the network
}

// badToken reports whether a call failed because the app may do nothing any more.
func badToken(err error) bool {
	if errors.Is(err, errRevoked) || errors.Is(err, errNoToken) {
		return true
	}
	switch code(err) {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission", "org_login_required", "app_uninstalled", "invalid_refresh_token":
		return true
	}
	return false
}

// call makes a call whose answer is wanted as Slack gives it. It is for what slack-go
// decodes with loss, messages above all.
func (a *api) call(ctx context.Context, method string, args url.Values, into any) error {
	if a.team != "" && (method == "users.list" || method == "bots.info") {
		args.Set("team_id", a.team) // the token is of a whole organisation
	}
	return a.read(ctx, method, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+method, strings.NewReader(args.Encode()))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Bearer "+a.bearer())
		resp, err := a.http.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		a.note(resp.Header)
		if err := limitedBy(resp); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return statusError(resp)
		}
		raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return err
		}
		var head slackgo.SlackResponse
		if err := lenient(raw, &head); err != nil {
			return fmt.Errorf("the answer is no JSON: %w", err)
		}
		if err := head.Err(); err != nil {
			return err
		}
		return lenient(raw, into)
	})
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// lenient decodes JSON. A value of another type than expected is left out, and does
// not take the rest with it.
func lenient(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return nil
	}
	return err
}

// lacking lists what scopes the token lacks, in words: those without which nothing works, and others. Both are nil, too,
// if Slack has not told.
func (a *api) lacking() (needed, others []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.scopes == "" {
		return nil, nil
	}
	have := make(map[string]bool)
	for s := range strings.SplitSeq(a.scopes, ",") {
		have[strings.TrimSpace(s)] = true
	}
	for _, s := range botScopes {
		text := fmt.Sprintf("%s (to %s)", s.name, s.purpose)
		switch {
		case have[s.name]:
		case s.needed:
			needed = append(needed, text)
		default:
			others = append(others, text)
		}
	}
	return needed, others
}

// maxDownload is the largest file, in bytes, that is taken over into Matrix.
const maxDownload = 100 << 20

var errTooLarge = errors.New("the file is too large")

// download fetches a file that only members of the workspace can see.
func (a *api) download(ctx context.Context, url string) ([]byte, error) {
	buf := limitedBuffer{left: maxDownload}
	err := a.read(ctx, "files.download", func() error {
		buf = limitedBuffer{left: maxDownload}
		return a.slack().GetFileContext(ctx, url, &buf)
	})
	if err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

type limitedBuffer struct {
	bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errTooLarge
	}
	return b.Buffer.Write(p)
}

// limitedBy is the error of an answer by which Slack asks for patience; nil if it does not.
func limitedBy(resp *http.Response) error {
	if resp.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil {
		after = 1
	}
	return &slackgo.RateLimitedError{RetryAfter: time.Duration(after) * time.Second}
}

func statusError(resp *http.Response) error {
	return slackgo.StatusCodeError{Code: resp.StatusCode, Status: resp.Status}
}
