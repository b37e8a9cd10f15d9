package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sameByCommand says by which command is done what a form of the console does: the form's path, and which button.
var sameByCommand = map[string]string{
	"/backups/do ":           "backup",
	"/bridges/do start":      "bridge start",
	"/bridges/do stop":       "bridge stop",
	"/bridges/do restart":    "bridge restart",
	"/bridges/letters retry": "bridge dead-letters",
	"/bridges/letters drop":  "bridge dead-letters",
	"/claims/do announce":    "migrate announce",
	"/claims/do freeze":      "migrate freeze",
	"/claims/do finish":      "migrate finish",
	"/claims/do confirm":     "migrate confirm",
	"/claims/do undo":        "migrate undo",
	"/claims/do invite":      "migrate invite",
	"/claims/do mail":        "migrate invite -by",
	"/claims/do links":       "migrate invite -by",
	"/claims/do remind":      "migrate remind",
	"/claims/do unlink":      "migrate unlink",
	"/federation/do ":        "federation retry",
	"/media/do quarantine":   "media quarantine",
	"/media/do unquarantine": "media quarantine -undo",
	"/media/do delete":       "media delete",
	"/migrate/upload ":       "migrate plan",
	"/migrate/new ":          "migrate plan",
	"/migrate/edit ":         "migrate plan -mapping", // the mapping is a file
	"/migrate/do plan":       "migrate plan",
	"/migrate/do run":        "migrate run",
	"/migrate/do stop":       "migrate run",  // it is interrupted, and run again
	"/migrate/do remove":     "migrate plan", // its files are where they were put
	"/migrate/do verify":     "migrate verify",
	"/reports/do ":           "report dismiss",
	"/reports/do redact":     "room redact",
	"/rooms/do admin":        "room admin",
	"/rooms/do block":        "room block",
	"/rooms/do unblock":      "room block -undo",
	"/rooms/do delete":       "room delete",
	"/rooms/do purge":        "room purge",
	"/rooms/do quarantine":   "media quarantine",
	"/rooms/do redact":       "room redact",
	"/rooms/do set":          "room set",
	"/setup/irc ":            "bridge add",
	"/setup/irc channels":    "bridge channels",
	"/setup/irc review":      "bridge add -check",
	"/setup/irc done":        "bridge add",
	"/setup/with/ channels":  "bridge channels",
	"/setup/with/ review":    "bridge add -check",
	"/setup/with/ done":      "bridge add",
	"/tokens/do create":      "token create",
	"/tokens/do delete":      "token delete",
	"/users/create ":         "user create",
	"/users/do admin":        "user admin",
	"/users/do unadmin":      "user admin -undo",
	"/users/do deactivate":   "user deactivate",
	"/users/do erase":        "user deactivate -erase",
	"/users/do device":       "user sign-out",
	"/users/do lock":         "user lock",
	"/users/do unlock":       "user lock -undo",
	"/users/do password":     "user password",
	"/users/do quarantine":   "media quarantine",
	"/users/do redact":       "user redact",
	"/users/do suspend":      "user suspend",
	"/users/do unsuspend":    "user suspend -undo",

	"/sign-in ":  "", // of the browser alone
	"/sign-out ": "",
}

// shownByCommand says by which command is told what a page of the console shows.
var shownByCommand = map[string]string{
	"/{$}": "status", "/users": "user list", "/users/show": "user show", "/rooms": "room list", "/rooms/show": "room show", "/media": "media list", "/tokens": "token list", "/reports": "report list",
	"/federation": "federation list", "/bridges": "status", "/bridges/show": "bridge portals", "/bridges/progress": "bridge portals", "/charts": "charts", "/log": "log", "/log/stream": "log -follow", "/audit": "audit",
	"/doctor": "doctor", "/backups": "backup list", "/claims": "migrate status", "/migrate": "migrate plan", "/migrate/show": "migrate plan", "/migrate/progress": "migrate run", "/migrate/edit": "migrate plan",
	"/migrate/mapping": "migrate plan", "/bridges/examine": "doctor", "/setup/examine": "doctor", "/setup": "bridge channels", "/setup/irc": "bridge channels", "/setup/with/{kind}": "bridge channels",
	"/docs": "man", "/docs/{name...}": "man",
}

// TestConsoleHasCommands: what the pages of the console show and do, a command does too. A new page without one fails.
func TestConsoleHasCommands(t *testing.T) {
	t.Parallel()
	d, err := describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]map[string]bool{}
	for _, c := range d.all() {
		flags := map[string]bool{}
		for _, f := range c.flags {
			flags["-"+f.Name] = true
		}
		there[strings.TrimPrefix(c.name, "landbridge ")] = flags
	}
	check := func(page, command string, known bool) {
		t.Helper()
		words, flag, _ := strings.Cut(command, " -")
		switch flags, ok := there[words]; {
		case !known:
			t.Errorf("the console's %s has no command", page)
		case command == "":
		case !ok || flag != "" && !flags["-"+flag]:
			t.Errorf("for the console's %s there is no landbridge %s", page, command)
		}
	}
	files, err := filepath.Glob("../web/console/pages/*.html")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seen := map[string]bool{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range regexp.MustCompile(`(?s)<form\b[^>]*method="post".*?</form>`).FindAllString(string(raw), -1) {
			m := regexp.MustCompile(`action="\{\{path "/console([^"]+)"\}\}`).FindStringSubmatch(form)
			if m == nil {
				continue // the question before something is done, which a form of another page asks for
			}
			buttons := regexp.MustCompile(`name="(?:do|step)" value="([^"]*)"`).FindAllStringSubmatch(form, -1)
			if buttons == nil {
				buttons = [][]string{{"", ""}}
			}
			for _, b := range buttons {
				key := m[1] + " " + b[1]
				seen[key] = true
				if strings.HasPrefix(key, "/migrate/edit ") {
					key = "/migrate/edit "
				}
				command, ok := sameByCommand[key]
				check("form "+key, command, ok)
			}
		}
	}
	if len(seen) < 50 {
		t.Errorf("only %d forms were found", len(seen))
	}
	sources, err := filepath.Glob("../web/console/*.go")
	if err != nil {
		t.Fatal(err)
	}
	posts := 0
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bget\("([^"]+)"`).FindAllStringSubmatch(string(raw), -1) {
			command, ok := shownByCommand[m[1]]
			check("page "+m[1], command, ok)
		}
		for _, m := range regexp.MustCompile(`\bpost\("([^"{]+)`).FindAllStringSubmatch(string(raw), -1) {
			posts++
			found := false
			for key := range seen {
				found = found || strings.HasPrefix(key, m[1])
			}
			if !found {
				t.Errorf("no form of a page leads to %s, or the test does not find it", m[1])
			}
		}
	}
	if posts < 15 {
		t.Errorf("only %d routes that change something were found", posts)
	}
}
