package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func newInbox(t *testing.T, path string, limit int) *Inbox {
	t.Helper()
	db, err := OpenBridge(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	b, err := OpenInbox(t.Context(), path, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func event(lane, id string) Item {
	return Item{Kind: KindEvent, Lane: lane, EventID: id, Body: []byte(`{"event_id":"` + id + `"}`)}
}

func accept(t *testing.T, b *Inbox, txn string, items ...Item) []Item {
	t.Helper()
	stored, dup, err := b.Accept(t.Context(), txn, items)
	if err != nil || dup {
		t.Fatalf("accept %s: dup %v, err %v", txn, dup, err)
	}
	return stored
}

func TestAcceptOnce(t *testing.T) {
	t.Parallel()
	b := newInbox(t, filepath.Join(t.TempDir(), "a", "bridge.db"), 100)
	stored := accept(t, b, "t1", event("!a", "$1"), event("!b", "$2"), Item{Kind: KindToDevice, Lane: "dev", Body: []byte("{}")})
	if len(stored) != 3 || stored[0].Seq >= stored[1].Seq {
		t.Fatalf("stored %+v", stored)
	}
	if _, dup, err := b.Accept(t.Context(), "t1", []Item{event("!a", "$9")}); !dup || err != nil {
		t.Errorf("the same transaction again: dup %v, err %v", dup, err)
	}
	// The same event in another transaction, even after it was handled.
	if err := b.Done(t.Context(), stored[0].Seq); err != nil {
		t.Fatal(err)
	}
	again := accept(t, b, "t2", event("!a", "$1"), event("!b", "$2"), event("!a", "$3"))
	if len(again) != 1 || again[0].EventID != "$3" {
		t.Errorf("stored again: %+v", again)
	}
	if b.Len() != 3 {
		t.Errorf("Len = %d, want 3", b.Len())
	}
}

// What was accepted and not done is there after the process dies, and only what
// may have been begun is marked.
func TestPendingAfterCrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "bridge.db")
	b := newInbox(t, path, 100)
	stored := accept(t, b, "t1", event("!a", "$a1"), event("!a", "$a2"), event("!b", "$b1"), event("!a", "$a3"))
	if err := b.Done(t.Context(), stored[0].Seq); err != nil {
		t.Fatal(err)
	}
	// The files as a killed process leaves them.
	crashed := filepath.Join(dir, "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := newInbox(t, crashed, 100)
	items, err := c.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, it := range items {
		got += fmt.Sprintf("%s:%v ", it.EventID, it.Redelivered)
	}
	if want := "$a2:true $b1:true $a3:false "; got != want {
		t.Errorf("pending = %q, want %q", got, want)
	}
	if _, dup, err := c.Accept(t.Context(), "t1", nil); !dup || err != nil {
		t.Errorf("transaction forgotten: dup %v, err %v", dup, err)
	}
	if c.Len() != 3 {
		t.Errorf("Len = %d, want 3", c.Len())
	}
}

func TestLimit(t *testing.T) {
	t.Parallel()
	b := newInbox(t, filepath.Join(t.TempDir(), "bridge.db"), 2)
	stored := accept(t, b, "t1", event("!a", "$1"), event("!a", "$2"))
	if _, _, err := b.Accept(t.Context(), "t2", []Item{event("!a", "$3")}); !errors.Is(err, ErrFull) {
		t.Fatalf("err = %v, want ErrFull", err)
	}
	for _, it := range stored {
		if err := b.Done(t.Context(), it.Seq); err != nil {
			t.Fatal(err)
		}
	}
	// Refused is not remembered; and one transaction always fits into an empty inbox.
	if got := accept(t, b, "t2", event("!a", "$3"), event("!a", "$4"), event("!a", "$5")); len(got) != 3 {
		t.Errorf("stored %d", len(got))
	}
}

func TestConcurrentUseAndClose(t *testing.T) {
	t.Parallel()
	b := newInbox(t, filepath.Join(t.TempDir(), "bridge.db"), 10_000)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				stored, _, err := b.Accept(context.Background(), fmt.Sprint(i, "/", j), []Item{event(fmt.Sprint(i), fmt.Sprint("$", i, "/", j))})
				if err != nil {
					t.Errorf("accept: %v", err)
					return
				}
				if err := b.Done(context.Background(), stored[0].Seq); err != nil {
					t.Errorf("done: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Len() != 0 {
		t.Errorf("Len = %d", b.Len())
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.Accept(t.Context(), "x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if err := b.Done(t.Context(), 1); !errors.Is(err, ErrClosed) {
		t.Errorf("done after close: %v", err)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	b := newInbox(t, filepath.Join(t.TempDir(), "bridge.db"), 10)
	if _, err := b.normal.Exec(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < ?) INSERT INTO landbridge_inbox (kind, lane, event_id, done) SELECT 1, '', '$'||i, 1 FROM c`, keepHandled+7); err != nil {
		t.Fatal(err)
	}
	if _, err := b.normal.Exec(`WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < ?) INSERT INTO landbridge_txn (txn) SELECT 't'||i FROM c`, keepTxns+7); err != nil {
		t.Fatal(err)
	}
	if err := b.prune(); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{"landbridge_inbox": keepHandled, "landbridge_txn": keepTxns} {
		var n int
		if err := b.normal.QueryRow(`SELECT COUNT(*) FROM ` + table).Scan(&n); err != nil || n != want {
			t.Errorf("%s has %d rows (%v), want %d", table, n, err, want)
		}
	}
}

func TestNewerTablesAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bridge.db")
	b := newInbox(t, path, 10)
	if _, err := b.normal.Exec(`UPDATE landbridge_version SET version = 99`); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenInbox(t.Context(), path, 10); err == nil {
		t.Error("tables of a newer version were opened")
	}
}

func TestPathWithOddCharacters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?c#d%20", "bridge.db")
	newInbox(t, path, 10)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func BenchmarkAcceptDone(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bridge.db")
	db, err := OpenBridge(path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	box, err := OpenInbox(b.Context(), path, 100)
	if err != nil {
		b.Fatal(err)
	}
	defer box.Close()
	n := 0
	for b.Loop() {
		n++
		stored, _, err := box.Accept(b.Context(), fmt.Sprint(n), []Item{event("!a", fmt.Sprint("$", n))})
		if err != nil {
			b.Fatal(err)
		}
		if err := box.Done(b.Context(), stored[0].Seq); err != nil {
			b.Fatal(err)
		}
	}
}
