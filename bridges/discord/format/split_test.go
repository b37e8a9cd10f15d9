package format

import (
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	if got := Split("short", 2000); len(got) != 1 || got[0] != "short" {
		t.Errorf("%q", got)
	}
	if got := Split("", 2000); len(got) != 0 {
		t.Errorf("%q", got)
	}
	words := strings.Repeat("word ", 1000)
	parts := Split(words, 2000)
	if len(parts) != 3 {
		t.Errorf("%d parts", len(parts))
	}
	if got := strings.TrimSpace(strings.Join(parts, " ")); got != strings.TrimSpace(words) {
		t.Error("words are cut or lost")
	}
	code := "before\n```go\n" + strings.Repeat("a line of code\n", 300) + "```\nafter"
	parts = Split(code, 2000)
	for i, p := range parts {
		if strings.Count(p, "```")%2 != 0 {
			t.Errorf("part %d has an open fence: %q", i, p)
		}
		if i > 0 && i < len(parts)-1 && !strings.HasPrefix(p, "```go\n") {
			t.Errorf("part %d has lost its language: %.20q", i, p)
		}
		if length(p) > 2000 {
			t.Errorf("part %d has %d characters", i, length(p))
		}
	}
	if n := strings.Count(strings.Join(parts, "\n"), "a line of code"); n != 300 {
		t.Errorf("%d lines of 300", n)
	}
	if got := Split(strings.Repeat("😀", 1500), 2000); len(got) != 2 || strings.Join(got, "") != strings.Repeat("😀", 1500) {
		t.Errorf("emoji: %d parts", len(got))
	}
	mention := strings.Repeat("x", 90) + "<@123456789012345678>"
	if got := Split(mention, 100); len(got) != 2 || got[1] != "<@123456789012345678>" {
		t.Errorf("a mention is cut: %q", got)
	}
}
