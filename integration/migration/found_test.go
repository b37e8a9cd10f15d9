package migration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestFoundFiles brings in an export whose files can't be had, and again when they can: what stood for them becomes the files, and
// nothing else changes.
func TestFoundFiles(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	dir := t.TempDir()
	put(t, filepath.Join(dir, "users.json"), []map[string]any{{"id": "U0000000A", "name": "ann"}})
	put(t, filepath.Join(dir, "channels.json"), []map[string]any{{"id": "C0000000A", "name": "general", "created": 1600000000, "members": []string{"U0000000A"}}})
	file := func(id string) map[string]any {
		return map[string]any{"id": id, "name": id + ".txt", "mimetype": "text/plain", "mode": "hosted", "size": 5}
	}
	say := func(ts, text string, files ...map[string]any) map[string]any {
		return map[string]any{"user": "U0000000A", "ts": ts, "text": text, "files": files}
	}
	edited := say("1600000400.000000", "two files", file("FTHERE00"), file("FLATE004"))
	edited["edited"] = map[string]any{"ts": "1600000500.000000"}
	put(t, filepath.Join(dir, "general", "2020-09-13.json"), []map[string]any{
		say("1600000100.000000", "", file("FLATE001")), say("1600000200.000000", "with words", file("FLATE002")),
		say("1600000300.000000", "", file("FLATE003"), file("FNEVER00")), edited,
	})
	upload := func(id string) {
		name := filepath.Join(dir, "__uploads", id, id+".txt")
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(id[:5]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verified := func(when string) {
		t.Helper()
		out := must(t, s, "verify", dir, "-workspace", "acme")
		if m := regexp.MustCompile(`(\d+) events compared, (\d+) are as in the export`).FindStringSubmatch(out); m == nil || m[1] != m[2] {
			t.Errorf("%s: %s", when, out)
		}
	}
	upload("FTHERE00")
	if out := must(t, s, "run", dir, "-workspace", "acme"); !strings.Contains(out, "FLATE002") {
		t.Errorf("the run does not tell of files that are not there:\n%s", out)
	}
	verified("without the files")
	before := rooms(t, s, "slack:acme")["channel/c0000000a"]
	for _, id := range []string{"FLATE001", "FLATE002", "FLATE003", "FLATE004"} {
		upload(id)
	}
	must(t, s, "run", dir, "-workspace", "acme")
	verified("with the files")
	after := rooms(t, s, "slack:acme")["channel/c0000000a"]
	for i, e := range before {
		if after[i].ID != e.ID {
			t.Fatalf("event %d was %s and is %s", i, e, after[i])
		}
	}
	fresh := after[len(before):]
	if len(fresh) != 4 {
		t.Errorf("%d events are new: %v", len(fresh), fresh)
	}
	for _, id := range []string{"FLATE001", "FLATE002", "FLATE003", "FLATE004"} {
		lost := find(t, before, "what stands for "+id, text(id+".txt (this file could not be brought over)"))
		e := find(t, fresh, "the file "+id, text("* "+id+".txt"))
		now, _ := e.Content["m.new_content"].(map[string]any)
		if rel(e)["rel_type"] != "m.replace" || rel(e)["event_id"] != lost.ID || e.Sender != lost.Sender || now["msgtype"] != "m.file" || now["url"] == nil || now["body"] != id+".txt" {
			t.Errorf("the file is %s, for %s", e, lost)
		}
	}
	find(t, before, "the text beside a file", text("with words"))
	must(t, s, "run", dir, "-workspace", "acme")
	if again := rooms(t, s, "slack:acme")["channel/c0000000a"]; len(again) != len(after) {
		t.Errorf("%d events instead of %d", len(again), len(after))
	}
}
