package registrations

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// good is a registration without fault, for one user namespace.
func good(id, url string) string {
	return fmt.Sprintf(`id: %[1]s
url: %[2]s
as_token: %[3]s
hs_token: %[4]s
sender_localpart: %[1]sbot
rate_limited: false
namespaces:
  users:
    - regex: "@%[1]s_.*:test"
      exclusive: true
  aliases:
    - regex: "#%[1]s_.*:test"
      exclusive: true
`, id, url, token("as", id), token("hs", id))
}

// token is a token of a registration, as random as a real one looks.
func token(kind, id string) string {
	sum := sha256.Sum256([]byte(kind + id))
	return hex.EncodeToString(sum[:])
}

func replace(text, old, with string) string {
	if !strings.Contains(text, old) {
		panic("nothing to replace: " + old)
	}
	return strings.Replace(text, old, with, 1)
}

type mistake struct {
	name, text string
	line       int // that the message must name; 0 for none
	says       []string
}

// mistakes are files that must be refused, each with what the log must say about it.
var mistakes = []mistake{
	{"01-no-yaml", "id: [unclosed\nurl: x", 1, []string{"YAML"}},
	{"02-missing-key", replace(good("m02", "http://127.0.0.1:9"), "hs_token: "+token("hs", "m02")+"\n", ""), 0, []string{"hs_token", "missing"}},
	{"03-bad-regex", replace(good("m03", "http://127.0.0.1:9"), "@m03_.*:test", "@m03_(.*:test"), 9, []string{"regex"}},
	{"04-lookahead", replace(good("m04", "http://127.0.0.1:9"), "@m04_.*:test", "@(?!admin)m04_.*"), 9, []string{"regex"}},
	{"05-same-id", replace(good("m05", "http://127.0.0.1:9"), "id: m05", "id: aaa"), 1, []string{"aaa"}},
	{"06-same-token", replace(good("m06", "http://127.0.0.1:9"), token("as", "m06"), token("as", "aaa")), 3, []string{"as_token"}},
	{"07-overlap", replace(good("m07", "http://127.0.0.1:9"), "@m07_.*:test", "@aaa_b.*:test"), 9, []string{"aaa"}},
	{"08-bad-url", good("m08", "not a url"), 2, []string{"url"}},
	{"09-wrong-type", replace(good("m09", "http://127.0.0.1:9"), "rate_limited: false", "rate_limited: perhaps"), 6, []string{"rate_limited", "perhaps"}},
	{"10-key-twice", good("m10", "http://127.0.0.1:9") + "id: other\n", 14, []string{"id", "twice"}},
	{"11-bad-sender", replace(good("m11", "http://127.0.0.1:9"), "m11bot", "\"@M11 bot\""), 5, []string{"sender_localpart"}},
	{"12-empty", "", 0, []string{"empty"}},
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	// In one step, as editors and configuration tools do.
	tmp := filepath.Join(dir, "."+name+".tmp")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	as := newReceiver(t, token("hs", "aaa"))
	write(t, dir, "00-good.yaml", good("aaa", as.URL))
	for _, m := range mistakes {
		write(t, dir, m.name+".yaml", m.text)
	}
	s := testserver.New(t, testserver.Options{Registrations: []string{dir}})
	log := s.Log()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			var about []string
			for line := range strings.Lines(log) {
				if strings.Contains(line, m.name+".yaml") {
					about = append(about, line)
				}
			}
			place := m.name + ".yaml"
			if m.line > 0 {
				place = fmt.Sprintf("%s:%d", place, m.line)
			}
			if m.line > 0 && len(about) != 1 {
				t.Errorf("the log says it %d times", len(about))
			}
			for _, line := range about {
				ok := strings.Contains(line, place)
				for _, w := range m.says {
					ok = ok && strings.Contains(line, w)
				}
				if ok {
					return
				}
			}
			t.Errorf("no line of the log names %s and says %q; about the file there is\n%s", place, m.says, strings.Join(about, ""))
		})
	}
	// None of the tokens got through, nor into the log.
	for _, m := range mistakes {
		id, _, _ := strings.Cut(strings.TrimPrefix(m.text, "id: "), "\n")
		c := &client.Client{URL: s.URL(), Token: token("as", id)}
		if id == "aaa" || m.text == "" {
			continue
		}
		var refused *client.Error
		if err := c.Do(t.Context(), "GET", client.Path("account", "whoami"), nil, nil, nil); !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized {
			t.Errorf("%s: the token of a refused registration: got %v, want 401", m.name, err)
		}
	}
	for _, m := range append(mistakes, mistake{text: good("aaa", as.URL)}) {
		for line := range strings.Lines(m.text) {
			if _, secret, ok := strings.Cut(line, "_token: "); ok && strings.Contains(log, strings.TrimSpace(secret)) {
				t.Errorf("%s: there is a token in the log", m.name)
			}
		}
	}
	if strings.Contains(log, "00-good.yaml: ") {
		t.Error("the log complains of the good file")
	}
	serves(t, s, as, "aaa", "still served")
}

// serves makes sure that a service can act, and hears what is said near its users.
func serves(t *testing.T, s *testserver.Server, as *receiver, id, body string) {
	t.Helper()
	ctx := t.Context()
	bot := &client.Client{URL: s.URL(), Token: token("as", id)}
	ghost := fmt.Sprintf("%s_%d", id, time.Now().UnixNano())
	if err := bot.RegisterGhost(ctx, ghost); err != nil {
		t.Fatal(err)
	}
	someone, err := (&client.Client{URL: s.URL()}).Register(ctx, fmt.Sprintf("someone%d", time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	room, err := someone.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
	if err != nil {
		t.Fatal(err)
	}
	if err := bot.As(s.UserID(ghost)).Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	if _, err := someone.Send(ctx, room, "m.room.message", "1", client.Message(body)); err != nil {
		t.Fatal(err)
	}
	as.await(t, body)
	as.check(t)
}

// until waits for a condition.
func until(t *testing.T, what string, ok func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !ok(ctx) {
		select {
		case <-ctx.Done():
			t.Fatal("not in time: ", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestFilesComeAndGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := newReceiver(t, token("hs", "first")), newReceiver(t, token("hs", "second"))
	write(t, dir, "first.yaml", good("first", first.URL))
	s := testserver.New(t, testserver.Options{Registrations: []string{dir}})
	knows := func(id string) func(context.Context) bool {
		return func(ctx context.Context) bool {
			c := &client.Client{URL: s.URL(), Token: token("as", id)}
			return c.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil) == nil
		}
	}
	serves(t, s, first, "first", "one")

	write(t, dir, "second.yaml", good("second", second.URL))
	until(t, "the second file takes effect", knows("second"))
	serves(t, s, second, "second", "two")

	// What becomes wrong stays as it was, and the log says why.
	write(t, dir, "second.yaml", replace(good("second", second.URL), "@second_.*:test", "@second_(:test"))
	until(t, "the log tells of the mistake", func(context.Context) bool {
		log := s.Log()
		return strings.Contains(log, "second.yaml:9") && strings.Contains(log, "stays in service")
	})
	serves(t, s, second, "second", "three")

	// Another address takes effect.
	third := newReceiver(t, token("hs", "second"))
	write(t, dir, "second.yaml", good("second", third.URL))
	until(t, "the changed address takes effect", func(context.Context) bool { return strings.Contains(s.Log(), "Application service changed") })
	serves(t, s, third, "second", "four")
	for _, b := range second.bodies() {
		if b == "four" {
			t.Error("the old address got a message after the change")
		}
	}

	if err := os.Remove(filepath.Join(dir, "second.yaml")); err != nil {
		t.Fatal(err)
	}
	until(t, "the file's removal takes effect", func(ctx context.Context) bool { return !knows("second")(ctx) })
	serves(t, s, first, "first", "five")
}

// TestOutage lets a service be away, and the server restart meanwhile: nothing is lost, and all is
// in order.
func TestOutage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	as := newReceiver(t, token("hs", "aaa"))
	write(t, dir, "a.yaml", good("aaa", as.URL))
	s := testserver.New(t, testserver.Options{Registrations: []string{dir}})
	serves(t, s, as, "aaa", "before")
	ctx := t.Context()
	someone, err := (&client.Client{URL: s.URL()}).Register(ctx, "speaker")
	if err != nil {
		t.Fatal(err)
	}
	bot := &client.Client{URL: s.URL(), Token: token("as", "aaa")}
	room, err := someone.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
	if err != nil {
		t.Fatal(err)
	}
	if err := bot.Join(ctx, room); err != nil {
		t.Fatal(err)
	}
	address := as.Listener.Addr().String()
	as.Close()
	const n = 250
	for i := range n {
		if i == n/2 {
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := someone.Send(ctx, room, "m.room.message", fmt.Sprint(i), client.Message(fmt.Sprint("outage ", i))); err != nil {
			t.Fatal(err)
		}
	}
	back := newReceiver(t, as.hsToken)
	// The service comes back elsewhere: that its address changed also ends the pause before the
	// next attempt.
	if address == back.Listener.Addr().String() {
		t.Fatal("the same address")
	}
	write(t, dir, "a.yaml", good("aaa", back.URL))
	back.await(t, fmt.Sprint("outage ", n-1))
	var got []string
	for _, b := range back.bodies() {
		if strings.HasPrefix(b, "outage") {
			got = append(got, b)
		}
	}
	for i := range max(n, len(got)) {
		if i >= len(got) || got[i] != fmt.Sprint("outage ", i) {
			t.Fatalf("after the outage %d messages came, and number %d is not what was sent", len(got), i)
		}
	}
	back.check(t)
}
