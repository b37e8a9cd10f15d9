package format

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func mention(user string) (string, bool) {
	if user == "@irc_net.bob:example.org" {
		return "bob", true
	}
	return "", false
}

var fromHTMLCases = []struct {
	name, in string
	want     []string
}{
	{"empty", "", nil},
	{"text", "hello", []string{"hello"}},
	{"entities", "a &lt; b &amp; c &gt; d &quot;", []string{`a < b & c > d "`}},
	{"strong", "<strong>b</strong>", []string{"\x02b\x02"}},
	{"b", "<b>b</b>", []string{"\x02b\x02"}},
	{"em", "<em>i</em>", []string{"\x1di\x1d"}},
	{"i", "<i>i</i>", []string{"\x1di\x1d"}},
	{"u", "<u>u</u>", []string{"\x1fu\x1f"}},
	{"del", "<del>s</del>", []string{"\x1es\x1e"}},
	{"s", "<s>s</s>", []string{"\x1es\x1e"}},
	{"strike", "<strike>s</strike>", []string{"\x1es\x1e"}},
	{"code", "<code>m</code>", []string{"\x11m\x11"}},
	{"bold inside text", "a <b>b</b> c", []string{"a \x02b\x02 c"}},
	{"nested", "<b>a<i>b</i>c</b>", []string{"\x02a\x1db\x1dc\x02"}},
	{"unclosed", "<b>a", []string{"\x02a\x02"}},
	{"misnested", "<b>a<i>b</b>c</i>", []string{"\x02a\x1db\x02c\x1d"}},
	{"unknown element", "<blink>x</blink>", []string{"x"}},
	{"comment", "a<!-- no -->b", []string{"ab"}},
	{"script", "a<script>alert(1)</script>b", []string{"ab"}},
	{"style", "a<style>p{}</style>b", []string{"ab"}},
	{"br", "a<br>b", []string{"a", "b"}},
	{"br slash", "a<br/>b<br />c", []string{"a", "b", "c"}},
	{"br twice", "a<br><br>b", []string{"a", "b"}},
	{"paragraphs", "<p>a</p><p>b</p>", []string{"a", "b"}},
	{"paragraphs with newline", "<p>a</p>\n<p>b</p>\n", []string{"a", "b"}},
	{"text then paragraph", "a<p>b</p>c", []string{"a", "b", "c"}},
	{"div", "<div>a</div><div>b</div>", []string{"a", "b"}},
	{"white space", "  a \n\t b  ", []string{"a b"}},
	{"no-break space", "a\u00a0\u00a0b", []string{"a\u00a0\u00a0b"}},
	{"space between styles", "<b>a</b> <i>b</i>", []string{"\x02a\x02 \x1db\x1d"}},
	{"space inside style", "<b>a b</b>", []string{"\x02a b\x02"}},
	{"space at the end of a style", "<b>a </b>b", []string{"\x02a\x02 b"}},
	{"style over br", "<b>a<br>b</b>", []string{"\x02a\x02", "\x02b\x02"}},
	{"heading", "<h1>T</h1>x", []string{"\x02T\x02", "x"}},
	{"heading six", "<h6>T</h6>", []string{"\x02T\x02"}},
	{"blockquote", "<blockquote>q</blockquote>a", []string{"> q", "a"}},
	{"blockquote of paragraphs", "<blockquote>\n<p>q</p>\n<p>r</p>\n</blockquote>\n<p>a</p>", []string{"> q", "> r", "a"}},
	{"blockquote nested", "<blockquote>a<blockquote>b</blockquote></blockquote>", []string{"> a", "> > b"}},
	{"ul", "<ul><li>a</li><li>b</li></ul>", []string{"• a", "• b"}},
	{"ul with newlines", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n", []string{"• a", "• b"}},
	{"ol", "<ol><li>a</li><li>b</li></ol>", []string{"1. a", "2. b"}},
	{"ol start", `<ol start="7"><li>a</li><li>b</li></ol>`, []string{"7. a", "8. b"}},
	{"ol bad start", `<ol start="x"><li>a</li></ol>`, []string{"1. a"}},
	{"nested list", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", []string{"• a", "  • b", "• c"}},
	{"list item paragraphs", "<ul><li><p>a</p><p>b</p></li></ul>", []string{"• a", "  b"}},
	{"list item alone", "<li>a</li>", []string{"• a"}},
	{"quote in list", "<ul><li><blockquote>q</blockquote></li></ul>", []string{"• > q"}},
	{"list in quote", "<blockquote><ul><li>a</li></ul></blockquote>", []string{"> • a"}},
	{"pre", "<pre><code>a\n  b\n</code></pre>", []string{"\x11a\x11", "\x11  b\x11"}},
	{"pre keeps spaces", "<pre>a   b</pre>", []string{"\x11a   b\x11"}},
	{"pre language", `<pre><code class="language-go">x := 1</code></pre>`, []string{"\x11x := 1\x11"}},
	{"pre between text", "a<pre>b</pre>c", []string{"a", "\x11b\x11", "c"}},
	{"pre empty lines", "<pre>a\n\nb</pre>", []string{"\x11a\x11", "\x11b\x11"}},
	{"pre tab", "<pre>\ta</pre>", []string{"\x11 a\x11"}},
	{"hr", "a<hr>b", []string{"a", "———", "b"}},
	{"link", `<a href="https://example.org/x">here</a>`, []string{"here (https://example.org/x)"}},
	{"link with its address", `<a href="https://example.org/x">https://example.org/x</a>`, []string{"https://example.org/x"}},
	{"link without scheme", `<a href="https://example.org/">example.org</a>`, []string{"example.org"}},
	{"link without text", `<a href="https://example.org/"></a>`, []string{"https://example.org/"}},
	{"link formatted", `<a href="https://e.org"><b>x</b></a>`, []string{"\x02x\x02 (https://e.org)"}},
	{"link mailto", `<a href="mailto:a@b.c">a@b.c</a>`, []string{"a@b.c"}},
	{"link javascript", `<a href="javascript:alert(1)">x</a>`, []string{"x"}},
	{"link relative", `<a href="/x">x</a>`, []string{"x"}},
	{"link without href", `<a name="x">x</a>`, []string{"x"}},
	{"link escaped", `<a href="https://e.org/%C3%BC">https://e.org/ü</a>`, []string{"https://e.org/ü"}},
	{"link in sentence", `see <a href="https://e.org/a">this</a>, please`, []string{"see this (https://e.org/a), please"}},
	{"link with newline", "<a href=\"https://e.org/a\nb\">x</a>", []string{"x (https://e.org/ab)"}},
	{"pill of a ghost", `<a href="https://matrix.to/#/@irc_net.bob:example.org">Bob</a>: hi`, []string{"bob: hi"}},
	{"pill escaped", `<a href="https://matrix.to/#/%40irc_net.bob%3Aexample.org">Bob</a>: hi`, []string{"bob: hi"}},
	{"pill with via", `<a href="https://matrix.to/#/@irc_net.bob:example.org?via=x">Bob</a>`, []string{"bob"}},
	{"pill of a stranger", `<a href="https://matrix.to/#/@eve:example.org">Eve</a>: hi`, []string{"Eve: hi"}},
	{"pill as URI", `<a href="matrix:u/irc_net.bob:example.org">Bob</a>`, []string{"bob"}},
	{"room pill", `<a href="https://matrix.to/#/#room:example.org">#room:example.org</a>`, []string{"#room:example.org (https://matrix.to/#/#room:example.org)"}},
	{"reply fallback", "<mx-reply><blockquote>old</blockquote></mx-reply>new", []string{"new"}},
	{"colour", `<span data-mx-color="#ff0000">x</span>`, []string{"\x0304x\x0f"}},
	{"colour hex", `<span data-mx-color="#123456">x</span>`, []string{"\x04123456x\x0f"}},
	{"colour short", `<span data-mx-color="#f00">x</span>`, []string{"\x0304x\x0f"}},
	{"colour and background", `<span data-mx-color="#ff0000" data-mx-bg-color="#000000">x</span>`, []string{"\x0304,01x\x0f"}},
	{"background", `<span data-mx-bg-color="#ff0000">x</span>`, []string{"\x0399,04x\x0f"}},
	{"background not in palette", `<span data-mx-bg-color="#fe0000">x</span>`, []string{"\x0399,04x\x0f"}},
	{"colours hex", `<span data-mx-color="#123456" data-mx-bg-color="#654321">x</span>`, []string{"\x04123456,654321x\x0f"}},
	{"colour bad", `<span data-mx-color="url(x)">x</span>`, []string{"x"}},
	{"colour then digit", `<span data-mx-color="#ff0000">5</span>`, []string{"\x03045\x0f"}},
	{"colour then comma", `<span data-mx-color="#ff0000">,5</span>`, []string{"\x0304\x02\x02,5\x0f"}},
	{"colour then text", `<span data-mx-color="#ff0000">a</span>b`, []string{"\x0304a\x0fb"}},
	{"colour in bold", `<b>a<span data-mx-color="#ff0000">b</span>c</b>`, []string{"\x02a\x0304b\x0f\x02c\x02"}},
	{"font", `<font color="red">x</font>`, []string{"\x0304x\x0f"}},
	{"font data", `<font data-mx-color="#00ff00">x</font>`, []string{"\x0356x\x0f"}},
	{"spoiler", `<span data-mx-spoiler>x</span>`, []string{"(spoiler) \x0301,01x\x0f"}},
	{"spoiler reason", `<span data-mx-spoiler="end">x</span>`, []string{"(spoiler: end) \x0301,01x\x0f"}},
	{"image", `<img src="mxc://a/b" alt=":cat:">`, []string{":cat:"}},
	{"image title", `<img src="mxc://a/b" title="cat">`, []string{"cat"}},
	{"image bare", `a<img src="mxc://a/b">b`, []string{"ab"}},
	{"table", "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>", []string{"\x02a\x02 | \x02b\x02", "1 | 2"}},
	{"details", "<details><summary>s</summary>t</details>", []string{"\x02s\x02", "t"}},
	{"control characters", "a\x02b\x03c", []string{"abc"}},
	{"numeric control character", "a&#2;b", []string{"ab"}},
	{"carriage return", "a\rb", []string{"a b"}},
	{"numeric newline", "a&#10;b", []string{"a b"}},
	{"direction override", "a\u202eb", []string{"ab"}},
	{"invalid UTF-8", "a\xffb", []string{"a\uFFFDb"}},
	{"emoji", "<b>🎉</b>", []string{"\x02🎉\x02"}},
	{"sub and sup", "x<sub>1</sub><sup>2</sup>", []string{"x12"}},
	{"only markup", "<b></b><p></p>", nil},
	{"blank paragraph", "<p>a</p><p> </p><p>b</p>", []string{"a", "b"}},
	{"link in list", `<ul><li><a href="https://e.org/">e</a></li></ul>`, []string{"• e (https://e.org/)"}},
	{"code in bold", "<b>a <code>b</code></b>", []string{"\x02a\x02 \x02\x11b\x02\x11"}},
}

func TestFromHTML(t *testing.T) {
	t.Parallel()
	for _, tc := range fromHTMLCases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := FromHTML(tc.in, Options{Mention: mention})
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFromHTMLDeep(t *testing.T) {
	t.Parallel()
	for _, element := range []string{"b", "blockquote", "ul><li", "div"} {
		in := strings.Repeat("<"+element+">", 5000) + "x"
		for _, line := range FromHTML(in, Options{}) {
			if strings.ContainsAny(line, "\r\n") {
				t.Errorf("line break in a line of nested %s", element)
			}
		}
	}
}

func TestFromText(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a", []string{"a"}},
		{"a\nb", []string{"a", "b"}},
		{"a\r\nb\rc\n", []string{"a", "b", "c"}},
		{"a\n\n\nb", []string{"a", "b"}},
		{"  a  ", []string{"  a"}},
		{"a\x02\x00b\tc", []string{"ab c"}},
		{"\n", nil},
	} {
		if got := FromText(tc.in); !slices.Equal(got, tc.want) {
			t.Errorf("FromText(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

// TestRoundTrip checks that what IRC says survives the way over Matrix.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tc := range toMatrixCases {
		plain, formatted := ToMatrix(tc.in)
		if formatted == "" || strings.TrimSpace(plain) == "" {
			continue
		}
		lines := FromHTML(formatted, Options{})
		if len(lines) != 1 {
			t.Errorf("%s: %q became %q", tc.name, tc.in, lines)
			continue
		}
		plain2, formatted2 := ToMatrix(lines[0])
		if plain2 != plain || formatted2 != formatted {
			t.Errorf("%s: %q came back as %q", tc.name, formatted, formatted2)
		}
	}
}

// FuzzFromHTML checks that no document makes a line that is not one line of IRC.
func FuzzFromHTML(f *testing.F) {
	for _, tc := range fromHTMLCases {
		f.Add(tc.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, line := range FromHTML(in, Options{Mention: mention}) {
			checkLine(t, line)
		}
		for _, line := range FromText(in) {
			checkLine(t, line)
		}
	})
}

func checkLine(t *testing.T, line string) {
	t.Helper()
	if line == "" || !utf8.ValidString(line) || strings.ContainsAny(line, "\r\n\x00\x01") {
		t.Fatalf("bad line %q", line)
	}
}
