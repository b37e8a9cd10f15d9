package search

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// fake is a store with a log of messages.
type fake struct {
	events map[int64]*event.Event // by number
	log    []store.Entry
	past   []int64 // numbers, newest position first
}

func newFake() *fake { return &fake{events: map[int64]*event.Event{}} }

func (f *fake) message(pos int64, body string) {
	nid := int64(len(f.events) + 1)
	f.events[nid] = &event.Event{NID: nid, Pos: pos, Room: 1, Author: 2, ID: "$" + body, Version: "12",
		PDU: &pdu.PDU{Type: "m.room.message", Sender: id.UserID("@a:b"), Content: []byte(`{"body":"` + body + `"}`)}}
	if pos > 0 {
		f.log = append(f.log, store.Entry{Pos: pos, Kind: store.KindEvent, Room: 1, Ref: nid})
	} else {
		f.past = append(f.past, nid)
	}
}

func (f *fake) Position() int64 {
	if len(f.log) == 0 {
		return 0
	}
	return f.log[len(f.log)-1].Pos
}

func (f *fake) Entries(_ context.Context, after int64, limit int) (out []store.Entry, err error) {
	for _, e := range f.log {
		if e.Pos > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fake) PastEvents(_ context.Context, pos int64, limit int) (out []int64, err error) {
	for _, nid := range f.past {
		if f.events[nid].Pos < pos && len(out) < limit {
			out = append(out, nid)
		}
	}
	return out, nil
}

func (f *fake) Event(_ context.Context, nid int64) (*event.Event, error) {
	if e := f.events[nid]; e != nil {
		return e, nil
	}
	return nil, store.ErrNotFound
}

func (f *fake) EventByID(context.Context, string) (*event.Event, error) {
	return nil, store.ErrNotFound
}

var _ Store = (*fake)(nil)

func open(t *testing.T, dir string, f *fake) *Index {
	t.Helper()
	ix, err := Open(t.Context(), Options{Path: filepath.Join(dir, "search.db"), Store: f, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// catchUp takes everything in, and tells in how many batches.
func catchUp(t *testing.T, ix *Index) (batches int) {
	t.Helper()
	for {
		before, _ := ix.cursor()
		more, err := ix.step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if after, _ := ix.cursor(); after != before {
			batches++
		}
		if !more {
			return batches
		}
	}
}

func positions(t *testing.T, ix *Index, term string) []int64 {
	t.Helper()
	q, ok := Ask(term)
	if !ok {
		t.Fatal("no question")
	}
	hits, err := ix.Search(t.Context(), Query{Question: q, Body: true, Rooms: []int64{1}, Recent: true, Before: 1 << 62, UpTo: 1 << 62, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	out := []int64{}
	for _, h := range hits {
		out = append(out, h.Pos)
	}
	return out
}

func same(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestRestart(t *testing.T) {
	t.Parallel()
	dir, f := t.TempDir(), newFake()
	f.message(1, "word one")
	f.message(2, "word two")
	ix := open(t, dir, f)
	if n := catchUp(t, ix); n != 1 {
		t.Errorf("%d batches", n)
	}
	ix.Close()
	f.message(3, "word three")
	f.message(-1, "word before")
	f.message(-2, "word long before")
	ix = open(t, dir, f)
	if b := ix.Behind(); b != 1 {
		t.Errorf("behind %d", b)
	}
	catchUp(t, ix)
	if got := positions(t, ix, "word"); !same(got, []int64{3, 2, 1, -1, -2}) {
		t.Errorf("got %v", got)
	}
	f.message(-3, "word of old")
	if n := catchUp(t, ix); n != 1 {
		t.Errorf("%d batches", n)
	}
	if got := positions(t, ix, "word old"); !same(got, []int64{-3}) {
		t.Errorf("got %v", got)
	}
	if n := catchUp(t, ix); n != 0 {
		t.Errorf("%d batches of nothing", n)
	}
	ix.Close()
}

// TestMadeAnew opens indexes that can't be used.
func TestMadeAnew(t *testing.T) {
	t.Parallel()
	whole := newFake()
	for i := range 5 {
		whole.message(int64(i+1), "word")
	}
	for name, spoil := range map[string]func(path string, f *fake) error{
		"ahead of the store": func(_ string, f *fake) error { f.log = f.log[:2]; return nil },
		"of another store":   func(_ string, f *fake) error { e := *f.events[5]; e.Pos = 7; f.events[5] = &e; return nil },
		"no database": func(path string, _ *fake) error {
			return os.WriteFile(path, []byte("this is no database, whatever it is, and long enough to tell"), 0o600)
		},
		"empty": func(path string, _ *fake) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, f := t.TempDir(), newFake()
			f.log = append(f.log, whole.log...)
			for nid, e := range whole.events {
				f.events[nid] = e
			}
			ix := open(t, dir, f)
			catchUp(t, ix)
			if err := ix.Close(); err != nil {
				t.Fatal(err)
			}
			if err := spoil(ix.o.Path, f); err != nil {
				t.Fatal(err)
			}
			ix = open(t, dir, f)
			defer ix.Close()
			if at, _ := ix.cursor(); at != (cursor{}) {
				t.Errorf("it begins at %v", at)
			}
			catchUp(t, ix)
			if got := positions(t, ix, "word"); len(got) != len(f.log) {
				t.Errorf("found %v", got)
			}
		})
	}
}

// TestWait makes sure that a search doesn't wait for the index's rest, nor for ever.
func TestWait(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.message(1, "word")
	ix := open(t, t.TempDir(), f)
	defer ix.Close()
	if ok, err := ix.Wait(t.Context(), time.Millisecond); ok || err != nil {
		t.Errorf("nobody works: %v %v", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- ix.Run(ctx) }()
	if ok, err := ix.Wait(t.Context(), 20*time.Second); !ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if got := positions(t, ix, "word"); !same(got, []int64{1}) {
		t.Errorf("got %v", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		`hello world`:        `"hello" * AND "world" *`,
		`"hello world" x`:    `"hello world" AND "x"`,
		`東京都`:                `"東京 京都"`,
		`都`:                  `"都" *`,
		`"東京 tower"`:         `"東京 京 tower"`,
		`a" OR "b) NEAR(c`:   `"a" AND "or" AND "b" AND "near" * AND "c"`,
		`42 4.2`:             `"42" AND "4" AND "2"`,
		`quick "brown`:       `"quick" * AND "brown" *`,
		`""`:                 ``,
		"\x00\xff*:^{}()-+~": ``,
	} {
		q, ok := Ask(question)
		if ok != (want != "") {
			t.Errorf("%q: %v", question, ok)
		}
		if q.match != want {
			t.Errorf("%q: got %s, want %s", question, q.match, want)
		}
	}
}

// FuzzAsk makes sure that no question is a mistake in the language of the index.
func FuzzAsk(f *testing.F) {
	fk := newFake()
	fk.message(1, "word")
	ix, err := Open(f.Context(), Options{Path: filepath.Join(f.TempDir(), "search.db"), Store: fk, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ix.Close() })
	f.Add(`hello "world`)
	f.Add(`a:b* NEAR(c)`)
	f.Add("東京 \U0001F382")
	f.Fuzz(func(t *testing.T, question string) {
		q, ok := Ask(question)
		if !ok {
			return
		}
		if _, err := ix.Search(t.Context(), Query{Question: q, Body: true, Name: true, Rooms: []int64{1}, Before: 2, UpTo: 2, Limit: 1}); err != nil {
			t.Errorf("%q: %s: %v", question, q.match, err)
		}
	})
}
