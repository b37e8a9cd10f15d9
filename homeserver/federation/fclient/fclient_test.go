package fclient

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
	"github.com/landbridge-im/landbridge/homeserver/federation/xmatrix"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/internal/safedial"
)

var key = ed25519.NewKeyFromSeed(make([]byte, 32))

type keys struct{}

func (keys) RequestKey(context.Context, string, string) (ed25519.PublicKey, error) {
	return key.Public().(ed25519.PublicKey), nil
}

// shelf keeps nothing.
type shelf struct{}

func (shelf) Backoff(context.Context, string) (store.Backoff, error) { return store.Backoff{}, nil }
func (shelf) Write(context.Context, func(*store.Tx) error) error     { return nil }

// clock stands still unless it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// remote is another server, by TLS on the loopback. It checks the signature of each request that has
// one, and remembers the requests.
type remote struct {
	*httptest.Server
	name    string
	handler func(http.ResponseWriter, *http.Request)

	mu       sync.Mutex
	requests []string
	bodies   []string
	proto    string
}

func newRemote(t *testing.T, h func(http.ResponseWriter, *http.Request)) *remote {
	t.Helper()
	r := &remote{handler: h}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.requests = append(r.requests, req.Method+" "+req.RequestURI)
		r.bodies = append(r.bodies, string(body))
		r.proto = req.Proto
		r.mu.Unlock()
		if req.Header.Get("Authorization") != "" {
			if _, err := (xmatrix.Verifier{Server: r.name, Keys: keys{}}).Verify(req, body); err != nil {
				t.Errorf("%s: %v", req.RequestURI, err)
			}
		}
		if req.Host != r.name {
			t.Errorf("the host is %q, want %q", req.Host, r.name)
		}
		r.handler(w, req)
	}))
	r.EnableHTTP2 = true
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	r.StartTLS()
	r.name = r.Listener.Addr().String()
	t.Cleanup(r.Close)
	return r
}

func (r *remote) last() (request, body string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[len(r.requests)-1], r.bodies[len(r.bodies)-1]
}

func newClient(t *testing.T, remotes ...*remote) (*Client, *clock, *atomic.Int32) {
	t.Helper()
	roots := x509.NewCertPool()
	for _, r := range remotes {
		roots.AddCert(r.Certificate())
	}
	c := &clock{now: time.Unix(1_700_000_000, 0)}
	dials := &atomic.Int32{}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return safedial.Policy{Allow: safedial.Loopback()}.DialContext(ctx, network, address)
	}
	log := slog.New(slog.DiscardHandler)
	f, err := discovery.New(discovery.Options{Dial: dial, RootCAs: roots, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBackoff(shelf{}, log, c.time)
	if err != nil {
		t.Fatal(err)
	}
	client := New(Options{Finder: f, Signer: event.Signer{Server: "us", KeyID: "ed25519:1", Key: key}, Backoff: b, Dial: dial, RootCAs: roots, Log: log, Timeout: 20 * time.Second})
	t.Cleanup(client.Close)
	return client, c, dials
}

// TestCalls makes each call once and looks at what arrives and at what is made of the answer.
func TestCalls(t *testing.T) {
	t.Parallel()
	const event, room, user = `{"type":"x"}`, "!r/oom:a b", "@u:us"
	events := func(each *[]string) Each {
		return func(s Section, raw jsontext.Value) error {
			*each = append(*each, fmt.Sprint(s, string(raw)))
			return nil
		}
	}
	for _, tc := range []struct {
		name, request, body, answer, want string
		call                              func(context.Context, *Client, string) (any, error)
	}{
		{"make_join", "GET /_matrix/federation/v1/make_join/%21r%2Foom:a%20b/@u:us?ver=11&ver=12", "", `{"room_version":"12","event":` + event + `}`, `{12 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MakeJoin(ctx, s, room, user, []string{"11", "12"})
			}},
		{"make_knock", "GET /_matrix/federation/v1/make_knock/%21r%2Foom:a%20b/@u:us?ver=7", "", `{"room_version":"7","event":` + event + `}`, `{7 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MakeKnock(ctx, s, room, user, []string{"7"})
			}},
		{"make_leave", "GET /_matrix/federation/v1/make_leave/%21r%2Foom:a%20b/@u:us", "", `{"event":` + event + `}`, `{1 {"type":"x"}}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.MakeLeave(ctx, s, room, user) }},
		{"send_join", "PUT /_matrix/federation/v2/send_join/r/$e?omit_members=true", event,
			`{"x":{"y":[1]},"state":[{"a":1},{"a":2}],"members_omitted":true,"servers_in_room":["a","b"],"auth_chain":[{"a":3}],"event":{"z":1}}`,
			`{{"z":1} true [a b]} [0{"a":1} 0{"a":2} 1{"a":3}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				j, err := c.SendJoin(ctx, s, "r", "$e", jsontext.Value(event), true, events(&got))
				return fmt.Sprint(fmt.Sprintf("{%s %t %v}", j.Event, j.MembersOmitted, j.ServersInRoom), " ", got), err
			}},
		{"send_knock", "PUT /_matrix/federation/v1/send_knock/r/$e", event, `{"knock_room_state":[{"a":1}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendKnock(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"send_leave", "PUT /_matrix/federation/v2/send_leave/r/$e", event, `{}`, `<nil>`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return nil, c.SendLeave(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"invite", "PUT /_matrix/federation/v2/invite/r/$e", `{"event":{"type":"x"},"invite_room_state":[{}],"room_version":"12"}`, `{"event":{"s":1}}`, `{"s":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendInvite(ctx, s, "r", "$e", Invite{"12", jsontext.Value(event), []jsontext.Value{jsontext.Value("{}")}})
			}},
		{"invite v1", "PUT /_matrix/federation/v1/invite/r/$e", event, `[200,{"event":{"s":1}}]`, `{"s":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.SendInviteV1(ctx, s, "r", "$e", jsontext.Value(event))
			}},
		{"third-party invite", "PUT /_matrix/federation/v1/exchange_third_party_invite/r", event, `{}`, `<nil>`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return nil, c.ExchangeThirdPartyInvite(ctx, s, "r", jsontext.Value(event))
			}},
		{"send", "PUT /_matrix/federation/v1/send/t1", `{"edus":[{"e":1}],"origin":"us","origin_server_ts":5,"pdus":[]}`, `{"pdus":{"$a":{},"$b":{"error":"bad"}}}`, `map[$b:bad]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Send(ctx, s, "t1", Transaction{Origin: "us", TS: 5, EDUs: []jsontext.Value{jsontext.Value(`{"e":1}`)}})
			}},
		{"event", "GET /_matrix/federation/v1/event/$e", "", `{"origin":"a","origin_server_ts":1,"pdus":[{"a":1}]}`, `{"a":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Event(ctx, s, "$e") }},
		{"event_auth", "GET /_matrix/federation/v1/event_auth/r/$e", "", `{"auth_chain":[{"a":1}]}`, `[1{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				err := c.EventAuth(ctx, s, "r", "$e", events(&got))
				return got, err
			}},
		{"state", "GET /_matrix/federation/v1/state/r?event_id=%24e", "", `{"auth_chain":[{"a":1}],"pdus":[{"a":2}]}`, `[1{"a":1} 0{"a":2}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				var got []string
				err := c.State(ctx, s, "r", "$e", events(&got))
				return got, err
			}},
		{"state_ids", "GET /_matrix/federation/v1/state_ids/r?event_id=%24e", "", `{"auth_chain_ids":["$1"],"pdu_ids":["$2","$3"]}`, `[[$2 $3] [$1]]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				a, b, err := c.StateIDs(ctx, s, "r", "$e")
				return [][]string{a, b}, err
			}},
		{"backfill", "GET /_matrix/federation/v1/backfill/r?limit=2&v=%24a&v=%24b", "", `{"pdus":[{"a":1},{"a":2},{"a":3}]}`, `[{"a":1} {"a":2}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Backfill(ctx, s, "r", []string{"$a", "$b"}, 2)
			}},
		{"get_missing_events", "POST /_matrix/federation/v1/get_missing_events/r", `{"earliest_events":["$a"],"latest_events":["$b"],"limit":1,"min_depth":4}`, `{"events":[{"a":1},{"a":2}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.MissingEvents(ctx, s, "r", Gap{[]string{"$a"}, []string{"$b"}, 1, 4})
			}},
		{"timestamp_to_event", "GET /_matrix/federation/v1/timestamp_to_event/r?dir=b&ts=77", "", `{"event_id":"$e","origin_server_ts":76}`, `$e 76`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				id, ts, err := c.TimestampToEvent(ctx, s, "r", 77, "b")
				return fmt.Sprint(id, " ", ts), err
			}},
		{"directory", "GET /_matrix/federation/v1/query/directory?room_alias=%23x%3Aa", "", `{"room_id":"!r","servers":["a"]}`, `{!r [a]}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Directory(ctx, s, "#x:a") }},
		{"profile", "GET /_matrix/federation/v1/query/profile?field=displayname&user_id=%40u%3Aus", "", `{"displayname":"U"}`, `map[displayname:"U"]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.Profile(ctx, s, user, "displayname")
			}},
		{"devices", "GET /_matrix/federation/v1/user/devices/@u:us", "", `{"user_id":"@u:us","stream_id":5,"devices":[{"device_id":"D","keys":{}}]}`, `{@u:us 5 [{D  {}}] null null}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.UserDevices(ctx, s, user) }},
		{"keys/query", "POST /_matrix/federation/v1/user/keys/query", `{"device_keys":{"@u:us":[]}}`, `{"device_keys":{"@u:us":{"D":{}}}}`, `{map[@u:us:map[D:{}]] map[] map[]}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.QueryUserKeys(ctx, s, map[string][]string{user: nil})
			}},
		{"keys/claim", "POST /_matrix/federation/v1/user/keys/claim", `{"one_time_keys":{"@u:us":{"D":"signed_curve25519"}}}`, `{"one_time_keys":{"@u:us":{"D":{"k:1":{}}}}}`, `map[@u:us:map[D:map[k:1:{}]]]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.ClaimKeys(ctx, s, map[string]map[string]string{user: {"D": "signed_curve25519"}})
			}},
		{"hierarchy", "GET /_matrix/federation/v1/hierarchy/r?suggested_only=true", "", `{"room":{},"children":[{}],"inaccessible_children":["x"]}`, `{{} [{}] [x]}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.Hierarchy(ctx, s, "r", true) }},
		{"publicRooms", "POST /_matrix/federation/v1/publicRooms", `{"filter":{"generic_search_term":"x"},"limit":3}`, `{"chunk":[{}],"next_batch":"n","total_room_count_estimate":9}`, `{[{}] n  9}`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.PublicRooms(ctx, s, PublicRoomsQuery{Filter: jsontext.Value(`{"generic_search_term":"x"}`), Limit: 3})
			}},
		{"openid", "GET /_matrix/federation/v1/openid/userinfo?access_token=t%2B", "", `{"sub":"@u:us"}`, `@u:us`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.OpenIDUser(ctx, s, "t+") }},
		{"version", "GET /_matrix/federation/v1/version", "", `{"server":{"name":"N","version":"V"}}`, `N V`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				n, v, err := c.Version(ctx, s)
				return n + " " + v, err
			}},
		{"keys", "GET /_matrix/key/v2/server", "", `{"a":1}`, `{"a":1}`,
			func(ctx context.Context, c *Client, s string) (any, error) { return c.ServerKeys(ctx, s) }},
		{"notary", "POST /_matrix/key/v2/query", `{"a":1}`, `{"server_keys":[{"a":1}]}`, `[{"a":1}]`,
			func(ctx context.Context, c *Client, s string) (any, error) {
				return c.QueryKeys(ctx, s, map[string]int{"a": 1})
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, tc.answer) })
			c, _, _ := newClient(t, r)
			got, err := tc.call(t.Context(), c, r.name)
			request, body := r.last()
			if err != nil || request != tc.request || body != tc.body || fmt.Sprint(got) != tc.want {
				t.Errorf("sent  %s %s\nwant  %s %s\ngot   %v, %v\nwant  %s", request, body, tc.request, tc.body, got, err, tc.want)
			}
			if r.proto != "HTTP/2.0" {
				t.Errorf("spoken was %s", r.proto)
			}
		})
	}
}

// TestAnswers has answers that are errors, or not what was asked for.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		check  func(error) bool
		// backs off
		silent bool
	}{
		{"an errcode", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			io.WriteString(w, `{"errcode":"M_FORBIDDEN","error":"no"}`)
		}, func(err error) bool { return Is(err, "M_FORBIDDEN") }, false},
		{"500 with an errcode", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			io.WriteString(w, `{"errcode":"M_UNKNOWN"}`)
		}, func(err error) bool { return Is(err, "M_UNKNOWN") }, false},
		{"a proxy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
			func(err error) bool { var e *Error; return errors.As(err, &e) && e.Status == 502 }, true},
		{"too many", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(429)
			io.WriteString(w, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":60000}`)
		}, func(err error) bool {
			var e *Error
			return errors.As(err, &e) && e.RetryAfter == time.Minute
		}, true},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
			func(err error) bool { var e *Error; return errors.As(err, &e) && e.Status == 302 }, false},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"server":`) }, func(err error) bool { return err != nil }, false},
		{"another type", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"server":[]}`) }, func(err error) bool { return err != nil }, false},
		{"endless", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}, func(err error) bool { return errors.Is(err, errTooLong) }, false},
		{"broken off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, func(err error) bool { return err != nil }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRemote(t, tc.answer)
			c, _, _ := newClient(t, r)
			if _, _, err := c.Version(t.Context(), r.name); !tc.check(err) {
				t.Errorf("%v", err)
			}
			var b *BackoffError
			if err := c.o.Backoff.Check(t.Context(), r.name); errors.As(err, &b) != tc.silent {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestSilence follows a server that goes away and comes back.
func TestSilence(t *testing.T) {
	t.Parallel()
	var up atomic.Bool
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{}`)
	})
	c, clock, _ := newClient(t, r)
	var woken []string
	c.o.Backoff.OnWake(func(s string) { woken = append(woken, s) })
	ask := func(ctx context.Context) (tried bool, err error) {
		r.mu.Lock()
		before := len(r.requests)
		r.mu.Unlock()
		_, _, err = c.Version(ctx, r.name)
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.requests) > before, err
	}
	expect := func(when string, ctx context.Context, wantTried, wantErr bool) {
		t.Helper()
		if tried, err := ask(ctx); tried != wantTried || (err != nil) != wantErr {
			t.Errorf("%s: tried %t, %v", when, tried, err)
		}
	}
	expect("at first", t.Context(), true, true)
	expect("at once again", t.Context(), false, true)
	expect("urgent", Urgent(t.Context()), true, true)
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.Failures != 1 {
		t.Errorf("%d failures, want 1: what fails together counts once", s.Failures)
	}
	clock.pass(73 * time.Second)
	expect("after a minute", t.Context(), true, true)
	clock.pass(73 * time.Second)
	expect("after another", t.Context(), false, true)
	up.Store(true)
	clock.pass(73 * time.Second)
	expect("after two", t.Context(), true, false)
	expect("from then on", t.Context(), true, false)
	if !slices.Equal(woken, []string{r.name}) {
		t.Errorf("woken: %v", woken)
	}
	up.Store(false)
	for range 30 {
		clock.pass(30 * time.Hour)
		expect("every day", t.Context(), true, true)
	}
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.RetryTS > clock.time().Add(30*time.Hour).UnixMilli() {
		t.Errorf("the next attempt is in %v", time.UnixMilli(s.RetryTS).Sub(clock.time()))
	}
	expect("in between", t.Context(), false, true)
	up.Store(true)
	c.o.Backoff.Heard(t.Context(), r.name)
	expect("when it was heard", t.Context(), true, false)
	// Whoever gives up doesn't blame the server.
	ctx, cancel := context.WithCancel(t.Context())
	r.handler = func(_ http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() }
	if _, _, err := c.Version(ctx, r.name); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if s, _ := c.o.Backoff.State(t.Context(), r.name); s.Failures != 0 {
		t.Errorf("given up: %d failures", s.Failures)
	}
}

// TestConnections makes many calls over few connections, and none to a stranger.
func TestConnections(t *testing.T) {
	t.Parallel()
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) })
	c, _, dials := newClient(t, r)
	for range 5 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, _, err := c.Version(t.Context(), r.name); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	if n := dials.Load(); n > connsPerServer {
		t.Errorf("%d connections for 100 calls", n)
	}
	stranger := newRemote(t, r.handler)
	other, _, _ := newClient(t)
	if _, _, err := other.Version(t.Context(), stranger.name); err == nil || len(stranger.requests) != 0 {
		t.Errorf("a certificate by nobody: %v", err)
	}
	if _, _, err := c.Version(t.Context(), "us"); err == nil {
		t.Error("the server called itself")
	}
	if _, _, err := c.Version(t.Context(), "no name"); err == nil {
		t.Error("what is no name was called")
	}
	// The longest name there can be.
	long := strings.Repeat("a", 220) + ".org"
	if got := hostOf(long); strings.Contains(got, "..") || len(strings.Split(got, ".")[0]) > 63 {
		t.Errorf("%s", got)
	}
}

// TestStopped lets the callee end a long answer.
func TestStopped(t *testing.T) {
	t.Parallel()
	r := newRemote(t, func(w http.ResponseWriter, req *http.Request) {
		io.WriteString(w, `{"state":[`)
		for req.Context().Err() == nil {
			if _, err := io.WriteString(w, `{"a":1},`); err != nil {
				return
			}
		}
	})
	c, _, _ := newClient(t, r)
	enough, n := errors.New("enough"), 0
	_, err := c.SendJoin(t.Context(), r.name, "r", "$e", jsontext.Value(`{}`), false, func(Section, jsontext.Value) error {
		if n++; n == 1000 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

func TestMedia(t *testing.T) {
	t.Parallel()
	part := func(header, body string) string { return "\r\n--x\r\n" + header + "\r\n\r\n" + body }
	elsewhere := newRemote(t, func(w http.ResponseWriter, req *http.Request) {
		if req.Header.Get("Authorization") != "" {
			t.Error("elsewhere got an authorization")
		}
		w.Header().Set("Content-Type", "image/png")
		io.WriteString(w, "elsewhere")
	})
	for _, tc := range []struct {
		name, kind, answer, want string
		limit                    int64
	}{
		{"bytes", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain\r\nContent-Disposition: inline", "hello") + "\r\n--x--", "text/plain inline hello", 5},
		{"elsewhere", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: https://"+elsewhere.name+"/file", "") + "\r\n--x--", "image/png  elsewhere", 9},
		{"too long", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain", "hello") + "\r\n--x--", "", 4},
		{"too long elsewhere", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: https://"+elsewhere.name+"/file", "") + "\r\n--x--", "", 8},
		{"without https", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Location: http://"+elsewhere.name+"/file", "") + "\r\n--x--", "", 9},
		{"one part", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + "\r\n--x--", "", 9},
		{"broken off", "multipart/mixed; boundary=x", part("Content-Type: application/json", "{}") + part("Content-Type: text/plain", "hel"), "", 9},
		{"another type", "text/plain", "hello", "", 9},
	} {
		r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tc.kind)
			io.WriteString(w, tc.answer)
		})
		c, _, _ := newClient(t, r, elsewhere)
		got := ""
		err := c.Download(t.Context(), r.name, "id", time.Second, tc.limit, func(m Media, body io.Reader) error {
			raw, err := io.ReadAll(body)
			got = m.ContentType + " " + m.ContentDisposition + " " + string(raw)
			return err
		})
		if tc.want == "" && err == nil || tc.want != "" && (err != nil || got != tc.want) {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
		if request, _ := r.last(); request != "GET /_matrix/federation/v1/media/download/id?timeout_ms=1000" {
			t.Errorf("%s: %s", tc.name, request)
		}
	}
	r := newRemote(t, func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) })
	c, _, _ := newClient(t, r)
	if err := c.Thumbnail(t.Context(), r.name, "id", 32, 24, "crop", false, 10, nil); err == nil {
		t.Error("no error")
	}
	if request, _ := r.last(); request != "GET /_matrix/federation/v1/media/thumbnail/id?animated=false&height=24&method=crop&width=32" {
		t.Error(request)
	}
}

func FuzzStream(f *testing.F) {
	f.Add(`{"state":[{"a":1}],"auth_chain":[],"servers_in_room":["a"],"members_omitted":true,"event":{}}`)
	f.Fuzz(func(t *testing.T, s string) {
		j := Joined{}
		each := Each(func(_ Section, raw jsontext.Value) error {
			if !raw.IsValid() {
				t.Errorf("%q is not JSON", raw)
			}
			return nil
		})
		_ = fields{"event": into(&j.Event), "members_omitted": into(&j.MembersOmitted), "servers_in_room": texts(&j.ServersInRoom, 3),
			"state": each.list(SectionState), "auth_chain": each.list(SectionAuth)}.read(nil, strings.NewReader(s))
		if len(j.ServersInRoom) > 3 {
			t.Error("too many servers")
		}
	})
}
