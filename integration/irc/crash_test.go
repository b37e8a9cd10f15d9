package irc_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to check the files

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

const (
	// crashesEnv is how often the process is killed, seedEnv what chooses the moments.
	crashesEnv = "LANDBRIDGE_CRASHES"
	seedEnv    = "LANDBRIDGE_CRASH_SEED"

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

// span is a time in which the bridge was in the channel.
type span struct{ from, to time.Time }

// TestCrash kills the process at random moments, while people talk on both sides
// of two bridged networks and in a room without a bridge.
func TestCrash(t *testing.T) {
	crashes := int(fromEnv(t, crashesEnv, crashesDefault))
	seed := fromEnv(t, seedEnv, time.Now().UnixNano())
	t.Logf("%d crashes; to repeat: %s=%d", crashes, seedEnv, seed)
	rng := rand.New(rand.NewPCG(uint64(seed), 0))
	ctx := withTimeout(t, 2*time.Minute+time.Duration(crashes)*5*time.Second)

	ng, insp := ircd.NgIRCd(t, ""), ircd.InspIRCd(t)
	dir := t.TempDir()
	s := testserver.New(t, testserver.Options{Dir: dir, Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "ng", Addr: ng.Addr, Channels: []string{"#chan"}},
		bridgetest.IRCNetwork{ID: "insp", Addr: insp.Addr, Channels: []string{"#chan"}})})

	admin := user(ctx, t, s, "admin", "")
	var plain struct {
		RoomID string `json:"room_id"`
	}
	if err := admin.Do(ctx, "POST", "/v3/createRoom", map[string]any{"preset": "public_chat"}, &plain); err != nil {
		t.Fatal(err)
	}
	rooms := []*crashRoom{
		{name: "ng", room: joinSoon(ctx, t, admin, "#irc_ng_#chan:test"), channel: "#chan"},
		{name: "insp", room: joinSoon(ctx, t, admin, "#irc_insp_#chan:test"), channel: "#chan"},
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
			r.check(ctx, t, admin, kills)
		})
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	for _, file := range []string{s.Database(), filepath.Join(s.DataDir(), "bridges", "irc", "bridge.db")} {
		checkFile(t, file)
	}
}

// check looks for what was lost, repeated or turned round.
func (r *crashRoom) check(ctx context.Context, t *testing.T, admin *bridgetest.Matrix, kills []time.Time) {
	if r.bob != nil {
		r.settle(ctx, t)
	}
	history, err := admin.History(ctx, r.room)
	if err != nil {
		t.Fatal(err)
	}
	inRoom := texts(history)
	for _, s := range r.senders {
		sameOrder(t, "in the room, from "+s.m.UserID, s.acked, from(inRoom, s.m.UserID), true)
	}
	// A client that has followed all the time has seen the same.
	if len(inRoom) > 0 {
		final := inRoom[len(inRoom)-1]
		if _, _, err := r.reader.Await(ctx, 0, r.room, "the last message", message(final.text)); err != nil {
			t.Error(err)
		}
	}
	var synced []bridgetest.Event
	for _, e := range r.reader.Events.All(0) {
		if e.RoomID == r.room {
			synced = append(synced, e)
		}
	}
	sameOrder(t, "over /sync", plain(inRoom), plain(texts(synced)), true)
	if r.bob == nil {
		return
	}

	// From Matrix to IRC.
	var onIRC []spoken
	for _, l := range r.bob.Lines.All(0) {
		if l.Command != "PRIVMSG" || !strings.HasPrefix(l.Nick, "lbridge") {
			continue
		}
		_, text, _ := strings.Cut(l.Text(), "> ")
		onIRC = append(onIRC, spoken{text: text, who: "", at: l.At})
	}
	var acked []string // of all, in the order of the room
	all := map[string]bool{}
	for _, s := range r.senders {
		for _, text := range s.acked {
			all[text] = true
		}
	}
	for _, m := range inRoom {
		if all[m.text] {
			acked = append(acked, m.text)
		}
	}
	missing := sameOrder(t, "on IRC", acked, plain(onIRC), false)
	t.Logf("to IRC: %d acknowledged, %d arrived, missing %v", len(acked), len(onIRC), missing)
	if len(missing) > 0 {
		t.Errorf("%d messages from Matrix never arrived on IRC: %v", len(missing), missing)
	}

	// From IRC to Matrix. The bridge can only have what was said while it was in
	// the channel; what it had not yet passed on when it was killed is gone, for
	// IRC does not repeat.
	spans := r.present(kills)
	cameAt := map[string]time.Time{}
	for _, e := range synced {
		cameAt[e.Body()] = e.At
	}
	var took bridgetest.Latencies
	for _, p := range r.people {
		for _, s := range p.said {
			if at, ok := cameAt[s.text]; ok {
				took = append(took, at.Sub(s.at))
			}
		}
	}
	// What took longest to come tells how long the bridge may have had a line in
	// its hands, on this machine and with what else it has to do.
	inHand := time.Second + 2*took.Percentile(100)
	for _, p := range r.people {
		var said []string
		for _, s := range p.said {
			said = append(said, s.text)
		}
		arrived := from(inRoom, "@irc_"+r.name+"."+p.p.Nick+":test")
		lost := sameOrder(t, "from "+p.p.Nick, said, arrived, false)
		gone := map[string]bool{}
		for _, text := range lost {
			gone[text] = true
		}
		var heard, late int
		var oldest time.Duration
		for _, s := range p.said {
			for _, sp := range spans {
				if s.at.After(sp.from) && s.at.Before(sp.to) {
					heard++
					if gone[s.text] {
						if sp.to.Sub(s.at) > inHand {
							t.Errorf("%s was said %v before the crash and is lost", s.text, sp.to.Sub(s.at))
						} else {
							late++
						}
						oldest = max(oldest, sp.to.Sub(s.at))
					}
				}
			}
		}
		t.Logf("from %s: %d said, %d while the bridge was there, %d of them lost in its hands, up to %v before the crash",
			p.p.Nick, len(said), heard, late, oldest.Round(time.Millisecond))
	}
	t.Logf("from IRC to a reader, over all crashes: %v", took)
}

// settle waits until bob has read what the senders sent last, or for so long
// that it will not come.
func (r *crashRoom) settle(ctx context.Context, t *testing.T) {
	for _, s := range r.senders {
		if len(s.acked) == 0 {
			continue
		}
		text := s.acked[len(s.acked)-1]
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		if _, _, err := r.bob.Await(one, 0, "", "PRIVMSG", "> "+text); err != nil {
			t.Errorf("%s never arrived on IRC", text)
		}
		cancel()
	}
}

// present is when the bridge was in the channel, as bob saw it.
func (r *crashRoom) present(kills []time.Time) []span {
	var spans []span
	joined := time.Time{}
	if len(r.people) > 0 && len(r.people[0].said) > 0 {
		joined = r.people[0].said[0].at
	}
	next := 0
	for _, l := range r.bob.Lines.All(0) {
		switch {
		case l.Command == "QUIT" && strings.HasPrefix(l.Nick, "lbridge"):
			if next < len(kills) {
				spans = append(spans, span{joined, kills[next]})
				for next < len(kills) && kills[next].Before(l.At) {
					next++
				}
			}
		case l.Command == "JOIN" && strings.HasPrefix(l.Nick, "lbridge"):
			joined = l.At
			for next < len(kills) && kills[next].Before(l.At) {
				next++ // killed before it had joined
			}
		}
	}
	return append(spans, span{joined, time.Now()})
}

type spoken struct {
	who, text string
	at        time.Time
}

// texts are the messages among events that the test has sent.
func texts(events []bridgetest.Event) []spoken {
	var out []spoken
	for _, e := range events {
		if e.Type == "m.room.message" && strings.HasSuffix(e.Body(), ".") && strings.Contains(e.Body(), "-") && e.Field("msgtype") == "m.text" {
			out = append(out, spoken{who: e.Sender, text: e.Body()})
		}
	}
	return out
}

func from(list []spoken, who string) []string {
	var out []string
	for _, m := range list {
		if m.who == who {
			out = append(out, m.text)
		}
	}
	return out
}

func plain(list []spoken) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.text
	}
	return out
}

// sameOrder checks that what is got is what is wanted, in order and nothing
// twice, and returns what is missing. With all, nothing may be.
func sameOrder(t *testing.T, where string, want, got []string, all bool) (missing []string) {
	t.Helper()
	place := make(map[string]int, len(want))
	for i, text := range want {
		place[text] = i
	}
	seen := map[string]int{}
	before := -1
	var twice, strange, turned []string
	for _, text := range got {
		at, ok := place[text]
		if !ok {
			strange = append(strange, text)
			continue
		}
		if seen[text]++; seen[text] > 1 {
			twice = append(twice, text)
			continue
		}
		if at < before {
			turned = append(turned, fmt.Sprintf("%s after %s", text, want[before]))
		}
		before = max(before, at)
	}
	for _, text := range want {
		if seen[text] == 0 {
			missing = append(missing, text)
		}
	}
	if len(twice)+len(strange)+len(turned) > 0 {
		t.Errorf("%s: twice %v, never sent %v, out of order %v", where, twice, strange, turned)
	}
	if all && len(missing) > 0 {
		t.Errorf("%s: %d of %d are missing: %v", where, len(missing), len(want), missing)
	}
	return missing
}

// checkFile checks that a SQLite file is whole.
func checkFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("%s: %s, %v", path, result, err)
	}
	rows, err := db.Query("PRAGMA foreign_key_check")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		t.Errorf("%s: a foreign key points nowhere", path)
	}
	if err := rows.Err(); err != nil {
		t.Error(err)
	}
}
