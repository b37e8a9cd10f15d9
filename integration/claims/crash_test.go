package claims_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/examples/linechat"
	"github.com/landbridge-im/landbridge/examples/linechat/linechattest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// childEnv has this program be a Landbridge with line chat, one that can be killed.
const childEnv = "LANDBRIDGE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		app.Main("test", linechat.Module())
		return
	}
	os.Exit(m.Run())
}

// mortal is a Landbridge that is killed, and the network of its bridge.
type mortal struct {
	t *testing.T
	*testserver.Server
	n     *linechattest.Network
	kills int
}

func newMortal(t *testing.T, channels []string) *mortal {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "lb") // short, for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := linechattest.New(t)
	extra := fmt.Sprintf("claims: {messages_per_minute: 6000}\nbridges:\n  - {id: lines, module: linechat, config: {address: %q, channels: [%s]}}\n", n.Addr(), strings.Join(channels, ", "))
	return &mortal{t, testserver.New(t, testserver.Options{Binary: program, Dir: dir, Env: []string{childEnv + "=1"}, Extra: extra, StartTimeout: patience}), n, 0}
}

// try runs a command, and gives what it prints and its exit code.
func (m *mortal) try(args ...string) (string, int) {
	var out strings.Builder
	code := app.Run(m.t.Context(), append(args, "-c", m.Config()), app.Build{Version: "test", Modules: nil}, strings.NewReader(""), &out, &out)
	return out.String(), code
}

func (m *mortal) die() {
	m.t.Helper()
	if err := m.Kill(); err != nil {
		m.t.Fatal(err)
	}
	m.kills++
	m.n.Drop()
	if err := m.Start(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
}

// through has a command succeed although the server is killed while it works: at once, and later and later.
func (m *mortal) through(args ...string) string {
	m.t.Helper()
	for _, after := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.try(args...) // it may fail: the server is killed
		}()
		select {
		case <-time.After(after):
		case <-done:
		}
		m.die()
		<-done
	}
	out := ""
	eventually(m.t, "done: "+strings.Join(args, " "), func() bool {
		var code int
		out, code = m.try(args...) // the bridge may be starting still
		return code == 0
	})
	return out
}

// TestKilled: the server is killed between all steps of a move, and in the midst of each. Nobody is invited twice or
// forgotten, and the rooms are what they were when it was undone, and what they are to be when it has ended.
func TestKilled(t *testing.T) {
	t.Parallel()
	channels := []string{"town", "a", "b", "c", "d", "e", "f"}
	m := newMortal(t, channels)
	alice, err := bridgetest.Register(t.Context(), m.URL(), "alice", "")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]string{}
	for _, ch := range channels {
		eventually(t, "in "+ch, func() bool { rooms[ch], err = alice.Join(t.Context(), "#lines_"+ch+":test"); return err == nil })
	}
	const people = 20
	for i := range people {
		m.n.Say("town", fmt.Sprintf("p%d", i), "hello")
	}
	said := func(room, body string) (count int) {
		t.Helper()
		history, err := alice.History(t.Context(), room)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range history {
			if strings.Contains(e.Body(), body) {
				count++
			}
		}
		return count
	}
	eventually(t, "all here", func() bool { return said(rooms["town"], "hello") == people })

	m.through("migrate", "invite", "-bridge", "lines")
	var status []struct {
		People, Invited, Waiting int
		List                     []struct {
			Person string
			Sent   int
		}
	}
	eventually(t, "everybody invited once", func() bool {
		out, code := m.try("migrate", "status", "-bridge", "lines", "-people", "-json")
		if err := json.Unmarshal([]byte(out), &status); code != 0 || err != nil || len(status) != 1 {
			return false
		}
		for _, p := range status[0].List {
			if p.Sent > 1 {
				t.Fatalf("%s was written to %d times", p.Person, p.Sent)
			}
			if p.Sent == 0 || m.n.Heard("@"+p.Person+" bridge Hello") == 0 {
				m.try("migrate", "invite", "-bridge", "lines") // what is known may be some seconds old
				return false
			}
		}
		return status[0].People == people && status[0].Invited == people && len(status[0].List) == people
	})

	states := func() string {
		t.Helper()
		var out strings.Builder
		for _, ch := range channels {
			for _, s := range [][2]string{{"m.room.power_levels", ""}, {"m.bridge", "test/lines"}, {"m.room.name", ""}, {"m.room.join_rules", ""}} {
				var content any
				if err := alice.State(t.Context(), rooms[ch], s[0], s[1], &content); err != nil {
					t.Fatal(err)
				}
				raw, err := json.Marshal(content)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&out, "%s %s %s\n", ch, s[0], raw)
			}
			members, err := alice.Members(t.Context(), rooms[ch])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s %d members\n", ch, len(members))
		}
		return out.String()
	}
	before := states()
	m.through("migrate", "announce", "-bridge", "lines", "-text", "We move on Sunday.")
	m.die()
	for _, ch := range channels {
		if n := said(rooms[ch], "We move on Sunday."); n != 1 {
			t.Errorf("announced %d times in %s", n, ch)
		}
	}
	m.through("migrate", "freeze", "-bridge", "lines", "-notice", "Closed.")
	m.die()
	m.through("migrate", "finish", "-bridge", "lines", "-admin", "alice")
	m.die()
	detached := states()
	if strings.Count(detached, `"@alice:test":100`) != len(channels) || strings.Count(detached, "m.bridge {}") != len(channels) {
		t.Errorf("out of the rooms:\n%s", detached)
	}
	m.through("migrate", "undo", "-bridge", "lines")
	m.die()
	if got := states(); got != before {
		t.Errorf("undone:\n%s\nbefore:\n%s", got, before)
	}
	m.n.Say("town", "p0", "back again")
	eventually(t, "back", func() bool { return said(rooms["town"], "back again") == 1 })

	m.through("migrate", "finish", "-bridge", "lines", "-admin", "alice")
	m.through("migrate", "confirm", "-bridge", "lines")
	m.die()
	for _, ch := range channels {
		members, err := alice.Members(t.Context(), rooms[ch])
		if _, there := members[bot]; there || err != nil {
			t.Errorf("the bot is in %s: %v, %v", ch, members, err)
		}
		if err := alice.SetState(t.Context(), rooms[ch], "m.room.name", "", map[string]string{"name": "ours"}); err != nil {
			t.Errorf("the owner can't name %s: %v", ch, err)
		}
	}
	if said(rooms["town"], "hello") != people {
		t.Error("what was said is not there any more")
	}
	t.Logf("%d kills", m.kills)
}
