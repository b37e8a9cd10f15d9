package homeserver

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestOAuthHostileRequests: what is wrong with an authorization request is told to the client only
// where the address is beyond doubt.
func TestOAuthHostileRequests(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	p := h.person().signIn("alice")
	for name, c := range map[string]struct {
		change []string
		status int
	}{
		"no client":                {[]string{"client_id", ""}, 400},
		"unknown client":           {[]string{"client_id", "nobody"}, 400},
		"huge client":              {[]string{"client_id", strings.Repeat("a", 5000)}, 400},
		"no redirect":              {[]string{"redirect_uri", ""}, 400},
		"open redirect":            {[]string{"redirect_uri", "https://evil.example/"}, 400},
		"longer path":              {[]string{"redirect_uri", "https://app.example.com/callback/../evil"}, 400},
		"more of a query":          {[]string{"redirect_uri", "https://app.example.com/callback?x=y"}, 400},
		"a port":                   {[]string{"redirect_uri", "https://app.example.com:444/callback"}, 400},
		"a fragment":               {[]string{"redirect_uri", "https://app.example.com/callback#x"}, 400},
		"other case":               {[]string{"redirect_uri", "https://app.example.com/Callback"}, 400},
		"a user":                   {[]string{"redirect_uri", "https://app.example.com@evil.example/callback"}, 400},
		"javascript":               {[]string{"redirect_uri", "javascript:alert(1)"}, 400},
		"http":                     {[]string{"redirect_uri", "http://app.example.com/callback"}, 400},
		"loopback of a web client": {[]string{"redirect_uri", "http://localhost/callback"}, 400},
	} {
		if p.open(request(id, "ABC", c.change...)); p.status != c.status || p.header.Get("Location") != "" {
			t.Errorf("%s: %d %s", name, p.status, p.header.Get("Location"))
		}
	}
	twice := request(id, "ABC") + "&redirect_uri=" + url.QueryEscape("https://app.example.com/callback")
	if p.open(twice); p.status != 400 || p.header.Get("Location") != "" {
		t.Errorf("two redirect URIs: %d", p.status)
	}
	for name, c := range map[string]struct {
		change []string
		code   string
	}{
		"no PKCE":            {[]string{"code_challenge", "", "code_challenge_method", ""}, "invalid_request"},
		"plain PKCE":         {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"PKCE of no method":  {[]string{"code_challenge_method", ""}, "invalid_request"},
		"a short challenge":  {[]string{"code_challenge", "abc"}, "invalid_request"},
		"token":              {[]string{"response_type", "token"}, "unsupported_response_type"},
		"no response type":   {[]string{"response_type", ""}, "invalid_request"},
		"form_post":          {[]string{"response_mode", "form_post"}, "invalid_request"},
		"no scope":           {[]string{"scope", ""}, "invalid_scope"},
		"no device":          {[]string{"scope", "urn:matrix:client:api:*"}, "invalid_scope"},
		"no API":             {[]string{"scope", "urn:matrix:client:device:ABC"}, "invalid_scope"},
		"two devices":        {[]string{"scope", scopeOf + "A urn:matrix:client:device:B"}, "invalid_scope"},
		"an empty device":    {[]string{"scope", scopeOf}, "invalid_scope"},
		"a device of quotes": {[]string{"scope", scopeOf + `A"B`}, "invalid_scope"},
		"a huge scope":       {[]string{"scope", scopeOf + strings.Repeat("A", 2000)}, "invalid_scope"},
		"prompt none":        {[]string{"prompt", "none"}, "interaction_required"},
		"an odd prompt":      {[]string{"prompt", "dance"}, "invalid_request"},
		"a request object":   {[]string{"request", "e30.e30."}, "request_not_supported"},
		"a request address":  {[]string{"request_uri", "https://x.example/"}, "request_uri_not_supported"},
		"a huge state":       {[]string{"state", strings.Repeat("s", 5000)}, "invalid_request"},
	} {
		p.open(request(id, "ABC", c.change...))
		to := p.header.Get("Location")
		if v := p.back(); v.Get("error") != c.code || v.Get("code") != "" || !strings.HasPrefix(to, "https://app.example.com/callback") {
			t.Errorf("%s: %s", name, to)
		}
	}
	// A client that only uses codes for devices can't use this.
	tv := h.registerClient(obj{"client_uri": "https://tv.example/", "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, "redirect_uris": []string{"https://tv.example/"}})
	if v := p.open(request(tv, "ABC", "redirect_uri", "https://tv.example/")).back(); v.Get("error") != "unauthorized_client" {
		t.Error(v)
	}
	// The client's own query stays, and both modes work.
	v := p.open(request(id, "ABC", "redirect_uri", "https://app.example.com/other?a=b", "response_mode", "query")).send("/oauth2/authorize", "decision", "allow")
	if to := v.header.Get("Location"); !strings.HasPrefix(to, "https://app.example.com/other?a=b&") || strings.Contains(to, "#") || v.back().Get("code") == "" {
		t.Error(to)
	}
	// The older names of scopes, together with others.
	old := "openid urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:OLD urn:matrix:client:device:OLD"
	r := h.form("/oauth2/token", exchange(id, p.code(id, "", "scope", old)))
	if r.status != 200 || r.str("scope") != strings.TrimPrefix(old, "openid ") {
		t.Error(r.raw)
	}
}

// TestOAuthHostileForms: consent can't be forged, framed, or given for somebody else.
func TestOAuthHostileForms(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	p := h.person().signIn("alice")
	if p.do("POST", request(id, "ABC"), url.Values{"decision": {"allow"}}); p.status != 403 || p.header.Get("Location") != "" {
		t.Errorf("without a token: %d", p.status)
	}
	eve := h.person()
	stolen := hiddenText.FindStringSubmatch(eve.open("/account/sign-in").page)
	if p.do("POST", request(id, "ABC"), url.Values{"decision": {"allow"}, "csrf": {stolen[2]}}); p.status != 403 {
		t.Errorf("with another browser's token: %d", p.status)
	}
	own := hiddenText.FindStringSubmatch(p.open(request(id, "ABC")).page)
	if p.do("POST", request(id, "ABC"), url.Values{"decision": {"allow"}, "csrf": {own[2]}}, "Sec-Fetch-Site", "cross-site"); p.status != 403 {
		t.Errorf("from another site: %d", p.status)
	}
	p.open(request(id, "ABC"))
	if p.header.Get("X-Frame-Options") != "DENY" || p.header.Get("Access-Control-Allow-Origin") != "" || p.header.Get("Cache-Control") != "no-store" {
		t.Error(p.header)
	}
	// A session of before signing in is worth nothing after it, and signing out ends it.
	jar := func(p *person) string {
		u, _ := url.Parse(h.url)
		for _, c := range p.http.Jar.Cookies(u) {
			if c.Name == "landbridge" {
				return c.Value
			}
		}
		return ""
	}
	before := jar(p)
	p.signIn("alice")
	if before == "" || jar(p) == before {
		t.Error("signing in again keeps the session")
	}
	thief := h.person().do("GET", "/account", nil, "Cookie", "landbridge="+before)
	thief.has(200, "Sign in to test")
	now := jar(p)
	h.person().do("GET", "/account", nil, "Cookie", "landbridge="+now).has(200, "Your account")
	p.open("/account").send("/account/sign-out").has(200, "Sign in to test")
	h.person().do("GET", "/account", nil, "Cookie", "landbridge="+now).has(200, "Sign in to test")
	// A browser's session is no access token, and the other way round.
	h.want(401, "M_UNKNOWN_TOKEN", now, "GET", "/v3/account/whoami", nil)
	p.signIn("alice")
	h.want(401, "M_UNKNOWN_TOKEN", jar(p), "GET", "/v3/account/whoami", nil)
	token := p.oauthLogin(id, "ABC").str("access_token")
	h.person().do("GET", "/account", nil, "Cookie", "landbridge="+token).has(200, "Sign in to test")
	// After signing in nobody is led astray.
	for _, to := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", ""} {
		q := h.person().open("/account/sign-in?next="+url.QueryEscape(to)).send("/account/sign-in", "user", "alice", "password", "long enough")
		if q.at.Host != strings.TrimPrefix(h.url, "http://") || q.at.Path != "/account" {
			t.Errorf("after signing in: %s", q.at)
		}
	}
	// A locked account is out at once.
	nid, err := h.store.UserNID(t.Context(), "@alice:test")
	if err != nil {
		t.Fatal(err)
	}
	code := p.code(id, "LOCKED")
	if err := h.accounts.SetLocked(t.Context(), nid, true); err != nil {
		t.Fatal(err)
	}
	p.open("/account").has(200, "Sign in to test").send("/account/sign-in", "user", "alice", "password", "long enough").has(403, "locked")
	h.denied("a code of a locked account", h.form("/oauth2/token", exchange(id, code)), 400, "invalid_grant")
}

// TestOAuthHostileCodes: a code is good once, for its client, with its verifier.
func TestOAuthHostileCodes(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	other := h.registerClient(obj{"client_uri": "https://example.com/", "redirect_uris": []string{"https://app.example.com/callback"}})
	p := h.person().signIn("alice")
	for name, change := range map[string][]string{
		"another client":   {"client_id", other},
		"another redirect": {"redirect_uri", "https://app.example.com/other?a=b"},
		"wrong verifier":   {"code_verifier", strings.Repeat("x", 43)},
		"short verifier":   {"code_verifier", "x"},
		"the challenge":    {"code_verifier", challenge(verifier)},
	} {
		code := p.code(id, "ABC")
		h.denied(name, h.form("/oauth2/token", exchange(id, code, change...)), 400, "invalid_grant")
		h.denied(name+", then right", h.form("/oauth2/token", exchange(id, code)), 400, "invalid_grant")
	}
	for name, c := range map[string]struct {
		change []string
		status int
		code   string
	}{
		"no verifier":    {[]string{"code_verifier", ""}, 400, "invalid_request"},
		"no redirect":    {[]string{"redirect_uri", ""}, 400, "invalid_request"},
		"no code":        {[]string{"code", ""}, 400, "invalid_request"},
		"no client":      {[]string{"client_id", ""}, 400, "invalid_request"},
		"unknown client": {[]string{"client_id", "nobody"}, 401, "invalid_client"},
		"no grant type":  {[]string{"grant_type", ""}, 400, "invalid_request"},
		"password":       {[]string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		"a guess":        {[]string{"code", "guess"}, 400, "invalid_grant"},
	} {
		h.denied(name, h.form("/oauth2/token", exchange(id, p.code(id, "ABC"), c.change...)), c.status, c.code)
	}
	code := p.code(id, "ABC")
	h.denied("JSON", h.ask("", "POST", "/oauth2/token", obj{"grant_type": "authorization_code"}), 400, "invalid_request")
	h.denied("in the address", h.ask("", "POST", "/oauth2/token?"+exchange(id, code).Encode(), "", "Content-Type", "application/x-www-form-urlencoded"), 400, "invalid_request")
	twice := h.ask("", "POST", "/oauth2/token", exchange(id, code).Encode()+"&client_id="+id, "Content-Type", "application/x-www-form-urlencoded")
	h.denied("a parameter twice", twice, 400, "invalid_request")
	huge := h.ask("", "POST", "/oauth2/token", "code="+strings.Repeat("a", 100<<10), "Content-Type", "application/x-www-form-urlencoded")
	h.denied("huge", huge, 413, "invalid_request")
	if r := h.ask("", "GET", "/oauth2/token", nil); r.status != 405 {
		t.Errorf("GET: %d", r.status)
	}
	// Replay: the second use ends what the first one gave.
	r := h.form("/oauth2/token", exchange(id, code))
	h.want(200, "", r.str("access_token"), "GET", "/v3/account/whoami", nil)
	h.denied("replay", h.form("/oauth2/token", exchange(id, code)), 400, "invalid_grant")
	h.want(401, "M_UNKNOWN_TOKEN", r.str("access_token"), "GET", "/v3/account/whoami", nil)
	h.denied("the refresh token of a replayed code", h.form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.str("refresh_token")}, "client_id": {id}}), 400, "invalid_grant")
	late := p.code(id, "ABC")
	h.clock.advance(11 * time.Minute)
	h.denied("late", h.form("/oauth2/token", exchange(id, late)), 400, "invalid_grant")
}

// TestOAuthLimits: guessing is counted, together with the legacy API's.
func TestOAuthLimits(t *testing.T) {
	t.Parallel()
	h := oauthServer(t, func(o *Options) { o.Settings.Logins.PerSecond, o.Settings.Logins.Burst = 0.001, 3 })
	h.user("alice")
	p := h.person()
	for range 3 {
		p.open("/account/sign-in").send("/account/sign-in", "user", "alice", "password", "wrong").has(403, "wrong")
	}
	p.send("/account/sign-in", "user", "alice", "password", "long enough").has(403, "Too many")
	h.want(429, "M_LIMIT_EXCEEDED", "", "POST", "/v3/login", passwordAuth("alice"))
	strict := oauthServer(t, func(o *Options) { o.Settings.Strangers.PerSecond, o.Settings.Strangers.Burst = 0.001, 2 })
	strict.registerClient(webApp())
	strict.registerClient(webApp())
	if r := strict.ask("", "POST", "/oauth2/registration", webApp()); r.status != 429 || r.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.status, r.header)
	}
}
