package homeserver

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/sso"
)

// TestOAuthUIA: what needs interactive authentication is not for clients that came by OAuth, but for
// the reset of cross-signing, which the user allows on a page.
func TestOAuthUIA(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	h.user("alice")
	id := h.registerClient(webApp())
	p := h.person().signIn("alice")
	token := p.oauthLogin(id, "ABC").str("access_token")
	auth := obj{"auth": passwordAuth("alice")}
	for path, method := range map[string]string{"/v3/devices/ABC": "DELETE", "/v3/delete_devices": "POST", "/v3/account/deactivate": "POST", "/v1/login/get_token": "POST"} {
		h.want(404, "M_UNRECOGNIZED", token, method, path, nil)
		h.want(404, "M_UNRECOGNIZED", token, method, path, auth)
	}
	h.want(404, "M_UNRECOGNIZED", token, "POST", "/v3/account/password", obj{"new_password": "another one", "auth": passwordAuth("alice")})
	h.want(404, "M_UNRECOGNIZED", token, "POST", "/v3/account/3pid/add", obj{"sid": "a", "client_secret": "b"})
	if c := h.want(200, "", token, "GET", "/v3/capabilities", nil); strings.Contains(c.raw, `"m.change_password":{"enabled":true}`) || strings.Contains(c.raw, `"m.get_login_token":{"enabled":true}`) {
		t.Error(c.raw)
	}

	const upload = "/v3/keys/device_signing/upload"
	keys := func(name string) obj {
		k := keySeed(name)
		return obj{"master_key": obj{"user_id": "@alice:test", "usage": []string{"master"}, "keys": obj{"ed25519:" + publicOf(k): publicOf(k)}}}
	}
	h.want(200, "", token, "POST", upload, keys("one")) // the first needs no confirmation
	ask := func(body obj) reply { t.Helper(); return h.ask(token, "POST", upload, body) }
	r := ask(keys("two"))
	params, _ := r.json["params"].(map[string]any)
	m, _ := params["m.oauth"].(map[string]any)
	page, _ := m["url"].(string)
	if r.status != 401 || !strings.Contains(r.raw, `{"stages":["m.oauth"]}`) || !strings.HasPrefix(page, h.url+"/account?action=org.matrix.cross_signing_reset") || params["org.matrix.cross_signing_reset"] == nil {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	session := obj{"session": r.str("session")}
	withAuth := keys("two")
	withAuth["auth"] = session
	for range 12 { // clients ask again and again
		if r := ask(withAuth); r.status != 401 || r.code() != "" {
			t.Fatalf("not confirmed: %d %s", r.status, r.raw)
		}
	}
	if r := ask(obj{"auth": obj{"session": session["session"], "type": "m.oauth"}}); r.status != 401 {
		t.Errorf("claimed to be confirmed: %d %s", r.status, r.raw)
	}
	// Somebody else can't confirm it.
	h.user("eve")
	eve := h.person().signIn("eve")
	eve.open(strings.TrimPrefix(page, h.url)).has(200, "Reset encryption").send("/account/encryption").has(403)
	if r := ask(withAuth); r.status != 401 {
		t.Errorf("confirmed by somebody else: %d", r.status)
	}
	// Who signed in long ago does it again.
	h.clock.advance(11 * time.Minute)
	p.open(strings.TrimPrefix(page, h.url)).has(200, "sign in again").send("/account/sign-in", "user", "alice", "password", "long enough").has(200, "Reset encryption", "An app of yours asks")
	p.send("/account/encryption").has(200, "Reset allowed")
	refreshed := p.oauthLogin(id, "ABC").str("access_token")
	if r := h.ask(refreshed, "POST", upload, withAuth); r.status != 200 {
		t.Errorf("confirmed: %d %s", r.status, r.raw)
	}
	// Clients that do not know of sessions try again for a while, and then not any more.
	h.want(200, "", refreshed, "POST", upload, keys("three"))
	h.clock.advance(11 * time.Minute)
	refreshed = p.oauthLogin(id, "ABC").str("access_token")
	h.want(401, "", refreshed, "POST", upload, keys("four"))
}

func TestAccountPages(t *testing.T) {
	t.Parallel()
	h := oauthServer(t)
	alice := h.user("alice")
	id := h.registerClient(webApp())
	p := h.person().signIn("alice")
	token := p.oauthLogin(id, "PHONE").str("access_token")
	p.open("/account").send("/account", "name", "Alice <b>").has(200, "Saved.", `value="Alice <b>"`)
	if r := h.want(200, "", alice, "GET", "/v3/profile/@alice:test", nil); r.str("displayname") != "Alice <b>" {
		t.Error(r.raw)
	}
	// A picture, and what is none.
	picture := func(content []byte) *person {
		t.Helper()
		var body bytes.Buffer
		w := multipart.NewWriter(&body)
		csrf := hiddenText.FindStringSubmatch(p.open("/account").page)
		_ = w.WriteField("csrf", csrf[2])
		f, err := w.CreateFormFile("picture", "me.png")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = f.Write(content)
		w.Close()
		req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/account/avatar", &body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", w.FormDataContentType())
		res, err := p.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		p.status = res.StatusCode
		return p
	}
	if picture([]byte("<svg onload=alert(1)>")); p.status != 400 {
		t.Errorf("no picture: %d", p.status)
	}
	if picture(make([]byte, 9<<20)); p.status != 413 {
		t.Errorf("a huge picture: %d", p.status)
	}
	var raw bytes.Buffer
	if err := png.Encode(&raw, image.NewRGBA(image.Rect(0, 0, 200, 200))); err != nil {
		t.Fatal(err)
	}
	picture(raw.Bytes())
	if r := h.want(200, "", alice, "GET", "/v3/profile/@alice:test", nil); !strings.HasPrefix(r.str("avatar_url"), "mxc://test/") {
		t.Error(r.raw)
	}
	if p.open("/account/avatar"); p.status != 200 || !strings.HasPrefix(p.header.Get("Content-Type"), "image/") {
		t.Errorf("the picture: %d %v", p.status, p.header)
	}
	h.person().open("/account/avatar").has(200, "Sign in to test")
	// Devices: those of both APIs, and the deep links.
	p.open("/account?action=org.matrix.devices_list").has(200, "Your devices", "My App", "example.com")
	p.open("/account?action=org.matrix.device_view&device_id=PHONE").has(200, "PHONE", "My App")
	p.send("/account/device", "name", " Pocket <i> ").has(200, "Saved.", `value="Pocket <i>"`)
	if r := h.want(200, "", alice, "GET", "/v3/devices/PHONE", nil); r.str("display_name") != "Pocket <i>" {
		t.Error(r.raw)
	}
	p.send("/account/device", "name", strings.Repeat("x", 300)).has(400)
	p.open("/account/email").has(404) // the server sends no mail
	p.open("/account?action=org.matrix.device_delete&device_id=NONE").has(200, "no such device")
	p.open("/account?action=org.matrix.session_end&device_id=PHONE").has(200, "PHONE").send("/account/device").has(200, "is signed out")
	h.want(401, "M_UNKNOWN_TOKEN", token, "GET", "/v3/account/whoami", nil)
	// Somebody else's device is not there.
	h.user("eve")
	mine := h.want(200, "", alice, "GET", "/v3/account/whoami", nil).str("device_id")
	h.person().signIn("eve").open("/account/device?device_id="+mine).has(200, "no such device")
	h.want(200, "", alice, "GET", "/v3/account/whoami", nil)
	// The password.
	p.open("/account/password").send("/account/password", "old", "wrong", "new", "another one").has(400, "current password is wrong")
	p.send("/account/password", "old", "long enough", "new", "short").has(400, "too short")
	p.send("/account/password", "old", "long enough", "new", "another one").has(200, "new password is set")
	h.want(200, "", alice, "GET", "/v3/account/whoami", nil)
	elsewhere := h.person().open("/account/sign-in").send("/account/sign-in", "user", "alice", "password", "another one").has(200, "Your account")
	p.open("/account/password").send("/account/password", "old", "another one", "new", "long enough", "logout", "1").has(200, "new password is set")
	h.want(401, "M_UNKNOWN_TOKEN", alice, "GET", "/v3/account/whoami", nil)
	elsewhere.open("/account").has(200, "Sign in to test")
	p.open("/account").has(200, "Your account")
	// An administrator's lock and the legacy API end browsers too.
	legacy := h.login("alice", nil)
	h.want(200, "", legacy.str("access_token"), "POST", "/v3/logout/all", nil)
	p.open("/account").has(200, "Sign in to test")
	// Closing the account.
	p.signIn("alice").open("/account?action=org.matrix.account_deactivate").has(200, "Close your account")
	p.send("/account/deactivate", "sure", "yes").has(400, "not your user id")
	p.send("/account/deactivate", "sure", "@alice:test").has(200, "Account closed")
	p.open("/account").has(200, "Sign in to test").send("/account/sign-in", "user", "alice", "password", "long enough").has(403, "deactivated")
	p.open("/account/nowhere").has(404)
}

// TestAccountEmails: an address is added by whoever shows that it is theirs, and removed.
func TestAccountEmails(t *testing.T) {
	t.Parallel()
	h, box := withMail(t, func(o *Options) { o.OAuth.Enabled = true })
	alice := h.user("alice")
	const emails = "/account/email"
	p := h.person().signIn("alice")
	p.open(emails).has(200, "no e-mail address").send(emails, "email", "nonsense").has(400, "no e-mail address")
	p.send(emails, "email", "Ann@Example.org").has(200, "on its way to Ann@Example.org")
	p.send(emails).has(400, "not been confirmed yet")
	h.follow(box.Next(0))
	proof := p.page
	h.clock.advance(11 * time.Minute)
	p.send(emails).has(200, "sign in again") // an address opens the account
	p.signIn("alice")
	p.page = proof
	if csrf := hiddenText.FindStringSubmatch(p.open(emails).page); csrf == nil {
		t.Fatal(p.page)
	} else {
		was := hiddenText.FindStringSubmatch(proof)
		p.page = strings.ReplaceAll(proof, was[2], csrf[2])
	}
	p.send(emails).has(200, "The address is added.", "ann@example.org")
	p.open("/account").has(200, "ann@example.org")
	if r := h.want(200, "", alice, "GET", "/v3/account/3pid", nil); !strings.Contains(r.raw, "ann@example.org") {
		t.Error(r.raw)
	}
	h.user("eve")
	h.person().signIn("eve").open(emails).send(emails, "remove", "ann@example.org")
	p.open(emails).has(200, "ann@example.org").send(emails, "remove", "ann@example.org").has(200, "The address is removed.", "no e-mail address")
	h.person().open(emails).has(200, "Sign in to test")
}

// TestOAuthAwareClients: clients of the legacy API log in by the same pages.
func TestOAuthAwareClients(t *testing.T) {
	t.Parallel()
	h := oauthServer(t, func(o *Options) { o.TrustedClients = []string{"https://trusted.test/"} })
	h.user("alice")
	flows := h.want(200, "", "", "GET", "/v3/login", nil)
	for _, want := range []string{`"m.login.password"`, `"oauth_aware_preferred":true`, `"m.login.token"`} {
		if !strings.Contains(flows.raw, want) {
			t.Errorf("%s is missing in %s", want, flows.raw)
		}
	}
	const redirect = "/_matrix/client/v3/login/sso/redirect?redirectUrl="
	p := h.person()
	p.open(redirect+url.QueryEscape("https://app.test/?a=b&loginToken=x")+"&action=register").has(200, "Make an account on test")
	p.open(redirect+url.QueryEscape("https://app.test/?a=b&loginToken=x")+"&action=login").has(200, "Sign in to test")
	p.send("/account/sign-in", "user", "alice", "password", "long enough").has(200, "app.test will be able to", "@alice:test")
	v := p.send("/account/continue").back()
	if v.Get("a") != "b" || len(v["loginToken"]) != 1 || v.Get("loginToken") == "x" {
		t.Error(v)
	}
	l := h.want(200, "", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": v.Get("loginToken")})
	if l.str("user_id") != "@alice:test" {
		t.Error(l.raw)
	}
	if v := p.open(redirect + url.QueryEscape("https://trusted.test/x")).back(); v.Get("loginToken") == "" {
		t.Error("a trusted client gets nothing")
	}
	for _, bad := range []string{"javascript:alert(1)", "", "data:text/html,x", "https:"} {
		if p.open(redirect + url.QueryEscape(bad)); p.status != 400 {
			t.Errorf("%q: %d", bad, p.status)
		}
		if p.open("/account/continue?redirectUrl=" + url.QueryEscape(bad)); p.status != 400 {
			t.Errorf("%q: %d", bad, p.status)
		}
	}
	h.want(404, "M_NOT_FOUND", "", "GET", "/v3/login/sso/redirect/none?redirectUrl=https://app.test/", nil)
}

// TestOAuthUpstream: people of an identity provider come by the sign-in page.
func TestOAuthUpstream(t *testing.T) {
	t.Parallel()
	idp := startIDP(t)
	h := oauthServer(t, func(o *Options) {
		idp.clock = o.Now
		o.Providers = []sso.Provider{{ID: "corp", Name: "Corporation", Issuer: idp.URL, ClientID: "landbridge", ClientSecret: "hunter2", Register: true}}
	})
	idp.says(obj{"sub": "1", "preferred_username": "Ann", "name": "Ann"}, nil)
	id := h.registerClient(webApp())
	p := h.person()
	p.http.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "app.example.com" {
			return http.ErrUseLastResponse
		}
		return nil
	}
	p.open(request(id, "ABC")).has(200, "Continue with Corporation")
	next := url.QueryEscape(request(id, "ABC"))
	p.open("/account/with/corp?next="+next).has(200, "Allow My App?", "@ann:test")
	r := h.form("/oauth2/token", exchange(id, p.send("/oauth2/authorize", "decision", "allow").back().Get("code")))
	if who := h.want(200, "", r.str("access_token"), "GET", "/v3/account/whoami", nil); who.str("user_id") != "@ann:test" {
		t.Error(who.raw)
	}
	p.open("/account/password").has(200, "no password")
	p.open("/account/with/nobody?next=/account").has(404)
}
