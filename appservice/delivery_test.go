package appservice_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/internal/inproc"
)

// A portal that hangs holds up neither the homeserver nor the other portals, and
// its event counts as handled only when its effects are in the database.
func TestSlowPortal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := make(chan struct{})
	r.net.OnSend = func(ctx context.Context, sent appservicetest.Sent) error {
		if sent.Channel == "slow" {
			select {
			case <-release:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}
	r.add(r.host, echo("slow", "fast"))
	r.start(r.host, "echo")
	slow, fast := r.room("slow"), r.room("fast")
	r.wait("the joins", func() bool { return r.host.Status()[0].Waiting == 0 })

	var first id.EventID
	for i := range 5 {
		evt := r.hs.SendText(slow, alice, fmt.Sprint("slow ", i))
		if i == 0 {
			first = evt
		}
	}
	for i := range 200 {
		r.hs.SendText(fast, alice, fmt.Sprint("fast ", i))
	}
	for i, sent := range r.waitSent(200) {
		if want := fmt.Sprint("fast ", i); sent.Body != want {
			t.Fatalf("sent %q, want %q", sent.Body, want)
		}
	}
	r.wait("the fast room's marks", func() bool { return r.host.Status()[0].Waiting == 5 })
	if n := r.hs.Failures("echo"); n != 0 {
		t.Errorf("%d deliveries were refused", n)
	}
	br := r.host.Bridge("echo")
	if msg, err := br.DB.Message.GetPartByMXID(r.ctx, first); err != nil || msg != nil {
		t.Errorf("the event that hangs is in the database: %v, %v", msg, err)
	}
	close(release)
	r.wait("the slow room's marks", func() bool { return r.host.Status()[0].Waiting == 0 })
	if msg, err := br.DB.Message.GetPartByMXID(r.ctx, first); err != nil || msg == nil {
		t.Errorf("the event is marked as handled and not in the database: %v", err)
	}
	for i, sent := range r.waitSent(205)[200:] {
		if want := fmt.Sprint("slow ", i); sent.Body != want {
			t.Errorf("sent %q, want %q", sent.Body, want)
		}
	}
}

// put makes one request to an instance's handler.
func put(t *testing.T, host *appservice.Host, method, path, token, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://service"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := inproc.Transport(host.Handler("echo")).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	reg, err := r.host.Registration("echo")
	if err != nil {
		t.Fatal(err)
	}
	const txns = "/_matrix/app/v1/transactions/"
	good := `{"events":[]}`
	if status, _ := put(t, r.host, "PUT", txns+"1", reg.HSToken, good); status != http.StatusServiceUnavailable {
		t.Errorf("a stopped bridge answers %d", status)
	}
	r.start(r.host, "echo")
	r.wait("the start's events", func() bool { return r.host.Status()[0].Waiting == 0 })
	room := r.room("lobby")
	evt := func(fields string) string { return `{"events":[{` + fields + `}]}` }
	for name, tc := range map[string]struct {
		method, path, token, body string
		status                    int
		want                      string
	}{
		"no token":      {"PUT", txns + "1", "", good, 401, "M_MISSING_TOKEN"},
		"wrong token":   {"PUT", txns + "1", "x" + reg.HSToken, good, 403, "M_FORBIDDEN"},
		"as_token":      {"PUT", txns + "1", reg.ASToken, good, 403, "M_FORBIDDEN"},
		"not JSON":      {"PUT", txns + "1", reg.HSToken, `{"events":`, 400, "M_NOT_JSON"},
		"empty":         {"PUT", txns + "1", reg.HSToken, ``, 400, "M_NOT_JSON"},
		"null":          {"PUT", txns + "1", reg.HSToken, `null`, 400, "M_BAD_JSON"},
		"list":          {"PUT", txns + "1", reg.HSToken, `[]`, 400, "M_BAD_JSON"},
		"event a list":  {"PUT", txns + "1", reg.HSToken, `{"events":[[]]}`, 400, "events[0]"},
		"no event id":   {"PUT", txns + "1", reg.HSToken, evt(`"type":"x","room_id":"!a:b"`), 400, "events[0]: room_id and event_id"},
		"no room":       {"PUT", txns + "1", reg.HSToken, evt(`"type":"x","event_id":"$a"`), 400, "events[0]: room_id and event_id"},
		"no type":       {"PUT", txns + "1", reg.HSToken, evt(`"room_id":"!a:b","event_id":"$a"`), 400, "events[0]: type"},
		"to-device":     {"PUT", txns + "1", reg.HSToken, `{"to_device":[{"sender":"@a:b"}]}`, 400, "to_device[0]: type"},
		"long txn":      {"PUT", txns + strings.Repeat("x", 2000), reg.HSToken, good, 400, "M_INVALID_PARAM"},
		"unknown":       {"GET", "/_matrix/app/v1/thirdparty/x", reg.HSToken, "", 404, "M_UNRECOGNIZED"},
		"unknown user":  {"GET", "/_matrix/app/v1/users/@echo_x:y", reg.HSToken, "", 404, "M_NOT_FOUND"},
		"unknown alias": {"GET", "/_matrix/app/v1/rooms/%23echo_x:y", reg.HSToken, "", 404, "M_NOT_FOUND"},
		"ping":          {"POST", "/_matrix/app/v1/ping", reg.HSToken, `{"transaction_id":"x"}`, 200, "{}"},
		"odd content": {"PUT", txns + "odd", reg.HSToken, fmt.Sprintf(`{"events":[{"type":"m.room.message","room_id":%q,"event_id":"$odd","sender":%q,"content":{"body":[]}},
			{"type":"m.room.member","room_id":%q,"event_id":"$odd2","sender":"","state_key":"","content":{}},
			{"type":"m.room.message","room_id":"!nowhere:x","event_id":"$odd3","sender":"@a:b","content":{"msgtype":"m.text","body":"hi"}},
			{"type":"m.room.create","room_id":%q,"event_id":"$odd4","sender":5,"state_key":"","content":7}],
			"ephemeral":[{"type":"m.typing","room_id":%q,"content":{"user_ids":[%q]}},{"type":"m.receipt","room_id":%q,"content":{"$x":{"m.read":{%q:{"ts":1}}}}},{"type":"m.presence","content":{}}],
			"to_device":[{"type":"m.room.encrypted","sender":"@a:b","content":{}}],"device_lists":{"changed":["@a:b"]}}`, room, alice, room, room, room, alice, room, alice), 200, "{}"},
	} {
		status, body := put(t, r.host, tc.method, tc.path, tc.token, tc.body)
		if status != tc.status || !strings.Contains(body, tc.want) {
			t.Errorf("%s: %d %s, want %d and %q", name, status, body, tc.status, tc.want)
		}
	}
	r.wait("the odd events to be handled", func() bool { return r.host.Status()[0].Waiting == 0 })
	// None of it is in the way of what follows; and a repetition is recognised
	// by its transaction and by its events, also by a homeserver that numbers its transactions anew.
	msg := func(evt, text string) string {
		return fmt.Sprintf(`{"events":[{"type":"m.room.message","room_id":%q,"event_id":%q,"sender":%q,"content":{"msgtype":"m.text","body":%q}}]}`, room, evt, alice, text)
	}
	for _, tc := range [][3]string{{"t1", "$m1", "one"}, {"t1", "$m1", "one"}, {"t1", "$m1b", "another one"}, {"t1", "$m1b", "another one"}, {"t2", "$m1", "one"}, {"t3", "$m2", "two"}} {
		if status, body := put(t, r.host, "PUT", txns+tc[0], reg.HSToken, msg(tc[1], tc[2])); status != 200 {
			t.Errorf("%v: %d %s", tc, status, body)
		}
	}
	r.waitSent(3)
	r.wait("the marks", func() bool { return r.host.Status()[0].Waiting == 0 })
	if sent := r.waitSent(3); len(sent) != 3 || sent[0].Body != "one" || sent[1].Body != "another one" || sent[2].Body != "two" {
		t.Errorf("sent %+v", sent)
	}
}

// When too much waits, the homeserver is asked to come again, and nothing is
// lost.
func TestFullInbox(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	release := make(chan struct{})
	r.net.OnSend = func(ctx context.Context, _ appservicetest.Sent) error {
		select {
		case <-release:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	reg := prometheus.NewRegistry()
	host, err := appservice.New(appservice.Options{Dir: t.TempDir(), Log: testLog(t), Modules: []appservice.Module{r.net.Module()}, MaxPending: 5, Metrics: reg,
		Homeserver: appservice.Homeserver{URL: "http://homeserver", Domain: domain, Transport: inproc.Transport(r.hs)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.StopAll)
	r.add(host, echo("lobby"))
	r.start(host, "echo")
	room := r.room("lobby")
	r.wait("the joins", func() bool { return host.Status()[0].Waiting == 0 })
	before := r.hs.Failures("echo")
	for i := range 100 {
		r.hs.SendText(room, alice, fmt.Sprint(i))
		if i == 0 {
			r.wait("the first one to be under way", func() bool { return host.Status()[0].Waiting > 0 })
		}
	}
	r.wait("a refusal", func() bool { return r.hs.Failures("echo") > before })
	close(release)
	for i, sent := range r.waitSent(100) {
		if sent.Body != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, sent.Body)
		}
	}
	r.wait("the marks", func() bool { return host.Status()[0].Waiting == 0 })

	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			name := f.GetName()
			for _, l := range m.Label {
				if l.GetName() != "bridge" && l.GetName() != "module" && l.GetName() != "login" {
					name += " " + l.GetValue()
				}
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{"landbridge_bridge_up": 1, "landbridge_bridge_inbox_items": 0, "landbridge_bridge_login_connected": 1, "landbridge_bridge_events_total to_remote ok": 100} {
		if got[name] != want {
			t.Errorf("%s = %v, want %v", name, got[name], want)
		}
	}
	if got["landbridge_bridge_event_seconds"] < 100 || got["landbridge_bridge_homeserver_requests_total 200"] == 0 {
		t.Errorf("metrics: %v", got)
	}
}

// Commands and the bot's own rooms go the same way.
func TestCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	cfg := echo("lobby")
	cfg.Permissions = map[string]string{"*": "relay", string(alice): "admin"}
	r.add(r.host, cfg)
	r.start(r.host, "echo")
	room := r.room("lobby")
	r.hs.SendText(room, alice, "!echo help")
	r.wait("the bot's answer", func() bool {
		for _, e := range r.hs.Events(room, "m.room.message") {
			if e.Sender == "@echobot:test.example" && strings.Contains(e.Get("body"), "discard-megolm-session") {
				return true
			}
		}
		return false
	})
	r.hs.SendText(room, alice, "!echo discard-megolm-session")
	r.wait("the bot's second answer", func() bool {
		for _, e := range r.hs.Events(room, "m.room.message") {
			if e.Sender == "@echobot:test.example" && strings.Contains(e.Get("body"), "does not take part in encrypted rooms") {
				return true
			}
		}
		return false
	})
	r.hs.SendText(room, alice, "and on")
	if sent := r.waitSent(1); sent[0].Body != "and on" {
		t.Errorf("sent %+v", sent)
	}
}

func FuzzTransaction(f *testing.F) {
	r := newRig(f)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	reg, err := r.host.Registration("echo")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"events":[{"type":"m.room.message","room_id":"!a:b","event_id":"$a","sender":"@a:b","content":{"msgtype":"m.text","body":"x"}}]}`))
	f.Add([]byte(`{"events":[{"type":"m.room.member","state_key":"@echobot:test.example","room_id":"!a:b","event_id":"$b","sender":"@a:b","content":{"membership":"invite"}}],"ephemeral":[{"type":"m.typing","room_id":"!a:b"}]}`))
	f.Add([]byte(`{"to_device":[{"type":"m.room.encrypted"}],"device_lists":{"changed":[]},"device_one_time_keys_count":{"@a:b":{"D":{}}}}`))
	handler, n := r.host.Handler("echo"), 0
	f.Fuzz(func(t *testing.T, body []byte) {
		n++
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, fmt.Sprintf("http://x/_matrix/app/v1/transactions/f%d", n), bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+reg.HSToken)
		resp, err := inproc.Transport(handler).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK != (json.Valid(body) && resp.StatusCode != http.StatusBadRequest) || resp.StatusCode >= 500 {
			t.Errorf("status %d for %q", resp.StatusCode, body)
		}
	})
}
