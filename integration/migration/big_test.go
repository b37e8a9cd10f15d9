package migration

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/exports"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestBigDiscord brings a generated guild in, in parts, some of them newest first: every message is there once, in order.
func TestBigDiscord(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "export")
	const messages, channels = 9000, 3
	if err := exports.Discord(dir, exports.Size{Messages: messages, People: 30, Channels: channels}); err != nil {
		t.Fatal(err)
	}
	s := testserver.New(t, testserver.Options{})
	must(t, s, "run", dir, "-no-files")
	all, said := rooms(t, s, "discord:100000000000000000"), 0
	for name, list := range all {
		if !strings.HasPrefix(name, "channel/") {
			continue
		}
		var at []int64
		for _, e := range list {
			if e.Type == "m.room.message" && rel(e)["rel_type"] == nil {
				at = append(at, e.TS)
			}
		}
		if said += len(at); !slices.IsSorted(at) {
			t.Errorf("%s is not in order", name)
		}
	}
	if said != messages {
		t.Errorf("%d messages instead of %d", said, messages)
	}
	must(t, s, "verify", dir)
	if out := must(t, s, "run", dir, "-no-files"); !strings.Contains(out, " 0 events are new") {
		t.Errorf("a second run brings in more:\n%s", out)
	}
}
