package irc_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/ircd"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// load is a network with many channels, and with many Matrix users who are there under nicks of their own.
type load struct {
	t        testing.TB
	ctx      context.Context
	s        *testserver.Server
	insp     *ircd.Server
	door     *gate               // between the bridge and insp
	service  *bridgetest.Service // of the Matrix users
	anna     *bridgetest.Matrix  // who reads in Matrix
	bob      *bridgetest.Person  // who reads on IRC
	users    int
	channels []string
	rooms    []string
	sent     int // messages of each direction so far
}

// TestLoad: nothing is lost and nothing comes twice while many talk, and when the network's server is started anew,
// and the memory stays small. With LANDBRIDGE_LONG=1: 500 users, 100 channels, 200 messages a second for a minute. In the end all
// connections die without a word.
func TestLoad(t *testing.T) {
	users, channels, rate, length, limit := 40, 10, 100, 3*time.Second, 3*time.Minute
	if os.Getenv("LANDBRIDGE_LONG") != "" {
		users, channels, rate, length, limit = 500, 100, 200, time.Minute, 10*time.Minute
	} else {
		t.Parallel()
	}
	k := &load{t: t, ctx: withTimeout(t, limit), insp: ircd.InspIRCd(t), users: users}
	for i := range channels {
		k.channels = append(k.channels, fmt.Sprintf("#load-%d", i))
	}
	k.door = newGate(t, k.insp.Addr)
	k.start()
	k.report("the users are there")
	k.talk(rate, length)
	k.report("they have talked")

	k.insp.Stop()
	k.insp.Start()
	k.bob = person(k.ctx, t, k.insp.Addr, "bob", k.channels...)
	k.present()
	k.report("they have come back after the server's restart")
	k.talk(rate, length/10)
	k.report("they have talked again")

	k.goSilent()
	k.report("they have come back after their connections had died silently")
}

// goSilent has all connections die without a word while everybody speaks. Each message is said at most once, and if it is not, its
// sender is told so; and everybody comes back.
func (k *load) goSilent() {
	t := k.t
	t.Helper()
	from := k.anna.Events.Len()
	k.door.Freeze()
	k.each(k.users, 8, func(i int) error {
		return k.service.Do(k.ctx, "PUT", fmt.Sprintf("/v3/rooms/%s/send/m.room.message/silent-%d?user_id=%s", url.PathEscape(k.rooms[i%len(k.rooms)]), i, url.QueryEscape(k.user(i))),
			map[string]string{"msgtype": "m.text", "body": fmt.Sprintf("silent-%d.", i)}, nil)
	})
	if _, _, err := k.anna.Await(k.ctx, from, k.rooms[0], "word of the outage", notice("is lost")); err != nil {
		t.Fatal(err)
	}
	k.door.Thaw()
	k.present()
	said := func() map[string]int {
		out := map[string]int{}
		for _, l := range k.bob.Lines.All(0) {
			if l.Command == "PRIVMSG" && strings.HasPrefix(l.Text(), "silent-") {
				out[l.Text()]++
			}
		}
		return out
	}
	waitFor(k.ctx, t, "each message to be said, or its sender to be told", func() bool {
		known := said()
		for text := range warnings(k.anna.Events.All(from)) {
			known[text]++
		}
		for i := range k.users {
			if known[fmt.Sprintf("silent-%d.", i)] == 0 {
				return false
			}
		}
		return true
	})
	for text, n := range said() {
		if n > 1 {
			t.Errorf("%q was said %d times", text, n)
		}
	}
}

func (k *load) start() {
	t, dir := k.t, k.t.TempDir()
	reg, err := bridgetest.WriteRegistration(dir)
	if err != nil {
		t.Fatal(err)
	}
	k.s = testserver.New(t, testserver.Options{Dir: dir, Registrations: []string{reg}, Extra: "bridges:\n" + bridgetest.IRCBridge("irc", "none",
		bridgetest.IRCNetwork{ID: "insp", Addr: k.door.addr, Channels: k.channels, Extra: []string{"ping_interval: 10s",
			fmt.Sprintf("puppets: {nick: %q, spread: 5ms, max: %d}", "{localpart}[m]", k.users+1)}})})
	k.bob = person(k.ctx, t, k.insp.Addr, "bob", k.channels...)
	k.anna = user(k.ctx, t, k.s, "anna", "")
	for _, ch := range k.channels {
		k.rooms = append(k.rooms, joinSoon(k.ctx, t, k.anna, "#irc_insp_"+ch+":test"))
	}
	k.service = bridgetest.NewService(k.s.URL(), k.s.Name())
	if _, err := k.service.Register(k.ctx, k.users, 4); err != nil {
		t.Fatal(err)
	}
	k.each(k.users, 4, func(i int) error {
		return k.service.Do(k.ctx, "POST", "/v3/rooms/"+url.PathEscape(k.rooms[i%len(k.rooms)])+"/join?user_id="+url.QueryEscape(k.user(i)), nil, nil)
	})
	k.present()
}

func (k *load) user(i int) string { return fmt.Sprintf("@ghost_%d:test", i) }

// each calls f for the numbers below n, from several workers.
func (k *load) each(n, workers int, f func(i int) error) {
	k.t.Helper()
	var next atomic.Int64
	var failed atomic.Bool
	var work sync.WaitGroup
	for range workers {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && k.ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := f(i); err != nil {
					failed.Store(true)
					k.t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	if failed.Load() {
		k.t.FailNow()
	}
}

// present waits until everybody is in their channel.
func (k *load) present() {
	k.t.Helper()
	for c, ch := range k.channels {
		want := []string{"lbridge"}
		for i := c; i < k.users; i += len(k.channels) {
			want = append(want, fmt.Sprintf("ghost_%d[m]", i))
		}
		waitFor(k.ctx, k.t, fmt.Sprintf("%d people in %s", len(want), ch), func() bool {
			names, err := k.bob.Names(k.ctx, ch)
			if err != nil {
				return false
			}
			for i := range names {
				names[i] = strings.TrimLeft(names[i], "@+")
			}
			return !slices.ContainsFunc(want, func(nick string) bool { return !slices.Contains(names, nick) })
		})
	}
}

// talk has people talk for a time, half of the messages in each direction, and checks that each comes once.
func (k *load) talk(rate int, length time.Duration) {
	k.t.Helper()
	n := int(length.Seconds() * float64(rate) / 2)
	first, began := k.sent, time.Now()
	k.sent += n
	read, seen := k.bob.Lines.Len(), k.anna.Events.Len()
	on := func(i int) { // messages are said at their time
		time.Sleep(time.Until(began.Add(time.Duration(i) * 2 * time.Second / time.Duration(rate))))
	}
	var work sync.WaitGroup
	work.Go(func() {
		for i := range n {
			on(i)
			k.bob.Say(k.channels[i%len(k.channels)], fmt.Sprintf("irc-%d", first+i))
		}
	})
	k.each(n, 8, func(i int) error {
		on(i)
		who := i % k.users
		return k.service.Do(k.ctx, "PUT", fmt.Sprintf("/v3/rooms/%s/send/m.room.message/load-%d?user_id=%s", url.PathEscape(k.rooms[who%len(k.rooms)]), first+i, url.QueryEscape(k.user(who))),
			map[string]string{"msgtype": "m.text", "body": fmt.Sprintf("matrix-%d", first+i)}, nil)
	})
	work.Wait()
	onIRC := func() []string {
		var texts []string
		for _, l := range k.bob.Lines.All(read) {
			if l.Command == "PRIVMSG" && strings.HasPrefix(l.Text(), "matrix-") {
				texts = append(texts, l.Text())
			}
		}
		return texts
	}
	inMatrix := func() []string {
		var texts []string
		for _, e := range k.anna.Events.All(seen) {
			if e.Type == "m.room.message" && strings.HasPrefix(e.Body(), "irc-") {
				texts = append(texts, e.Body())
			}
		}
		return texts
	}
	waitFor(k.ctx, k.t, "all messages", func() bool { return len(onIRC()) >= n && len(inMatrix()) >= n })
	k.t.Logf("%d messages at %d a second took %v", 2*n, rate, time.Since(began).Round(10*time.Millisecond))
	k.once("matrix-", onIRC(), first, n)
	k.once("irc-", inMatrix(), first, n)
}

// once checks that each of some messages has come once.
func (k *load) once(prefix string, texts []string, first, n int) {
	k.t.Helper()
	count := make(map[string]int, n)
	for _, text := range texts {
		count[text]++
	}
	for i := range n {
		if got := count[fmt.Sprint(prefix, first+i)]; got != 1 {
			k.t.Errorf("%s%d came %d times", prefix, first+i, got)
		}
	}
}

// maxMemory is how much memory the whole program may have taken, in MB.
const maxMemory = 200

// report logs and checks how much memory the program has taken at most.
func (k *load) report(when string) {
	k.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", k.s.PID()))
	if err != nil {
		k.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		k.t.Fatal(err)
	}
	k.t.Logf("%s: %d MB of memory at most", when, kb/1024)
	if kb/1024 > maxMemory {
		k.t.Errorf("%s: %d MB of memory, more than %d", when, kb/1024, maxMemory)
	}
}
