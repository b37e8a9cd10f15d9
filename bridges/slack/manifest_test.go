package slack

import (
	"os"
	"slices"
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
	have, err := App{Name: "Landbridge"}.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != doc {
		t.Errorf("the manifest is\n%s\nand docs/slack.md has\n%s", have, doc)
	}
}

func TestManifest(t *testing.T) {
	t.Parallel()
	const back = "https://matrix.example.org/claim/slack/back"
	raw, err := App{"Our bridge", "https://matrix.example.org/slack/events", "https://matrix.example.org/slack/oauth", back}.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		OAuth struct {
			Redirects []string `yaml:"redirect_urls"`
			Scopes    struct {
				User []string `yaml:"user"`
			} `yaml:"scopes"`
		} `yaml:"oauth_config"`
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
	if !slices.Contains(m.OAuth.Redirects, back) || !slices.Contains(m.OAuth.Scopes.User, "openid") || !slices.Contains(m.OAuth.Scopes.User, "chat:write") {
		t.Errorf("%+v", m.OAuth)
	}
	for _, a := range []App{{}, {Name: strings.Repeat("x", 36)}, {Name: "a", EventsURL: "http://x"}, {Name: "a", OAuthURL: "http://x"}, {Name: "a", SignInURL: "http://x"}} {
		if _, err := a.Manifest(); err == nil {
			t.Errorf("%+v is taken", a)
		}
	}
}
