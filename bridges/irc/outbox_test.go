package irc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/id"
	_ "modernc.org/sqlite"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// openTestStore opens the module's tables in a file, as often as one likes.
func openTestStore(t *testing.T, path string) *store {
	t.Helper()
	raw, err := sql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	br := &bridgev2.Bridge{ID: "irc", DB: database.New("irc", database.MetaTypes{}, db)}
	st, err := openStore(zerolog.Nop().WithContext(context.Background()), br, filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// wire is a sender that plays the network.
type wire struct {
	mu     sync.Mutex
	lines  []string
	absent bool // the channel is not joined
	limit  int
	// fate says what becomes of a line, by its number; nil delivers.
	fate func(i int, text string) (session.Outcome, bool)
	// past is what the network's history has, by how often it was asked before; nil: it keeps none.
	past  func(asked int) []session.Message
	asked int
}

func (w *wire) TopicLock(string) (on, known bool) { return false, true }

func (w *wire) InChannel(string) bool { w.mu.Lock(); defer w.mu.Unlock(); return !w.absent }

func (w *wire) HasCap(string) bool { return false }

func (w *wire) ClientTag(string) bool { return false }

func (w *wire) Multiline() (bytes, lines int) { return 0, 0 }

func (w *wire) RelaySeparator() string { return "" }

func (w *wire) History(context.Context, string, time.Time, int) ([]session.Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.past == nil {
		return nil, session.ErrNoHistory
	}
	w.asked++
	return w.past(w.asked - 1), nil
}

func (w *wire) MaxText(string, string) int {
	if w.limit == 0 {
		return 400
	}
	return w.limit
}

func (w *wire) Send(_ context.Context, line *session.Line) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := line.Params[1]
	out, write := session.Outcome{State: session.Delivered}, true
	if w.fate != nil {
		out, write = w.fate(len(w.lines), text)
	}
	if write {
		if err := line.Before(); err != nil {
			out = session.Outcome{State: session.NotSent, Err: err}
		} else {
			line.Mark()
			w.lines = append(w.lines, text)
		}
	}
	go line.Done(out)
	return nil
}

func (w *wire) sent() []string { w.mu.Lock(); defer w.mu.Unlock(); return slices.Clone(w.lines) }

type settledRec struct {
	id  id.EventID
	err error
}

// startOutbox runs an outbox until the returned function is called.
func startOutbox(t *testing.T, st *store, w *wire, limit int) (*outbox, chan settledRec, func()) {
	t.Helper()
	settled := make(chan settledRec, 1000)
	b := newOutbox("net", st, w, slog.New(slog.DiscardHandler), limit, func(_ context.Context, o *outgoing, err error) error {
		settled <- settledRec{o.EventID, err}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	if err := b.load(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); b.run(ctx) }()
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return b, settled, stop
}

func outgoingText(event string, lines ...string) *outgoing {
	return &outgoing{EventID: id.EventID(event), Channel: "#a", Command: "PRIVMSG", Prefix: "<m> ", Lines: lines}
}

func waitSettled(t *testing.T, ch chan settledRec) settledRec {
	t.Helper()
	select {
	case r := <-ch:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("a message is not settled")
		return settledRec{}
	}
}

func TestOutboxOrderAndDuplicates(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	w := &wire{}
	b, settled, _ := startOutbox(t, st, w, 100)
	for i := range 20 {
		if err := b.add(ctx, outgoingText(fmt.Sprint("$", i), fmt.Sprint(i), "more"), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.add(ctx, outgoingText("$3", "3"), nil); !errors.Is(err, errDuplicate) {
		t.Errorf("a waiting event again: %v", err)
	}
	for range 20 {
		if r := waitSettled(t, settled); r.err != nil {
			t.Error(r)
		}
	}
	if err := b.add(ctx, outgoingText("$3", "3"), nil); !errors.Is(err, errDuplicate) {
		t.Errorf("a sent event again: %v", err)
	}
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("<m> %d", i), "<m> more")
	}
	if got := w.sent(); !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
}

func TestOutboxRollsBackWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	w := &wire{}
	b, settled, _ := startOutbox(t, st, w, 100)
	boom := errors.New("boom")
	if err := b.add(ctx, outgoingText("$1", "x"), func(context.Context) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("add = %v", err)
	}
	if err := b.add(ctx, outgoingText("$1", "y"), nil); err != nil {
		t.Errorf("add after a failure = %v", err)
	}
	waitSettled(t, settled)
	if got := w.sent(); !slices.Equal(got, []string{"<m> y"}) {
		t.Errorf("sent %q", got)
	}
}

// TestOutboxCrash stops at each point of a message of three lines, as a crash
// does, and goes on with a new outbox on the same file.
func TestOutboxCrash(t *testing.T) {
	t.Parallel()
	for crashAt := range 4 {
		t.Run(fmt.Sprint(crashAt), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			path := filepath.Join(t.TempDir(), "x.db")
			st := openTestStore(t, path)
			o := outgoingText("$1", "one", "two", "three")
			if err := st.put(ctx, "net", o, nil); err != nil {
				t.Fatal(err)
			}
			// What the sender does before the crash.
			o.Fixed = []string{"<m> one", "<m> two", "<m> three"}
			if err := st.fix(ctx, o); err != nil {
				t.Fatal(err)
			}
			for i := range crashAt {
				st.ledger.of(o, true).written(i + 1)
			}
			// The limit has changed meanwhile, which changes nothing.
			w := &wire{limit: 32}
			_, settled, _ := startOutbox(t, openTestStore(t, path), w, 100)
			// Nobody has seen the server's answer to what was written.
			var want error
			if crashAt > 0 {
				want = errUncertain
			}
			if r := waitSettled(t, settled); !errors.Is(r.err, want) || r.id != "$1" {
				t.Errorf("settled %+v, want %v", r, want)
			}
			if got := w.sent(); !slices.Equal(got, o.Fixed[crashAt:]) {
				t.Errorf("sent %q after %d lines were written", got, crashAt)
			}
		})
	}
}

// A message of one line, the usual kind, is not recorded as cut.
func TestOutboxCrashOneLine(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		before func(*store, *outgoing) error
		sent   []string
		want   error
	}{
		{"not written", func(st *store, o *outgoing) error { st.ledger.of(o, true); return nil }, []string{"<m> one"}, nil},
		{"written", func(st *store, o *outgoing) error { st.ledger.of(o, true).written(1); return nil }, nil, errUncertain},
		{"confirmed", func(st *store, o *outgoing) error {
			m := st.ledger.of(o, true)
			m.written(1)
			m.delivered()
			return nil
		}, nil, nil},
		{"written, with a full ledger", func(st *store, o *outgoing) error { return st.written(ctx, o.Seq, 1) }, nil, errUncertain},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.db")
			st := openTestStore(t, path)
			o := outgoingText("$1", "one")
			if err := st.put(ctx, "net", o, nil); err != nil {
				t.Fatal(err)
			}
			if err := test.before(st, o); err != nil {
				t.Fatal(err)
			}
			w := &wire{}
			next := openTestStore(t, path)
			_, settled, stop := startOutbox(t, next, w, 100)
			if r := waitSettled(t, settled); !errors.Is(r.err, test.want) {
				t.Errorf("settled %+v", r)
			}
			stop()
			if got := w.sent(); !slices.Equal(got, test.sent) {
				t.Errorf("sent %q", got)
			}
			if next.ledger.of(o, false) != nil && len(next.ledger.bySeq) > 0 {
				t.Error("the ledger still has the message")
			}
		})
	}
}

// A failure that nobody has heard of is told again.
func TestOutboxTellsUntilHeard(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	w := &wire{fate: func(int, string) (session.Outcome, bool) {
		return session.Outcome{State: session.Refused, Err: errors.New("no")}, true
	}}
	deaf := errors.New("the homeserver is away")
	told := make(chan bool, 10)
	b := newOutbox("net", st, w, slog.New(slog.DiscardHandler), 10, func(context.Context, *outgoing, error) error {
		defer func() { told <- true; deaf = nil }()
		return deaf
	})
	if err := b.load(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); b.run(ctx) }()
	if err := b.add(ctx, outgoingText("$1", "x"), nil); err != nil {
		t.Fatal(err)
	}
	<-told
	<-told
	cancel()
	<-done
	if left, err := st.waiting(context.Background(), "net"); err != nil || len(left) > 0 {
		t.Errorf("left in the outbox: %v, %v", left, err)
	}
}

func TestOutboxReconnect(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	broken := true
	w := &wire{}
	w.fate = func(i int, text string) (session.Outcome, bool) {
		switch {
		case broken && text == "<m> b":
			broken, w.absent = false, true // from here on the connection is gone
			return session.Outcome{State: session.Unknown, Err: session.ErrDisconnected}, true
		case w.absent:
			return session.Outcome{State: session.NotSent, Err: session.ErrDisconnected}, false
		}
		return session.Outcome{State: session.Delivered}, true
	}
	b, settled, _ := startOutbox(t, st, w, 100)
	for _, x := range []string{"a", "b", "c", "d"} {
		if err := b.add(ctx, outgoingText("$"+x, x), nil); err != nil {
			t.Fatal(err)
		}
	}
	results := map[id.EventID]error{}
	for range 2 {
		r := waitSettled(t, settled)
		results[r.id] = r.err
	}
	if results["$a"] != nil || !errors.Is(results["$b"], errUncertain) {
		t.Errorf("results = %v", results)
	}
	w.mu.Lock()
	w.absent = false
	w.mu.Unlock()
	b.poke()
	for range 2 {
		if r := waitSettled(t, settled); r.err != nil {
			t.Error(r)
		}
	}
	if got := w.sent(); !slices.Equal(got, []string{"<m> a", "<m> b", "<m> c", "<m> d"}) {
		t.Errorf("sent %q", got)
	}
}

func TestOutboxBounds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	w := &wire{absent: true}
	b, settled, _ := startOutbox(t, st, w, 2)
	for i, want := range []error{nil, nil, errOutboxFull} {
		if err := b.add(ctx, outgoingText(fmt.Sprint("$", i), "x"), nil); !errors.Is(err, want) {
			t.Errorf("add %d = %v, want %v", i, err, want)
		}
	}
	b.block("#A", "banned")
	for range 2 {
		if r := waitSettled(t, settled); r.err == nil {
			t.Error("a message to a channel that cannot be joined has not failed")
		}
	}
	if err := b.add(ctx, outgoingText("$9", "x"), nil); err != nil {
		t.Fatal(err)
	}
	if r := waitSettled(t, settled); r.err == nil || r.id != "$9" {
		t.Errorf("settled %+v", r)
	}
	b.unblock("#a")
	w.mu.Lock()
	w.absent = false
	w.mu.Unlock()
	if err := b.add(ctx, outgoingText("$10", "x"), nil); err != nil {
		t.Fatal(err)
	}
	if r := waitSettled(t, settled); r.err != nil {
		t.Errorf("settled %+v", r)
	}
}

// TestDoubtSettled: what a lost connection has written is looked for, once more after a while if it is not there: a busy server
// reads it late. It is said again only if it is not there then.
func TestDoubtSettled(t *testing.T) {
	t.Parallel()
	echo := []session.Message{{Meta: session.Meta{MsgID: "1"}, Echo: true, Text: "<m> hello"}}
	for name, tc := range map[string]struct {
		past func(asked int) []session.Message
		sent int
	}{
		"there":       {func(int) []session.Message { return echo }, 1},
		"there late":  {func(asked int) []session.Message { return echo[:min(asked, 1)] }, 1},
		"never there": {func(int) []session.Message { return nil }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wire{past: tc.past, fate: func(i int, _ string) (session.Outcome, bool) {
				if i == 0 {
					return session.Outcome{State: session.Unknown, History: true, Err: session.ErrDisconnected}, true
				}
				return session.Outcome{State: session.Delivered}, true
			}}
			b, settled, _ := startOutbox(t, openTestStore(t, filepath.Join(t.TempDir(), "irc.db")), w, 10)
			b.calm = 50 * time.Millisecond
			o := outgoingText("$1", "hello")
			o.At = time.Now()
			if err := b.add(t.Context(), o, nil); err != nil {
				t.Fatal(err)
			}
			if r := waitSettled(t, settled); r.err != nil {
				t.Error(r.err)
			}
			if got := w.sent(); len(got) != tc.sent {
				t.Errorf("sent %q", got)
			}
		})
	}
}
