// Package bridgehost tests `landbridge bridge`: modules beside a homeserver that is not Landbridge.
package bridgehost

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/synapse"
	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/internal/ports"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// patience is how long the whole of a test may take.
const patience = 4 * time.Minute

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bridges is a `landbridge bridge` that runs, or has run and may again.
type bridges struct {
	t     *testing.T
	dir   string
	child *testserver.Child
}

func (b *bridges) config() string { return filepath.Join(b.dir, "bridge.yaml") }

// registration has the registrations written, and gives the file of one.
func (b *bridges) registration(id string) string {
	b.t.Helper()
	out, err := exec.CommandContext(b.t.Context(), os.Getenv("LANDBRIDGE"), "bridge", "registration", "-c", b.config(), "-o", b.dir).CombinedOutput()
	if err != nil {
		b.t.Fatalf("writing the registration: %v\n%s", err, out)
	}
	return filepath.Join(b.dir, id+".yaml")
}

func (b *bridges) start() {
	b.t.Helper()
	log, err := os.OpenFile(filepath.Join(b.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	ok(b.t, err)
	defer log.Close()
	cmd := exec.Command(os.Getenv("LANDBRIDGE"), "bridge", "-c", b.config())
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, b.dir
	b.child, err = testserver.StartChild(cmd)
	ok(b.t, err)
}

// logs waits until the bridges' log has something.
func (b *bridges) logs(ctx context.Context, what string) {
	b.t.Helper()
	for {
		raw, err := os.ReadFile(filepath.Join(b.dir, "log"))
		ok(b.t, err)
		if strings.Contains(string(raw), what) {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			b.t.Fatalf("the log does not say %q", what)
		}
	}
}

func (b *bridges) end(kill bool) {
	b.t.Helper()
	if kill {
		ok(b.t, b.child.Kill())
	} else {
		ok(b.t, b.child.Stop(30*time.Second))
	}
	b.child = nil
}

// TestSynapse has the IRC module serve a Synapse: messages go both ways, and a restart of either side
// loses and repeats nothing.
func TestSynapse(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ng := ircd.NgIRCd(t, "")
	bob, err := bridgetest.DialIRC(ctx, ng.Addr, "Bob", "#chan")
	ok(t, err)
	t.Cleanup(bob.Close)
	b := &bridges{t: t, dir: t.TempDir()}
	hs, address := "", ""
	channels := []string{"#chan"}
	write := func() {
		ok(t, os.WriteFile(b.config(), fmt.Appendf(nil, "server: {name: test}\ndata_dir: %q\nbridge_host: {homeserver_url: %q, listen: %q}\nbridges:\n%s",
			filepath.Join(b.dir, "data"), hs, address, bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: channels})), 0o600))
	}
	address, hs = ports.Addr(t), "http://127.0.0.1:1"
	write()
	s := synapse.New(t, b.registration("irc"))
	hs = s.URL()
	write()
	t.Cleanup(func() {
		if b.child != nil {
			b.end(false)
		}
		if t.Failed() {
			raw, _ := os.ReadFile(filepath.Join(b.dir, "log"))
			t.Logf("the end of the bridges' log:\n%s", raw[max(0, len(raw)-6000):])
		}
	})
	// Carol sees in what order the channel has the bridge's bot and what bob says. He talks from before the bot comes.
	carol, err := bridgetest.DialIRC(ctx, ng.Addr, "Carol", "#chan")
	ok(t, err)
	t.Cleanup(carol.Close)
	early, quiet := make(chan struct{}), make(chan int)
	go func() {
		for n := 0; ; n++ {
			select {
			case <-early:
				quiet <- n
				return
			case <-ctx.Done():
				return
			case <-time.After(100 * time.Millisecond): // a flood would be throttled by the server
				bob.Say("#chan", fmt.Sprintf("early %04d.", n))
			}
		}
	}()
	b.start()
	anna, err := bridgetest.Register(ctx, s.URL(), "anna", "")
	ok(t, err)
	ok(t, anna.Follow(ctx))
	t.Cleanup(anna.Close)

	room := ""
	for room == "" {
		if room, err = anna.Join(ctx, "#irc_ng_#chan:test"); err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	_, seen, err := carol.Await(ctx, 0, "lbridge", "JOIN", "")
	ok(t, err)
	close(early)
	said := <-quiet
	_, _, err = carol.Await(ctx, 0, "Bob", "PRIVMSG", fmt.Sprintf("early %04d.", said-1))
	ok(t, err)
	ghost := "@irc_ng.bob:test"
	toMatrix := func(text string) {
		t.Helper()
		_, _, err := anna.Await(ctx, 0, room, text, func(e bridgetest.Event) bool { return e.Sender == ghost && e.Body() == text })
		ok(t, err)
	}
	toIRC := func(text string) {
		t.Helper()
		_, _, err := bob.Await(ctx, 0, "lbridge", "PRIVMSG", text)
		ok(t, err)
	}
	bob.Say("#chan", "hello from afar")
	toMatrix("hello from afar")
	say := func(text string) {
		t.Helper()
		_, err := anna.Say(ctx, room, text)
		ok(t, err)
	}
	say("hello to you")
	toIRC("hello to you")
	var want, got []string
	for _, l := range carol.Lines.All(seen) {
		if l.Command == "PRIVMSG" && strings.HasPrefix(l.Text(), "early") {
			want = append(want, l.Text())
		}
	}
	all, err := anna.History(ctx, room)
	ok(t, err)
	for _, e := range all {
		if e.Sender == ghost && strings.HasPrefix(e.Body(), "early") {
			got = append(got, e.Body())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("since the bot came, IRC has had %q, and the room %q", want, got)
	}
	members, err := anna.Members(ctx, room)
	ok(t, err)
	if members[ghost] != "Bob" {
		t.Errorf("the members are %v", members)
	}

	// The bridges are killed, then stopped, and come back.
	for i, kill := range []bool{true, false} {
		b.end(kill)
		for n := range 15 {
			say(fmt.Sprintf("while away %d %02d.", i, n))
		}
		b.start()
		toIRC(fmt.Sprintf("while away %d 14.", i))
	}
	// Synapse is killed while bob talks.
	for n := range 30 {
		if n == 10 {
			s.Kill()
		}
		if n == 20 {
			s.Start()
		}
		bob.Say("#chan", fmt.Sprintf("through it %02d.", n))
	}
	toMatrix("through it 29.")
	say("still there")
	toIRC("still there")

	// Another channel, without a restart; what is wrong changes nothing.
	good := channels
	channels = []string{"no channel at all"}
	write()
	ok(t, b.child.Signal(syscall.SIGHUP))
	b.logs(ctx, "not all of the new configuration is in force")
	say("undisturbed")
	toIRC("undisturbed")
	channels = append(good, "#more")
	write()
	ok(t, b.child.Signal(syscall.SIGHUP))
	more := ""
	for more == "" {
		if more, err = anna.Join(ctx, "#irc_ng_#more:test"); err != nil && ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	bob.Send("JOIN #more")
	_, _, err = bob.Await(ctx, 0, "", "366", "")
	ok(t, err)
	_, err = anna.Say(ctx, more, "in the other one")
	ok(t, err)
	toIRC("in the other one")

	want, got = nil, nil
	for i := range 2 {
		for n := range 15 {
			want = append(want, fmt.Sprintf("while away %d %02d.", i, n))
		}
	}
	for _, l := range bob.Lines.All(0) {
		if _, text, ok := strings.Cut(l.Text(), "while away "); ok && l.Command == "PRIVMSG" {
			got = append(got, "while away "+text)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("IRC has seen %q", got)
	}
	want, got = nil, nil
	for n := range 30 {
		want = append(want, fmt.Sprintf("through it %02d.", n))
	}
	all, err = anna.History(ctx, room)
	ok(t, err)
	for _, e := range all {
		if e.Sender == ghost && strings.HasPrefix(e.Body(), "through it") {
			got = append(got, e.Body())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Matrix has seen %q", got)
	}
}
