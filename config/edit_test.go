package config

import (
	"strings"
	"testing"
)

func TestAddBridge(t *testing.T) {
	t.Parallel()
	const entry = "id: new\nmodule: irc"
	for name, test := range map[string]struct{ before, after string }{
		"nothing":          {"", "bridges:\n  - id: new\n    module: irc\n"},
		"only a comment":   {"# hello\n", "# hello\n\nbridges:\n  - id: new\n    module: irc\n"},
		"no bridges":       {"log: {level: warn} # quiet\n", "log: {level: warn} # quiet\n\nbridges:\n  - id: new\n    module: irc\n"},
		"empty list":       {"bridges: [] # none\nlog:\n  level: warn\n", "bridges: # none\n  - id: new\n    module: irc\nlog:\n  level: warn\n"},
		"null":             {"bridges:\n", "bridges:\n  - id: new\n    module: irc\n"},
		"one":              {"bridges:\n  - id: a # the first\n    module: irc\n\n# what is told\nlog: {level: warn}\n", "bridges:\n  - id: a # the first\n    module: irc\n  - id: new\n    module: irc\n\n# what is told\nlog: {level: warn}\n"},
		"at the left edge": {"bridges:\n- id: a\n  module: irc\n  config: |\n    text\n", "bridges:\n- id: a\n  module: irc\n  config: |\n    text\n- id: new\n  module: irc\n"},
		"no end of line":   {"bridges:\n  - id: a", "bridges:\n  - id: a\n  - id: new\n    module: irc\n"},
		"dashes alone":     {"bridges:\n    -\n      id: a\n", "bridges:\n    -\n      id: a\n    - id: new\n      module: irc\n"},
	} {
		got, err := AddBridge([]byte(test.before), entry)
		if err != nil || string(got) != test.after {
			t.Errorf("%s: %v, got\n%s\nwant\n%s", name, err, got, test.after)
		}
	}
	for text, want := range map[string]string{
		"bridges: [{id: a}]\n":    "in one line",
		"{bridges: []}\n":         "in one line",
		"bridges: x\n":            "not a list",
		"a: [\n":                  "reading the configuration",
		"x: &x []\nbridges: *x\n": "in one line",
	} {
		if got, err := AddBridge([]byte(text), entry); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v %s, want %q", text, err, got, want)
		}
	}
	if _, err := AddBridge(nil, "- id: x\nbad: y"); err == nil {
		t.Error("an entry that is no mapping was added")
	}
}
