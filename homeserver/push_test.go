package homeserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

// startRunning is start with a server that runs, as opt wants it. stop ends and closes it.
func startRunning(t testing.TB, dir string, opt func(*Options)) (h *hs, stop func()) {
	t.Helper()
	o := Options{Name: "test", PublicURL: "http://test", Dir: dir, Database: filepath.Join(dir, "hs.db"), Media: MediaOptions{Dir: filepath.Join(dir, "media")},
		Settings: client.Settings{OpenRegistration: true, MaxBody: 1 << 20, SyncTimeout: time.Minute},
		Push:     PushOptions{AllowLoopback: true, Backoff: time.Millisecond}, Log: slog.New(slog.DiscardHandler)}
	if opt != nil {
		opt(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	srv := httptest.NewServer(s.Client())
	tr := &http.Transport{}
	stop = sync.OnceFunc(func() {
		tr.CloseIdleConnections()
		srv.Close()
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &hs{TB: t, Server: s, url: srv.URL, http: &http.Client{Transport: tr}}, stop
}

// gateway is a push gateway.
type gateway struct {
	*httptest.Server
	got    chan map[string]any
	mu     sync.Mutex
	fail   int
	reject []string
}

func newGateway(t testing.TB) *gateway {
	g := &gateway{got: make(chan map[string]any, 100)}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.fail > 0 {
			g.fail--
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var body struct {
			Notification map[string]any `json:"notification"`
		}
		raw, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(raw, &body)
		}
		if err != nil || r.URL.Path != "/_matrix/push/v1/notify" {
			t.Errorf("%s: %s, %v", r.URL, raw, err)
		}
		g.got <- body.Notification
		fmt.Fprintf(w, `{"rejected":[%s]}`, strings.Join(g.reject, ","))
	}))
	t.Cleanup(g.Close)
	return g
}

// next waits for a notification.
func (g *gateway) next(t testing.TB) map[string]any {
	t.Helper()
	select {
	case n := <-g.got:
		return n
	case <-time.After(30 * time.Second):
		t.Fatal("no notification came")
		return nil
	}
}

// pusher sets a pusher; extra is what data has besides the url.
func (g *gateway) pusher(h *hs, token, pushkey string, extra map[string]any) {
	h.Helper()
	data := map[string]any{"url": g.URL + "/_matrix/push/v1/notify"}
	for k, v := range extra {
		data[k] = v
	}
	h.must(token, "POST", "/v3/pushers/set", map[string]any{"kind": "http", "app_id": "im.app", "pushkey": pushkey, "app_display_name": "App",
		"device_display_name": "Phone", "lang": "en", "data": data, "append": true}, nil)
}

func (h *hs) pusherList(token string) []map[string]any {
	h.Helper()
	var out struct{ Pushers []map[string]any }
	h.must(token, "GET", "/v3/pushers", nil, &out)
	return out.Pushers
}

// dig reads a value out of JSON.
func dig(v any, keys ...any) any {
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			l, _ := v.([]any)
			if k >= len(l) {
				return nil
			}
			v = l[k]
		}
	}
	return v
}

func TestPush(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h, stop := startRunning(t, dir, nil)
	g := newGateway(t)
	alice, bob := h.user("alice"), h.user("bob")
	h.must(alice, "PUT", "/v3/profile/@alice:test/displayname", map[string]string{"displayname": "Alice"}, nil)
	g.pusher(h, bob, "one", map[string]any{"brand": "x"})
	room := h.room(alice, map[string]any{"name": "Talk", "invite": []string{"@bob:test"}})
	n := g.next(t)
	if dig(n, "type") != "m.room.member" || dig(n, "user_is_target") != true || dig(n, "counts", "unread") != 1.0 || dig(n, "content", "membership") != "invite" {
		t.Errorf("the invitation: %v", n)
	}
	h.must(bob, "POST", "/v3/rooms/"+room+"/join", nil, nil)
	if n = g.next(t); dig(n, "event_id") != nil || dig(n, "counts", "unread") != 0.0 {
		t.Errorf("having joined: %v", n)
	}
	first := h.tell(alice, room, "hello", nil)
	n = g.next(t)
	want := map[string]any{"event_id": first, "id": first, "room_id": room, "type": "m.room.message", "sender": "@alice:test", "sender_display_name": "Alice", "room_name": "Talk",
		"prio": "high", "content": map[string]any{"msgtype": "m.text", "body": "hello"}, "counts": map[string]any{"unread": 1.0}}
	devices := n["devices"].([]any)
	delete(n, "devices")
	if !reflect.DeepEqual(n, want) {
		t.Errorf("the message: %v", n)
	}
	if d := devices[0]; dig(d, "app_id") != "im.app" || dig(d, "pushkey") != "one" || dig(d, "tweaks", "sound") != "default" ||
		dig(d, "data", "brand") != "x" || dig(d, "data", "url") != nil || dig(d, "pushkey_ts") == nil {
		t.Errorf("the device: %v", d)
	}
	h.must(bob, "POST", "/v3/rooms/"+room+"/receipt/m.read/"+first, nil, nil)
	if n = g.next(t); dig(n, "event_id") != nil || dig(n, "counts", "unread") != 0.0 {
		t.Errorf("having read: %v", n)
	}
	// Own messages notify nobody, and a reaction doesn't; what comes next is the next message,
	// after the gateway has failed a few times.
	h.tell(bob, room, "mine", nil)
	g.mu.Lock()
	g.fail = 5
	g.mu.Unlock()
	second := h.tell(alice, room, "again", nil)
	if n = g.next(t); dig(n, "event_id") != second {
		t.Errorf("after failures: %v, want %s", n, second)
	}
	// What happens while the server is stopping, or the gateway is away, is told after the start,
	// and nothing twice.
	g.mu.Lock()
	g.fail = 1 << 30
	g.mu.Unlock()
	third := h.tell(alice, room, "while away", nil)
	stop()
	g.mu.Lock()
	g.fail = 0
	g.mu.Unlock()
	h, _ = startRunning(t, dir, nil)
	if n = g.next(t); dig(n, "event_id") != third || dig(n, "counts", "unread") != 2.0 {
		t.Errorf("after the restart: %v, want %s", n, third)
	}
	// Rejected keys go.
	g.mu.Lock()
	g.reject = []string{`"one"`}
	g.mu.Unlock()
	h.tell(alice, room, "rejected", nil)
	g.next(t)
	for end := time.Now().Add(30 * time.Second); len(h.pusherList(bob)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the rejected pusher is still there")
		}
	}
	g.mu.Lock()
	g.reject = nil
	g.mu.Unlock()
	// Ids only.
	g.pusher(h, bob, "two", map[string]any{"format": "event_id_only"})
	last := h.tell(alice, room, "secret", nil)
	n = g.next(t)
	if dig(n, "event_id") != last || dig(n, "room_id") != room || n["content"] != nil || n["sender"] != nil || n["type"] != nil || n["room_name"] != nil ||
		dig(n, "devices", 0, "data", "format") != "event_id_only" {
		t.Errorf("ids only: %v", n)
	}
	select {
	case n := <-g.got:
		t.Errorf("one too many: %v", n)
	default:
	}
}

func TestPushers(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	set := func(token string, change map[string]any) int {
		body := map[string]any{"kind": "http", "app_id": "im.app", "pushkey": "key", "app_display_name": "App", "device_display_name": "Phone", "lang": "en",
			"data": map[string]any{"url": "https://push.example/_matrix/push/v1/notify", "format": "event_id_only"}}
		for k, v := range change {
			if v == "absent" {
				delete(body, k)
			} else {
				body[k] = v
			}
		}
		return h.call(token, "POST", "/v3/pushers/set", body, nil)
	}
	url := func(s string) map[string]any { return map[string]any{"data": map[string]any{"url": s}} }
	for name, change := range map[string]map[string]any{
		"no kind": {"kind": "absent"}, "no app": {"app_id": "absent"}, "no key": {"pushkey": "absent"}, "no name": {"app_display_name": "absent"},
		"no device": {"device_display_name": "absent"}, "no lang": {"lang": "absent"}, "no data": {"data": "absent"}, "data is text": {"data": "x"},
		"no url": {"data": map[string]any{}}, "plain http": url("http://push.example/_matrix/push/v1/notify"), "other path": url("https://push.example/notify"),
		"no host": url("https:///_matrix/push/v1/notify"), "a user": url("https://a:b@push.example/_matrix/push/v1/notify"), "no url at all": url("push"),
		"unknown kind": {"kind": "pigeon"}, "kind is a number": {"kind": 3}, "long key": {"pushkey": strings.Repeat("k", 513)}, "long app": {"app_id": strings.Repeat("a", 65)},
		"e-mail without mail": {"kind": "email", "app_id": "m.email", "pushkey": "a@b.c"},
	} {
		if status := set(alice, change); status != 400 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if list := h.pusherList(alice); len(list) != 0 {
		t.Errorf("refused pushers are there: %v", list)
	}
	if status := set(alice, map[string]any{"profile_tag": "t", "pushkey": strings.Repeat("k", 512), "app_id": strings.Repeat("ä", 64)}); status != 200 {
		t.Errorf("the longest: %d", status)
	}
	set(alice, map[string]any{"lang": "de"})
	set(alice, nil) // changes the one before
	list := h.pusherList(alice)
	want := map[string]any{"kind": "http", "app_id": "im.app", "pushkey": "key", "app_display_name": "App", "device_display_name": "Phone", "lang": "en", "profile_tag": "",
		"data": map[string]any{"url": "https://push.example/_matrix/push/v1/notify", "format": "event_id_only"}}
	if len(list) != 2 || !reflect.DeepEqual(list[0], want) {
		t.Errorf("%v", list)
	}
	set(bob, map[string]any{"append": true})
	if len(h.pusherList(alice)) != 2 || len(h.pusherList(bob)) != 1 {
		t.Error("append removed another's")
	}
	set(bob, nil)
	if len(h.pusherList(alice)) != 1 || len(h.pusherList(bob)) != 1 {
		t.Error("without append another's stays")
	}
	if status := h.call(bob, "POST", "/v3/pushers/set", map[string]any{"kind": nil, "app_id": "im.app", "pushkey": "key"}, nil); status != 200 || len(h.pusherList(bob)) != 0 {
		t.Errorf("deleting: %d", status)
	}
	// Pushers go with their devices.
	var phone struct {
		Token string `json:"access_token"`
	}
	login := map[string]any{"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": "bob"}, "password": "long enough"}
	h.must("", "POST", "/v3/login", login, &phone)
	set(phone.Token, map[string]any{"pushkey": "phone"})
	set(bob, map[string]any{"pushkey": "desk"})
	h.must(bob, "POST", "/v3/account/password", map[string]any{"new_password": "even longer", "auth": map[string]any{"type": "m.login.password",
		"identifier": map[string]string{"type": "m.id.user", "user": "bob"}, "password": "long enough"}}, nil)
	if list := h.pusherList(bob); len(list) != 1 || list[0]["pushkey"] != "desk" {
		t.Errorf("after the change of the password: %v", list)
	}
	login["password"] = "even longer"
	h.must("", "POST", "/v3/login", login, &phone)
	set(phone.Token, map[string]any{"pushkey": "phone"})
	h.must(phone.Token, "POST", "/v3/logout", nil, nil)
	if list := h.pusherList(bob); len(list) != 1 {
		t.Errorf("after the logout: %v", list)
	}
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	h := start(t)
	alice, bob := h.user("alice"), h.user("bob")
	one, two := h.room(alice, map[string]any{"preset": "public_chat"}), h.room(alice, map[string]any{"preset": "public_chat"})
	h.tell(alice, one, "before", nil)
	for _, r := range []string{one, two} {
		h.must(bob, "POST", "/v3/rooms/"+r+"/join", nil, nil)
	}
	var ids []string
	for i := range 7 {
		more := map[string]any{}
		if i == 2 {
			more["m.mentions"] = map[string]any{"user_ids": []string{"@bob:test"}}
		}
		ids = append(ids, h.tell(alice, []string{one, two}[i%2], fmt.Sprint(i), more))
	}
	h.must(bob, "POST", "/v3/rooms/"+one+"/receipt/m.read.private/"+ids[4], nil, nil)
	gone := h.tell(alice, one, "gone", nil)
	h.must(alice, "PUT", "/v3/rooms/"+one+"/redact/"+gone+"/1", nil, nil)
	invited := h.room(alice, map[string]any{"invite": []string{"@bob:test"}})
	type list struct {
		Next          string `json:"next_token"`
		Notifications []struct {
			Actions []any
			Event   struct {
				ID     string `json:"event_id"`
				Type   string
				RoomID string `json:"room_id"`
			}
			Read   bool
			RoomID string `json:"room_id"`
			TS     int64
		}
	}
	var got, read []string
	from := ""
	for page := 0; ; page++ {
		var l list
		h.must(bob, "GET", "/v3/notifications?limit=3"+from, nil, &l)
		if len(l.Notifications) > 3 || page > 5 {
			t.Fatalf("page %d: %+v", page, l)
		}
		for _, n := range l.Notifications {
			if n.RoomID == invited {
				if n.Event.Type != "m.room.member" || n.Read || len(got) > 0 {
					t.Errorf("the invitation: %+v", n)
				}
				continue
			}
			if n.Event.RoomID != "" || n.TS == 0 || len(n.Actions) == 0 {
				t.Errorf("%+v", n)
			}
			got = append(got, n.Event.ID)
			if n.Read {
				read = append(read, n.Event.ID)
			}
		}
		if l.Next == "" {
			break
		}
		from = "&from=" + l.Next
	}
	want := slices.Clone(ids)
	slices.Reverse(want)
	if !slices.Equal(got, want) || !slices.Equal(read, []string{ids[4], ids[2], ids[0]}) {
		t.Errorf("got %v, read %v, sent %v", got, read, ids)
	}
	var l list
	h.must(bob, "GET", "/v3/notifications?only=highlight", nil, &l)
	if len(l.Notifications) != 1 || l.Notifications[0].Event.ID != ids[2] || l.Next != "" {
		t.Errorf("highlights: %+v", l)
	}
	for _, q := range []string{"limit=0", "limit=x", "from=x", "from=-1"} {
		if status := h.call(bob, "GET", "/v3/notifications?"+q, nil, nil); status != 400 {
			t.Errorf("%s: %d", q, status)
		}
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	h, _ := startRunning(t, t.TempDir(), func(o *Options) {
		o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
		o.VoIP = client.VoIP{TURNURIs: []string{"turn:t.example"}, TURNSecret: "secret", TURNLifetime: time.Hour, LiveKitURLs: []string{"https://rtc.example"}}
	})
	alice := h.user("alice")
	var turn map[string]any
	h.must(alice, "GET", "/v3/voip/turnServer", nil, &turn)
	// By another implementation of HMAC.
	want := map[string]any{"username": "1700003600:@alice:test", "password": "b90SXZ3KfbuvykTP0VfVjOkFpOo=", "uris": []any{"turn:t.example"}, "ttl": 3600.0}
	if !reflect.DeepEqual(turn, want) {
		t.Errorf("%v", turn)
	}
	for _, path := range []string{"/unstable/org.matrix.msc4143/rtc/transports", "/v1/rtc/transports"} {
		var rtc any
		h.must(alice, "GET", path, nil, &rtc)
		if dig(rtc, "rtc_transports", 0, "type") != "livekit" || dig(rtc, "rtc_transports", 0, "livekit_service_url") != "https://rtc.example" {
			t.Errorf("%s: %v", path, rtc)
		}
		if status := h.call("", "GET", path, nil, nil); status != 401 {
			t.Errorf("%s without a token: %d", path, status)
		}
	}
	res, err := h.http.Get(h.url + "/.well-known/matrix/client")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var known any
	if err := json.NewDecoder(res.Body).Decode(&known); err != nil || dig(known, "org.matrix.msc4143.rtc_foci", 0, "type") != "livekit" ||
		dig(known, "org.matrix.msc4143.rtc_foci", 0, "livekit_service_url") != "https://rtc.example" || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%v %v %v", known, res.Header, err)
	}
	if status := h.call("", "GET", "/v3/voip/turnServer", nil, nil); status != 401 {
		t.Errorf("without a token: %d", status)
	}
}
