package format

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSplit(t *testing.T) {
	t.Parallel()
	x := strings.Repeat("x", 31)
	for _, tc := range []struct {
		name  string
		in    string
		limit int
		want  []string
	}{
		{"short", "hello", 40, []string{"hello"}},
		{"exact", x + "y", 32, []string{x + "y"}},
		{"at the space", "the quick brown fox jumps over the lazy dog", 32, []string{"the quick brown fox jumps over", "the lazy dog"}},
		{"space at the limit", strings.Repeat("x", 32) + " y", 32, []string{strings.Repeat("x", 32), "y"}},
		{"long word", strings.Repeat("x", 70), 32, []string{strings.Repeat("x", 32), strings.Repeat("x", 32), "xxxxxx"}},
		{"multibyte", strings.Repeat("é", 20), 32, []string{strings.Repeat("é", 16), strings.Repeat("é", 4)}},
		{"not inside a rune", "x" + strings.Repeat("日", 12), 32, []string{"x" + strings.Repeat("日", 10), "日日"}},
		{"not before a combining mark", x + "e\u0301z", 32, []string{x, "e\u0301z"}},
		{"not inside a family", strings.Repeat("x", 20) + "👩\u200d👩\u200d👧 hi", 32, []string{strings.Repeat("x", 20), "👩\u200d👩\u200d👧 hi"}},
		{"flags", strings.Repeat("x", 28) + "🇩🇪🇫🇷", 32, []string{strings.Repeat("x", 28), "🇩🇪🇫🇷"}},
		{"formatting goes on", "\x02" + strings.Repeat("x", 40) + "\x02", 32, []string{"\x02" + strings.Repeat("x", 31), "\x02" + strings.Repeat("x", 9)}},
		{"colour goes on", "\x0304" + strings.Repeat("1", 40), 32, []string{"\x0304" + strings.Repeat("1", 29), "\x0304" + strings.Repeat("1", 11)}},
		{"limit too small", strings.Repeat("x", 40), 1, []string{strings.Repeat("x", 32), strings.Repeat("x", 8)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Split(tc.in, tc.limit); !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// FuzzSplit checks that no line is too long or torn, and that nothing but spaces
// at the splits is lost.
func FuzzSplit(f *testing.F) {
	f.Add("the quick brown fox jumps over the lazy dog", 32)
	f.Add("\x02\x0304,05"+strings.Repeat("日本", 50), 60)
	f.Add(strings.Repeat("👩\u200d", 100), 40)
	f.Add("a"+strings.Repeat("\u0301", 400), 50)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		limit = 32 + limit&0x1ff
		lines := Split(in, limit)
		if len(in) <= limit {
			return
		}
		var got strings.Builder
		for _, line := range lines {
			if len(line) > limit {
				t.Fatalf("line of %d bytes, limit %d: %q", len(line), limit, line)
			}
			if !utf8.ValidString(line) {
				t.Fatalf("torn line %q", line)
			}
			got.WriteString(Plain(line))
		}
		squash := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if squash(got.String()) != squash(Plain(in)) {
			t.Fatalf("text lost: %q became %q", in, lines)
		}
	})
}
