package page

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// keeper keeps sessions in a map.
type keeper struct{ of map[string]int64 }

var _ Keeper = (*keeper)(nil)

func (k *keeper) BeginSession(_ context.Context, user int64) (string, time.Duration, error) {
	token := newSecret()
	k.of[token] = user
	return token, time.Hour, nil
}

func (k *keeper) FindSession(_ context.Context, token string) (*Session, error) {
	user, ok := k.of[token]
	if !ok {
		return nil, ErrNoSession
	}
	return &Session{User: user, UserID: "@alice:example.org"}, nil
}

func (k *keeper) EndSession(_ context.Context, token string) error { delete(k.of, token); return nil }

// browser keeps cookies.
type browser struct {
	jar map[string]string
	h   http.Handler
}

func (b *browser) do(method, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, "https://m.example.org"+path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for k, v := range b.jar {
		r.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c.Value
		}
	}
	return w
}

var csrfValue = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func csrf(t *testing.T, body string) string {
	t.Helper()
	m := csrfValue.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no token in %s", body)
	}
	return m[1]
}

// site serves a form at /form, which is accepted by POST, and signs in at /in and out at /out.
func site(t *testing.T, publicURL string) (*Site, *browser, *keeper) {
	t.Helper()
	k := &keeper{map[string]int64{}}
	s, err := New(Options{Name: "example.org", PublicURL: publicURL, Keeper: k, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	tmpl, err := s.Parse(fstest.MapFS{"a.html": {Data: []byte(`{{define "a"}}<form method="post" action="{{path "/form"}}">{{.CSRF}}</form><b>{{.Data}}</b>{{end}}`)}}, "a.html")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	show := func(w http.ResponseWriter, r *http.Request) {
		s.Show(w, r, http.StatusOK, Frame{Title: sentence.Say("A form"), Template: tmpl, Name: "a", Data: "<script>", Nav: []Link{{sentence.Say("Here"), "/form", true}},
			FormTargets: []string{"https://app.example", "evil; script-src *"}})
	}
	mux.HandleFunc("GET /form", show)
	mux.HandleFunc("POST /form", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Form(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		s.SetFlash(w, r, Flash{Text: sentence.Say("It is <done>.")})
		s.Redirect(w, r, "/form")
	})
	mux.HandleFunc("GET /in", func(w http.ResponseWriter, r *http.Request) {
		if err := s.SignIn(w, r, 7); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET /out", func(w http.ResponseWriter, r *http.Request) {
		if err := s.SignOut(w, r); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("GET "+AssetPrefix, s.ServeAsset)
	return s, &browser{jar: map[string]string{}, h: mux}, k
}

func TestForms(t *testing.T) {
	t.Parallel()
	_, b, k := site(t, "https://m.example.org")
	token := csrf(t, b.do("GET", "/form", nil).Body.String())
	post := func(token string, header ...string) int {
		return b.do("POST", "/form", url.Values{CSRFField: {token}}, header...).Code
	}
	for name, c := range map[string]struct {
		token  string
		header []string
		want   int
	}{
		"right":              {token, nil, 303},
		"same site":          {token, []string{"Sec-Fetch-Site", "same-origin"}, 303},
		"none":               {"", nil, 403},
		"nonsense":           {"AAAA", nil, 403},
		"other":              {token[:len(token)-4] + "AAAA", nil, 403},
		"from another site":  {token, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"from a subdomain":   {token, []string{"Sec-Fetch-Site", "same-site"}, 403},
		"of another origin":  {token, []string{"Origin", "https://evil.example"}, 403},
		"of a hidden origin": {token, []string{"Origin", "null"}, 403},
	} {
		if got := post(c.token, c.header...); got != c.want {
			t.Errorf("%s: %d, not %d", name, got, c.want)
		}
	}
	// Another browser's token is of no use, nor one from before signing in.
	_, other, _ := site(t, "https://m.example.org")
	if got := post(csrf(t, other.do("GET", "/form", nil).Body.String())); got != 403 {
		t.Errorf("another browser's token: %d", got)
	}
	b.do("GET", "/in", nil)
	if got := post(token); got != 403 {
		t.Errorf("a token from before signing in: %d", got)
	}
	token = csrf(t, b.do("GET", "/form", nil).Body.String())
	if got := post(token); got != 303 {
		t.Errorf("a token from after it: %d", got)
	}
	first := b.jar["__Host-landbridge"]
	b.do("GET", "/in", nil)
	if second := b.jar["__Host-landbridge"]; second == first || len(k.of) != 1 {
		t.Errorf("signing in again keeps the session: %v", k.of)
	}
	b.do("GET", "/out", nil)
	if len(k.of) != 0 || b.jar["__Host-landbridge"] != "" {
		t.Error("signing out keeps the session")
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	s, b, _ := site(t, "https://m.example.org/matrix/")
	b.do("GET", "/in", nil)
	w := b.do("GET", "/form", nil)
	body := w.Body.String()
	for _, want := range []string{"<title>A form · example.org</title>", "@alice:example.org", `action="/matrix/form"`, "<b>&lt;script&gt;</b>", `href="/matrix/form" aria-current="page"`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing in %s", want, body)
		}
	}
	csp := w.Header().Get("Content-Security-Policy")
	if !strings.Contains(csp, "form-action 'self' https://app.example;") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "evil") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
	if w.Header().Get("X-Frame-Options") != "DENY" || w.Header().Get("Cache-Control") != "no-store" {
		t.Error(w.Header())
	}
	if s.URL("/account") != "https://m.example.org/matrix/account" {
		t.Error(s.URL("/account"))
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="/matrix(/_landbridge[^"]+)"`).FindAllStringSubmatch(body, -1) {
		if got := b.do("GET", m[1], nil); got.Code != 200 || got.Body.Len() == 0 || !strings.Contains(got.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d", m[1], got.Code)
		}
	}
	if got := b.do("GET", AssetPrefix+"layout.html", nil); got.Code != 404 {
		t.Errorf("a file that is no asset: %d", got.Code)
	}
	token := csrf(t, body)
	if got := b.do("POST", "/form", url.Values{CSRFField: {token}}); got.Header().Get("Location") != "/matrix/form" {
		t.Error(got.Header())
	}
	if body := b.do("GET", "/form", nil).Body.String(); !strings.Contains(body, `role="status" id="flash" tabindex="-1">It is &lt;done&gt;.`) {
		t.Error("the message is missing")
	}
	if body := b.do("GET", "/form", nil).Body.String(); strings.Contains(body, "&lt;done") {
		t.Error("the message stays")
	}
}

func TestLocal(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]bool{"/": true, "/account?a=b#c": true, "": false, "//evil.example": false, "/\\evil.example": false,
		"https://evil.example": false, "/\t/evil.example": false, "javascript:alert(1)": false, "/a\nb": false, "/" + strings.Repeat("a", 17000): false} {
		if Local(to) != want {
			t.Errorf("%q: %v", to, !want)
		}
	}
}
