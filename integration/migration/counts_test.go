package migration

import (
	"encoding/json"
	jsonv2 "encoding/json/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/testserver"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
)

// TestCounts: verify says of each channel how much of it is here, and what was left out and why.
func TestCounts(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	must(t, s, "plan", golden, "-workspace", "acme", "-o", mapping)
	replace(t, mapping, "alias: slack_acme_grüße\n", "leave_out: true\n")
	must(t, s, "run", golden, "-workspace", "acme", "-no-files", "-mapping", mapping)
	out, err := command(t.Context(), s, "verify", golden, "-workspace", "acme", "-mapping", mapping, "-json").Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r verify.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	by := map[string]verify.Channel{}
	events := 0
	for _, c := range r.Channels {
		by[c.Name] = c
		events += c.Events
		if c.Same != c.Events {
			t.Errorf("%d of %d events of %s are as there", c.Same, c.Events, c.Name)
		}
	}
	if events != r.Compared || r.Compared == 0 {
		t.Errorf("%d events of channels, %d in all", events, r.Compared)
	}
	if c := by["general"]; c.Messages < 20 || c.Events < c.Messages || !strings.HasPrefix(c.RoomID, "!") || len(c.LeftOut) == 0 {
		t.Errorf("#general is %+v", c)
	}
	if c := by["grüße (archived)"]; c.Messages == 0 || c.Events != 0 || len(c.LeftOut) != 1 || c.LeftOut[0].Count != c.Messages || !strings.Contains(c.LeftOut[0].What, "mapping") {
		t.Errorf("the channel that is left out is %+v", c)
	}
	// Plan and run count the same, when nothing is left out by the one alone.
	var planned plan.Report
	var ran run.Summary
	for verb, into := range map[string]any{"plan": &planned, "run": &ran} {
		args := []string{verb, golden, "-workspace", "acme", "-mapping", mapping, "-json"}
		if verb == "run" {
			args = append(args, "-no-files")
		}
		out, err := command(t.Context(), s, args...).Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := jsonv2.Unmarshal(out, into); err != nil {
			t.Fatal(err)
		}
	}
	messages := 0
	for _, c := range r.Channels {
		if c.Events > 0 {
			messages += c.Messages
		}
	}
	if n := int(ran.Messages); planned.Messages != n || messages != n || planned.People != ran.People {
		t.Errorf("the plan has %d messages of %d people, the run %d of %d, and verify %d", planned.Messages, planned.People, n, ran.People, messages)
	}
	if text := must(t, s, "verify", golden, "-workspace", "acme", "-mapping", mapping); !strings.Contains(text, "the mapping leaves the channel out") {
		t.Error(text)
	}
}
