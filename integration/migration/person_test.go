package migration

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/testserver"
)

// TestPersonsData: what one person of an imported community has said is given out whole, and nothing of others.
func TestPersonsData(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	must(t, s, "run", golden, "-workspace", "acme", "-no-files")
	const ann = "@slack_u024be7lh:test"
	// What is about a person is theirs, too.
	of := func(e event) bool {
		return e.Sender == ann || e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == ann
	}
	want := 0
	for _, list := range rooms(t, s, "slack:acme") {
		for _, e := range list {
			if of(e) {
				want++
			}
		}
	}
	out := filepath.Join(t.TempDir(), "ann.zip")
	if text, err := exec.CommandContext(t.Context(), testserver.Binary(), "export", "person", ann, "-o", out, "-c", s.Config()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	z, err := zip.OpenReader(out)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	have, account := 0, ""
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == "account.json" {
			account = string(raw)
		}
		if !strings.HasPrefix(f.Name, "events/") || !strings.HasSuffix(f.Name, ".jsonl") {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if !of(e) || e.TS == 0 {
				t.Errorf("%s has %s", f.Name, e)
			}
			have++
		}
	}
	if have == 0 || have != want || !strings.Contains(account, `"Ann"`) {
		t.Errorf("%d events of %d, and the account %s", have, want, account)
	}
}
