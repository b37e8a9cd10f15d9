package format

import (
	"fmt"
	"html"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var address = regexp.MustCompile(`https://[^\s<)]+`)

// shown is a message as HTML, also where the text alone says all; clients find addresses in it by themselves.
func shown(m Matrix) string {
	if m.HTML != "" {
		return m.HTML
	}
	return address.ReplaceAllString(strings.ReplaceAll(html.EscapeString(m.Body), "\n", "<br>"), `<a href="$0">$0</a>`)
}

// TestRoundTrips puts everything that can stand in a text into everything that it can stand in, and takes that from Slack to Matrix and
// from Matrix to Slack, as mrkdwn and as blocks, and back.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	const pill = `<a href="https://matrix.to/#/@slack_u1:x">Al &amp; Co</a>`
	inner := []struct{ mrkdwn, html string }{
		{"plain", "plain"},
		{"two words", "two words"},
		{"&lt;b&gt; &amp; c", "&lt;b&gt; &amp; c"},
		{"&amp;amp; &amp;lt;", "&amp;amp; &amp;lt;"},
		{"1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 &lt; 2 &amp;&amp; 3 &gt; 2"},
		{"ünï çödé 漢字 🎉 👩‍👩‍👧", "ünï çödé 漢字 🎉 👩‍👩‍👧"},
		{"مرحبا שלום", "مرحبا שלום"},
		{"snake_case_name and 2*3*4", "snake_case_name and 2*3*4"},
		{"*bold*", "<strong>bold</strong>"},
		{"_italic_", "<em>italic</em>"},
		{"~gone~", "<del>gone</del>"},
		{"`code &amp; more`", "<code>code &amp; more</code>"},
		{"*two words*", "<strong>two words</strong>"},
		{"*_both_*", "<strong><em>both</em></strong>"},
		{"*_~all~_*", "<strong><em><del>all</del></em></strong>"},
		{"*b* _i_ ~s~", "<strong>b</strong> <em>i</em> <del>s</del>"},
		{"*ü &amp; 漢*", "<strong>ü &amp; 漢</strong>"},
		{"<https://x.y/>", `<a href="https://x.y/">https://x.y/</a>`},
		{"<https://x.y/a_b_c?d=1&amp;e=*2*>", `<a href="https://x.y/a_b_c?d=1&amp;e=*2*">https://x.y/a_b_c?d=1&amp;e=*2*</a>`},
		{"<https://x.y/?a=1&amp;b=2|label>", `<a href="https://x.y/?a=1&amp;b=2">label</a>`},
		{"<https://x.y/|a &lt; b>", `<a href="https://x.y/">a &lt; b</a>`},
		{"*<https://x.y/|label>*", `<strong><a href="https://x.y/">label</a></strong>`},
		{"<mailto:a@b.c|mail>", `<a href="mailto:a@b.c">mail</a>`},
		{"<@U1>", pill},
		{"*<@U1>*", "<strong>" + pill + "</strong>"},
		{"<@U1>: hello", pill + ": hello"},
		{"<#C1>", `<a href="https://matrix.to/#/%21r:x?via=x">#general</a>`},
		{"<!subteam^S1>", "@team"},
		{":party_parrot:", `<img data-mx-emoticon src="mxc://x/parrot" alt=":party_parrot:" title=":party_parrot:" height="32">`},
	}
	outer := []struct {
		mrkdwn, html string
		blocks       bool // mrkdwn has no such thing, so it is the fallback alone
	}{
		{"%s", "%s", false},
		{"before %s after", "before %s after", false},
		{"(%s)", "(%s)", false},
		{"one\n%s\nthree", "one<br>%s<br>three", false},
		{"one\n\n%s", "one<br><br>%s", false},
		{"&gt; %s", "<blockquote>%s</blockquote>", false},
		{"&gt; a\n&gt; %s\nb", "<blockquote>a<br>%s</blockquote>b", false},
		{"```\ncode &lt;x&gt;\n```\n%s", "<pre><code>code &lt;x&gt;\n</code></pre>%s", false},
		{"• %s\n• b", "<ul><li>%s</li><li>b</li></ul>", true},
		{"1. a\n2. %s", "<ol><li>a</li><li>%s</li></ol>", true},
		{"• a\n    • %s\n• c", "<ul><li>a<ul><li>%s</li></ul></li><li>c</li></ul>", true},
		{"text\n• %s\nafter", "text<ul><li>%s</li></ul>after", true},
	}
	n := 0
	for _, o := range outer {
		for _, i := range inner {
			n++
			mrkdwn, want := fmt.Sprintf(o.mrkdwn, i.mrkdwn), fmt.Sprintf(o.html, i.html)
			elements := FromHTML(want, toSlack)
			if got := ToMrkdwn(elements); got != mrkdwn {
				t.Errorf("%s\nto mrkdwn is %q\n     wanted %q", want, got, mrkdwn)
			}
			back := FromSlack("", Blocks(elements), nil)
			if got := shown(ToMatrix(back, testNames{})); got != want {
				t.Errorf("%s\nby blocks is %s", want, got)
			}
			if !reflect.DeepEqual(FromHTML(shown(ToMatrix(back, testNames{})), toSlack), elements) {
				t.Errorf("%s\nis not the same after another round", want)
			}
			if o.blocks {
				continue
			}
			read := Mrkdwn(mrkdwn)
			if got := shown(ToMatrix(read, testNames{})); got != want {
				t.Errorf("%q\nto Matrix is %s\n    wanted %s", mrkdwn, got, want)
			}
			if got := ToMrkdwn(read); got != mrkdwn {
				t.Errorf("%q\nbecame %q", mrkdwn, got)
			}
		}
	}
	if n < 300 {
		t.Errorf("only %d cases", n)
	}
	// What means something in mrkdwn only stays text by way of blocks.
	for _, text := range []string{"*not bold*", "_not italic_", "~not gone~", "`not code`", "&amp;lt;!channel&amp;gt;", "&lt;@U1&gt;", "> no quote", "```no code```", ":no_such_emoji:", "• no list"} {
		text = strings.ReplaceAll(text, ">", "&gt;")
		if got := shown(ToMatrix(FromSlack("", Blocks(FromHTML(text, toSlack)), nil), testNames{})); strings.ReplaceAll(got, "&gt;", ">") != strings.ReplaceAll(text, "&gt;", ">") {
			t.Errorf("%q became %q", text, got)
		}
	}
}
