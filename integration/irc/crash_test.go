package irc_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

const (
	// crashesEnv is how often the process is killed, seedEnv what chooses the moments.
	crashesEnv = "LANDBRIDGE_CRASHES"
	seedEnv    = "LANDBRIDGE_CRASH_SEED"
	// keepEnv names a folder for the databases and the log of a run that failed.
	keepEnv = "LANDBRIDGE_CRASH_KEEP"
	// directEnv has the bridge talk to the servers themselves and not to a witness.
	directEnv = "LANDBRIDGE_CRASH_DIRECT"

	crashesDefault = 10
)

func fromEnv(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// crashRoom is a room with those who talk in it.
type crashRoom struct {
	name    string
	room    string
	channel string // on IRC; empty for a room without a bridge
	senders []*crashSender
	reader  *bridgetest.Matrix // follows /sync over all crashes
	people  []*crashPerson
	bob     *bridgetest.Person // reads the channel
	witness *witness           // knows what the bridge has heard
	direct  bool               // the witness is passed by
}

// crashSender is a Matrix client that sends numbered messages until it is told
// to stop, each until it is acknowledged.
type crashSender struct {
	m     *bridgetest.Matrix
	acked []string // texts, in order
	tries int
}

func (s *crashSender) run(ctx context.Context, room string, r *rand.Rand, stop <-chan struct{}) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(s.m.UserID, "@"), ":")
	for i := 0; ; i++ {
		select {
		case <-stop:
			return nil
		case <-time.After(time.Duration(20+r.IntN(60)) * time.Millisecond):
		}
		text := fmt.Sprintf("%s-%d.", name, i)
		for {
			s.tries++
			attempt, cancel := context.WithTimeout(ctx, 10*time.Second)
			_, err := s.m.SendTxn(attempt, room, "m.room.message", text, map[string]any{"msgtype": "m.text", "body": text})
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s was never acknowledged: %w", text, err)
			}
			if bridgetest.IsStatus(err, 400) || bridgetest.IsStatus(err, 403) || bridgetest.IsStatus(err, 404) {
				return err
			}
			time.Sleep(5 * time.Millisecond)
		}
		s.acked = append(s.acked, text)
	}
}

// crashPerson is somebody on IRC who says numbered things.
type crashPerson struct {
	p    *bridgetest.Person
	said []saying
}

type saying struct {
	text string
	at   time.Time
}

func (p *crashPerson) run(channel string, r *rand.Rand, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(10+r.IntN(40)) * time.Millisecond):
		}
		text := fmt.Sprintf("%s-%d.", p.p.Nick, i)
		p.p.Say(channel, text)
		p.said = append(p.said, saying{text, time.Now()})
	}
}

// TestCrash kills the process at random moments, while people talk on both sides
// of two bridged networks and in a room without a bridge.
func TestCrash(t *testing.T) {
	crashes := int(fromEnv(t, crashesEnv, crashesDefault))
	seed := fromEnv(t, seedEnv, time.Now().UnixNano())
	t.Logf("%d crashes; to repeat: %s=%d", crashes, seedEnv, seed)
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	ctx := withTimeout(t, 2*time.Minute+time.Duration(crashes)*5*time.Second)

	ng, insp := ircd.NgIRCd(t, ""), ircd.InspIRCd(t)
	heardNg, heardInsp := newWitness(t, ng.Addr), newWitness(t, insp.Addr)
	direct := fromEnv(t, directEnv, 0) != 0
	ngAddr, inspAddr := heardNg.addr, heardInsp.addr
	if direct {
		ngAddr, inspAddr = ng.Addr, insp.Addr
	}
	dir := t.TempDir()
	s := testserver.New(t, testserver.Options{Dir: dir, Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "ng", Addr: ngAddr, Channels: []string{"#chan"}},
		bridgetest.IRCNetwork{ID: "insp", Addr: inspAddr, Channels: []string{"#chan"}})})

	admin := user(ctx, t, s, "admin", "")
	var plain struct {
		RoomID string `json:"room_id"`
	}
	if err := admin.Do(ctx, "POST", "/v3/createRoom", map[string]any{"preset": "public_chat"}, &plain); err != nil {
		t.Fatal(err)
	}
	rooms := []*crashRoom{
		{name: "ng", room: joinSoon(ctx, t, admin, "#irc_ng_#chan:test"), channel: "#chan", witness: heardNg, direct: direct},
		{name: "insp", room: joinSoon(ctx, t, admin, "#irc_insp_#chan:test"), channel: "#chan", witness: heardInsp, direct: direct},
		{name: "plain", room: plain.RoomID},
	}
	n := 0
	for i, addr := range []string{ng.Addr, insp.Addr, ""} {
		r := rooms[i]
		r.reader = user(ctx, t, s, "reader"+r.name, "")
		members := []*bridgetest.Matrix{r.reader}
		for range []int{6, 6, 4}[i] {
			m, err := bridgetest.Register(ctx, s.URL(), fmt.Sprintf("u%d", n), "")
			if err != nil {
				t.Fatal(err)
			}
			n++
			r.senders = append(r.senders, &crashSender{m: m})
			members = append(members, m)
		}
		for _, m := range members {
			if _, err := m.Join(ctx, r.room); err != nil {
				t.Fatal(err)
			}
		}
		if addr != "" {
			r.bob = person(ctx, t, addr, "bob", r.channel)
			for _, nick := range []string{"pia", "quinn"} {
				r.people = append(r.people, &crashPerson{p: person(ctx, t, addr, nick, r.channel)})
			}
			if _, _, err := r.bob.Lines.Wait(ctx, 0, func(l bridgetest.Line) bool {
				return l.Command == "353" && strings.Contains(l.Text(), "lbridge") || l.Command == "JOIN" && l.Nick == "lbridge"
			}); err != nil {
				t.Fatal("the bridge is not in the channel:", err)
			}
		}
	}

	stop := make(chan struct{})
	var talking sync.WaitGroup
	failures := make(chan error, 100)
	began := time.Now()
	for _, r := range rooms {
		for _, sender := range r.senders {
			local := rand.New(rand.NewPCG(uint64(seed), rng.Uint64()))
			talking.Go(func() {
				if err := sender.run(ctx, r.room, local, stop); err != nil {
					failures <- err
				}
			})
		}
		for _, p := range r.people {
			local := rand.New(rand.NewPCG(uint64(seed), rng.Uint64()))
			talking.Go(func() { p.run(r.channel, local, stop) })
		}
	}
	var kills []time.Time
	for range crashes {
		// Also in the middle of a start.
		wait := time.Duration(rng.IntN(2000)) * time.Millisecond
		if rng.IntN(4) == 0 {
			wait = time.Duration(rng.IntN(150)) * time.Millisecond
		}
		time.Sleep(wait)
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		kills = append(kills, time.Now())
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second)
	close(stop)
	talking.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	t.Logf("%d crashes in %v", crashes, time.Since(began).Round(time.Second))

	for _, r := range rooms {
		t.Run(r.name, func(t *testing.T) {
			r.check(ctx, t, admin, kills, max(heardNg.slowest(), heardInsp.slowest()))
		})
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if keep := os.Getenv(keepEnv); keep != "" && t.Failed() {
		if err := os.CopyFS(filepath.Join(keep, fmt.Sprint(seed)), os.DirFS(dir)); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(filepath.Join(keep, fmt.Sprint(seed), "log"), []byte(s.Log()), 0o600); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{s.Database(), filepath.Join(s.DataDir(), "bridges", "irc", "bridge.db")} {
		checkFile(t, file)
	}
}
