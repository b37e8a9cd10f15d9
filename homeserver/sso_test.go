package homeserver

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/sso"
)

// idp is an OpenID Connect provider of a test.
type idp struct {
	*httptest.Server
	t     testing.TB
	key   *rsa.PrivateKey
	clock func() time.Time

	mu sync.Mutex
	// claims are what it says of whoever logs in; change them between log-ins.
	claims obj
	// info is what its user-info endpoint adds.
	info obj
	// codes are what it has promised: by code, the parameters of the request.
	codes map[string]url.Values
}

func startIDP(t testing.TB) *idp {
	t.Helper()
	p := &idp{t: t, codes: map[string]url.Values{}, clock: time.Now}
	var err error
	if p.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.send(w, obj{"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys", "userinfo_endpoint": p.URL + "/info",
			"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.send(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		p.mu.Lock()
		code := "code" + string(rune('A'+len(p.codes)))
		p.codes[code] = q
		p.mu.Unlock()
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"state": {q.Get("state")}, "code": {code}}.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /info", func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.send(w, p.info)
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *idp) send(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.t.Error(err)
	}
}

// token exchanges a code, once, for whoever has the verifier and the client's secret.
func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, ok := p.codes[r.PostFormValue("code")]
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || id != "landbridge" || secret != "hunter2" || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k"}}, nil)
	if err != nil {
		p.t.Error(err)
		return
	}
	now := p.clock()
	claims := obj{"iss": p.URL, "aud": "landbridge", "nonce": asked.Get("nonce"), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	for k, v := range p.claims {
		claims[k] = v
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		p.t.Error(err)
		return
	}
	p.send(w, obj{"access_token": "at", "token_type": "Bearer", "id_token": text})
}

func (p *idp) says(claims, info obj) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims, p.info = claims, info
}

// browser carries cookies, and follows redirects by hand.
type browser struct {
	h       *hs
	cookies map[string]string
}

func (b *browser) open(method, address string) reply {
	b.h.Helper()
	req, err := http.NewRequestWithContext(b.h.Context(), method, address, nil)
	if err != nil {
		b.h.Fatal(err)
	}
	for k, v := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	c := *b.h.http
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		b.h.Fatal(err)
	}
	defer res.Body.Close()
	for _, k := range res.Cookies() {
		if b.cookies == nil {
			b.cookies = map[string]string{}
		}
		b.cookies[k.Name] = k.Value
		if strings.HasPrefix(address, b.h.url) && (!k.HttpOnly || k.SameSite != http.SameSiteLaxMode) {
			b.h.Errorf("cookie %v", k)
		}
	}
	raw := make([]byte, 64<<10)
	n, _ := res.Body.Read(raw)
	return reply{status: res.StatusCode, header: res.Header, raw: string(raw[:n])}
}

// through goes from an address of the homeserver to the provider and back, and stops at what the
// homeserver answers then.
func (b *browser) through(method, address string) reply {
	b.h.Helper()
	there := b.open(method, address)
	if there.status != 302 {
		b.h.Fatalf("%s: %d %s", address, there.status, there.raw)
	}
	back := b.open("GET", there.header.Get("Location"))
	if back.status != 302 {
		b.h.Fatalf("the provider: %d %s", back.status, back.raw)
	}
	return b.open("GET", back.header.Get("Location"))
}

func withIDP(t *testing.T, change func(*Options)) (*hs, *idp) {
	t.Helper()
	p := startIDP(t)
	h := startWith(t, func(o *Options) {
		o.Providers = []sso.Provider{{ID: "corp", Name: "Corp", Brand: "corp", Issuer: p.URL, ClientID: "landbridge", ClientSecret: "hunter2", Scopes: []string{"profile"}, EmailClaim: "email", Register: true}}
		o.TrustedClients = []string{"https://app.test/"}
		if change != nil {
			change(o)
		}
	})
	p.clock = h.clock.now
	return h, p
}

var hrefs = regexp.MustCompile(`href="([^"]*loginToken[^"]*)"`)

func TestSSO(t *testing.T) {
	t.Parallel()
	h, p := withIDP(t, nil)
	if r := h.ask("", "GET", "/v3/login", nil); !strings.Contains(r.raw, `{"identity_providers":[{"brand":"corp","id":"corp","name":"Corp"}],"type":"m.login.sso"}`) {
		t.Errorf("flows: %s", r.raw)
	}
	redirect := func(to string) string {
		return h.url + "/_matrix/client/v3/login/sso/redirect/corp?" + url.Values{"redirectUrl": {to}}.Encode()
	}
	p.says(obj{"sub": "1", "preferred_username": "Ann Müller", "name": "Ann", "email": "Ann@example.org", "email_verified": true}, nil)
	b := &browser{h: h}
	end := b.through("GET", redirect("https://app.test/x?a=b&loginToken=old#frag"))
	u, err := url.Parse(end.header.Get("Location"))
	if err != nil || end.status != 302 || u.Host != "app.test" || u.Query().Get("a") != "b" || len(u.Query()["loginToken"]) != 1 || u.Fragment != "frag" {
		t.Fatalf("the end: %d %v %s", end.status, u, end.raw)
	}
	in := h.want(200, "", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": u.Query().Get("loginToken")})
	token := in.str("access_token")
	if in.str("user_id") != "@ann=20m=c3=bcller:test" {
		t.Errorf("log-in: %s", in.raw)
	}
	if r := h.ask(token, "GET", "/v3/account/3pid", nil); !strings.Contains(r.raw, "ann@example.org") {
		t.Errorf("addresses: %s", r.raw)
	}
	// The same person is the same user, under whatever name; another client is asked about first.
	p.says(obj{"sub": "1", "preferred_username": "renamed"}, nil)
	end = b.through("GET", redirect("element://callback"))
	m := hrefs.FindStringSubmatch(end.raw)
	if end.status != 200 || m == nil || !strings.HasPrefix(m[1], "element://callback?loginToken=") || !strings.Contains(end.raw, "@ann=20m=c3=bcller:test") {
		t.Fatalf("the question: %d %s", end.status, end.raw)
	}
	// Another person of the same name is another user; the name is from the user info this time.
	p.says(obj{"sub": "2"}, obj{"sub": "2", "preferred_username": "Ann Müller"})
	end = b.through("GET", redirect("https://app.test/"))
	u, _ = url.Parse(end.header.Get("Location"))
	if r := h.want(200, "", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": u.Query().Get("loginToken")}); r.str("user_id") != "@ann=20m=c3=bcller2:test" {
		t.Errorf("the other: %s", r.raw)
	}
	// Tokens are short-lived.
	end = b.through("GET", redirect("https://app.test/"))
	u, _ = url.Parse(end.header.Get("Location"))
	h.clock.advance(11 * time.Second)
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": u.Query().Get("loginToken")})

	// Confirm something, as the right person.
	start := h.want(401, "", token, "POST", "/v3/delete_devices", obj{"devices": []string{"X"}})
	if !strings.Contains(start.raw, `"flows":[{"stages":["m.login.sso"]}]`) {
		t.Errorf("flows: %s", start.raw)
	}
	page := h.url + "/_matrix/client/v3/auth/m.login.sso/fallback/web?session=" + start.str("session")
	if r := b.open("GET", page); r.status != 200 || !strings.Contains(r.raw, "remove devices") {
		t.Errorf("the page: %d %s", r.status, r.raw)
	}
	if r := b.through("POST", page); r.status != 403 { // still the other person
		t.Errorf("the other person: %d %s", r.status, r.raw)
	}
	again := obj{"devices": []string{"X"}, "auth": obj{"session": start.str("session")}}
	h.want(401, "", token, "POST", "/v3/delete_devices", again)
	p.says(obj{"sub": "1", "preferred_username": "Ann"}, nil)
	if r := b.through("POST", page); r.status != 200 || !strings.Contains(r.raw, "authDone") {
		t.Errorf("the right person: %d %s", r.status, r.raw)
	}
	h.want(200, "", token, "POST", "/v3/delete_devices", again)
	h.want(401, "M_UNAUTHORIZED", token, "POST", "/v3/delete_devices", obj{"devices": []string{}, "auth": obj{"type": "m.login.sso"}})
}

func TestSSOIsGuarded(t *testing.T) {
	t.Parallel()
	h, p := withIDP(t, func(o *Options) {
		o.Providers[0].Register = false
		o.Providers = append(o.Providers, sso.Provider{ID: "trusting", Name: "Trusting", Issuer: o.Providers[0].Issuer, ClientID: "landbridge", ClientSecret: "hunter2", Existing: true},
			sso.Provider{ID: "dead", Name: "Dead", Issuer: "http://127.0.0.1:1", ClientID: "x"})
	})
	h.user("bob")
	base := h.url + "/_matrix/client/v3/login/sso/redirect"
	b := &browser{h: h}
	if r := b.open("GET", base+"?redirectUrl=https%3A%2F%2Fapp.test%2F"); r.status != 200 || !strings.Contains(r.raw, "redirect/trusting?redirectUrl=https%3A%2F%2Fapp.test%2F") {
		t.Errorf("the choice: %d %s", r.status, r.raw)
	}
	for path, status := range map[string]int{
		"/corp": 400, "/corp?redirectUrl=": 400, "/corp?redirectUrl=javascript:alert(1)": 400, "/corp?redirectUrl=JavaScript%3Aalert(1)": 400,
		"/corp?redirectUrl=https:": 400, "/corp?redirectUrl=/relative": 400, "/nobody?redirectUrl=https://app.test/": 404, "/dead?redirectUrl=https://app.test/": 502,
	} {
		if r := b.open("GET", base+path); r.status != status || !strings.Contains(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, r.status, r.raw)
		}
	}
	to := func(id string) string { return base + "/" + id + "?redirectUrl=https://app.test/" }
	p.says(obj{"sub": "1", "preferred_username": "bob"}, nil)
	if r := b.through("GET", to("corp")); r.status != 403 || !strings.Contains(r.raw, "no account") {
		t.Errorf("a stranger: %d %s", r.status, r.raw)
	}
	if r := b.through("GET", to("trusting")); r.status != 302 {
		t.Errorf("the account of the same name: %d %s", r.status, r.raw)
	}
	for what, claims := range map[string]obj{"another nonce": {"nonce": "x"}, "another audience": {"aud": "x"}, "another issuer": {"iss": "x"}, "expired": {"exp": 1}} {
		claims["sub"], claims["preferred_username"] = "1", "bob"
		p.says(claims, nil)
		if r := b.through("GET", to("trusting")); r.status != 403 || strings.Contains(r.raw, "loginToken") {
			t.Errorf("%s: %d %s", what, r.status, r.raw)
		}
	}
	p.says(obj{"sub": "1", "preferred_username": "bob"}, nil)
	// Whoever has not begun the log-in can't end it, and nobody can twice.
	there := b.open("GET", to("trusting"))
	back := b.open("GET", there.header.Get("Location")).header.Get("Location")
	if r := (&browser{h: h}).open("GET", back); r.status != 400 {
		t.Errorf("another browser: %d", r.status)
	}
	if r := b.open("GET", back); r.status != 302 {
		t.Errorf("the same browser: %d %s", r.status, r.raw)
	}
	if r := b.open("GET", back); r.status != 400 {
		t.Errorf("again: %d", r.status)
	}
	there = b.open("GET", to("trusting"))
	u, err := url.Parse(there.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if r := b.open("GET", h.url+client.SSOCallbackPath+"?"+url.Values{"state": {u.Query().Get("state")}, "error": {"access_denied<script>"}}.Encode()); r.status != 403 || strings.Contains(r.raw, "denied<") {
		t.Errorf("an error of the provider: %d %s", r.status, r.raw)
	}
}

func TestLocalpart(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Ann": "ann", "ann@example.org": "ann", "a b": "a=20b", "ü=": "=c3=bc=3d", "": "", " x ": "x", "a/b+c.d_e-f": "a/b+c.d_e-f"} {
		if got := sso.Localpart(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
