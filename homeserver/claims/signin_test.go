package claims

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// browser opens pages of claims, with cookies.
type browser struct {
	*kit
	cookies map[string]string
}

// get opens a page; it returns the status, where it leads, and what it says.
func (b *browser) get(path string) (status int, to, body string) {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), "GET", "https://m.x"+path, nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode {
			b.t.Errorf("cookie %+v", c)
		}
	}
	return w.Code, w.Header().Get("Location"), w.Body.String()
}

// enter goes to the network's page, and returns its query.
func (b *browser) enter(path string) url.Values {
	b.t.Helper()
	status, to, _ := b.get(path)
	u, err := url.Parse(to)
	if err != nil || status != http.StatusSeeOther || u.Host != "irc.example" {
		b.t.Fatalf("%s leads to %d %s, %v", path, status, to, err)
	}
	return u.Query()
}

// TestSignIn: who signs in to their network gets the offer that is theirs.
func TestSignIn(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	fresh := func() *browser { return &browser{k, map[string]string{}} }
	b := fresh()
	status, _, body := b.get("/claim")
	if status != 200 || !strings.Contains(body, `href="/claim/irc/enter"`) || !strings.Contains(body, `href="/claim/irc/enter?with=b"`) || !strings.Contains(body, "Sign in with IRC B") {
		t.Fatalf("the page offers no sign-in: %d %s", status, body)
	}
	q := b.enter("/claim/irc/enter?with=b")
	if q.Get("with") != "b" || q.Get("redirect_uri") != "https://m.x/claim/irc/back" || len(q.Get("state")) < 40 {
		t.Errorf("query %v", q)
	}
	back := "/claim/irc/back?state=" + q.Get("state")
	if status, _, _ := fresh().get(back + "&code=ob"); status != http.StatusForbidden {
		t.Errorf("another browser gets %d", status)
	}
	status, to, _ := b.get(back + "&code=ob")
	token, ok := strings.CutPrefix(to, "/claim/")
	if status != http.StatusSeeOther || !ok || len(token) != 32 {
		t.Fatalf("coming back leads to %d %s", status, to)
	}
	if status, _, body := b.get(to); status != 200 || !strings.Contains(body, "Person ob") {
		t.Errorf("the offer is %d %s", status, body)
	}
	if p, err := k.Claim(t.Context(), token, k.users["@anna:x"]); err != nil || p.ID != "bob" || p.Service != "irc" {
		t.Errorf("claimed %+v, %v", p, err)
	}
	if status, _, _ := b.get(back + "&code=ob"); status != http.StatusForbidden {
		t.Errorf("a second time gets %d", status)
	}
	for _, test := range []struct {
		name, enter, back string
		status            int
		want              string
	}{
		{"who has an account", "/claim/irc/enter?with=b", "&code=ob", http.StatusConflict, "@anna:x"},
		{"who did not want to", "/claim/irc/enter", "&error=access_denied", http.StatusForbidden, "has not said who you are"},
		{"no code", "/claim/irc/enter", "", http.StatusForbidden, "has not said who you are"},
		{"a stranger", "/claim/irc/enter", "&code=stranger", http.StatusForbidden, "in nothing there that belongs to this community"},
		{"a used code", "/claim/irc/enter", "&code=old", http.StatusForbidden, "Please begin again"},
		{"a broken network", "/claim/irc/enter", "&code=broken", http.StatusInternalServerError, "could not do this"},
		{"another bridge", "/claim/irc/enter", "", http.StatusForbidden, "Please begin again"},
	} {
		b := fresh()
		path := "/claim/irc/back?state=" + b.enter(test.enter).Get("state") + test.back
		if test.name == "another bridge" {
			path = strings.Replace(path, "/irc/", "/slack/", 1) + "&code=bob"
		}
		status, to, body := b.get(path)
		if status != test.status || to != "" || !strings.Contains(body, test.want) || strings.Contains(body, "the network is broken") {
			t.Errorf("%s gets %d %s, %s", test.name, status, to, body)
		}
	}
	for _, path := range []string{"/claim/irc/enter?with=gone", "/claim/slack/enter"} {
		if status, to, _ := fresh().get(path); status != http.StatusNotFound || to != "" {
			t.Errorf("%s leads to %d %s", path, status, to)
		}
	}
	if status, _, _ := fresh().get("/claim/irc/back?code=bob&state="); status != http.StatusForbidden {
		t.Errorf("without a state: %d", status)
	}
}
