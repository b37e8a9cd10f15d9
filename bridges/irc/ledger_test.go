package irc

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"maunium.net/go/mautrix/id"
)

func testLedger(t *testing.T, path string, waiting map[int64]id.EventID) *ledger {
	t.Helper()
	l, err := openLedger(path, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLedger(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ledgerFile)
	l := testLedger(t, path, nil)
	for seq, lines := range map[int64]int{1: 0, 2: 1, 3: slotLines, slotSeq: 7} {
		l.of(&outgoing{Seq: seq, EventID: "$x"}, true).written(lines)
	}
	l.of(&outgoing{Seq: 2, EventID: "$x"}, false).delivered()
	l.forget(1)

	// As a process that was killed leaves it.
	next := testLedger(t, path, map[int64]id.EventID{2: "$x", 3: "$another", slotSeq: "$x", 5: "$x"})
	if m := next.of(&outgoing{Seq: 2}, false); m == nil {
		t.Error("the mark of a message is lost")
	} else if lines, delivered := m.state(); lines != 1 || !delivered {
		t.Errorf("2: %d lines, delivered %v", lines, delivered)
	}
	if m := next.of(&outgoing{Seq: slotSeq}, false); m == nil {
		t.Error("the mark of the last number is lost")
	} else if lines, delivered := m.state(); lines != 7 || delivered {
		t.Errorf("the last number: %d lines, delivered %v", lines, delivered)
	}
	for _, seq := range []int64{1, 3, 5} {
		if next.of(&outgoing{Seq: seq}, false) != nil {
			t.Errorf("there is a mark of %d", seq)
		}
	}
}

func TestLedgerFull(t *testing.T) {
	t.Parallel()
	l := testLedger(t, filepath.Join(t.TempDir(), ledgerFile), nil)
	for i := range ledgerSlots {
		if l.of(&outgoing{Seq: int64(i) + 1}, true) == nil {
			t.Fatalf("no room for message %d", i)
		}
	}
	if l.of(&outgoing{Seq: ledgerSlots + 1}, true) != nil {
		t.Error("there is room for one message too many")
	}
	l.forget(5)
	if l.of(&outgoing{Seq: ledgerSlots + 1}, true) == nil {
		t.Error("the place of a forgotten message is not used")
	}
}

// Whatever is in the file, nothing comes of it but what belongs to a message.
func TestLedgerStrangeFiles(t *testing.T) {
	t.Parallel()
	for i, content := range []string{"", "x", string(make([]byte, 100_000)), fmt.Sprintf("%040000d", 7)} {
		path := filepath.Join(t.TempDir(), ledgerFile)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		l := testLedger(t, path, map[int64]id.EventID{1: "$a"})
		if len(l.bySeq) > 0 || len(l.free) != ledgerSlots {
			t.Errorf("%d: %d marks, %d free", i, len(l.bySeq), len(l.free))
		}
	}
	if _, err := openLedger(filepath.Join(t.TempDir(), "no", "folder"), nil); err == nil {
		t.Error("a folder that is not there is no error")
	}
	none := testLedger(t, "", nil)
	if none.of(&outgoing{Seq: 1}, true) != nil {
		t.Error("a ledger without a file has marks")
	}
}
