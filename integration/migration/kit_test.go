package migration

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
	migrationrun "github.com/landbridge-im/landbridge/migration/run"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// golden is the export that has one of everything.
const golden = "../../migration/testdata/slack/workspace"

// migrate runs "landbridge migrate" to its end.
func migrate(ctx context.Context, s *testserver.Server, args ...string) (string, error) {
	cmd := command(ctx, s, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("landbridge migrate %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

func command(ctx context.Context, s *testserver.Server, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, testserver.Binary(), append(append([]string{"migrate"}, args...), "-c", s.Config())...)
}

func must(t *testing.T, s *testserver.Server, args ...string) string {
	t.Helper()
	out, err := migrate(t.Context(), s, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// console reaches the importer of a running server.
func console(s *testserver.Server) *migrationrun.Console {
	var d net.Dialer
	return &migrationrun.Console{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", filepath.Join(s.DataDir(), "console.sock"))
	}}}}
}

// event is what tests look at of an event.
type event struct {
	ID       string         `json:"event_id"`
	Type     string         `json:"type"`
	Sender   string         `json:"sender"`
	StateKey *string        `json:"state_key"`
	TS       int64          `json:"origin_server_ts"`
	Content  map[string]any `json:"content"`
}

func (e event) String() string {
	raw, _ := json.Marshal(e.Content)
	return fmt.Sprintf("%s %s %s %d %.300s", e.ID, e.Type, e.Sender, e.TS, raw)
}

// rooms are all rooms of a source, by their names there.
func rooms(t *testing.T, s *testserver.Server, source string) map[string][]event {
	t.Helper()
	c, out := console(s), map[string][]event{}
	for after := ""; ; {
		var page wire.Entries
		if err := c.Do(t.Context(), "ledger", wire.Ledger{Source: source, After: after}, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) == 0 {
			return out
		}
		for _, e := range page.Entries {
			after = e.Remote
			if name, ok := strings.CutPrefix(e.Remote, "room/"); ok {
				out[name] = timeline(t, c, e.RoomID)
			}
		}
	}
}

func timeline(t *testing.T, c *migrationrun.Console, room string) (out []event) {
	t.Helper()
	for q := (wire.Timeline{RoomID: room, After: math.MinInt64}); ; {
		var page wire.Events
		if err := c.Do(t.Context(), "timeline", q, &page); err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Events {
			var e event
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatal(err)
			}
			out = append(out, e)
		}
		if q.After = page.Next; page.Next == 0 {
			return out
		}
	}
}
