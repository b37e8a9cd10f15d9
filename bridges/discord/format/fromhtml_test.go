package format

import (
	"slices"
	"strings"
	"testing"
)

func testTargets() Targets {
	return Targets{
		User: func(mxid string) string {
			if mxid == "@discord_1:test" {
				return "1"
			}
			return ""
		},
		Room: func(room string) string {
			if room == "!r:test" || room == "#general:test" {
				return "5"
			}
			return ""
		},
		Emoji: func(mxc, _ string) string {
			if mxc == "mxc://test/wave" {
				return "<:wave:9>"
			}
			return ""
		},
	}
}

var fromHTMLCases = []struct{ in, want string }{
	{"", ""},
	{"hello", "hello"},
	{"a &lt; b &amp; c", "a < b & c"},
	{"<b>b</b>", "**b**"},
	{"<strong>b</strong>", "**b**"},
	{"<i>i</i>", "*i*"},
	{"<em>i</em>", "*i*"},
	{"<u>u</u>", "__u__"},
	{"<s>s</s>", "~~s~~"},
	{"<del>s</del>", "~~s~~"},
	{"<strike>s</strike>", "~~s~~"},
	{"<strong><em>x</em></strong>", "***x***"},
	{"<em><strong>x</strong></em>", "_**x**_"},
	{"<em><u>x</u></em>", "*__x__*"},
	{"<b><b>x</b></b>", "**x**"},
	{"<b> x </b>", "**x**"},
	{"a<b> x </b>b", "a **x** b"},
	{"<b></b>x", "x"},
	{"<b>a</b><b>b</b>", "**a**\u200b**b**"},
	{"<i>a</i><i>b</i>", "*a*\u200b*b*"},
	{"<b>a</b> <b>b</b>", "**a** **b**"},
	{"<code>x</code>", "`x`"},
	{"<code>a`b</code>", "`` a`b ``"},
	{"<code>a``b</code>", "`` a`\u200b`b ``"},
	{"<code>*no*</code>", "`*no*`"},
	{"<code></code>x", "x"},
	{"<pre><code>a\nb</code></pre>", "```\na\nb\n```"},
	{"<pre><code class=\"language-go\">x := *p</code></pre>", "```go\nx := *p\n```"},
	{"<pre>plain</pre>", "```\nplain\n```"},
	{"a<pre><code>x</code></pre>b", "a\n```\nx\n```\nb"},
	{"<pre><code>a ``` b</code></pre>", "```\na `\u200b`\u200b` b\n```"},
	{"<pre><code>  indented\n    more</code></pre>", "```\n  indented\n    more\n```"},
	{"<span data-mx-spoiler>x</span>", "||x||"},
	{"<span data-mx-spoiler=\"why\">x</span>", "(why) ||x||"},
	{"<span>x</span>", "x"},
	{"a<br>b", "a\nb"},
	{"a<br><br>b", "a\n\nb"},
	{"<p>a</p><p>b</p>", "a\n\nb"},
	{"<p>a<br>b</p>", "a\nb"},
	{"<div>a</div><div>b</div>", "a\nb"},
	{"<h1>t</h1>x", "# t\nx"},
	{"<h2>t</h2>", "## t"},
	{"<h5>t</h5>", "### t"},
	{"x<h1>a<br>b</h1>", "x\n# a b"},
	{"<blockquote>q</blockquote>x", "> q\nx"},
	{"<blockquote>a<br>b</blockquote>", "> a\n> b"},
	{"<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"},
	{"x<blockquote>q</blockquote>", "x\n> q"},
	{"<ul><li>a</li><li>b</li></ul>", "- a\n- b"},
	{"<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"},
	{"<ol start=\"4\"><li>a</li></ol>", "4. a"},
	{"<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"},
	{"<ul>\n<li>a</li>\n<li><p>b</p></li>\n</ul>", "- a\n- b"},
	{"x<ul><li>a</li></ul>y", "x\n- a\ny"},
	{"<ul><li><b>a</b></li></ul>", "- **a**"},
	{"<hr>", "⸻"},
	{"<a href=\"https://x.org\">t</a>", "[t](https://x.org)"},
	{"<a href=\"https://x.org\">https://x.org</a>", "https://x.org"},
	{"<a href=\"https://x.org/\">https://x.org</a>", "https://x.org/"},
	{"<a href=\"https://x.org/a(b)\">t</a>", "[t](https://x.org/a%28b%29)"},
	{"<a href=\"https://x.org/a_b_c\">https://x.org/a_b_c</a>", "https://x.org/a_b_c"},
	{"<a href=\"https://evil.org\">https://x.org</a>", "https://x.org (https://evil.org)"},
	{"<a href=\"javascript:x\">t</a>", "t"},
	{"<a href=\"https://x.org\"><b>t</b></a>", "[**t**](https://x.org)"},
	{"<a href=\"https://matrix.to/#/@discord_1:test\">Alice</a>: hi", "<@1>: hi"},
	{"<a href=\"https://matrix.to/#/%40discord_1%3Atest\">Alice</a>", "<@1>"},
	{"<a href=\"matrix:u/discord_1:test\">Alice</a>", "<@1>"},
	{"<a href=\"https://matrix.to/#/@other:test\">Other_one</a>", "Other_one"},
	{"<a href=\"https://matrix.to/#/!r:test?via=test\">g</a>", "<#5>"},
	{"<a href=\"https://matrix.to/#/#general:test\">g</a>", "<#5>"},
	{"<img data-mx-emoticon src=\"mxc://test/wave\" alt=\":wave:\">", "<:wave:9>"},
	{"<img src=\"mxc://test/x\" alt=\":x_y:\">", ":x_y:"},
	{"<mx-reply>quoted</mx-reply>text", "text"},
	{"<script>x</script>y", "y"},
	{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>", "a \\| b\nc \\| d"},
	{"<font color=\"red\">x</font>", "x"},
	{"<sub>x</sub><sup>y</sup>", "xy"},
	{"*no*", "\\*no\\*"},
	{"_no_", "\\_no\\_"},
	{"snake_case", "snake_case"},
	{"a__b__", "a\\_\\_b\\_\\_"},
	{"`no`", "\\`no\\`"},
	{"~~no~~", "\\~\\~no\\~\\~"},
	{"||no||", "\\|\\|no\\|\\|"},
	{"back\\slash", "back\\\\slash"},
	{"# no", "\\# no"},
	{"x<br># no", "x\n\\# no"},
	{"&gt; no", "\\> no"},
	{"a &gt; b", "a > b"},
	{"- no", "\\- no"},
	{"1. no", "1\\. no"},
	{"-# no", "\\-# no"},
	{"a # b", "a # b"},
	{"<b># x</b>", "**# x**"},
	{"[no](https://x.org)", "\\[no](https://x.org)"},
	{"[fine]", "[fine]"},
	{"&lt;@1&gt;", "\\<@1>"},
	{"&lt;#5&gt;", "\\<#5>"},
	{"&lt;:a:5&gt;", "\\<:a:5>"},
	{"&lt;t:0&gt;", "\\<t:0>"},
	{"https://x.org/a_b_c and *x*", "https://x.org/a_b_c and \\*x\\*"},
	{"many   spaces\n and lines", "many spaces and lines"},
	{"a\x01b", "ab"},
	{"<b>*x*</b>", "**\\*x\\***"},
	{"<b>x\\</b>", "**x\\\\**"},
	{"<em>a<br>b</em>", "*a\nb*"},
	{"<b><code>x</code></b>", "**`x`**"},
	{"😀<b>😀</b>", "😀**😀**"},
	{"<blockquote><ul><li>a</li></ul></blockquote>", "> - a"},
	{"<blockquote><pre><code>a\nb</code></pre></blockquote>", "> ```\n> a\n> b\n> ```"},
	{"<unknown>x</unknown>", "x"},
	{"<b>unclosed", "**unclosed**"},
}

func TestFromHTML(t *testing.T) {
	t.Parallel()
	for _, c := range fromHTMLCases {
		if got := FromHTML(c.in, testTargets()); got.Text != c.want {
			t.Errorf("%q:\n got  %q\n want %q", c.in, got.Text, c.want)
		}
	}
	got := FromHTML(`<a href="https://matrix.to/#/@discord_1:test">A</a> <a href="https://matrix.to/#/@discord_1:test">A</a>`, testTargets())
	if !slices.Equal(got.Users, []string{"1"}) {
		t.Errorf("mentioned are %v", got.Users)
	}
}

func TestFromText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":            "",
		"plain":       "plain",
		"*a* _b_ `c`": "\\*a\\* \\_b\\_ \\`c\\`",
		"# x\n> y":    "\\# x\n\\> y",
		"- a\n1. b":   "\\- a\n1\\. b",
		"https://a.b": "https://a.b",
		"<@1> ||x||":  "\\<@1> \\|\\|x\\|\\|",
		"a\r\nb\n\n":  "a\nb",
	} {
		if got := FromText(in).Text; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
		if got := ToMatrix(want, Lookup{}); got.HTML != "" || got.Body != strings.TrimRight(strings.ReplaceAll(in, "\r\n", "\n"), "\n") {
			t.Errorf("%q comes back as %q (HTML %q)", in, got.Body, got.HTML)
		}
	}
}

// What Discord's markdown becomes in Matrix must say the same when it is sent back.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	skip := []string{"<sub>", "<code>/", "data-mx-emoticon", "@Mods", "unknown-role"} // have no way back
	for _, c := range toMatrixCases {
		if c.html == "" || slices.ContainsFunc(skip, func(s string) bool { return strings.Contains(c.html, s) }) {
			continue
		}
		back := FromHTML(c.html, testTargets())
		again := ToMatrix(back.Text, testLookup())
		if a, b := loose(again.HTML), loose(c.html); a != b {
			t.Errorf("%q became %q, and then\n %q, not\n %q", c.in, back.Text, a, b)
		}
	}
}

// loose takes out what makes no difference for a reader.
func loose(html string) string {
	return strings.NewReplacer("\n</code>", "</code>", "%28", "(", "%29", ")", joiner, "", " <pre>", "<pre>", "</pre> ", "</pre>").Replace(html)
}

func FuzzFromHTML(f *testing.F) {
	for _, c := range fromHTMLCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := FromHTML(in, testTargets())
		if strings.ContainsAny(got.Text, "\x01\x02\x03\x04\x06\x07") {
			t.Fatalf("%q: marks are left in %q", in, got.Text)
		}
		for _, part := range Split(got.Text, 60) {
			if length(part) > 60 {
				t.Fatalf("a part is too long: %q", part)
			}
		}
	})
}

// Plain text must come back from Discord as it was.
func FuzzPlainRoundTrip(f *testing.F) {
	for _, s := range []string{"a*b", "# x", "<@1>", "_a_", "https://x_y.z/_a_", "1. x", "\\", "`", "> x\n> y", "[a](https://b.c)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if strings.ContainsFunc(in, func(r rune) bool { return r < ' ' && r != '\n' || r == '\ufffd' }) || strings.Contains(in, "://") || strings.Contains(in, "@everyone") {
			return
		}
		in = strings.Trim(in, "\n")
		md := FromText(in).Text
		got := ToMatrix(md, Lookup{})
		if got.HTML != "" || got.Body != in {
			t.Fatalf("%q was sent as %q and comes back as %q (HTML %q)", in, md, got.Body, got.HTML)
		}
	})
}
