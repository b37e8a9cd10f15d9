package slacktest

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// Tokens and ids of the workspace and the app under test.
const (
	AppToken      = "xapp-1-test"
	BotToken      = "xoxb-test"
	SigningSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	ConfigToken   = "xoxe.xoxp-config"
	Team          = "T0000TEAM"
	App           = "A0000APP1"
	BotUser       = "U0000BOT1"
	Bot           = "B0000BOT1"
)

// Scopes are what the token has, unless a test changes that.
const Scopes = "app_mentions:read,bookmarks:read,channels:history,channels:join,channels:read,chat:write,chat:write.customize," +
	"emoji:read,files:read,files:write,groups:history,groups:read,pins:read,pins:write,reactions:read,reactions:write,team:read,usergroups:read,users:read,users:read.email,channels:manage,groups:write,metadata.message:read"

// Object is a JSON object.
type Object = map[string]any

// Server is a workspace of Slack.
type Server struct {
	// URL is the base of the Web API, with a slash at the end.
	URL string
	// AckTimeout is how long an envelope may be unacknowledged before it is repeated.
	AckTimeout time.Duration
	// Token scopes as the API reports them.
	Scopes string
	// Watch is shown what is answered ("method") and told ("event"), if it is set before anything happens. It must not change it,
	// nor use the Server.
	Watch func(kind, name string, o Object)

	http    *httptest.Server
	methods map[string]method

	mu       sync.Mutex
	last     int64 // of timestamps, microseconds
	serial   int
	users    map[string]Object
	order    []string
	channels map[string]*channel
	corder   []string
	groups   []Object
	emoji    map[string]string
	bots     map[string]Object
	files    map[string]*file
	calls    []Call
	limits   map[string]*limit
	busy     map[string]*limit // of posting, by channel
	// MostHistory bounds the pages of histories, as for apps that are distributed outside of Slack's marketplace; 0 for Slack's own bound.
	MostHistory int
	botTokens   map[string]bool
	teamID      string
	org         string  // the organisation in which the app is installed, if it is not in the workspace
	through     *Server // by whose connections events go
	// Subscribed are the events of which the app is told, as its settings say to who has ConfigToken.
	Subscribed []string
	// Redirects are the addresses to which people may be sent back, as the same settings say.
	Redirects []string
	used      map[string]string // by which token methods were last called
	team      Object
	fail      map[string][]failure
	revoked   bool
	// TokenLife is how many seconds tokens of persons live; 0 for ever.
	TokenLife int
	actor     string // whose call is answered
	codes     map[string]grant
	// identities are whose a token of "Sign in with Slack" is.
	identities map[string]string
	persons    map[string]string // tokens, and whose they are
	refresh    map[string]string
	answers    map[string]chan string // to slash commands

	socks   []*socket
	pending map[string]*envelope
	keeping bool
	kept    []*envelope
	hook    string // where events go by HTTP, if not by sockets
	events  int
	closed  chan struct{}
	work    sync.WaitGroup
	changed chan struct{} // closed and made anew when anything changes
}

type channel struct {
	info     Object
	members  map[string]bool
	messages []Object // oldest first, replies too
	pins     []string

	bookmarks []Object
}

type file struct {
	info Object
	data []byte
	mime string
}

type limit struct {
	after time.Duration
	left  int
}

type failure struct {
	code string
	// after says that the call has its effect before it fails.
	after bool
}

// Call is a call of a method of the Web API.
type Call struct {
	Method string
	Form   map[string]string
}

// New starts a workspace with the bot of the app under test in it.
func New(t testing.TB) *Server {
	s := &Server{
		AckTimeout: 3 * time.Second, Scopes: Scopes,
		last:  time.Now().UnixMicro(),
		users: make(map[string]Object), channels: make(map[string]*channel), emoji: make(map[string]string),
		bots: make(map[string]Object), files: make(map[string]*file), limits: make(map[string]*limit), busy: make(map[string]*limit),
		botTokens: map[string]bool{BotToken: true}, used: make(map[string]string), team: Object{"id": Team, "name": "Acme", "domain": "acme", "icon": Object{}},
		fail: make(map[string][]failure), pending: make(map[string]*envelope),
		codes: make(map[string]grant), identities: make(map[string]string), persons: map[string]string{ConfigToken: configurer}, refresh: make(map[string]string), answers: make(map[string]chan string),
		teamID: Team,
		closed: make(chan struct{}), changed: make(chan struct{}),
	}
	mux := http.NewServeMux()
	s.routes(mux)
	s.http = httptest.NewServer(mux)
	s.URL = s.http.URL + "/api/"
	s.users[BotUser] = user(BotUser, "landbridge", "Landbridge")
	s.users[BotUser]["is_bot"] = true
	s.order = append(s.order, BotUser)
	s.bots[Bot] = Object{"id": Bot, "deleted": false, "name": "Landbridge", "app_id": App, "user_id": BotUser, "icons": Object{}}
	s.work.Go(s.repeat)
	t.Cleanup(s.Close)
	return s
}

// Close ends the workspace.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.closed:
		s.mu.Unlock()
		return
	default:
	}
	close(s.closed)
	socks := s.socks
	s.mu.Unlock()
	for _, c := range socks {
		c.close()
	}
	s.http.CloseClientConnections()
	s.http.Close()
	s.work.Wait()
}

func user(id, name, real string) Object {
	return Object{
		"id": id, "team_id": Team, "name": name, "deleted": false, "real_name": real, "is_admin": false, "is_owner": false,
		"is_primary_owner": false, "is_restricted": false, "is_ultra_restricted": false, "is_bot": false, "is_app_user": false,
		"updated": 1, "tz": "Etc/UTC", "tz_label": "Coordinated Universal Time", "tz_offset": 0, "color": "9f69e7", "is_email_confirmed": true,
		"locale": "en-US", "who_can_share_contact_card": "EVERYONE",
		"profile": Object{
			"real_name": real, "real_name_normalized": real, "display_name": "", "display_name_normalized": "", "first_name": real, "last_name": "",
			"title": "", "phone": "", "skype": "", "status_text": "", "status_text_canonical": "", "status_emoji": "", "status_emoji_display_info": []any{},
			"status_expiration": 0, "avatar_hash": "", "image_24": "", "image_32": "", "image_48": "", "image_72": "", "image_192": "", "image_512": "",
			"team": Team, "fields": Object{},
		},
	}
}

// touch says that something has changed; s.mu is held.
func (s *Server) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Await waits until f, which is called with the workspace locked, returns true.
func (s *Server) Await(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		s.mu.Lock()
		ok, changed := f(), s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("in vain waited for %s", what)
		}
	}
}

// id makes an id; s.mu is held.
func (s *Server) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s%08d", prefix, s.serial)
}

// ts makes the time of a message; s.mu is held.
func (s *Server) ts() string {
	s.last = max(s.last+1, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.last/1e6, s.last%1e6)
}

// Limit makes the next n calls of a method fail with 429 and Retry-After, in whole
// seconds.
func (s *Server) Limit(method string, n int, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[method] = &limit{after, n}
}

// LimitIn makes the next n posts in a channel fail with 429 and Retry-After.
func (s *Server) LimitIn(channel string, n int, after time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[channel] = &limit{after, n}
}

// LimitAll makes the next n calls of every method that there is fail with 429 and Retry-After, and returns which these are.
func (s *Server) LimitAll(n int, after time.Duration) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names = append(slices.Collect(maps.Keys(s.methods)), "apps.connections.open", "oauth.v2.access", "openid.connect.token", "openid.connect.userInfo")
	slices.Sort(names)
	for _, name := range names {
		s.limits[name] = &limit{after, n}
	}
	return names
}

// Limited returns how often a method is still to fail with 429.
func (s *Server) Limited(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.limits[method]; l != nil {
		return l.left
	}
	return 0
}

// Fail makes the next call of a method fail with an error code of Slack, or, if code
// is "hang up", with the end of the connection; with after, once it has had its effect.
func (s *Server) Fail(method, code string, after bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[method] = append(s.fail[method], failure{code, after})
}

// Revoke makes the bot's token invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// Calls returns the calls of a method so far.
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if c.Method == method {
			out = append(out, c)
		}
	}
	return out
}
