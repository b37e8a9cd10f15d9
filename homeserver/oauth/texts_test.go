package oauth

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTexts: each text that a page or the program asks for is there, and none is there for nothing.
func TestTexts(t *testing.T) {
	t.Parallel()
	have, err := loadTexts()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{"link.denied": true, "link.allowed": true, "link.denied.title": true, "link.allowed.title": true} // made up of parts
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := fs.Glob(os.DirFS("."), "pages/*.html")
	if err != nil {
		t.Fatal(err)
	}
	in := regexp.MustCompile(`(?:\bt |text\.get\(|saved\(w, r, )"([a-z.]+)"`)
	for _, name := range append(files, pages...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range in.FindAllStringSubmatch(string(raw), -1) {
			asked[m[1]] = true
			if have[m[1]] == "" {
				t.Errorf("%s asks for the text %q, which is missing", name, m[1])
			}
		}
	}
	for key := range have {
		if !asked[key] {
			t.Errorf("nobody asks for the text %q", key)
		}
	}
	if len(asked) < 50 {
		t.Errorf("only %d texts were found", len(asked))
	}
}

func TestUserCodes(t *testing.T) {
	t.Parallel()
	code := newUserCode()
	if len(code) != userCodeSize || strings.Trim(code, userCodeLetters) != "" {
		t.Error(code)
	}
	shown := showUserCode(code)
	for _, typed := range []string{shown, strings.ToLower(shown), code, " " + shown[:4] + " " + shown[5:] + "\n", shown + strings.Repeat("-", 1000)} {
		if got := plainUserCode(typed); got != code {
			t.Errorf("%q: %s, not %s", typed, got, code)
		}
	}
}
