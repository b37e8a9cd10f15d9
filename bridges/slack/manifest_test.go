package slack

import (
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// The manifest in the documentation is the one that is printed.
func TestManifestInDocs(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/slack.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```yaml\n")
	doc, _, _ := strings.Cut(rest, "```")
	have, err := Manifest("Landbridge", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != doc {
		t.Errorf("the manifest is\n%s\nand docs/slack.md has\n%s", have, doc)
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	raw, err := Manifest("Our bridge", "https://matrix.example.org/slack/events", "https://matrix.example.org/slack/oauth")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Settings struct {
			Events struct {
				URL string `yaml:"request_url"`
			} `yaml:"event_subscriptions"`
			SocketMode bool `yaml:"socket_mode_enabled"`
		} `yaml:"settings"`
	}
	if err := yaml.Unmarshal(raw, &m); err != nil || m.Settings.SocketMode || m.Settings.Events.URL != "https://matrix.example.org/slack/events" {
		t.Errorf("%v: %+v", err, m)
	}
	for _, c := range [][3]string{{"", ""}, {strings.Repeat("x", 36), ""}, {"a", "http://x"}, {"a", "", "http://x"}} {
		if _, err := Manifest(c[0], c[1], c[2]); err == nil {
			t.Errorf("%q is taken", c)
		}
	}
}
