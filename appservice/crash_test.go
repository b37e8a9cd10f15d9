package appservice_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/appservicetest"
)

// world is what outlives a crash: the remote network's memory. While the gate is
// held by crash, nothing reaches the world, and what belongs to a dead process
// never will.
type world struct {
	gate sync.RWMutex
	dead map[*appservice.Host]bool
	log  map[string][]string // bodies by channel, in order of arrival
	seen map[id.EventID]bool
	errs []string
}

var errDead = errors.New("the process is dead")

// record is the network's side of a message.
func (w *world) record(host *appservice.Host, sent appservicetest.Sent) error {
	w.gate.Lock()
	defer w.gate.Unlock()
	if w.dead[host] {
		return errDead
	}
	if w.seen[sent.Event] {
		if !sent.Redelivered {
			w.errs = append(w.errs, fmt.Sprintf("%s (%s) came again without a warning", sent.Event, sent.Body))
		}
		return nil // a network that is asked first has it once
	}
	w.seen[sent.Event] = true
	w.log[sent.Channel] = append(w.log[sent.Channel], sent.Body)
	return nil
}

// mortal is the way from the homeserver to a host that can die.
type mortal struct {
	http.RoundTripper
	world *world
	host  *appservice.Host
}

func (m *mortal) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := m.RoundTripper.RoundTrip(req)
	m.world.gate.RLock()
	defer m.world.gate.RUnlock()
	if m.world.dead[m.host] {
		return nil, errDead // the answer is lost, whatever it was
	}
	return resp, err
}

// crash ends a host as kill -9 would and returns a folder as it would be found:
// what was committed at that moment and nothing else.
func (w *world) crash(t *testing.T, host *appservice.Host, dir string) string {
	t.Helper()
	next := t.TempDir()
	if err := os.Mkdir(filepath.Join(next, "echo"), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "echo", "bridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	w.gate.Lock()
	w.dead[host] = true
	_, err = db.Exec("VACUUM INTO ?", filepath.Join(next, "echo", "bridge.db"))
	w.gate.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"registration.yaml", "pickle.key"} {
		data, err := os.ReadFile(filepath.Join(dir, "echo", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(next, "echo", file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return next
}

// Messages are sent while the host dies again and again: each of them reaches
// the network once, in the order of its room, and one that may have been on its
// way when the host died says so.
func TestCrashes(t *testing.T) {
	t.Parallel()
	const rounds, perRound = 6, 60
	channels := []string{"a", "b", "c"}
	r := newRig(t)
	w := &world{dead: map[*appservice.Host]bool{}, log: map[string][]string{}, seen: map[id.EventID]bool{}}
	open := func(dir string) *appservice.Host {
		net := appservicetest.NewNetwork()
		r.net = net
		host := r.newHost(dir)
		net.OnSend = func(_ context.Context, sent appservicetest.Sent) error { return w.record(host, sent) }
		if err := host.Add(r.ctx, echo(channels...)); err != nil {
			t.Fatal(err)
		}
		sv := r.service(host, "echo")
		sv.Transport = &mortal{sv.Transport, w, host}
		r.hs.AddService(sv)
		r.start(host, "echo")
		return host
	}
	dir := r.dir
	host := open(dir)
	rooms := map[string]id.RoomID{}
	for _, c := range channels {
		rooms[c] = r.room(c)
	}
	want := map[string][]string{}
	for round := range rounds {
		done := make(chan struct{})
		crashAt := rand.IntN(perRound)
		go func() {
			defer close(done)
			for i := range perRound {
				c := channels[rand.IntN(len(channels))]
				body := fmt.Sprintf("%s %d.%d", c, round, i)
				want[c] = append(want[c], body)
				r.hs.SendText(rooms[c], alice, body)
				if i == crashAt {
					// Let some of it be on its way.
					time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
					done <- struct{}{}
				}
			}
		}()
		<-done
		dead := host
		dir = w.crash(t, host, dir)
		host = open(dir)
		dead.StopAll()
		<-done
	}
	total := 0
	for _, c := range channels {
		total += len(want[c])
	}
	r.wait("all messages", func() bool {
		w.gate.RLock()
		defer w.gate.RUnlock()
		return len(w.seen) >= total
	})
	r.wait("the inbox to be empty", func() bool { return host.Status()[0].Waiting == 0 })
	w.gate.RLock()
	defer w.gate.RUnlock()
	for _, e := range w.errs {
		t.Error(e)
	}
	for _, c := range channels {
		if got := fmt.Sprint(w.log[c]); got != fmt.Sprint(want[c]) {
			t.Errorf("channel %s:\n got %v\nwant %v", c, w.log[c], want[c])
		}
	}
}

// An event whose effects are in the database, but whose mark is not, is not
// handled again.
func TestHandledBeforeTheMark(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.add(r.host, echo("lobby"))
	r.start(r.host, "echo")
	room := r.room("lobby")
	evt := r.hs.SendText(room, alice, "once")
	r.waitSent(1)
	r.wait("the mark", func() bool { return r.host.Status()[0].Waiting == 0 })
	if err := r.host.Stop("echo"); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(r.dir, "echo", "bridge.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	body := fmt.Sprintf(`{"type":"m.room.message","room_id":%q,"event_id":%q,"sender":%q,"content":{"msgtype":"m.text","body":"once"}}`, room, evt, alice)
	res, err := db.Exec(`UPDATE landbridge_inbox SET done = 0, body = ? WHERE event_id = ?`, []byte(body), string(evt))
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := res.RowsAffected(); n != 1 {
		t.Fatalf("%d rows for the event", n)
	}
	r.start(r.host, "echo")
	r.hs.SendText(room, alice, "twice")
	sent := r.waitSent(2)
	if sent[1].Body != "twice" || sent[1].Redelivered {
		t.Errorf("sent %+v", sent)
	}
}
