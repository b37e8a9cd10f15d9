package format

import (
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

// toMatrixCases: html is empty if the message is not formatted.
var toMatrixCases = []struct{ name, in, plain, html string }{
	{"empty", "", "", ""},
	{"plain", "hello", "hello", ""},
	{"plain needs no escaping", "a < b & c", "a < b & c", ""},
	{"unicode", "naïve 日本 🎉", "naïve 日本 🎉", ""},
	{"bold", "\x02b\x02", "b", "<strong>b</strong>"},
	{"bold in text", "a \x02b\x02 c", "a b c", "a <strong>b</strong> c"},
	{"bold not ended", "\x02b", "b", "<strong>b</strong>"},
	{"bold of nothing", "a\x02\x02b", "ab", ""},
	{"italic", "\x1di\x1d", "i", "<em>i</em>"},
	{"underline", "\x1fu\x1f", "u", "<u>u</u>"},
	{"strikethrough", "\x1es\x1e", "s", "<del>s</del>"},
	{"monospace", "\x11m\x11", "m", "<code>m</code>"},
	{"bold italic nested", "\x02\x1dx\x1d\x02", "x", "<strong><em>x</em></strong>"},
	{"overlapping", "\x02a\x1db\x02c\x1d", "abc", "<strong>a</strong><strong><em>b</em></strong><em>c</em>"},
	{"reset", "\x02\x1d\x1fx\x0fy", "xy", "<strong><em><u>x</u></em></strong>y"},
	{"reset alone", "a\x0fb", "ab", ""},
	{"everything", "\x02\x1d\x1f\x1e\x11x", "x", "<strong><em><u><del><code>x</code></del></u></em></strong>"},
	{"escaping in bold", "\x02<b>&\x02", "<b>&", "<strong>&lt;b&gt;&amp;</strong>"},
	{"escaping of quotes", "\x02\"'\x02", "\"'", "<strong>&#34;&#39;</strong>"},
	{"injection", "\x02</strong><script>\x02", "</strong><script>", "<strong>&lt;/strong&gt;&lt;script&gt;</strong>"},
	{"colour", "\x034red", "red", `<span data-mx-color="#ff0000">red</span>`},
	{"colour two digits", "\x0304red", "red", `<span data-mx-color="#ff0000">red</span>`},
	{"colour ended", "\x034red\x03 no", "red no", `<span data-mx-color="#ff0000">red</span> no`},
	{"colour and background", "\x034,1x", "x", `<span data-mx-color="#ff0000" data-mx-bg-color="#000000">x</span>`},
	{"colour two digits each", "\x0304,12x", "x", `<span data-mx-color="#ff0000" data-mx-bg-color="#0000fc">x</span>`},
	{"colour then comma", "\x034,x", ",x", `<span data-mx-color="#ff0000">,x</span>`},
	{"colour then digit", "\x03041", "1", `<span data-mx-color="#ff0000">1</span>`},
	{"colour three digits in background", "\x034,123", "3", `<span data-mx-color="#ff0000" data-mx-bg-color="#0000fc">3</span>`},
	{"colour change keeps background", "\x034,1a\x033b", "ab", `<span data-mx-color="#ff0000" data-mx-bg-color="#000000">a</span><span data-mx-color="#009300" data-mx-bg-color="#000000">b</span>`},
	{"colour without digits", "\x03x", "x", ""},
	{"colour comma first", "\x03,4x", ",4x", ""},
	{"colour extended", "\x0352x", "x", `<span data-mx-color="#ff0000">x</span>`},
	{"colour 98", "\x0398x", "x", `<span data-mx-color="#ffffff">x</span>`},
	{"colour 99 is default", "\x0399x", "x", ""},
	{"background alone", "\x0399,4x", "x", `<span data-mx-bg-color="#ff0000">x</span>`},
	{"colour at end", "x\x03", "x", ""},
	{"colour at end with comma", "x\x034,", "x,", `x<span data-mx-color="#ff0000">,</span>`},
	{"colour zero", "\x030x", "x", `<span data-mx-color="#ffffff">x</span>`},
	{"colour and bold", "\x02\x034x\x02y", "xy", `<span data-mx-color="#ff0000"><strong>x</strong></span><span data-mx-color="#ff0000">y</span>`},
	{"hex colour", "\x04FF8000x", "x", `<span data-mx-color="#ff8000">x</span>`},
	{"hex colour and background", "\x04ff8000,00ff00x", "x", `<span data-mx-color="#ff8000" data-mx-bg-color="#00ff00">x</span>`},
	{"hex colour ended", "\x04ff8000a\x04b", "ab", `<span data-mx-color="#ff8000">a</span>b`},
	{"hex colour short", "\x04ff80x", "ff80x", ""},
	{"hex colour bad background", "\x04ff8000,zz", ",zz", `<span data-mx-color="#ff8000">,zz</span>`},
	{"reverse", "\x16x\x16", "x", `<span data-mx-color="#ffffff" data-mx-bg-color="#000000">x</span>`},
	{"reverse of colours", "\x034,1\x16x", "x", `<span data-mx-color="#000000" data-mx-bg-color="#ff0000">x</span>`},
	{"reverse of a colour", "\x034\x16x", "x", `<span data-mx-color="#ffffff" data-mx-bg-color="#ff0000">x</span>`},
	{"control characters removed", "a\x01\x07\x7fb", "ab", ""},
	{"tab kept", "a\tb", "a\tb", ""},
	{"direction overrides removed", "a\u202eb\u2066c", "abc", ""},
	{"invalid UTF-8", "a\xffb", "a\uFFFDb", ""},
	{"formatted space", "\x1f \x1f", " ", "<u> </u>"},
	{"only codes", "\x02\x1d\x1f", "", ""},
	{"newlines removed", "a\nb\rc", "abc", ""},
	{"emoji in bold", "\x02🎉\x02", "🎉", "<strong>🎉</strong>"},
	{"bold across colour", "\x02a\x034b\x03c\x02", "abc", `<strong>a</strong><span data-mx-color="#ff0000"><strong>b</strong></span><strong>c</strong>`},
}

func TestToMatrix(t *testing.T) {
	t.Parallel()
	for _, tc := range toMatrixCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			plain, formatted := ToMatrix(tc.in)
			if plain != tc.plain {
				t.Errorf("plain = %q, want %q", plain, tc.plain)
			}
			if formatted != tc.html {
				t.Errorf("html = %q, want %q", formatted, tc.html)
			}
		})
	}
}

// FuzzToMatrix checks that the HTML says the same as the plain text, whatever a
// stranger sends, and that nothing in it is an element of theirs.
func FuzzToMatrix(f *testing.F) {
	for _, tc := range toMatrixCases {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		plain, formatted := ToMatrix(in)
		if !utf8.ValidString(plain) || !utf8.ValidString(formatted) {
			t.Fatalf("not UTF-8: %q %q", plain, formatted)
		}
		if strings.ContainsAny(plain, "\r\n\x00\x02\x03\x0f") {
			t.Fatalf("control characters in %q", plain)
		}
		if formatted == "" {
			return
		}
		z := html.NewTokenizer(strings.NewReader(formatted))
		var text strings.Builder
		var stack []string
		for {
			switch z.Next() {
			case html.ErrorToken:
				if text.String() != plain {
					t.Fatalf("HTML says %q, plain text %q", text.String(), plain)
				}
				if len(stack) != 0 {
					t.Fatalf("%q leaves %v open", formatted, stack)
				}
				return
			case html.TextToken:
				text.WriteString(html.UnescapeString(string(z.Raw())))
			case html.StartTagToken:
				name, _ := z.TagName()
				stack = append(stack, string(name))
				switch string(name) {
				case "strong", "em", "u", "del", "code", "span":
				default:
					t.Fatalf("element %s in %q", name, formatted)
				}
			case html.EndTagToken:
				name, _ := z.TagName()
				if len(stack) == 0 || stack[len(stack)-1] != string(name) {
					t.Fatalf("%q is not well nested", formatted)
				}
				stack = stack[:len(stack)-1]
			}
		}
	})
}
