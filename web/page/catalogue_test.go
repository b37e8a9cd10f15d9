package page

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// templateFolders are where the templates of all pages are.
var templateFolders = []string{"files", "../console/pages", "../start/pages", "../reading/pages", "../../homeserver/claims/pages", "../../homeserver/oauth/pages"}

// names need no translation.
var names = map[string]bool{"IRC": true, "Slack": true, "Discord": true, "matrix.to": true, "link": true}

var (
	letters    = regexp.MustCompile(`\pL{2}`)
	spoken     = regexp.MustCompile(`\b(?:aria-label|placeholder|title|alt)="([^"{}]*)"`)
	anAction   = regexp.MustCompile(`\{\{[^}]*(?:\}[^}]+)*\}\}`)
	aTag       = regexp.MustCompile(`<[^>]*>`)
	untouched  = regexp.MustCompile(`(?s)<(code|pre|script|title)\b.*?</(?:code|pre|script|title)>`)
	inTemplate = regexp.MustCompile(`\bth? "((?:[^"\\]|\\.)*)"`)
)

// templates reads them all, by name.
func templates(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range templateFolders {
		files, err := filepath.Glob(filepath.Join(dir, "*.html"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			out[f] = string(raw)
		}
	}
	return out
}

// TestReadyForTranslation: no template says anything but by t or th.
func TestReadyForTranslation(t *testing.T) {
	t.Parallel()
	for name, text := range templates(t) {
		for _, m := range spoken.FindAllStringSubmatch(text, -1) {
			if letters.MatchString(m[1]) && !strings.HasPrefix(m[1], "mxc:") {
				t.Errorf("%s: %s", name, m[0])
			}
		}
		// Actions may stand in tags and have quotes, so they go first.
		bare := untouched.ReplaceAllString(anAction.ReplaceAllString(text, ""), "")
		for _, part := range aTag.Split(bare, -1) {
			if part = strings.TrimSpace(part); letters.MatchString(part) && !names[part] {
				t.Errorf("%s: %q", name, part)
			}
		}
	}
}

var verb = regexp.MustCompile(`%[a-z]`)

// TestCatalogues: each sentence of a catalogue is one of a page or of the program, and its translation takes the same
// arguments. What ordinary users see is translated whole.
func TestCatalogues(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	first := map[string]bool{}
	for name, text := range templates(t) {
		for _, m := range inTemplate.FindAllStringSubmatch(text, -1) {
			var s string
			if err := json.Unmarshal([]byte(`"`+m[1]+`"`), &s); err != nil {
				t.Errorf("%s: %q: %v", name, m[1], err)
			}
			said[s] = true
			if !strings.HasPrefix(name, "../console") && !strings.HasPrefix(name, "../../homeserver/oauth") {
				first[s] = true
			}
		}
	}
	// The pages of accounts name theirs by keys.
	raw, err := os.ReadFile("../../homeserver/oauth/pages/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var account map[string]string
	if err := json.Unmarshal(raw, &account); err != nil {
		t.Fatal(err)
	}
	for _, s := range account {
		said[s], first[s] = true, true
	}
	for d := range 12 {
		said[time.Month(d+1).String()], said[time.Weekday(d%7).String()] = true, true
	}
	program := ""
	for _, pattern := range []string{"../*/*.go", "../../homeserver/claims/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			program += string(raw)
		}
	}
	all, err := Translations()
	if err != nil || len(all) == 0 {
		t.Fatal(err)
	}
	for tag, catalogue := range all {
		for key, to := range catalogue {
			raw, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			if !said[key] && !strings.Contains(program, string(raw)) {
				t.Errorf("%s: nobody says %q", tag, key)
			}
			from, into := verb.FindAllString(key, -1), verb.FindAllString(to, -1)
			if slices.Sort(from); !slices.Equal(from, sorted(into)) {
				t.Errorf("%s: %q and %q do not take the same", tag, key, to)
			}
		}
		for key := range first {
			if catalogue[key] == "" {
				t.Errorf("%s: %q is not translated", tag, key)
			}
		}
	}
}

func sorted(list []string) []string { slices.Sort(list); return list }
