package reading

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a <b> & c\nd":                           "a &lt;b&gt; &amp; c<br>d",
		"see https://a.b/c?d=e&f, and":           `see <a rel="nofollow ugc noreferrer" href="https://a.b/c?d=e&amp;f">https://a.b/c?d=e&amp;f</a>, and`,
		`https://a.b/"onclick=x`:                 `<a rel="nofollow ugc noreferrer" href="https://a.b/">https://a.b/</a>&#34;onclick=x`,
		"javascript:alert(1) http:///x":          "javascript:alert(1) http:///x",
		"https://user:password@a.b/ (https://c)": `https://user:password@a.b/ (<a rel="nofollow ugc noreferrer" href="https://c">https://c</a>)`,
	} {
		if got := string(text(in)); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("https://a.b/<script>")
	f.Fuzz(func(t *testing.T, s string) {
		out := string(text(s))
		for i, c := range out {
			if c == '<' && !has(out[i:], "<br>") && !has(out[i:], `<a rel="nofollow ugc noreferrer" href="http`) && !has(out[i:], "</a>") {
				t.Fatalf("%q became %s", s, out)
			}
		}
	})
}

func has(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }
