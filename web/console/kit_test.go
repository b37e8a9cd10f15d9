package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/landbridge-im/landbridge/backup"
	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/web/page"
)

// fake is a backend that remembers what it was asked to do.
type fake struct {
	mu      sync.Mutex
	did     []string
	fail    error
	portals int
}

var _ Backend = (*fake)(nil)

func (f *fake) note(s string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.did = append(f.did, s)
	return f.fail
}

func (f *fake) Admin(_ context.Context, by *page.Session, method, path string, _, _ any) error {
	if method == http.MethodGet {
		return nil
	}
	return f.note(by.UserID + " " + method + " " + path)
}

func (f *fake) Act(_ context.Context, by *page.Session, method, path string, _, _ any) error {
	if txn := strings.Index(path, "/redact/"); txn >= 0 {
		path = path[:strings.LastIndex(path, "/")] // what is behind it is made up
	}
	return f.note(by.UserID + " acts " + method + " " + path)
}

func (f *fake) SignIn(_ *http.Request, name, password string) (int64, error) {
	if password != "right" {
		return 0, errors.New("The password is wrong.")
	}
	return map[string]int64{"anna": 1, "berta": 2}[name], nil
}

func (f *fake) Bridges() []Bridge {
	return []Bridge{{ID: "irc", Module: "irc", State: "running", Logins: []Login{{"Libera", "CONNECTED", ""}}}}
}

func (f *fake) Portals(_ context.Context, _, _ string, offset, limit int) (out []Portal, total int, err error) {
	for n := offset; n < min(f.portals, offset+limit); n++ {
		out = append(out, Portal{Name: "#channel", Remote: "libera/#channel", Room: "!room:x", Messages: int64(n)})
	}
	return out, f.portals, nil
}

func (f *fake) SetBridge(_ context.Context, id, action string) error {
	return f.note(action + " " + id)
}
func (f *fake) Services() []Service {
	return []Service{{ID: "hookshot", Reachable: false, Error: "connection refused", Since: time.Now()}}
}
func (f *fake) Retry(_ context.Context, server string) error { return f.note("retry " + server) }
func (f *fake) Doctor(context.Context) []doctor.Finding {
	return []doctor.Finding{{Area: say("disk"), Verdict: doctor.Bad, Text: say("it is full"), Mend: say("make room")}}
}
func (f *fake) Backup(context.Context) (string, error) { return "x", f.note("backup") }
func (f *fake) Backups() ([]backup.Stored, error)      { return nil, nil }
func (f *fake) Disk() map[string]int64 {
	return map[string]int64{"database": 3 << 20, "media": 1 << 20}
}

func (f *fake) ProbeIRC(_ context.Context, address string, _ bool, nick string) (IRCFound, error) {
	if address != "irc.example.org:6697" {
		return IRCFound{}, errors.New("nobody answers at " + address)
	}
	return IRCFound{Network: "Example", Nick: nick, Channels: []IRCChannel{{"#go", "about go", 30}}}, nil
}

func (f *fake) ProbeTokens(_ context.Context, _ string, tokens map[string]string, _ string) (TokenFound, error) {
	if tokens["bot_token"] != "xoxb-right" {
		return TokenFound{}, errors.New("invalid_auth")
	}
	return TokenFound{Name: "Acme", Channels: []TokenChannel{{ID: "C1", Name: "general", People: 3}}}, nil
}

func (f *fake) SecretFile(name string) string { return "/secrets/" + name }
func (f *fake) SaveSecret(file, secret string) error {
	return f.note("secret " + file + " " + secret)
}

func (f *fake) CheckBridge(_ context.Context, entry string) (string, error) {
	if strings.Contains(entry, "bad") {
		return "", errors.New("line 3: it is bad")
	}
	return "landbridge.yaml", nil
}

func (f *fake) AddBridge(_ context.Context, entry string) (string, error) {
	return "landbridge.yaml", f.note("add " + entry)
}

func (f *fake) Letters(context.Context, string) ([]Letter, error) {
	return []Letter{{Event: "$e", Room: "!room:x", Sender: "@anna:x", Type: "m.room.message", Reason: "the network is away", Tries: 2, AtTS: 1}}, nil
}
func (f *fake) RetryLetters(_ context.Context, bridge string, events []string) (int, error) {
	return 1, f.note("retry letters " + bridge + " " + strings.Join(events, ","))
}
func (f *fake) DropLetters(_ context.Context, bridge string, events []string) (int, error) {
	return 1, f.note("drop letters " + bridge + " " + strings.Join(events, ","))
}
func (f *fake) LastFailure(string) (string, time.Time) { return "connection refused", time.Unix(1, 0) }

func (f *fake) ExamineBridge(_ context.Context, id string, tell func(doctor.Finding)) error {
	tell(doctor.Finding{Area: say("bridge %s: the token", id), Verdict: doctor.Bad, Text: say("it was revoked"), Mend: say("make another")})
	return nil
}

func (f *fake) ExamineEntry(_ context.Context, entry string, tell func(doctor.Finding)) error {
	tell(doctor.Finding{Area: say("entry"), Verdict: doctor.Good, Text: say(strings.SplitN(entry, "\n", 2)[0])})
	return nil
}

// rig is a console with a database and a browser.
type rig struct {
	t     *testing.T
	store *store.Store
	fake  *fake
	c     *Console
	site  *page.Site
	desk  *desk.Desk
	jar   map[string]string
	mu    sync.Mutex
	at    time.Time
}

func (r *rig) now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = r.at.Add(d)
}

func newRig(t *testing.T) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "x.db"), Relaxed: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r := &rig{t: t, store: s, fake: &fake{}, jar: map[string]string{}, at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	r.accounts(0, 1, true)
	r.accounts(1, 2, false)
	r.site, err = page.New(page.Options{Name: "x", PublicURL: "https://m.x", Keeper: NewKeeper(s, r.now), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	r.desk = newDesk(t, log)
	r.c, err = New(Options{Site: r.site, Server: "x", Version: "1", Store: s, Backend: r.fake, Metrics: prometheus.NewRegistry(), Lines: NewLines(), Desk: r.desk, Claims: r.fake, Log: log, Now: r.now})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// accounts makes accounts from one number to another.
func (r *rig) accounts(from, until int, admin bool) {
	r.t.Helper()
	for begin := from; begin < until; begin += 5000 {
		err := r.store.Write(r.t.Context(), func(tx *store.Tx) error {
			for n := begin; n < min(begin+5000, until); n++ {
				name := []string{"@anna:x", "@berta:x"}
				id := userName(n)
				if n < len(name) {
					id = name[n]
				}
				nid, err := tx.NameUser(id)
				if err != nil {
					return err
				}
				if _, err := tx.AddAccount(store.Account{User: nid, Kind: "user", Admin: admin, CreatedTS: int64(n + 1)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
}

var csrfValue = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// do makes a request as the browser would.
func (r *rig) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	r.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req := httptest.NewRequestWithContext(r.t.Context(), method, "https://m.x"+path, body)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	for k, v := range r.jar {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	r.c.ServeHTTP(w, req)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(r.jar, c.Name)
		} else {
			r.jar[c.Name] = c.Value
		}
	}
	return w
}

// token is the proof that a form was shown to this browser.
func (r *rig) token(path string) string {
	r.t.Helper()
	m := csrfValue.FindStringSubmatch(r.do("GET", path, nil).Body.String())
	if m == nil {
		r.t.Fatalf("%s has no form", path)
	}
	return m[1]
}

func (r *rig) signIn(name string) {
	r.t.Helper()
	w := r.do("POST", "/console/sign-in", url.Values{"name": {name}, "password": {"right"}, "csrf": {r.token("/console/sign-in")}})
	if w.Code != http.StatusSeeOther {
		r.t.Fatalf("signing in: %d %s", w.Code, w.Body)
	}
}
