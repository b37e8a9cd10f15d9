package format

import (
	"strings"
	"testing"
)

func testLookup() Lookup {
	return Lookup{
		User: func(id string) (string, string) {
			switch id {
			case "1":
				return "Alice", "@discord_1:test"
			case "2":
				return "Bob <b>", ""
			}
			return "", ""
		},
		Role: func(id string) string {
			if id == "7" {
				return "Mods"
			}
			return ""
		},
		Channel: func(id string) (string, string) {
			switch id {
			case "5":
				return "general", "https://matrix.to/#/!r:test"
			case "6":
				return "hidden", ""
			}
			return "", ""
		},
		Emoji: func(name, id string, _ bool) string {
			if id == "9" {
				return "mxc://test/" + name
			}
			return ""
		},
	}
}

// html is what a text becomes; "" means that it is plain text.
var toMatrixCases = []struct{ in, html, plain string }{
	{"", "", ""},
	{"hello", "", "hello"},
	{"a & b < c > d \"e\"", "", "a & b < c > d \"e\""},
	{"two\nlines", "", "two\nlines"},
	{"**b**", "<strong>b</strong>", "**b**"},
	{"*i*", "<em>i</em>", "*i*"},
	{"_i_", "<em>i</em>", "_i_"},
	{"__u__", "<u>u</u>", "__u__"},
	{"~~s~~", "<del>s</del>", "~~s~~"},
	{"||x||", "<span data-mx-spoiler>x</span>", "||x||"},
	{"`c`", "<code>c</code>", "`c`"},
	{"``a`b``", "<code>a`b</code>", "``a`b``"},
	{"***bi***", "<strong><em>bi</em></strong>", "***bi***"},
	{"___ui___", "<u><em>ui</em></u>", "___ui___"},
	{"**_bi_**", "<strong><em>bi</em></strong>", "**_bi_**"},
	{"*a **b** c*", "<em>a <strong>b</strong> c</em>", "*a **b** c*"},
	{"**a *b* c**", "<strong>a <em>b</em> c</strong>", "**a *b* c**"},
	{"__**~~all~~**__", "<u><strong><del>all</del></strong></u>", "__**~~all~~**__"},
	{"||**b** `c`||", "<span data-mx-spoiler><strong>b</strong> <code>c</code></span>", "||**b** `c`||"},
	{"**b** and *i*", "<strong>b</strong> and <em>i</em>", "**b** and *i*"},
	{"**<&>**", "<strong>&lt;&amp;&gt;</strong>", "**<&>**"},
	{"**multi\nline**", "<strong>multi<br>line</strong>", "**multi\nline**"},
	{"2 * 3 * 4", "", "2 * 3 * 4"},
	{"2*3*4", "2<em>3</em>4", "2*3*4"},
	{"snake_case_name", "", "snake_case_name"},
	{"_snake_case_", "<em>snake_case</em>", "_snake_case_"},
	{"**", "", "**"},
	{"****", "", "****"},
	{"*", "", "*"},
	{"**open", "", "**open"},
	{"open**", "", "open**"},
	{"* not *", "<ul><li>not *</li></ul>", "* not *"},
	{"~one~", "", "~one~"},
	{"|one|", "", "|one|"},
	{`\*no\*`, "", "*no*"},
	{`\**no*`, "*<em>no</em>", "**no*"},
	{`¯\_(ツ)_/¯`, "", `¯_(ツ)_/¯`},
	{`C:\dir`, "", `C:\dir`},
	{`\<@1>`, "", `<@1>`},
	{"`**no**`", "<code>**no**</code>", "`**no**`"},
	{"`unclosed", "", "`unclosed"},
	{"**a `**` b**", "<strong>a <code>**</code> b</strong>", "**a `**` b**"},
	{"```\ncode\n```", "<pre><code>code\n</code></pre>", "```\ncode\n```"},
	{"```go\nx := 1\n```", "<pre><code class=\"language-go\">x := 1\n</code></pre>", "```go\nx := 1\n```"},
	{"```one line```", "<pre><code>one line</code></pre>", "```\none line\n```"},
	{"```c++\na\nb```", "<pre><code class=\"language-c++\">a\nb</code></pre>", "```c++\na\nb\n```"},
	{"```\n**no** <b>\n```", "<pre><code>**no** &lt;b&gt;\n</code></pre>", "```\n**no** <b>\n```"},
	{"before ```x\ny``` after", "before <pre><code class=\"language-x\">y</code></pre> after", "before \n```x\ny\n```\n after"},
	{"```unclosed", "", "```unclosed"},
	{"# Head", "<h1>Head</h1>", "# Head"},
	{"## Head **b**", "<h2>Head <strong>b</strong></h2>", "## Head **b**"},
	{"### Head\ntext", "<h3>Head</h3>text", "### Head\ntext"},
	{"#### no", "", "#### no"},
	{"#no", "", "#no"},
	{"# ", "", "# "},
	{"text\n# Head\nmore", "text<h1>Head</h1>more", "text\n# Head\nmore"},
	{"-# small", "<sub>small</sub>", "small"},
	{"big\n-# small **b**", "big<sub>small <strong>b</strong></sub>", "big\nsmall **b**"},
	{"> quote", "<blockquote>quote</blockquote>", "> quote"},
	{"> a\n> b\nc", "<blockquote>a<br>b</blockquote>c", "> a\n> b\nc"},
	{">no", "", ">no"},
	{">>> all\nof it", "<blockquote>all<br>of it</blockquote>", "> all\n> of it"},
	{"x\n> y", "x<blockquote>y</blockquote>", "x\n> y"},
	{"> **b**\n> - i", "<blockquote><strong>b</strong><ul><li>i</li></ul></blockquote>", "> **b**\n> - i"},
	{"> > twice", "<blockquote>&gt; twice</blockquote>", "> > twice"},
	{"- a\n- b", "<ul><li>a</li><li>b</li></ul>", "- a\n- b"},
	{"* a\n* b", "<ul><li>a</li><li>b</li></ul>", "* a\n* b"},
	{"1. a\n2. b", "<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"},
	{"5. a\n6. b", `<ol start="5"><li>a</li><li>b</li></ol>`, "5. a\n6. b"},
	{"- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"},
	{"- a\n  - b\n    - c", "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>", "- a\n  - b\n    - c"},
	{"1. a\n  - b", "<ol><li>a<ul><li>b</li></ul></li></ol>", "1. a\n  - b"},
	{"- a\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>", "- a\n1. b"},
	{"- a\n  more", "<ul><li>a<br>more</li></ul>", "- a\n  more"},
	{"text\n- a\nafter", "text<ul><li>a</li></ul>after", "text\n- a\nafter"},
	{"- **b** <@1>", `<ul><li><strong>b</strong> <a href="https://matrix.to/#/@discord_1:test">@Alice</a></li></ul>`, "- **b** @Alice"},
	{"-no", "", "-no"},
	{"1.no", "", "1.no"},
	{"[text](https://x.org)", `<a href="https://x.org">text</a>`, "text (https://x.org)"},
	{"[**b**](https://x.org/a_(b))", `<a href="https://x.org/a_(b)"><strong>b</strong></a>`, "**b** (https://x.org/a_(b))"},
	{"[t](<https://x.org>)", `<a href="https://x.org">t</a>`, "t (https://x.org)"},
	{`[t](https://x.org "title")`, `<a href="https://x.org">t</a>`, "t (https://x.org)"},
	{"[t](javascript:alert(1))", "", "[t](javascript:alert(1))"},
	{"[t] (https://x.org)", "", "[t] (https://x.org)"},
	{"[]()", "", "[]()"},
	{"[a](b", "", "[a](b"},
	{"https://x.org/a_b_c", "", "https://x.org/a_b_c"},
	{"see https://x.org/*a*.", "", "see https://x.org/*a*."},
	{"(https://x.org/a)", "", "(https://x.org/a)"},
	{"<https://x.org>", "", "https://x.org"},
	{"**https://x.org**", `<strong><a href="https://x.org">https://x.org</a></strong>`, "**https://x.org**"},
	{"xhttps://x.org", "", "xhttps://x.org"},
	{"https://", "", "https://"},
	{"<@1>", `<a href="https://matrix.to/#/@discord_1:test">@Alice</a>`, "@Alice"},
	{"<@!1> hi", `<a href="https://matrix.to/#/@discord_1:test">@Alice</a> hi`, "@Alice hi"},
	{"<@2>", "", "@Bob <b>"},
	{"<@3>", "", "@unknown-user"},
	{"<@&7>", "<strong>@Mods</strong>", "@Mods"},
	{"<@&8>", "<strong>@unknown-role</strong>", "@unknown-role"},
	{"<#5>", `<a href="https://matrix.to/#/!r:test">#general</a>`, "#general"},
	{"<#6>", "", "#hidden"},
	{"<#404>", "", "#unknown-channel"},
	{"<:wave:9>", `<img data-mx-emoticon src="mxc://test/wave" alt=":wave:" title=":wave:" height="32">`, ":wave:"},
	{"<a:wave:9>", `<img data-mx-emoticon src="mxc://test/wave" alt=":wave:" title=":wave:" height="32">`, ":wave:"},
	{"<:other:8>", "", ":other:"},
	{"<:b ad:9>", "", "<:b ad:9>"},
	{"</play song:123>", "<code>/play song</code>", "/play song"},
	{"<t:0>", "", "1 January 1970 00:00 UTC"},
	{"<t:0:t>", "", "00:00 UTC"},
	{"<t:0:T>", "", "00:00:00 UTC"},
	{"<t:0:d>", "", "01/01/1970"},
	{"<t:0:D>", "", "1 January 1970"},
	{"<t:0:f>", "", "1 January 1970 00:00 UTC"},
	{"<t:0:F>", "", "Thursday, 1 January 1970 00:00 UTC"},
	{"<t:0:R>", "", "1 January 1970 00:00 UTC"},
	{"<t:x>", "", "<t:x>"},
	{"<t:99999999999999999999>", "", "<t:99999999999999999999>"},
	{"<id:customize>", "", "customize"},
	{"<@x>", "", "<@x>"},
	{"<@123456789012345678901>", "", "<@123456789012345678901>"},
	{"<>", "", "<>"},
	{"<", "", "<"},
	{"a < b", "", "a < b"},
	{"<script>alert(1)</script>", "", "<script>alert(1)</script>"},
	{"**<script>**", "<strong>&lt;script&gt;</strong>", "**<script>**"},
	{"@everyone hi", "", "@everyone hi"},
	{"||<@1>||", `<span data-mx-spoiler><a href="https://matrix.to/#/@discord_1:test">@Alice</a></span>`, "||@Alice||"},
	{"😀 **b**", "😀 <strong>b</strong>", "😀 **b**"},
	{"**b**\n\n*i*", "<strong>b</strong><br><br><em>i</em>", "**b**\n\n*i*"},
	{"a\x00b", "", "ab"},
	{"**a\r\nb**", "<strong>a<br>b</strong>", "**a\nb**"},
	{"~~**x**~~ ||y||", "<del><strong>x</strong></del> <span data-mx-spoiler>y</span>", "~~**x**~~ ||y||"},
	{"*a*b*c*", "<em>a</em>b<em>c</em>", "*a*b*c*"},
	{"**a**b**c**", "<strong>a</strong>b<strong>c</strong>", "**a**b**c**"},
	{"__a_b__", "<u>a_b</u>", "__a_b__"},
	{"*a\nb*", "<em>a<br>b</em>", "*a\nb*"},
	{"# `code` head", "<h1><code>code</code> head</h1>", "# `code` head"},
	{"> ```\n> x\n> ```", "<blockquote><pre><code>x\n</code></pre></blockquote>", "> ```\n> x\n> ```"},
}

func TestToMatrix(t *testing.T) {
	t.Parallel()
	for _, c := range toMatrixCases {
		got := ToMatrix(c.in, testLookup())
		if got.HTML != c.html {
			t.Errorf("%q:\n got HTML  %q\n want HTML %q", c.in, got.HTML, c.html)
		}
		if got.Body != c.plain {
			t.Errorf("%q:\n got plain  %q\n want plain %q", c.in, got.Body, c.plain)
		}
	}
}

func TestMentions(t *testing.T) {
	t.Parallel()
	got := ToMatrix("<@1> <@!1> **<@1>** <@2> @here", testLookup())
	if len(got.Mentions) != 1 || got.Mentions[0] != "@discord_1:test" || !got.Everyone {
		t.Errorf("%+v", got)
	}
	if got := ToMatrix("`<@1>` ```@everyone```", testLookup()); len(got.Mentions) != 0 || got.Everyone {
		t.Errorf("in code: %+v", got)
	}
}

func TestDeepNesting(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"**", "*", "_", "||", "> ", ">>> ", "- ", "[", "[x](", "`", "```", "<", "<@", "~~", "# ", "\\", "1. ", "*_", "**__~~||"} {
		ToMatrix(strings.Repeat(s, 4000/len(s)), testLookup())
		ToMatrix(strings.Repeat(s, 1000/len(s))+"x"+strings.Repeat(s, 1000/len(s)), testLookup())
	}
}

func FuzzToMatrix(f *testing.F) {
	for _, c := range toMatrixCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := ToMatrix(in, testLookup())
		checkBalanced(t, in, got.HTML)
		back := FromHTML(got.HTML, Targets{})
		for _, part := range Split(back.Text, 100) {
			if length(part) > 100 {
				t.Fatalf("%q: a part has %d characters: %q", in, length(part), part)
			}
		}
	})
}

// checkBalanced checks that tags are closed in order and that nothing is in them but what the
// package writes.
func checkBalanced(t *testing.T, in, out string) {
	t.Helper()
	var open []string
	for {
		i := strings.IndexByte(out, '<')
		if i < 0 {
			break
		}
		out = out[i+1:]
		tag, rest, ok := strings.Cut(out, ">")
		if !ok {
			t.Fatalf("%q: a tag is not closed", in)
		}
		out = rest
		name, _, _ := strings.Cut(strings.TrimPrefix(tag, "/"), " ")
		if !strings.Contains(" strong em u del span code pre h1 h2 h3 sub blockquote ul ol li a img br ", " "+name+" ") {
			t.Fatalf("%q: the tag %q", in, tag)
		}
		switch {
		case name == "br" || name == "img":
		case tag[0] == '/':
			if len(open) == 0 || open[len(open)-1] != name {
				t.Fatalf("%q: %s closes %v", in, tag, open)
			}
			open = open[:len(open)-1]
		default:
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		t.Fatalf("%q: %v stay open", in, open)
	}
}
