package console

import (
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var streamAddress = regexp.MustCompile(`data-stream="([^"]+)"`)

// TestExamine: findings come as a stream, of a bridge that runs and of one that is being set up; the latter to
// who sets it up.
func TestExamine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.signIn("anna")
	follow := func(page string) string {
		t.Helper()
		m := streamAddress.FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("there is no stream in %s", page)
		}
		return html.UnescapeString(m[1])
	}
	stream := follow(r.do("GET", "/console/bridges/examine?id=irc", nil).Body.String())
	w := r.do("GET", stream, nil)
	if w.Header().Get("Content-Type") != "text/event-stream" || !strings.Contains(w.Body.String(), `"verdict":"bad","text":"it was revoked","mend":"make another"`) || !strings.HasSuffix(w.Body.String(), "data: {\"end\":true}\n\n") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	form := url.Values{"id": {"ex"}, "address": {"irc.example.org:6697"}, "nick": {"lb"}, "step": {"review"}, "channel": {"#go"}, "csrf": {r.token("/console/setup/irc")}}
	stream = follow(r.do("POST", "/console/setup/irc", form).Body.String())
	if got := r.do("GET", stream, nil).Body.String(); !strings.Contains(got, "id: irc-ex") {
		t.Error(got)
	}
	if got := r.do("GET", strings.Replace(stream, "stream=yes", "run=yes", 1), nil).Body.String(); !strings.Contains(got, "id: irc-ex") {
		t.Error(got)
	}
	r.pass(keptLife + 1)
	r.signIn("anna")
	if w := r.do("GET", stream, nil); w.Code != 400 {
		t.Errorf("after an hour: %d", w.Code)
	}
}
