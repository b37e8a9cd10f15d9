package irc_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/matrix"
	_ "modernc.org/sqlite"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/irc"
)

// rig is an IRC bridge in the real framework and Matrix connector, with a
// homeserver that is a fake.
type rig struct {
	t      *testing.T
	hs     *homeserver
	config string
	dir    string

	bridge *irc.Bridge
	br     *bridgev2.Bridge
	mx     *matrix.Connector
	stop   func()
}

const hostConfig = `
bridge:
  command_prefix: "!irc"
  bridge_notices: true
  relay:
    enabled: true
    displayname_format: "{{ .DisambiguatedName }}"
    message_formats: {}
  permissions: {"*": commands, "@admin:test.example": admin}
homeserver: {address: "http://homeserver.invalid", domain: test.example}
appservice:
  id: irc
  bot: {username: ircbot}
  username_template: "irc_{{.}}"
  as_token: as
  hs_token: hs
matrix: {message_status_events: true, message_error_notices: true}
`

func newRig(t *testing.T, config string) *rig {
	t.Helper()
	r := &rig{t: t, hs: newHomeserver(t), config: config, dir: t.TempDir()}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// start starts the bridge on the rig's database and homeserver.
func (r *rig) start() {
	r.t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(r.config), &node); err != nil {
		r.t.Fatal(err)
	}
	level := slog.LevelError
	zl := zerolog.ErrorLevel
	if os.Getenv("IRC_TEST_DEBUG") != "" {
		level, zl = slog.LevelDebug, zerolog.DebugLevel
	}
	log := slog.New(slog.NewTextHandler(newTestWriter(r.t), &slog.HandlerOptions{Level: level}))
	zlog := zerolog.New(newTestWriter(r.t)).Level(zl)
	ctx := zlog.WithContext(context.Background())
	b, err := irc.New(ctx, &node, irc.Deps{Log: log})
	if err != nil {
		r.t.Fatal(err)
	}
	var cfg bridgeconfig.Config
	if err := yaml.Unmarshal([]byte(hostConfig), &cfg); err != nil {
		r.t.Fatal(err)
	}
	cfg.AppService.NoServer = true
	cfg.AppService.PublicAddress = "https://bridge.example"
	cfg.AppService.EphemeralEvents = true
	raw, err := sql.Open("sqlite", "file:"+filepath.Join(r.dir, "irc.db")+"?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		r.t.Fatal(err)
	}
	raw.SetMaxOpenConns(4)
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		r.t.Fatal(err)
	}
	r.mx = matrix.NewConnector(&cfg)
	r.br = bridgev2.NewBridge("irc", db, zlog, &cfg.Bridge, r.mx, b.Connector(), func(br *bridgev2.Bridge) bridgev2.CommandProcessor {
		return commands.NewProcessor(br)
	})
	r.mx.AS.HTTPClient.Transport = txnid.Transport(r.hs)
	r.mx.AS.DefaultHTTPRetries = 0
	if err := r.br.Start(ctx); err != nil {
		r.t.Fatal(err)
	}
	txns := make(chan []byte, 100_000)
	done := make(chan struct{})
	finished := make(chan struct{})
	n := 0
	go func() {
		defer close(finished)
		for {
			select {
			case raw := <-txns:
				n++
				r.transact(fmt.Sprintf("%p-%d", b, n), raw)
			case <-done:
				return
			}
		}
	}()
	r.hs.mu.Lock()
	r.hs.deliver = func(raw []byte) { txns <- raw }
	r.hs.mu.Unlock()
	r.bridge = b
	if err := b.Start(ctx, r.br); err != nil {
		r.t.Fatal(err)
	}
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			r.hs.mu.Lock()
			r.hs.deliver = nil
			r.hs.mu.Unlock()
			close(done)
			<-finished
			r.br.Stop()
		})
	}
}

// transact delivers a transaction of the homeserver.
func (r *rig) transact(id string, body []byte) {
	req := httptest.NewRequest(http.MethodPut, "/_matrix/app/v1/transactions/"+id, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer hs")
	w := httptest.NewRecorder()
	r.mx.AS.Router.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		r.t.Errorf("transaction: %d %s", w.Code, w.Body)
	}
}

// testWriter logs to a test until the test ends: the framework does not wait for all
// that its rooms do when it stops.
type testWriter struct {
	t     *testing.T
	mu    sync.Mutex
	ended bool
}

func newTestWriter(t *testing.T) *testWriter {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ended = true
	})
	return w
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.t.Logf("%s", bytes.TrimSpace(p))
	}
	return len(p), nil
}

func networkConfig(addr, extra string) string {
	return fmt.Sprintf(`
networks:
  - id: net
    name: Test Net
    address: %q
    tls: false
    nick: bridge
    channels: ["#room", {name: "#Other", room_alias: other}]
    flood: {burst: 200, per_second: 200}
%s`, addr, extra)
}

func message(sender, body string) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool {
		return e.Type == "m.room.message" && e.Sender == sender && e.Content["body"] == body
	}
}

func memberEvent(user, membership string) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool {
		return e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == user && e.Content["membership"] == membership
	}
}

func status(event, want string) func(*fakeEvent) bool {
	return func(e *fakeEvent) bool {
		rel, _ := e.Content["m.relates_to"].(obj)
		return e.Type == "com.beeper.message_send_status" && rel["event_id"] == event && e.Content["status"] == want
	}
}

const (
	ghostAlice = "@irc_net.alice:test.example"
	ghostBob   = "@irc_net.bob:test.example"
	user       = "@mia:test.example"
)
