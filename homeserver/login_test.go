package homeserver

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	h := startWith(t, func(o *Options) {
		o.Lifetimes = accounts.Lifetimes{Access: time.Hour, Refreshable: time.Minute, Refresh: 24 * time.Hour}
	})
	h.user("alice")
	whoami := func(token string) reply { return h.ask(token, "GET", "/v3/account/whoami", nil) }
	refresh := func(token string) reply {
		return h.ask("", "POST", "/v3/refresh", obj{"refresh_token": token})
	}
	first := h.login("alice", obj{"refresh_token": true, "device_id": "PHONE"})
	if first.json["expires_in_ms"] != 60000.0 || first.str("refresh_token") == "" {
		t.Fatalf("login: %s", first.raw)
	}
	if plain := h.login("alice", nil); plain.json["expires_in_ms"] != 3600000.0 || plain.json["refresh_token"] != nil {
		t.Errorf("a client that can't refresh: %s", plain.raw)
	}
	h.clock.advance(2 * time.Minute)
	if r := whoami(first.str("access_token")); r.status != 401 || r.code() != "M_UNKNOWN_TOKEN" || r.json["soft_logout"] != true {
		t.Errorf("an expired token: %s", r.raw)
	}
	// An answer may be lost: the old refresh token is good until the new tokens are used.
	lost, second := refresh(first.str("refresh_token")), refresh(first.str("refresh_token"))
	if lost.status != 200 || second.status != 200 || second.json["expires_in_ms"] != 60000.0 {
		t.Fatalf("refresh: %s, %s", lost.raw, second.raw)
	}
	if r := whoami(lost.str("access_token")); r.status != 401 {
		t.Errorf("the token of the lost answer: %s", r.raw)
	}
	if r := whoami(second.str("access_token")); r.status != 200 || r.str("device_id") != "PHONE" {
		t.Errorf("the new token: %s", r.raw)
	}
	if r := refresh(first.str("refresh_token")); r.status != 401 || r.code() != "M_UNKNOWN_TOKEN" || r.json["soft_logout"] != true {
		t.Errorf("the old refresh token, after the new access token was used: %s", r.raw)
	}
	// A refresh before the access token has expired: the old one lives until the new one is used.
	third := refresh(second.str("refresh_token"))
	if r := whoami(second.str("access_token")); r.status != 200 {
		t.Errorf("the older access token: %s", r.raw)
	}
	fourth := refresh(third.str("refresh_token")) // using the refresh token is using the new tokens, too
	if r := refresh(second.str("refresh_token")); r.status != 401 {
		t.Errorf("the refresh token before: %s", r.raw)
	}
	if r := whoami(fourth.str("access_token")); r.status != 200 {
		t.Errorf("the newest token: %s", r.raw)
	}
	if r := whoami(second.str("access_token")); r.status != 401 || r.json["soft_logout"] != true {
		t.Errorf("an access token whose successor is in use: %s", r.raw)
	}
	h.want(401, "M_UNKNOWN_TOKEN", "", "POST", "/v3/refresh", obj{"refresh_token": fourth.str("access_token")})
	h.want(401, "M_UNKNOWN_TOKEN", fourth.str("refresh_token"), "GET", "/v3/account/whoami", nil)
	h.want(401, "M_UNKNOWN_TOKEN", "", "POST", "/v3/refresh", obj{"refresh_token": "nonsense"})
	h.want(400, "M_MISSING_PARAM", "", "POST", "/v3/refresh", obj{})
	h.want(400, "M_BAD_JSON", "", "POST", "/v3/refresh", obj{"refresh_token": 1})
	h.clock.advance(25 * time.Hour)
	if r := refresh(fourth.str("refresh_token")); r.status != 401 || r.json["soft_logout"] != true {
		t.Errorf("a refresh token that lay unused: %s", r.raw)
	}
	again := h.login("alice", obj{"refresh_token": true, "device_id": "PHONE"})
	h.want(200, "", again.str("access_token"), "POST", "/v3/logout", nil)
	if r := refresh(again.str("refresh_token")); r.status != 401 || r.json["soft_logout"] != false {
		t.Errorf("after logging out: %s", r.raw)
	}
}

func TestLoginToken(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	alice := h.user("alice")
	flows := h.ask("", "GET", "/v3/login", nil)
	if !strings.Contains(flows.raw, `{"get_login_token":true,"type":"m.login.token"}`) {
		t.Errorf("flows: %s", flows.raw)
	}
	first := h.want(401, "", alice, "POST", "/v1/login/get_token", nil)
	made := h.want(200, "", alice, "POST", "/v1/login/get_token", obj{"auth": obj{"type": "m.login.password", "session": first.str("session"),
		"user": "alice", "password": "long enough"}}) // the deprecated form
	token := made.str("login_token")
	if made.json["expires_in_ms"] != 120000.0 || token == "" {
		t.Fatalf("token: %s", made.raw)
	}
	body := obj{"type": "m.login.token", "token": token, "initial_device_display_name": "tablet"}
	if r := h.want(200, "", "", "POST", "/v3/login", body); r.str("user_id") != "@alice:test" {
		t.Errorf("login: %s", r.raw)
	}
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", body)
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": alice})
	h.want(400, "M_MISSING_PARAM", "", "POST", "/v3/login", obj{"type": "m.login.token"})
	late := h.want(200, "", alice, "POST", "/v1/login/get_token", obj{"auth": passwordAuth("alice")})
	h.clock.advance(2 * time.Minute)
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", obj{"type": "m.login.token", "token": late.str("login_token")})
}

func TestLoginForms(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	h.user("alice")
	for what, tc := range map[string]struct {
		body   any
		status int
		code   string
	}{
		"user":             {obj{"type": "m.login.password", "user": "alice", "password": "long enough"}, 200, ""},
		"whole user id":    {obj{"type": "m.login.password", "user": "@alice:test", "password": "long enough"}, 200, ""},
		"capitals":         {obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user", "user": "@ALICE:test"}, "password": "long enough"}, 200, ""},
		"another server":   {obj{"type": "m.login.password", "user": "@alice:else", "password": "long enough"}, 403, "M_FORBIDDEN"},
		"unknown address":  {obj{"type": "m.login.password", "medium": "email", "address": "a@b.c", "password": "long enough"}, 403, "M_FORBIDDEN"},
		"unknown 3pid":     {obj{"type": "m.login.password", "identifier": obj{"type": "m.id.thirdparty", "medium": "email", "address": "a@b.c"}, "password": "x"}, 403, "M_FORBIDDEN"},
		"phone":            {obj{"type": "m.login.password", "identifier": obj{"type": "m.id.phone", "country": "GB", "phone": "07700900001"}, "password": "x"}, 403, "M_FORBIDDEN"},
		"unknown kind":     {obj{"type": "m.login.password", "identifier": obj{"type": "m.id.soul"}, "password": "x"}, 400, "M_UNKNOWN"},
		"nobody":           {obj{"type": "m.login.password", "password": "x"}, 400, "M_MISSING_PARAM"},
		"identifier empty": {obj{"type": "m.login.password", "identifier": obj{"type": "m.id.user"}, "password": "x"}, 400, "M_MISSING_PARAM"},
		"no type":          {obj{}, 400, "M_MISSING_PARAM"},
		"odd type":         {obj{"type": "m.login.magic"}, 400, "M_UNKNOWN"},
		"type is a number": {obj{"type": 1}, 400, "M_BAD_JSON"},
		"no JSON":          {"{", 400, "M_NOT_JSON"},
		"JWT is off":       {obj{"type": "org.matrix.login.jwt", "token": "x"}, 400, "M_UNKNOWN"},
	} {
		for _, version := range []string{"/v3", "/r0"} {
			if r := h.ask("", "POST", version+"/login", tc.body); r.status != tc.status || r.code() != tc.code {
				t.Errorf("%s %s: %d %s", what, version, r.status, r.raw)
			}
		}
	}
}

func TestDeviceIDIsNoCrossSigningKey(t *testing.T) {
	t.Parallel()
	h := startWith(t, nil)
	h.user("alice")
	nid, err := h.store.UserNID(t.Context(), "@alice:test")
	if err != nil {
		t.Fatal(err)
	}
	key := store.CrossSigningKey{Usage: "master", JSON: `{"keys":{"ed25519:abc":"abc"},"usage":["master"],"user_id":"@alice:test"}`}
	if err := h.store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetCrossSigningKey(nid, key) }); err != nil {
		t.Fatal(err)
	}
	body := passwordAuth("alice")
	body["device_id"] = "abc"
	h.want(403, "M_FORBIDDEN", "", "POST", "/v3/login", body)
}

func TestJWT(t *testing.T) {
	t.Parallel()
	secret := []byte("0123456789abcdef0123456789abcdef")
	h := startWith(t, func(o *Options) {
		o.JWT = &accounts.JWT{Algorithm: "HS256", Secret: string(secret), Issuer: "https://issuer", Audiences: []string{"chat"}, DisplayNameClaim: "name"}
	})
	sign := func(alg jose.SignatureAlgorithm, key []byte, claims obj) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	now := h.clock.now().Unix()
	good := func(change obj) obj {
		c := obj{"sub": "Carol", "iss": "https://issuer", "aud": "chat", "exp": now + 60, "name": "Carol C."}
		for k, v := range change {
			if v == nil {
				delete(c, k)
			} else {
				c[k] = v
			}
		}
		return c
	}
	try := func(token string) reply {
		return h.ask("", "POST", "/v3/login", obj{"type": "org.matrix.login.jwt", "token": token})
	}
	for range 2 { // the first time makes the account
		if r := try(sign("HS256", secret, good(nil))); r.status != 200 || r.str("user_id") != "@carol:test" {
			t.Errorf("login: %s", r.raw)
		}
	}
	if r := h.ask("", "GET", "/v3/profile/@carol:test/displayname", nil); r.str("displayname") != "Carol C." {
		t.Errorf("name: %s", r.raw)
	}
	long := []byte(strings.Repeat("x", 64))
	for what, token := range map[string]string{
		"another key":       sign("HS256", long, good(nil)),
		"another algorithm": sign("HS512", long, good(nil)),
		"expired":           sign("HS256", secret, good(obj{"exp": now - 60})),
		"not yet":           sign("HS256", secret, good(obj{"nbf": now + 600})),
		"another issuer":    sign("HS256", secret, good(obj{"iss": "x"})),
		"another audience":  sign("HS256", secret, good(obj{"aud": "x"})),
		"no subject":        sign("HS256", secret, good(obj{"sub": nil})),
		"nonsense":          "a.b.c",
		"nothing":           "",
	} {
		if r := try(token); r.status != 403 || r.code() != "M_FORBIDDEN" {
			t.Errorf("%s: %d %s", what, r.status, r.raw)
		}
	}
	// Who has no password confirms with another such token.
	token := try(sign("HS256", secret, good(nil))).str("access_token")
	ask := h.want(401, "", token, "POST", "/v3/delete_devices", obj{"devices": []string{}})
	if !strings.Contains(ask.raw, `"org.matrix.login.jwt"`) {
		t.Errorf("flows: %s", ask.raw)
	}
	h.want(403, "M_FORBIDDEN", token, "POST", "/v3/delete_devices", obj{"devices": []string{}, "auth": obj{"type": "org.matrix.login.jwt", "token": sign("HS256", secret, good(obj{"sub": "dave"}))}})
	h.want(200, "", token, "POST", "/v3/delete_devices", obj{"devices": []string{}, "auth": obj{"type": "org.matrix.login.jwt", "token": sign("HS256", secret, good(nil))}})
}

func TestLimitsByAddress(t *testing.T) {
	t.Parallel()
	h := startWith(t, func(o *Options) {
		o.Settings.Logins = client.Rate{PerSecond: 0.001, Burst: 2}
		o.Settings.Strangers = client.Rate{PerSecond: 0.001, Burst: 2}
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	try := func(forwarded, user string) reply {
		return h.ask("", "POST", "/v3/login", obj{"type": "m.login.password", "user": user, "password": "wrong"}, "X-Forwarded-For", forwarded)
	}
	for i, from := range []string{"192.0.2.1", "6.6.6.6, 192.0.2.1", "192.0.2.1, 10.1.2.3", "x, 192.0.2.1:4711"} {
		r := try(from, "u"+string(rune('a'+i)))
		if want := map[bool]int{true: 403, false: 429}[i < 2]; r.status != want {
			t.Errorf("log-in %d from %s: %d %s", i, from, r.status, r.raw)
		}
		if r.status == 429 && (r.code() != "M_LIMIT_EXCEEDED" || r.header.Get("Retry-After") == "" || r.json["retry_after_ms"] == nil) {
			t.Errorf("the limit: %v %s", r.header, r.raw)
		}
	}
	if r := try("192.0.2.2", "other"); r.status != 403 {
		t.Errorf("another address: %d", r.status)
	}
	// One machine has a whole half of IPv6 addresses.
	for i, from := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3"} {
		if r := try(from, "v"+string(rune('a'+i))); (r.status == 429) != (i == 2) {
			t.Errorf("log-in from %s: %d", from, r.status)
		}
	}
	for i := range 3 {
		r := h.ask("", "GET", "/v3/register/available?"+url.Values{"username": {"x"}}.Encode(), nil, "X-Forwarded-For", "192.0.2.9")
		if (r.status == 429) != (i == 2) {
			t.Errorf("look-up %d: %d", i, r.status)
		}
	}
}
