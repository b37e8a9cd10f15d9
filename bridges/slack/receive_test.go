package slack

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
)

// taker is a receiver that remembers.
type taker struct {
	ids  []string
	fail bool
}

func (r *taker) receive(_ context.Context, _, id string, _ json.RawMessage) error {
	if r.fail {
		return errors.New("disk full")
	}
	r.ids = append(r.ids, id)
	return nil
}
func (r *taker) connected()         {}
func (r *taker) disconnected(error) {}
func (r *taker) several(bool)       {}

func TestWebhook(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const event = `{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`
	for _, c := range []struct {
		name, body string
		change     func(*http.Request)
		fail       bool
		status     int
		taken      int
	}{
		{"an event", event, nil, false, 200, 1},
		{"a challenge", `{"type":"url_verification","challenge":"abc"}`, nil, false, 200, 0},
		{"something new", `{"type":"app_rate_limited"}`, nil, false, 200, 0},
		{"no signature", event, func(r *http.Request) { r.Header.Del("X-Slack-Signature") }, false, 401, 0},
		{"another's signature", event, func(r *http.Request) { r.Header.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64)) }, false, 401, 0},
		{"no time", event, func(r *http.Request) { r.Header.Del("X-Slack-Request-Timestamp") }, false, 401, 0},
		{"a replay", event, func(r *http.Request) { slacktest.Sign(r, []byte(event), now.Add(-6*time.Minute)) }, false, 401, 0},
		{"from the future", event, func(r *http.Request) { slacktest.Sign(r, []byte(event), now.Add(6*time.Minute)) }, false, 401, 0},
		{"not stored", event, nil, true, 503, 0},
		{"no JSON", `{`, nil, false, 400, 0},
		{"no id", `{"type":"event_callback","event":{}}`, nil, false, 400, 0},
		{"GET", event, func(r *http.Request) { r.Method = http.MethodGet }, false, 405, 0},
		{"too large", strings.Repeat(" ", maxEvent+1), nil, false, 413, 0},
	} {
		to := &taker{fail: c.fail}
		h := &webhook{secrets: func() []string { return []string{"another", slacktest.SigningSecret} }, to: func(string) receiver { return to }, log: slog.New(slog.DiscardHandler), now: func() time.Time { return now }}
		r := httptest.NewRequest(http.MethodPost, "/slack/events", strings.NewReader(c.body))
		slacktest.Sign(r, []byte(c.body), now)
		if c.change != nil {
			c.change(r)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		if rec.Code != c.status || len(to.ids) != c.taken {
			t.Errorf("%s: %d, %d taken", c.name, rec.Code, len(to.ids))
		}
		if c.name == "a challenge" && rec.Body.String() != "abc" {
			t.Errorf("the answer to the challenge is %q", rec.Body)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	id := messageID("C012AB", "1700000000.000100")
	if id != "c012ab/1700000000.000100" || tsOf(id) != "1700000000.000100" || tsOf(id+"~2") != "1700000000.000100" || tsOf(pendingID("$x")) != "" {
		t.Errorf("message ids: %s", id)
	}
	if channelOf(channelKey("C012AB")) != "C012AB" || channelOf(spaceKey("acme")) != "" {
		t.Error("channels")
	}
	if slackID(ghostID("U9Z")) != "U9Z" || slackID("b1.abcd") != "B1" {
		t.Error("ghosts")
	}
	for _, ts := range []string{"1700000000.000100", "1700000000.999999", "1.000000"} {
		if got := timeTS(tsTime(ts)); got != ts {
			t.Errorf("%s became %s", ts, got)
		}
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{`{"original_w":360}`: 360, `{"original_w":"360"}`: 360, `{"original_w":null}`: 0, `{"original_w":""}`: 0, `{"original_w":"x"}`: 0, `{"original_w":3.5}`: 0} {
		var f file
		if err := json.Unmarshal([]byte(in), &f); err != nil || int(f.Width) != want {
			t.Errorf("%s is %d, %v", in, f.Width, err)
		}
	}
}
