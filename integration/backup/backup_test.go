package backup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// bridge is an IRC bridge with its demonstration network.
const bridge = "bridges:\n  - {id: irc, module: irc}\n"

// said is what a client was told is stored, in order.
type said struct {
	mu  sync.Mutex
	ids []string
}

func (s *said) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids = append(s.ids, id)
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

// TestUnderLoad: while people write in a room of their own and in one that is bridged, and send a
// file, a backup is made. Restored elsewhere it has everything that was acknowledged before it was
// begun, in the same order, and the server goes on from there.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from := testserver.New(t, testserver.Options{Dir: shortDir(t), Extra: bridge})
	anna, err := (&client.Client{URL: from.URL()}).Register(ctx, "anna")
	if err != nil {
		t.Fatal(err)
	}
	own, err := anna.CreateRoom(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	bridged := joined(t, anna, "#irc_demo_#lobby:test")
	media := upload(t, anna, "the contents of a file")

	talk, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var quiet, lobby said
	for room, to := range map[string]*said{own: &quiet, bridged: &lobby} {
		wg.Go(func() {
			for n := 0; talk.Err() == nil; n++ {
				id, err := anna.Send(ctx, room, "m.room.message", fmt.Sprint("t", n), client.Message(fmt.Sprint("message ", n)))
				if err != nil {
					t.Error(err)
					return
				}
				to.add(id)
			}
		})
	}
	wait(t, "messages", func() bool { return len(quiet.all()) > 100 && len(lobby.all()) > 20 })
	before := map[string][]string{own: quiet.all(), bridged: lobby.all()}
	file := filepath.Join(t.TempDir(), "backup.tar.zst")
	command(t, from, "backup", "create", "-o", file)
	stop()
	wg.Wait()
	command(t, from, "backup", "check", file)

	to := shortDir(t)
	conf := filepath.Join(to, "restore.yaml")
	if err := os.WriteFile(conf, []byte("server: {name: test}\ndata_dir: "+filepath.Join(to, "data")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, os.Getenv("LANDBRIDGE"), "restore", file, "-c", conf).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	elsewhere := testserver.New(t, testserver.Options{Dir: to, Extra: bridge})
	there := *anna
	there.URL = elsewhere.URL() // the access token was acknowledged, too
	for room, ids := range before {
		history, err := there.History(ctx, room, "f", 100)
		if err != nil {
			t.Fatal(err)
		}
		original, err := anna.History(ctx, room, "f", 100)
		if err != nil {
			t.Fatal(err)
		}
		got, all := mine(history, anna.UserID), mine(original, anna.UserID)
		if len(got) < len(ids) || !slices.Equal(got[:len(ids)], ids) {
			t.Errorf("%s: restored %d messages, acknowledged before were %d", room, len(got), len(ids))
		}
		if len(got) > len(all) || !slices.Equal(got, all[:len(got)]) {
			t.Errorf("%s: what was restored is no beginning of the original", room)
		}
	}
	if text := download(t, &there, media); text != "the contents of a file" {
		t.Errorf("the file is %q", text)
	}
	id, err := there.Send(ctx, own, "m.room.message", "after", client.Message("after"))
	if err != nil {
		t.Fatal(err)
	}
	if e, err := there.Event(ctx, own, id); err != nil || e.Body() != "after" {
		t.Errorf("%+v %v", e, err)
	}
}

// shortDir is a folder whose path leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within a minute", what)
		}
	}
}

// joined joins a room as soon as the bridge has made it, and gives its id.
func joined(t *testing.T, c *client.Client, alias string) string {
	t.Helper()
	var out struct {
		RoomID string `json:"room_id"`
	}
	wait(t, alias, func() bool {
		return c.Do(t.Context(), "POST", client.Path("join", alias), nil, struct{}{}, &out) == nil
	})
	return out.RoomID
}

func command(t *testing.T, s *testserver.Server, args ...string) {
	t.Helper()
	conf := filepath.Join(filepath.Dir(s.DataDir()), "landbridge.yaml")
	if args[1] != "check" {
		args = append(args, "-c", conf)
	}
	if out, err := exec.CommandContext(t.Context(), os.Getenv("LANDBRIDGE"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", strings.Join(args, " "), err, out)
	}
}

// mine are the ids of somebody's messages.
func mine(list []client.Event, user string) (out []string) {
	for _, e := range list {
		if e.Type == "m.room.message" && e.Sender == user {
			out = append(out, e.ID)
		}
	}
	return out
}

func upload(t *testing.T, c *client.Client, text string) string {
	t.Helper()
	status, answer, err := c.Raw(t.Context(), "POST", "/_matrix/media/v3/upload", nil, []byte(text))
	if err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	_, rest, _ := strings.Cut(string(answer), "mxc://")
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

func download(t *testing.T, c *client.Client, name string) string {
	t.Helper()
	status, answer, err := c.Raw(t.Context(), "GET", "/_matrix/client/v1/media/download/"+name, nil, nil)
	if err != nil || status != 200 {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	return string(answer)
}
