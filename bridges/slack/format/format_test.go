package format

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// testNames knows a few people and things.
type testNames struct{}

func (testNames) User(id string) (name, mxid string) {
	if id == "U1" {
		return "Al & Co", "@slack_u1:x"
	}
	return "", ""
}

func (testNames) Channel(id string) (name, link string) {
	switch id {
	case "C1":
		return "general", "https://matrix.to/#/%21r:x?via=x"
	case "C2":
		return "unbridged", ""
	}
	return "", ""
}

func (testNames) Group(id string) (handle string, mxids []string) {
	if id == "S1" {
		return "team", []string{"@slack_u1:x", "@slack_u2:x"}
	}
	return "", nil
}

func (testNames) CustomEmoji(name string) string {
	if name == "party_parrot" {
		return "mxc://x/parrot"
	}
	return ""
}

func TestMrkdwnToMatrix(t *testing.T) {
	t.Parallel()
	pill := `<a href="https://matrix.to/#/@slack_u1:x">Al &amp; Co</a>`
	for _, c := range []struct{ in, body, html string }{
		{"", "", ""},
		{"plain", "plain", ""},
		{"two\nlines", "two\nlines", ""},
		{"&lt;b&gt; &amp;amp; &eacute;", "<b> &amp; &eacute;", ""},
		{"*bold*", "bold", "<strong>bold</strong>"},
		{"_italic_", "italic", "<em>italic</em>"},
		{"~gone~", "gone", "<del>gone</del>"},
		{"`code`", "code", "<code>code</code>"},
		{"`a *b* _c_`", "a *b* _c_", "<code>a *b* _c_</code>"},
		{"`a&lt;b`", "a<b", "<code>a&lt;b</code>"},
		{"*_both_*", "both", "<strong><em>both</em></strong>"},
		{"_*both*_", "both", "<strong><em>both</em></strong>"},
		{"*a _b_ c*", "a b c", "<strong>a </strong><strong><em>b</em></strong><strong> c</strong>"},
		{"snake_case_name", "snake_case_name", ""},
		{"2*3*4", "2*3*4", ""},
		{"* not bold *", "* not bold *", ""},
		{"*open", "*open", ""},
		{"**", "**", ""},
		{"a * b", "a * b", ""},
		{"(*b*)", "(b)", "(<strong>b</strong>)"},
		{"*b*.", "b.", "<strong>b</strong>."},
		{"*b*c", "*b*c", ""},
		{"*one*\n*two*", "one\ntwo", "<strong>one</strong><br><strong>two</strong>"},
		{"*over\nlines*", "*over\nlines*", ""},
		{"```code\n  here```", "```\ncode\n  here\n```", "<pre><code>code\n  here\n</code></pre>"},
		{"a ```b``` c", "a \n```\nb\n```\n c", "a <pre><code>b\n</code></pre> c"},
		{"```open", "```open", ""},
		{"&gt; quote", "> quote", "<blockquote>quote</blockquote>"},
		{"&gt;a\n&gt; b\nc", "> a\n> b\nc", "<blockquote>a<br>b</blockquote>c"},
		{"&gt;&gt;&gt;a\nb", "> a\n> b", "<blockquote>a<br>b</blockquote>"},
		{"a &gt; b", "a > b", ""},
		{"<@U1>", "Al & Co", pill},
		{"<@U1|al>", "Al & Co", pill},
		{"*<@U1>*", "Al & Co", "<strong>" + pill + "</strong>"},
		{"<@U9>", "@U9", ""},
		{"<@U9|nina>", "@nina", ""},
		{"<#C1>", "#general", `<a href="https://matrix.to/#/%21r:x?via=x">#general</a>`},
		{"<#C1|old-name>", "#general", `<a href="https://matrix.to/#/%21r:x?via=x">#general</a>`},
		{"<#C2>", "#unbridged", ""},
		{"<#C9|secret>", "#secret", ""},
		{"<!here>", "@here", ""},
		{"<!channel>", "@channel", ""},
		{"<!everyone>", "@everyone", ""},
		{"<!group>", "@channel", ""},
		{"<!subteam^S1>", "@team", ""},
		{"<!subteam^S9|@devs>", "@devs", ""},
		{"<!date^1392734382^{date}|Feb 18>", "Feb 18", ""},
		{"<!date^1392734382^{date}^https://x.y/|Feb 18>", "Feb 18", `<a href="https://x.y/">Feb 18</a>`},
		{"<!date^0^{date}>", "1970-01-01 00:00 UTC", ""},
		{"<!unknown|label>", "label", ""},
		{"<!unknown>", "<!unknown>", ""},
		{"<https://x.y/?a=1&amp;b=2>", "https://x.y/?a=1&b=2", ""},
		{"<https://x.y/|label>", "label (https://x.y/)", `<a href="https://x.y/">label</a>`},
		{"<https://x.y/|a &lt; b>", "a < b (https://x.y/)", `<a href="https://x.y/">a &lt; b</a>`},
		{"<mailto:a@b.c|a@b.c>", "a@b.c (mailto:a@b.c)", `<a href="mailto:a@b.c">a@b.c</a>`},
		{"<javascript:alert(1)|x>", "x (javascript:alert(1))", ""},
		{"<javascript:alert(1)>", "javascript:alert(1)", ""},
		{"< not a link >", "< not a link >", ""},
		{"<", "<", ""},
		{":smile:", "😄", ""},
		{":+1::skin-tone-4:", "👍🏽", ""},
		{":wave::skin-tone-2: hi", "👋🏻 hi", ""},
		{":smile::heart:", "😄❤️", ""},
		{":unknown_thing:", ":unknown_thing:", ""},
		{":party_parrot:", ":party_parrot:", `<img data-mx-emoticon src="mxc://x/parrot" alt=":party_parrot:" title=":party_parrot:" height="32">`},
		{"12:30:45", "12:30:45", ""},
		{"a:smile:b", "a:smile:b", ""},
		{"`:smile:`", ":smile:", "<code>:smile:</code>"},
		{"*:smile:*", "😄", "<strong>😄</strong>"},
		{"<https://x.y/a_b_c> _x_", "https://x.y/a_b_c x", `<a href="https://x.y/a_b_c">https://x.y/a_b_c</a> <em>x</em>`},
		{"<script>alert(1)</script>", "<script>alert(1)</script>", ""},
	} {
		got := ToMatrix(Mrkdwn(c.in), testNames{})
		if got.Body != c.body {
			t.Errorf("%q: body %q, want %q", c.in, got.Body, c.body)
		}
		if got.HTML != c.html {
			t.Errorf("%q: html %q, want %q", c.in, got.HTML, c.html)
		}
	}
	m := ToMatrix(Mrkdwn("<@U1> <!here> <!subteam^S1>"), testNames{})
	if !m.Room || !reflect.DeepEqual(m.Users, []string{"@slack_u1:x", "@slack_u2:x"}) {
		t.Errorf("mentions %+v", m)
	}
}

// TestStyles tries each combination of styles, alone and side by side, in both
// directions.
func TestStyles(t *testing.T) {
	t.Parallel()
	n := 0
	for bits := range 16 {
		s := Style{Bold: bits&1 > 0, Italic: bits&2 > 0, Strike: bits&4 > 0, Code: bits&8 > 0}
		for _, text := range []string{"word", "two words", "a & b < c", "ünï", "1"} {
			for _, around := range [][2]string{{"", ""}, {"before ", " after"}, {"(", ")"}} {
				n++
				in := []Element{{Type: Section}}
				for _, i := range []Inline{{Type: "text", Text: around[0]}, {Type: "text", Text: text, Style: styled(s)}, {Type: "text", Text: around[1]}} {
					if i.Text != "" {
						in[0].Inlines = join(in[0].Inlines, i)
					}
				}
				m := ToMatrix(in, nil)
				back := FromHTML(m.HTML, Slack{})
				if m.HTML == "" {
					back = FromText(m.Body, Slack{})
				}
				if !reflect.DeepEqual(back, in) {
					t.Errorf("%+v became %q and then %+v", in, m.HTML, back)
				}
				if again := Mrkdwn(ToMrkdwn(in)); !reflect.DeepEqual(ToMatrix(again, nil), m) {
					t.Errorf("%+v became %q and then %+v", in, ToMrkdwn(in), again)
				}
			}
		}
	}
	if n != 240 {
		t.Errorf("%d cases", n)
	}
}

func TestBlocksToMatrix(t *testing.T) {
	t.Parallel()
	rich := func(elements string) string { return `[{"type":"rich_text","elements":[` + elements + `]}]` }
	section := func(inlines string) string { return rich(`{"type":"rich_text_section","elements":[` + inlines + `]}`) }
	list := func(style string, indent int, items ...string) string {
		var l []string
		for _, i := range items {
			l = append(l, `{"type":"rich_text_section","elements":[{"type":"text","text":"`+i+`"}]}`)
		}
		return fmt.Sprintf(`{"type":"rich_text_list","style":%q,"indent":%d,"elements":[%s]}`, style, indent, strings.Join(l, ","))
	}
	for _, c := range []struct{ blocks, body, html string }{
		{section(`{"type":"text","text":"*not bold* <b>"}`), "*not bold* <b>", ""},
		{section(`{"type":"text","text":"b","style":{"bold":true,"strike":true}}`), "b", "<strong><del>b</del></strong>"},
		{section(`{"type":"text","text":"u","style":{"underline":true}}`), "u", "<u>u</u>"},
		{section(`{"type":"user","user_id":"U1"}`), "Al & Co", `<a href="https://matrix.to/#/@slack_u1:x">Al &amp; Co</a>`},
		{section(`{"type":"usergroup","usergroup_id":"S1"}`), "@team", ""},
		{section(`{"type":"broadcast","range":"here"}`), "@here", ""},
		{section(`{"type":"emoji","name":"wave","skin_tone":3}`), "👋🏼", ""},
		{section(`{"type":"emoji","name":"new_one","unicode":"1fae8"}`), "🫨", ""},
		{section(`{"type":"emoji","name":"x_y","unicode":"zz"}`), ":x_y:", ""},
		{section(`{"type":"link","url":"https://x.y","text":"l"}`), "l (https://x.y)", `<a href="https://x.y">l</a>`},
		{section(`{"type":"date","timestamp":0,"format":"{date}","fallback":"then"}`), "then", ""},
		{section(`{"type":"color","value":"#ff0000"}`), "#ff0000", ""},
		{section(`{"type":"canvas","file_id":"F1","text":"Plan","url":"https://x.y/c"}`), "Plan (https://x.y/c)", `<a href="https://x.y/c">Plan</a>`},
		{section(`{"type":"never_seen","text":"still read"}`), "still read", ""},
		{rich(list("bullet", 0, "a", "b")), "• a\n• b", "<ul><li>a</li><li>b</li></ul>"},
		{rich(list("ordered", 0, "a", "b")), "1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"},
		{rich(list("bullet", 0, "a") + "," + list("bullet", 1, "b") + "," + list("bullet", 0, "c")), "• a\n    • b\n• c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"},
		{rich(list("bullet", 0, "a") + "," + list("ordered", 0, "b")), "• a\n1. b", "<ul><li>a</li></ul><ol><li>b</li></ol>"},
		{rich(`{"type":"rich_text_quote","elements":[{"type":"text","text":"q\nr"}]}`), "> q\n> r", "<blockquote>q<br>r</blockquote>"},
		{rich(`{"type":"rich_text_preformatted","elements":[{"type":"text","text":"x <y>"}]}`), "```\nx <y>\n```", "<pre><code>x &lt;y&gt;\n</code></pre>"},
		{rich(`{"type":"rich_text_section","elements":[{"type":"text","text":"intro\n"}]},` + list("bullet", 0, "a")), "intro\n• a", "intro<ul><li>a</li></ul>"},
		{`[{"type":"section","text":{"type":"mrkdwn","text":"*x* &amp;"}}]`, "x &", "<strong>x</strong> &amp;"},
		{`[{"type":"section","text":{"type":"plain_text","text":"*x* :smile:"}}]`, "*x* 😄", ""},
		{`[{"type":"header","text":{"type":"plain_text","text":"H"}},{"type":"divider"},{"type":"section","text":{"type":"mrkdwn","text":"t"}}]`, "H\n---\nt", "<strong>H</strong><hr>t"},
		{`[{"type":"section","fields":[{"type":"mrkdwn","text":"a"},{"type":"mrkdwn","text":"b"}]}]`, "a\nb", ""},
		{`[{"type":"context","elements":[{"type":"image","image_url":"https://i"},{"type":"mrkdwn","text":"by me"}]}]`, "by me", ""},
		{`[{"type":"section","text":{"type":"mrkdwn","text":"Tea"},"accessory":{"type":"button","text":{"type":"plain_text","text":"Vote"}}},` +
			`{"type":"context","elements":[{"type":"image","image_url":"https://i","alt_text":"Bob"},{"type":"image","image_url":"https://j","alt_text":"Carol"},{"type":"plain_text","text":"2 votes"}]}]`,
			"Tea [Vote]\n2 votes (Bob, Carol)", ""},
		{`[{"type":"image","image_url":"https://i/x","alt_text":"alt"}]`, "alt (https://i/x)", `<a href="https://i/x">alt</a>`},
		{`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Go"},"url":"https://g"},{"type":"button","text":{"type":"plain_text","text":"No"}}]}]`, "Go (https://g) [No]", `<a href="https://g">Go</a> [No]`},
	} {
		got := ToMatrix(FromSlack("", json.RawMessage(c.blocks), nil), testNames{})
		if got.Body != c.body || got.HTML != c.html {
			t.Errorf("%s\n got %q\n     %q\nwant %q\n     %q", c.blocks, got.Body, got.HTML, c.body, c.html)
		}
	}
	// What cannot be shown leaves the text.
	for _, blocks := range []string{"", "null", "{}", "[]", `[{"type":"unknown"}]`, `[{"type":"rich_text"}]`, `[1,"x"]`} {
		if got := ToMatrix(FromSlack("the text", json.RawMessage(blocks), nil), nil).Body; got != "the text" {
			t.Errorf("%s: %q", blocks, got)
		}
	}
}

func TestAttachments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, body string }{
		{`[{"from_url":"https://x","title":"T","text":"preview"}]`, "text"},
		{`[{"is_app_unfurl":true,"text":"preview"}]`, "text"},
		{`[{"title":"T","text":"*t*"}]`, "text\n> T\n> t"},
		{`[{"pretext":"p","fallback":"f"}]`, "text\np"},
		{`[{"fallback":"only this"}]`, "text\n> only this"},
		{`[{"author_name":"A","fields":[{"title":"k","value":"v"}],"footer":"end"}]`, "text\n> A\n> k: v\n> end"},
		{`[{"is_msg_unfurl":true,"from_url":"https://s","author_name":"Bo","text":"said"}]`, "text\n> Bo\n> said"},
		{`[{"blocks":[{"type":"section","text":{"type":"mrkdwn","text":"inner"}}]}]`, "text\n> inner"},
	} {
		if got := ToMatrix(FromSlack("text", nil, json.RawMessage(c.in)), nil).Body; got != c.body {
			t.Errorf("%s\n got %q\nwant %q", c.in, got, c.body)
		}
	}
}

// toSlack knows the same people as testNames.
var toSlack = Slack{
	User:        func(mxid string) (string, bool) { return "U1", mxid == "@slack_u1:x" },
	Channel:     func(room string) (string, bool) { return "C1", room == "!r:x" },
	Group:       func(handle string) (string, bool) { return "S1", handle == "team" },
	CustomEmoji: func(name string) bool { return name == "party_parrot" },
	Room:        "channel",
}

func TestMatrixToMrkdwn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"plain", "plain"},
		{"a &lt; b &amp; c", "a &lt; b &amp; c"},
		{"&lt;!channel&gt; &lt;@U1&gt;", "&lt;!channel&gt; &lt;@U1&gt;"},
		{"<b>b</b> <strong>s</strong>", "*b* *s*"},
		{"<i>i</i> <em>e</em>", "_i_ _e_"},
		{"<del>d</del> <s>s</s>", "~d~ ~s~"},
		{"<code>c &amp; d</code>", "`c &amp; d`"},
		{"<b><i>x</i></b>", "*_x_*"},
		{"<b> x </b>", "*x*"},
		{"a<br>b", "a\nb"},
		{"a<br/>b", "a\nb"},
		{"<p>a</p><p>b</p>", "a\n\nb"},
		{"<p>a</p>\n<p>b</p>\n", "a\n\nb"},
		{"a\n  b", "a b"},
		{"<h1>T</h1>text", "*T*\ntext"},
		{"<ul><li>a</li><li>b</li></ul>", "• a\n• b"},
		{"<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"},
		{`<ol start="3"><li>a</li></ol>`, "3. a"},
		{"<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "• a\n    • b\n• c"},
		{"<ul><li><p>a</p></li></ul>", "• a"},
		{"<ol><li>a<ul><li>x</li></ul></li><li>b</li></ol>", "1. a\n    • x\n2. b"},
		{"text<ul><li>a</li></ul>after", "text\n• a\nafter"},
		{"<blockquote>q</blockquote>", "&gt; q"},
		{"<blockquote><p>a</p><p>b</p></blockquote>x", "&gt; a\n&gt; \n&gt; b\nx"},
		{"<pre><code>x\n  &lt;y&gt;\n</code></pre>", "```\nx\n  &lt;y&gt;\n```"},
		{`<a href="https://x.y/?a=1&amp;b=2">l</a>`, "<https://x.y/?a=1&amp;b=2|l>"},
		{`<a href="https://x.y">https://x.y</a>`, "<https://x.y>"},
		{`<a href="https://x.y/a|b">a|b</a>`, "<https://x.y/a%7Cb|a¦b>"},
		{`<a href="javascript:x">l</a>`, "l"},
		{`<a href="https://matrix.to/#/@slack_u1:x">Al</a>`, "<@U1>"},
		{`<a href="https://matrix.to/#/%40slack_u1%3Ax">Al</a>`, "<@U1>"},
		{`<a href="matrix:u/slack_u1:x">Al</a>`, "<@U1>"},
		{`<a href="https://matrix.to/#/@else:x">Else</a>`, "Else"},
		{`<a href="https://matrix.to/#/!r:x?via=x">r</a>`, "<#C1>"},
		{`<a href="https://matrix.to/#/%23other:x">#other</a>`, "<https://matrix.to/#/%23other:x|#other>"},
		{"@room hi", "<!channel> hi"},
		{"@team hi", "<!subteam^S1> hi"},
		{"me@room.x", "me@room.x"},
		{"see https://x.y/z.", "see <https://x.y/z>."},
		{"(https://x.y)", "(<https://x.y>)"},
		{":smile: :party_parrot: :nothing:", ":smile: :party_parrot: :nothing:"},
		{`<img data-mx-emoticon alt=":party_parrot:" src="mxc://x/y">`, ":party_parrot:"},
		{`<img alt="picture" src="mxc://x/y">`, "picture"},
		{"<mx-reply><blockquote>old</blockquote></mx-reply>new", "new"},
		{"<script>x</script>y", "y"},
		{`<span data-mx-spoiler>s</span>`, "[spoiler] ~s~"},
		{"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"},
		{"<details><summary>s</summary>d</details>", "s\nd"},
		{"😀 <b>👍🏽</b>", "😀 *👍🏽*"},
		{"", ""},
		{"<b></b>", ""},
		{"<b>unclosed", "*unclosed*"},
		{"a<hr>b", "a\n———\nb"},
	} {
		if got := ToMrkdwn(FromHTML(c.in, toSlack)); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := ToMrkdwn(FromText("@room", Slack{})); got != "@room" {
		t.Errorf("without the right to: %q", got)
	}
	if got := ToMrkdwn(FromText("  keeps   spaces\n\n and lines <b>", Slack{})); got != "keeps   spaces\n\n and lines &lt;b&gt;" {
		t.Errorf("plain text: %q", got)
	}
}

// TestEmoji takes each emoji that Slack knows there and back.
func TestEmoji(t *testing.T) {
	t.Parallel()
	names := 0
	for name := range emojis().byName {
		names++
		text, ok := Emoji(name)
		if !ok || !utf8.ValidString(text) {
			t.Errorf("%s is %q", name, text)
		}
		back, ok := EmojiName(text)
		if again, _ := Emoji(back); !ok || again != text {
			t.Errorf("%s is %q, which is %s, which is %q", name, text, back, again)
		}
		for tone := 2; tone <= 6 && emojis().byName[name].tones; tone++ {
			toned, _ := Emoji(fmt.Sprintf("%s::skin-tone-%d", name, tone))
			if back, ok := EmojiName(toned); !ok || !strings.HasSuffix(back, fmt.Sprintf("::skin-tone-%d", tone)) {
				t.Errorf("%s in tone %d is %q, which is %s", name, tone, toned, back)
			}
		}
	}
	if names < 1900 {
		t.Errorf("there are only %d names", names)
	}
	for in, want := range map[string]string{"❤": "heart", "❤️": "heart", "👍": "+1", "🇩🇪": "flag-de", "1️⃣": "one"} {
		if got, _ := EmojiName(in); got != want && !(in == "🇩🇪" && got == "de") {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
	if _, ok := EmojiName("text"); ok {
		t.Error("text is an emoji")
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word & more < ", 400)
	for _, in := range []string{
		long, strings.Repeat("x", 5000), strings.Repeat("é", 5000), strings.Repeat("line\n", 900), strings.Repeat("&", 3000),
		"<ul>" + strings.Repeat("<li>item of a list</li>", 300) + "</ul>", "<pre>" + strings.Repeat("code\n", 1000) + "</pre>",
		"<b>" + long + "</b>", `<a href="https://x.y/` + strings.Repeat("a", 3000) + `">` + long + "</a>", "<blockquote>" + strings.Repeat("q<br>", 900) + "</blockquote>",
	} {
		e := FromHTML(in, Slack{})
		for _, limit := range []int{200, 1000, 3900} {
			var whole strings.Builder
			for _, piece := range Split(e, limit) {
				text := ToMrkdwn(piece)
				if len(text) > limit {
					t.Errorf("a piece of %.40q has %d bytes, not %d", in, len(text), limit)
				}
				if !utf8.ValidString(text) {
					t.Errorf("a piece of %.40q is cut within a character", in)
				}
				whole.WriteString(plainOf(flat(piece), nil))
			}
			squeeze := strings.NewReplacer(" ", "", "\n", "", "https://x.y/"+strings.Repeat("a", 3000), "")
			want := squeeze.Replace(plainOf(flat(e), nil))
			if got := squeeze.Replace(whole.String()); got != want && !strings.Contains(in, "href") {
				t.Errorf("%.40q in pieces of %d: %d bytes of %d remain", in, limit, len(got), len(want))
			}
		}
	}
}

func flat(list []Element) []Inline {
	var out []Inline
	for _, e := range list {
		out = append(out, e.Inlines...)
		out = append(out, flat(e.Items)...)
	}
	return out
}

func FuzzFromSlack(f *testing.F) {
	f.Add("*a* <@U1> ```x``` &gt; q", `[{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[]}]}]`, `[{"text":"x"}]`)
	for _, name := range samples(f) {
		raw, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var e struct {
			Event struct {
				Text                string
				Blocks, Attachments json.RawMessage
			}
		}
		if json.Unmarshal(raw, &e) == nil {
			f.Add(e.Event.Text, string(e.Event.Blocks), string(e.Event.Attachments))
		}
	}
	f.Fuzz(func(t *testing.T, text, blocks, attachments string) {
		e := FromSlack(text, json.RawMessage(blocks), json.RawMessage(attachments))
		m := ToMatrix(e, testNames{})
		if strings.Contains(m.HTML, "<script") {
			t.Errorf("a script in %q", m.HTML)
		}
		ToMrkdwn(e)
		FromHTML(m.HTML, toSlack)
	})
}

func FuzzFromHTML(f *testing.F) {
	f.Add("<ul><li>a<ol><li>b</li></ol></li></ul><pre>x</pre> @room <b>x")
	f.Fuzz(func(t *testing.T, source string) {
		e := FromHTML(source, toSlack)
		if !json.Valid(Blocks(e)) {
			t.Error("the blocks are no JSON")
		}
		for _, p := range Split(e, 300) {
			if text := ToMrkdwn(p); len(text) > 300 {
				t.Errorf("a piece of %d bytes: %q", len(text), text)
			}
		}
	})
}

// samples are the vendor's samples of events.
func samples(t testing.TB) []string {
	dir := filepath.Join("..", "..", "..", "integration", "slack", "testdata", "events")
	list, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(list) == 0 {
		t.Fatalf("there are no samples in %s: %v", dir, err)
	}
	return list
}
