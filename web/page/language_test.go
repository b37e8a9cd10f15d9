package page

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestLanguages(t *testing.T) {
	t.Parallel()
	l, err := loadLanguages(fstest.MapFS{"lang/de.json": {Data: []byte(`{"%d of %d":"%d von %d","Hello":"Hallo","<b>%s</b>":"<i>%s</i>"}`)}})
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{"": "Hello", "de": "Hallo", "de-AT, en;q=0.5": "Hallo", "en, de": "Hello", "fr, de;q=0.5": "Hallo", "xx;;;": "Hello", "fr": "Hello"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", header)
		if got := l.text(l.of(r), "Hello"); got != want {
			t.Errorf("%q: %s", header, got)
		}
	}
	if got := l.text(1, "%d of %d", 2, 3); got != "2 von 3" {
		t.Error(got)
	}
	if got := l.text(1, "not translated %s", "x"); got != "not translated x" {
		t.Error(got)
	}
	th := l.funcs(1)["th"].(func(string, ...any) template.HTML)
	if got := th("<b>%s</b>", "<script>"); got != "<i>&lt;script&gt;</i>" {
		t.Error(got)
	}
	if _, err := loadLanguages(fstest.MapFS{"lang/de.json": {Data: []byte(`{`)}}); err == nil {
		t.Error("a broken catalogue is taken")
	}
}
