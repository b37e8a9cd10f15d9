package irc

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// startInbox runs an inbox on a store until the returned function is called.
func startInbox(t *testing.T, st *store) (b *inbox, stop func()) {
	t.Helper()
	b = newInbox("net", st, slog.New(slog.DiscardHandler))
	if err := b.load(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.run(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return b, stop
}

// takeLine takes the next line of an inbox.
func takeLine(t *testing.T, b *inbox) *line {
	t.Helper()
	select {
	case e := <-b.out:
		return e.line
	case <-time.After(10 * time.Second):
		t.Fatal("no line comes out of the inbox")
		return nil
	}
}

func storedLines(t *testing.T, st *store) (texts []string) {
	t.Helper()
	list, err := st.lines(context.Background(), "net")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		texts = append(texts, l.Text)
	}
	return texts
}

func testLine(text string) *entry {
	return &entry{line: &line{Kind: lineMessage, ID: "id-" + text, Text: text, Channels: []string{"#a"}}}
}

func TestInboxKeepsLines(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	st := openTestStore(t, path)
	b, stop := startInbox(t, st)
	const n = 1000
	for i := range n {
		b.put(testLine(fmt.Sprint(i)))
	}
	b.sync()
	// All are stored when sync returns, though nobody has taken one.
	if got := storedLines(t, st); len(got) != n {
		t.Fatalf("%d lines are stored", len(got))
	}
	for i := range n {
		l := takeLine(t, b)
		if l.Text != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, l.Text)
		}
		if i%2 == 0 {
			b.done(l.seq, false)
		}
	}
	last := testLine("last")
	b.put(last)
	b.done(takeLine(t, b).seq, true)
	if got := storedLines(t, st); len(got) != n/2 || got[0] != "1" || got[n/2-1] != fmt.Sprint(n-1) {
		t.Fatalf("%d lines are stored: %q", len(got), got)
	}
	stop()
	b.put(testLine("too late")) // is dropped, and nobody waits for ever
	b.sync()
	b.done(1, true)

	// What is left comes again, before what is new.
	b, _ = startInbox(t, st)
	b.put(testLine("new"))
	for i := range n / 2 {
		if l := takeLine(t, b); l.Text != fmt.Sprint(2*i+1) {
			t.Fatalf("line %d after the restart is %q", i, l.Text)
		}
	}
	if l := takeLine(t, b); l.Text != "new" {
		t.Fatalf("the new line is %q", l.Text)
	}
}

func TestInboxIsBounded(t *testing.T) {
	t.Parallel()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	b, _ := startInbox(t, st)
	done := make(chan struct{})
	const n = inboxLimit + 3*inboxGroup
	go func() {
		defer close(done)
		for i := range n {
			b.put(&entry{line: &line{Text: fmt.Sprint(i)}}) // without an id: not stored
		}
	}()
	select {
	case <-done:
		t.Fatal("everything was taken at once")
	case <-time.After(200 * time.Millisecond):
	}
	for i := range n {
		if l := takeLine(t, b); l.Text != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, l.Text)
		}
	}
	<-done
}

func TestInboxStoresTiesWithTheirLines(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	st := openTestStore(t, filepath.Join(t.TempDir(), "x.db"))
	b, _ := startInbox(t, st)
	e := testLine("rename")
	e.ties = []tie{{"robert", "net.bob"}}
	b.put(e)
	b.put(&entry{ties: []tie{{"carla", "net.carl"}}})
	b.put(&entry{ties: []tie{{nick: "carla"}}})
	b.sync()
	ties, err := st.identities(ctx, "net")
	if err != nil || len(ties) != 1 || ties["robert"] != "net.bob" {
		t.Errorf("ties = %v, %v", ties, err)
	}
	if got := storedLines(t, st); len(got) != 1 {
		t.Errorf("stored are %q", got)
	}
}

// TestInboxWaitsForTheStore: while lines cannot be stored nothing is handled and
// nobody is told that it is.
func TestInboxWaitsForTheStore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "x.db")
	st := openTestStore(t, path)
	b, _ := startInbox(t, st)
	if _, err := st.db.Exec(ctx, "ALTER TABLE irc_inbox RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	b.put(testLine("x"))
	synced := make(chan struct{})
	go func() {
		defer close(synced)
		b.sync()
	}()
	select {
	case <-synced:
		t.Fatal("the line counts as stored")
	case <-b.out:
		t.Fatal("the line is handled")
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := st.db.Exec(ctx, "ALTER TABLE elsewhere RENAME TO irc_inbox"); err != nil {
		t.Fatal(err)
	}
	if l := takeLine(t, b); l.Text != "x" {
		t.Errorf("line %q", l.Text)
	}
	<-synced
}
