package homeserver

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
)

// TestRegisterRemembers: a client may send its parameters once, and then only its session.
func TestRegisterRemembers(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	start := h.want(401, "", "", "POST", "/v3/register", obj{"username": "user", "password": "s3kr1t-one", "device_id": "xyzzy", "initial_device_display_name": "display"})
	only := obj{"auth": obj{"session": start.str("session"), "type": "m.login.dummy"}}
	first := h.want(200, "", "", "POST", "/v3/register", only)
	if first.str("user_id") != "@user:test" || first.str("device_id") != "xyzzy" {
		t.Errorf("register: %s", first.raw)
	}
	// The answer was lost: the same request gives the same user.
	second := h.want(200, "", "", "POST", "/v3/register", only)
	if second.str("user_id") != "@user:test" || second.str("device_id") != "xyzzy" {
		t.Errorf("again: %s", second.raw)
	}
	h.want(200, "", second.str("access_token"), "GET", "/v3/account/whoami", nil)
	whole := obj{"username": "user", "password": "s3kr1t-one", "device_id": "xyzzy", "initial_device_display_name": "display", "auth": obj{"session": start.str("session"), "type": "m.login.dummy"}}
	if r := h.want(200, "", "", "POST", "/v3/register", whole); r.str("user_id") != "@user:test" {
		t.Errorf("once more: %s", r.raw)
	}
	whole["password"] = "another one"
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/register", whole)
	h.want(400, "M_USER_IN_USE", "", "POST", "/v3/register", obj{"username": "user", "password": "s3kr1t-one"})

	// Without a name, the name that was made up is the same too.
	start = h.want(401, "", "", "POST", "/v3/register", obj{"password": "s3kr1t-one"})
	only = obj{"auth": obj{"session": start.str("session"), "type": "m.login.dummy"}}
	a, b := h.want(200, "", "", "POST", "/v3/register", only), h.want(200, "", "", "POST", "/v3/register", only)
	if a.str("user_id") == "" || a.str("user_id") != b.str("user_id") {
		t.Errorf("%s, then %s", a.raw, b.raw)
	}
	if r := h.want(200, "", "", "POST", "/v3/register", obj{"username": "quiet", "password": "long enough", "inhibit_login": true, "refresh_token": true, "auth": obj{"type": "m.login.dummy"}}); r.json["access_token"] != nil || r.json["device_id"] != nil || r.json["refresh_token"] != nil {
		t.Errorf("inhibit_login: %s", r.raw)
	}
	if r := h.want(200, "", "", "POST", "/v3/register", obj{"username": "fresh", "password": "long enough", "refresh_token": true, "auth": obj{"type": "m.login.dummy"}}); r.str("refresh_token") == "" {
		t.Errorf("refresh_token: %s", r.raw)
	}
}

// TestRegisterLimit: it is beginnings that are counted, not the steps of one sign-up.
func TestRegisterLimit(t *testing.T) {
	t.Parallel()
	h := startWith(t, func(o *Options) { o.Settings.Registrations = client.Rate{PerSecond: 0.001, Burst: 1} })
	start := h.want(401, "", "", "POST", "/v3/register", obj{"username": "anna", "password": "long enough"})
	for range 3 {
		h.want(401, "", "", "POST", "/v3/register", obj{"auth": obj{"session": start.str("session")}})
	}
	h.want(200, "", "", "POST", "/v3/register", obj{"auth": obj{"session": start.str("session"), "type": "m.login.dummy"}})
	if r := h.want(429, "M_LIMIT_EXCEEDED", "", "POST", "/v3/register", obj{"username": "bert", "password": "long enough"}); r.header.Get("Retry-After") == "" {
		t.Errorf("%v", r.header)
	}
}

func TestTermsAndPages(t *testing.T) {
	t.Parallel()
	h := startWith(t, func(o *Options) {
		o.Settings.OpenRegistration = false
		o.Settings.Policies = []accounts.Policy{{ID: "tos", Version: "1.2", Language: "en", Name: "Terms <b>", URL: "https://example.org/en"},
			{ID: "tos", Version: "1.2", Language: "fr", Name: "Conditions", URL: "https://example.org/fr"}}
	})
	token, err := h.accounts.EnsureAdminToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	body := obj{"username": "anna", "password": "long enough"}
	start := h.want(401, "", "", "POST", "/v3/register", body)
	want := `"flows":[{"stages":["m.login.registration_token","m.login.terms"]}],"params":{"m.login.terms":{"policies":{"tos":{"en":{"name":"Terms <b>","url":"https://example.org/en"},"fr":{"name":"Conditions","url":"https://example.org/fr"},"version":"1.2"}}}}`
	if !strings.Contains(start.raw, want) {
		t.Errorf("%s\nwant %s", start.raw, want)
	}
	session := start.str("session")
	stage := func(name string) string {
		return "/v3/auth/" + name + "/fallback/web?session=" + session
	}
	show := h.ask("", "GET", stage("m.login.terms"), nil)
	if show.status != 200 || !strings.Contains(show.header.Get("Content-Type"), "text/html") || !strings.Contains(show.raw, "Terms &lt;b&gt;") || strings.Contains(show.raw, "authDone") {
		t.Errorf("the page: %d %s", show.status, show.raw)
	}
	if csp := show.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
		t.Errorf("policy %q", csp)
	}
	done := h.ask("", "POST", stage("m.login.terms"), "")
	if done.status != 200 || !strings.Contains(done.raw, `window.opener.postMessage("authDone", "*")`) {
		t.Errorf("after accepting: %s", done.raw)
	}
	if r := h.want(401, "", "", "POST", "/v3/register", obj{"auth": obj{"session": session}}); !strings.Contains(r.raw, `"completed":["m.login.terms"]`) {
		t.Errorf("completed: %s", r.raw)
	}
	if r := h.ask("", "POST", stage("m.login.registration_token"), url.Values{"token": {"wrong"}}.Encode()); r.status != 401 || !strings.Contains(r.raw, "not valid") {
		t.Errorf("a wrong token: %d %s", r.status, r.raw)
	}
	if r := h.ask("", "POST", "/r0/auth/m.login.registration_token/fallback/web?session="+session, url.Values{"token": {token}}.Encode()); r.status != 200 {
		t.Errorf("the token: %d %s", r.status, r.raw)
	}
	// What was confirmed is what the session was begun with.
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/register", obj{"username": "eve", "password": "long enough", "auth": obj{"session": session}})
	h.want(200, "", "", "POST", "/v3/register", obj{"auth": obj{"session": session}})
	nid, err := h.store.UserNID(t.Context(), "@anna:test")
	if err != nil {
		t.Fatal(err)
	}
	if a, err := h.store.Account(t.Context(), nid); err != nil || !a.Admin {
		t.Errorf("%+v, %v", a, err)
	}
	if got, err := h.store.AcceptedPolicies(t.Context(), nid); err != nil || len(got) != 1 || got[0] != [2]string{"tos", "1.2"} {
		t.Errorf("accepted %v, %v", got, err)
	}
	for path, status := range map[string]int{
		"/v3/auth/m.login.terms/fallback/web":                  400,
		"/v3/auth/m.login.terms/fallback/web?session=x":        400,
		"/v3/auth/m.login.sso/fallback/web?session=" + session: 404,
		"/_matrix/static/client/login/?device_id=X":            200,
		"/_matrix/static/client/login":                         200,
	} {
		if r := h.ask("", "GET", path, nil); r.status != status || !strings.Contains(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %d %s", path, r.status, r.header)
		}
	}
}

func TestConfirmPages(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	h.user("bob")
	device := h.login("alice", nil).str("device_id")
	start := h.want(401, "", alice, "DELETE", "/v3/devices/"+device, nil)
	path := "/v3/auth/m.login.password/fallback/web?session=" + start.str("session")
	if r := h.ask("", "GET", path, nil); !strings.Contains(r.raw, "@alice:test wants to remove devices") {
		t.Errorf("the page: %s", r.raw)
	}
	if r := h.ask("", "POST", path, url.Values{"user": {"bob"}, "password": {"long enough"}}.Encode()); r.status != 403 {
		t.Errorf("bob's password: %d %s", r.status, r.raw)
	}
	if r := h.ask("", "POST", path, url.Values{"password": {"long enough"}}.Encode()); r.status != 200 {
		t.Errorf("the password: %d %s", r.status, r.raw)
	}
	h.want(200, "", alice, "DELETE", "/v3/devices/"+device, obj{"auth": obj{"session": start.str("session")}})
	h.want(404, "M_NOT_FOUND", alice, "GET", "/v3/devices/"+device, nil)
}

func TestConfirmWithin(t *testing.T) {
	t.Parallel()
	h := startWith(t, func(o *Options) { o.Settings.ConfirmWithin = time.Minute })
	alice := h.user("alice")
	h.want(401, "", alice, "POST", "/v3/delete_devices", obj{"devices": []string{"X"}})
	h.want(200, "", alice, "POST", "/v3/delete_devices", obj{"devices": []string{"X"}, "auth": passwordAuth("alice")})
	h.want(200, "", alice, "POST", "/v3/delete_devices", obj{"devices": []string{"Y"}})
	h.want(401, "", alice, "POST", "/v1/login/get_token", nil) // always asks
	other := h.login("alice", nil).str("access_token")
	h.want(401, "", other, "POST", "/v3/delete_devices", obj{"devices": []string{"Y"}})
	h.clock.advance(time.Minute)
	h.want(401, "", alice, "POST", "/v3/delete_devices", obj{"devices": []string{"Y"}})
}

func TestWithoutAToken(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	start := h.want(401, "M_MISSING_TOKEN", "", "POST", "/v3/account/password", obj{"new_password": "quite another"})
	if start.str("session") == "" {
		t.Errorf("%s", start.raw)
	}
	h.want(401, "M_UNKNOWN_TOKEN", "wrong", "POST", "/v3/account/password", obj{"new_password": "quite another"})
	h.want(400, "M_WEAK_PASSWORD", alice, "POST", "/v3/account/password", obj{"new_password": "short"})
	h.want(401, "M_FORBIDDEN", "", "POST", "/v3/account/password", obj{"new_password": "quite another", "auth": obj{"type": "m.login.password", "user": "alice", "password": "wrong"}})
	h.want(200, "", "", "POST", "/v3/account/password", obj{"new_password": "quite another", "logout_devices": false, "auth": passwordAuth("alice")})
	h.want(200, "", alice, "GET", "/v3/account/whoami", nil)
	h.want(401, "M_MISSING_TOKEN", "", "POST", "/v3/account/deactivate", nil)
	if r := h.want(200, "", "", "POST", "/v3/account/deactivate", obj{"auth": obj{"type": "m.login.password", "user": "alice", "password": "quite another"}}); r.str("id_server_unbind_result") != "success" {
		t.Errorf("%s", r.raw)
	}
	h.want(401, "M_UNKNOWN_TOKEN", alice, "GET", "/v3/account/whoami", nil)
}
