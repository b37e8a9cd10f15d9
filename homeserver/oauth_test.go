package homeserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/client"
)

func TestOAuthLogin(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	meta := h.want(200, "", "", "GET", "/v1/auth_metadata", nil)
	if meta.str("issuer") != h.url+"/" || meta.str("token_endpoint") != h.url+"/oauth2/token" || meta.str("account_management_uri") != h.url+"/account" {
		t.Error(meta.raw)
	}
	h.user("alice")
	id := h.registerClient(webApp())
	if again := h.registerClient(webApp()); again != id {
		t.Errorf("the same client is %s and %s", id, again)
	}
	p := h.person()
	// Who is not signed in signs in first, and is back then.
	p.open(request(id, "ABC")).has(200, "Sign in to test").send("/account/sign-in", "user", "@alice:test", "password", "wrong").has(403, "wrong")
	p.send("/account/sign-in", "user", "@alice:test", "password", "long enough").has(200, "Allow My App?", "example.com", "@alice:test")
	if csp := p.header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://app.example.com;") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Error(csp)
	}
	v := p.send("/oauth2/authorize", "decision", "deny").back()
	if v.Get("error") != "access_denied" || v.Get("state") != "the state" || v.Get("code") != "" {
		t.Errorf("denied: %v", v)
	}
	r := p.oauthLogin(id, "ABC")
	if r.str("token_type") != "Bearer" || r.str("scope") != scopeOf+"ABC" || r.json["expires_in"] != 300.0 || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s %v", r.raw, r.header)
	}
	who := h.want(200, "", r.str("access_token"), "GET", "/v3/account/whoami", nil)
	if who.str("user_id") != "@alice:test" || who.str("device_id") != "ABC" {
		t.Error(who.raw)
	}
	if d := h.want(200, "", r.str("access_token"), "GET", "/v3/devices/ABC", nil); d.str("display_name") != "My App" {
		t.Error(d.raw)
	}
	// The same device again: its tokens end, and the user is warned.
	p.open(request(id, "ABC")).has(200, "takes the place of your device")
	second := p.oauthLogin(id, "ABC")
	h.want(401, "M_UNKNOWN_TOKEN", r.str("access_token"), "GET", "/v3/account/whoami", nil)
	h.want(200, "", second.str("access_token"), "GET", "/v3/account/whoami", nil)
	// Logging in to it by the legacy API makes it a device of that one.
	legacy := h.login("alice", obj{"device_id": "ABC"})
	h.want(401, "M_UNKNOWN_TOKEN", second.str("access_token"), "GET", "/v3/account/whoami", nil)
	if c := h.want(200, "", legacy.str("access_token"), "GET", "/v3/capabilities", nil); !strings.Contains(c.raw, `"m.change_password":{"enabled":true}`) {
		t.Error(c.raw)
	}
}

func TestOAuthRefresh(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	first := h.person().signIn("alice").oauthLogin(id, "ABC")
	refresh := func(token string) reply {
		t.Helper()
		return h.form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {id}})
	}
	h.clock.advance(6 * time.Minute)
	if r := h.want(401, "M_UNKNOWN_TOKEN", first.str("access_token"), "GET", "/v3/sync", nil); r.json["soft_logout"] != true {
		t.Errorf("expired: %s", r.raw)
	}
	lost := refresh(first.str("refresh_token"))
	again := refresh(first.str("refresh_token")) // the answer was lost
	if lost.status != 200 || again.status != 200 || again.str("scope") != scopeOf+"ABC" {
		t.Fatalf("%s %s", lost.raw, again.raw)
	}
	h.want(200, "", again.str("access_token"), "GET", "/v3/account/whoami", nil)
	// Now the old one is spent. Shortly afterwards it is only refused; later it is a theft.
	h.denied("spent", refresh(first.str("refresh_token")), 400, "invalid_grant")
	h.want(200, "", again.str("access_token"), "GET", "/v3/account/whoami", nil)
	other := h.registerClient(obj{"client_uri": "https://other.example/", "redirect_uris": []string{"https://other.example/"}})
	h.denied("another client", h.form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.str("refresh_token")}, "client_id": {other}}), 400, "invalid_grant")
	// The legacy API does not take it.
	h.want(401, "M_UNKNOWN_TOKEN", "", "POST", "/v3/refresh", obj{"refresh_token": again.str("refresh_token")})
	legacy := h.login("alice", obj{"refresh_token": true})
	h.denied("a legacy token", refresh(legacy.str("refresh_token")), 400, "invalid_grant")
	h.clock.advance(2 * time.Minute)
	h.denied("stolen", refresh(first.str("refresh_token")), 400, "invalid_grant")
	h.denied("after the theft", refresh(again.str("refresh_token")), 400, "invalid_grant")
	h.want(401, "M_UNKNOWN_TOKEN", again.str("access_token"), "GET", "/v3/account/whoami", nil)
}

func TestOAuthRevoke(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	alice := h.user("alice")
	id := h.registerClient(webApp())
	p := h.person().signIn("alice")
	for name, v := range map[string]func(reply) url.Values{
		"access": func(r reply) url.Values {
			return url.Values{"token": {r.str("access_token")}, "token_type_hint": {"access_token"}, "client_id": {id}}
		},
		"refresh": func(r reply) url.Values { return url.Values{"token": {r.str("refresh_token")}, "client_id": {id}} },
		"wrong hint": func(r reply) url.Values {
			return url.Values{"token": {r.str("refresh_token")}, "token_type_hint": {"access_token"}}
		},
		"another client": func(r reply) url.Values { return url.Values{"token": {r.str("access_token")}, "client_id": {"nobody"}} },
	} {
		r := p.oauthLogin(id, "REVOKED")
		if got := h.form("/oauth2/revoke", v(r)); got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.raw)
		}
		h.want(401, "M_UNKNOWN_TOKEN", r.str("access_token"), "GET", "/v3/account/whoami", nil)
		h.denied(name, h.form("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.str("refresh_token")}, "client_id": {id}}), 400, "invalid_grant")
		h.want(404, "M_NOT_FOUND", alice, "GET", "/v3/devices/REVOKED", nil)
		if got := h.form("/oauth2/revoke", v(r)); got.status != 200 {
			t.Errorf("%s twice: %d %s", name, got.status, got.raw)
		}
	}
	h.denied("no token", h.form("/oauth2/revoke", url.Values{"client_id": {id}}), 400, "invalid_request")
	if got := h.form("/oauth2/revoke", url.Values{"token": {"nonsense"}}); got.status != 200 {
		t.Errorf("an unknown token: %d", got.status)
	}
	h.want(200, "", alice, "GET", "/v3/account/whoami", nil)
}

func TestOAuthDevice(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	begin := func() reply {
		t.Helper()
		r := h.form("/oauth2/device", url.Values{"client_id": {id}, "scope": {scopeOf + "TV"}})
		if r.status != 200 || r.str("user_code") == "" || r.str("verification_uri_complete") != h.url+"/link?user_code="+r.str("user_code") || r.json["interval"] != 5.0 {
			t.Fatal(r.raw)
		}
		return r
	}
	poll := func(d reply) reply {
		t.Helper()
		h.clock.advance(5 * time.Second)
		return h.form("/oauth2/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {d.str("device_code")}, "client_id": {id}})
	}
	d := begin()
	h.denied("waiting", poll(d), 400, "authorization_pending")
	h.clock.advance(-5 * time.Second)
	h.denied("too early", poll(d), 400, "slow_down")
	h.denied("too early still", poll(d), 400, "slow_down")
	p := h.person()
	p.open("/link").has(200, "Sign in").send("/account/sign-in", "user", "alice", "password", "long enough").has(200, "Connect a device")
	p.open("/link?user_code=BBBB-BBBB").has(404, "No device waits")
	typed := strings.ToLower(strings.ReplaceAll(d.str("user_code"), "-", " "))
	p.open("/link?user_code="+url.QueryEscape(typed)).has(200, "Allow My App?", d.str("user_code"), "in front of you").send("/link", "decision", "allow").has(200, "Device connected")
	h.clock.advance(30 * time.Second)
	r := poll(d)
	if r.status != 200 || r.str("scope") != scopeOf+"TV" {
		t.Fatal(r.raw)
	}
	if who := h.want(200, "", r.str("access_token"), "GET", "/v3/account/whoami", nil); who.str("device_id") != "TV" {
		t.Error(who.raw)
	}
	h.denied("used", poll(d), 400, "invalid_grant")
	p.open("/link?user_code=" + d.str("user_code")).has(404)
	denied := begin()
	p.open("/link?user_code="+denied.str("user_code")).send("/link", "decision", "deny").has(200, "Device refused")
	h.denied("denied", poll(denied), 400, "access_denied")
	late := begin()
	h.clock.advance(time.Hour)
	h.denied("late", poll(late), 400, "expired_token")
	p.open("/link?user_code=" + late.str("user_code")).has(404)
	h.denied("nobody's", h.form("/oauth2/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"x"}, "client_id": {id}}), 400, "invalid_grant")
	h.denied("a bad scope", h.form("/oauth2/device", url.Values{"client_id": {id}, "scope": {"openid"}}), 400, "invalid_scope")
	h.denied("no client", h.form("/oauth2/device", url.Values{"client_id": {"x"}, "scope": {scopeOf + "TV"}}), 401, "invalid_client")
	web := h.registerClient(obj{"client_uri": "https://example.com/", "redirect_uris": []string{"https://example.com/"}})
	h.denied("not registered for it", h.form("/oauth2/device", url.Values{"client_id": {web}, "scope": {scopeOf + "TV"}}), 400, "unauthorized_client")
}

func TestOAuthSignUp(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	id := h.registerClient(webApp())
	p := h.person()
	p.open(request(id, "ABC", "prompt", "create")).has(200, "Make an account on test")
	p.send("/account/sign-up", "user", "Bob", "password", "short").has(400, "too short")
	p.send("/account/sign-up", "user", "b b", "password", "long enough").has(400, "may hold only")
	p.send("/account/sign-up", "user", "Bob", "password", "long enough").has(200, "Allow My App?", "@bob:test")
	p.send("/oauth2/authorize", "decision", "allow")
	r := h.form("/oauth2/token", exchange(id, p.back().Get("code")))
	if who := h.want(200, "", r.str("access_token"), "GET", "/v3/account/whoami", nil); who.str("user_id") != "@bob:test" {
		t.Error(who.raw)
	}
	h.person().open("/account/sign-up").send("/account/sign-up", "user", "bob", "password", "long enough").has(400, "taken")

	closed := oauthServer(t, func(o *Options) { o.Settings.OpenRegistration = false; o.Settings.Policies = somePolicies() })
	token, err := closed.accounts.EnsureAdminToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q := closed.person().open("/account/sign-up").has(200, "Registration token", "I accept:", "Terms in English")
	q.send("/account/sign-up", "user", "carol", "password", "long enough", "token", "wrong", "policy.tos", "1").has(400, "registration token is not valid")
	q.send("/account/sign-up", "user", "carol", "password", "long enough", "token", token).has(400, "accept the terms")
	q.send("/account/sign-up", "user", "carol", "password", "long enough", "token", token, "policy.tos", "1").has(200, "Your account", "@carol:test")
	q.open("/account/sign-up").send("/account/sign-up", "user", "dave", "password", "long enough", "token", token, "policy.tos", "1").has(400, "registration token is not valid")
}

func TestOAuthOff(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	h.want(404, "M_UNRECOGNIZED", "", "GET", "/v1/auth_metadata", nil)
	h.want(404, "M_UNRECOGNIZED", "", "POST", "/oauth2/token", nil)
	if r := h.want(200, "", "", "GET", "/v3/login", nil); strings.Contains(r.raw, "m.login.sso") {
		t.Error(r.raw)
	}
}

// TestOAuthClientSettings: without passwords nobody is offered to sign up.
func TestOAuthClientSettings(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	if m := h.want(200, "", "", "GET", "/v1/auth_metadata", nil); !strings.Contains(m.raw, `"prompt_values_supported":["create"]`) {
		t.Error(m.raw)
	}
	h.Configure(client.Settings{MaxBody: 1 << 20, NoPasswordLogin: true})
	if m := h.want(200, "", "", "GET", "/v1/auth_metadata", nil); strings.Contains(m.raw, "prompt_values_supported") {
		t.Error(m.raw)
	}
	h.person().open("/account/sign-up").has(200)
}
