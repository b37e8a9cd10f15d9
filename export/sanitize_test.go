package export

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func here(uri string) string {
	if uri == "mxc://test/here" {
		return "../media/here.png"
	}
	return ""
}

func TestSanitize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain &amp; <b>bold</b>":                                  "plain &amp; <b>bold</b>",
		`<a href="https://a.example/?x=1&y=2">x</a>`:               `<a rel="nofollow noreferrer noopener" href="https://a.example/?x=1&amp;y=2">x</a>`,
		`<a href="javascript:alert(1)">x</a>`:                      `<a>x</a>`,
		`<a href=" java&#10;script:alert(1)">x</a>`:                `<a>x</a>`,
		`<p onclick="x()" style="color:red">p</p>`:                 `<p>p</p>`,
		`<script>alert(1)</script>after`:                           "after",
		`<style>p{}</style><title>t</title>x`:                      "x",
		`<svg><script>alert(1)</script></svg>x`:                    "x",
		`<math><mtext><img src=x></mtext></math>`:                  "",
		`<iframe src="https://a.example"></iframe>x`:               "x",
		`<img src="https://a.example/x.png" alt="a<">`:             "a&lt;",
		`<img src="mxc://test/gone" alt="smile">`:                  "smile",
		`<img src="mxc://test/here" alt='"' onerror=x>`:            `<img class="inline" src="../media/here.png" alt="&#34;">`,
		`<mx-reply>quoted</mx-reply>answer`:                        "answer",
		`<font color="red">red</font>`:                             "red",
		`<ol start="5"><li>x</ol>`:                                 `<ol start="5"><li>x</li></ol>`,
		`<ol start="x"><li>x</ol>`:                                 `<ol><li>x</li></ol>`,
		`a<br>b<hr>`:                                               "a<br>b<hr>",
		`<b><i>unclosed`:                                           "<b><i>unclosed</i></b>",
		`</div></article>x`:                                        "x",
		`<!-- comment --><details><summary>s</summary>d</details>`: "<details><summary>s</summary>d</details>",
	} {
		if got := string(sanitize(in, here)); got != want {
			t.Errorf("%s\n gives %s\n not   %s", in, got, want)
		}
	}
	deep := string(sanitize(strings.Repeat("<div>", 400)+"x", here))
	if n := strings.Count(deep, "<div>"); n > maxDepth+1 {
		t.Errorf("%d elements in each other", n)
	}
}

// FuzzSanitize: whatever comes in, what comes out has only what is allowed, also when it is parsed again.
func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"", "<b>x</b>", `<a href="javascript:x">y</a>`, `<svg><style><img src=x onerror=y>`, `<table><p><noscript></table>`, `<p title="</p><script>">`, "<plaintext>x", "<select><b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		z := html.NewTokenizer(strings.NewReader(string(sanitize(s, here))))
		for {
			switch z.Next() {
			case html.ErrorToken:
				return
			case html.StartTagToken, html.SelfClosingTagToken:
				tok := z.Token()
				if _, ok := allowed[tok.DataAtom]; !ok {
					t.Fatalf("%q becomes an element %q", s, tok.Data)
				}
				for _, a := range tok.Attr {
					switch a.Key {
					case "href":
						if !strings.Contains(a.Val, ":") || strings.HasPrefix(strings.ToLower(a.Val), "javascript") {
							t.Fatalf("%q leads to %q", s, a.Val)
						}
					case "src":
						if a.Val != "../media/here.png" {
							t.Fatalf("%q loads %q", s, a.Val)
						}
					case "alt", "title", "rel", "class", "start":
					default:
						t.Fatalf("%q has an attribute %q", s, a.Key)
					}
				}
			case html.CommentToken, html.DoctypeToken:
				t.Fatalf("%q becomes a comment", s)
			}
		}
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	taken := map[string]bool{}
	for i, c := range []struct {
		room Room
		want string
	}{
		{Room{Name: "General"}, "general"}, {Room{Name: "GENERAL!"}, "general-2"}, {Room{Name: "日本"}, "room"}, {Room{Name: "../../etc"}, "etc"},
		{Room{Alias: "#talk:test"}, "talk"}, {Room{ID: "!abc:test"}, "abc-test"}, {Room{Name: strings.Repeat("x", 200)}, strings.Repeat("x", maxName)},
	} {
		if got := folderName(&c.room, taken); got != c.want {
			t.Errorf("%d: %q, not %q", i, got, c.want)
		}
	}
	for _, c := range []struct{ kind, name, want string }{
		{"image/png", "a.html", ".png"}, {"text/html", "a.html", ".bin"}, {"image/svg+xml", "a.svg", ".bin"}, {"", "a.tar", ".tar"},
		{"application/x", "../x", ".bin"}, {"text/plain; charset=utf-8", "", ".txt"}, {"", "a.e/x", ".bin"},
	} {
		if got := extension(&File{Type: c.kind, Name: c.name}); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	f := newFiles()
	a, b := f.name(&File{URI: "mxc://Test:1/AbC", Type: "image/png"}), f.name(&File{URI: "mxc://test:1/aBc", Type: "image/png"})
	if a != "media/test_1/AbC.png" || strings.EqualFold(a, b) {
		t.Errorf("%q and %q", a, b)
	}
}
