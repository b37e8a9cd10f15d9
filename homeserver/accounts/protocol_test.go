package accounts

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json/v2"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func TestSharedSecret(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	sign := func(secret string, parts ...string) string {
		mac := hmac.New(sha1.New, []byte(secret))
		mac.Write([]byte(strings.Join(parts, "\x00")))
		return hex.EncodeToString(mac.Sum(nil))
	}
	request := func(change func(*SharedSecretRequest)) SharedSecretRequest {
		nonce, err := f.Nonce()
		if err != nil {
			t.Fatal(err)
		}
		r := SharedSecretRequest{Nonce: nonce, Username: "bob", Password: password, Admin: true}
		r.MAC = sign("s3cret", r.Nonce, r.Username, r.Password, "admin")
		if change != nil {
			change(&r)
		}
		return r
	}
	for what, test := range map[string]struct {
		change func(*SharedSecretRequest)
		code   string
	}{
		"wrong secret":   {func(r *SharedSecretRequest) { r.MAC = sign("secret", r.Nonce, r.Username, r.Password, "admin") }, "M_FORBIDDEN"},
		"another name":   {func(r *SharedSecretRequest) { r.Username = "eve" }, "M_FORBIDDEN"},
		"more rights":    {func(r *SharedSecretRequest) { r.MAC = sign("s3cret", r.Nonce, r.Username, r.Password, "notadmin") }, "M_FORBIDDEN"},
		"no hexadecimal": {func(r *SharedSecretRequest) { r.MAC = "zz" }, "M_FORBIDDEN"},
		"no mac":         {func(r *SharedSecretRequest) { r.MAC = "" }, "M_MISSING_PARAM"},
		"NUL":            {func(r *SharedSecretRequest) { r.Username = "a\x00b" }, "M_INVALID_PARAM"},
		"unknown nonce":  {func(r *SharedSecretRequest) { r.Nonce = "x" }, "M_UNKNOWN"},
		"expired nonce":  {func(r *SharedSecretRequest) { f.clock.advance(nonceLife) }, "M_UNKNOWN"},
	} {
		_, err := f.RegisterWithSecret(ctx, request(test.change), DeviceRequest{})
		wantCode(t, what, err, test.code)
	}
	r := request(nil)
	l, err := f.RegisterWithSecret(ctx, r, DeviceRequest{})
	if err != nil || !f.authenticate(l.AccessToken).Admin {
		t.Fatalf("%+v, %v", l, err)
	}
	_, err = f.RegisterWithSecret(ctx, r, DeviceRequest{})
	wantCode(t, "a used nonce", err, "M_UNKNOWN")
	if _, err := f.LoginPassword(ctx, Identifier{User: "bob"}, password, DeviceRequest{}); err != nil {
		t.Error(err)
	}
	typed := request(func(r *SharedSecretRequest) {
		r.Username, r.UserType, r.Admin = "bot", "support", false
		r.MAC = sign("s3cret", r.Nonce, r.Username, r.Password, "notadmin", "support")
	})
	if _, err := f.RegisterWithSecret(ctx, typed, DeviceRequest{}); err != nil {
		t.Errorf("with a user type: %v", err)
	}
	for range 2 * noncesMax {
		request(nil)
	}
	if n := len(f.nonces.until); n > noncesMax {
		t.Errorf("%d nonces are kept", n)
	}
	off := newFixture(t, func(c *Config) { c.SharedSecret = "" })
	_, err = off.Nonce()
	wantCode(t, "switched off", err, "M_UNKNOWN")
	_, err = off.RegisterWithSecret(ctx, r, DeviceRequest{})
	wantCode(t, "switched off", err, "M_UNKNOWN")
}

func asChallenge(t *testing.T, err error) *Challenge {
	t.Helper()
	var c *Challenge
	if !errors.As(err, &c) {
		t.Fatalf("no challenge: %v", err)
	}
	return c
}

func TestInteractive(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	token, err := f.EnsureAdminToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	request := func(body string, args ...any) UIARequest {
		return UIARequest{Flows: []Flow{{[]string{StageRegistrationToken, StageDummy}}}, Method: "POST", Path: "/register", Body: fmt.Appendf(nil, body, args...)}
	}
	_, err = f.Interact(ctx, request(`{}`))
	first := asChallenge(t, err)
	raw, err := json.Marshal(first)
	want := fmt.Sprintf(`{"flows":[{"stages":["m.login.registration_token","m.login.dummy"]}],"params":{},"session":%q,"completed":[]}`, first.Session)
	if err != nil || string(raw) != want || first.Status() != 401 {
		t.Errorf("%s, %v; want %s", raw, err, want)
	}
	// The first request may be empty, what passes a stage fixes the rest.
	_, err = f.Interact(ctx, request(`{"username":"a","auth":{"type":"m.login.registration_token","session":%q,"token":"wrong"}}`, first.Session))
	if c := asChallenge(t, err); c.Code != "M_UNAUTHORIZED" || c.Session != first.Session || len(c.Completed) != 0 {
		t.Errorf("a wrong token: %+v", c)
	}
	_, err = f.Interact(ctx, request(`{"username":"a","n":1,"auth":{"type":"m.login.registration_token","session":%q,"token":%q}}`, first.Session, token))
	if c := asChallenge(t, err); c.Code != "" || len(c.Completed) != 1 {
		t.Errorf("the token: %+v", c)
	}
	for what, r := range map[string]UIARequest{
		"another body": request(`{"username":"b","n":1,"auth":{"type":"m.login.dummy","session":%q}}`, first.Session),
		"another path": {Flows: first.Flows, Method: "POST", Path: "/deactivate", Body: []byte(fmt.Sprintf(`{"username":"a","n":1,"auth":{"type":"m.login.dummy","session":%q}}`, first.Session))},
		"another user": {Flows: first.Flows, Method: "POST", Path: "/register", Session: &Session{UserID: "@u:x"}, Body: []byte(fmt.Sprintf(`{"username":"a","n":1,"auth":{"type":"m.login.dummy","session":%q}}`, first.Session))},
	} {
		_, err := f.Interact(ctx, r)
		wantCode(t, what, err, "M_FORBIDDEN")
	}
	last := request(` { "n" : 1, "auth":{"type":"m.login.dummy","session":%q}, "username":"a"}`, first.Session)
	passed, err := f.Interact(ctx, last)
	if err != nil || passed.RegistrationToken != token {
		t.Fatalf("%+v, %v", passed, err)
	}
	_, err = f.Interact(ctx, last)
	wantCode(t, "a used session", err, "M_INVALID_PARAM")

	// A client that knows what it wants needs one request.
	simple := UIARequest{Flows: []Flow{{[]string{StageDummy}}}, Method: "POST", Path: "/register", Body: []byte(`{"auth":{"type":"m.login.dummy"}}`)}
	if _, err := f.Interact(ctx, simple); err != nil {
		t.Error(err)
	}
	for what, test := range map[string]struct{ body, code string }{
		"no object":       {`[]`, "M_BAD_JSON"},
		"no JSON":         {`{`, "M_BAD_JSON"},
		"auth is text":    {`{"auth":"x"}`, "M_BAD_JSON"},
		"type is a list":  {`{"auth":{"type":[]}}`, "M_BAD_JSON"},
		"unknown session": {`{"auth":{"session":"x"}}`, "M_INVALID_PARAM"},
	} {
		simple.Body = []byte(test.body)
		_, err := f.Interact(ctx, simple)
		wantCode(t, what, err, test.code)
	}
	simple.Body = []byte(`{"auth":{"type":"m.login.password"}}`)
	_, err = f.Interact(ctx, simple)
	if c := asChallenge(t, err); c.Code != "M_UNRECOGNIZED" {
		t.Errorf("a stage that is not asked for: %+v", c)
	}
	simple.Body = nil
	_, err = f.Interact(ctx, simple)
	c := asChallenge(t, err)
	f.clock.advance(uiaLife)
	simple.Body = []byte(fmt.Sprintf(`{"auth":{"type":"m.login.dummy","session":%q}}`, c.Session))
	_, err = f.Interact(ctx, simple)
	wantCode(t, "an expired session", err, "M_INVALID_PARAM")
}

func TestInteractivePassword(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "a", Password: password, Login: true})
	f.register(Registration{Localpart: "eve", Password: "eves own one"})
	s := f.authenticate(l.AccessToken)
	try := func(session, user, password string) error {
		_, err := f.Interact(ctx, UIARequest{Flows: []Flow{{[]string{StagePassword}}}, Method: "POST", Path: "/delete_devices", Session: s,
			Body: fmt.Appendf(nil, `{"auth":{"type":"m.login.password","session":%q,"identifier":{"type":"m.id.user","user":%q},"password":%q}}`, session, user, password)})
		return err
	}
	c := asChallenge(t, try("", "a", "wrong"))
	if c.Code != "M_FORBIDDEN" {
		t.Errorf("%+v", c)
	}
	wantCode(t, "another user's password", try(c.Session, "eve", "eves own one"), "M_FORBIDDEN")
	if err := try(c.Session, "a", password); err != nil {
		t.Error(err)
	}
	c = asChallenge(t, try("", "a", "wrong"))
	for i := 1; i < uiaTries; i++ {
		asChallenge(t, try(c.Session, "a", "wrong"))
	}
	wantCode(t, "after too many attempts", try(c.Session, "a", password), "M_FORBIDDEN")
}

func FuzzSplitAuth(f *testing.F) {
	for _, s := range []string{`{}`, `{"auth":{"type":"x","session":"y"},"a":1e3}`, `{"auth":null}`, ``, `{"a":[1,{"b":"c"}]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := func(body []byte) ([32]byte, error) {
			_, rest, err := splitAuth(body)
			if err != nil {
				return [32]byte{}, err
			}
			return canonicalSum(rest)
		}
		a, err := sum(body)
		b, err2 := sum(append([]byte(" "), body...))
		if a != b || (err == nil) != (err2 == nil) {
			t.Errorf("spacing matters: %v, %v", err, err2)
		}
	})
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	c := &clock{t: time.Unix(1000, 0)}
	l := newLimiter(2, 3, 2, c.now)
	for i, want := range []string{"", "", "", "M_LIMIT_EXCEEDED", "M_LIMIT_EXCEEDED"} {
		wantCode(t, fmt.Sprint("attempt ", i), l.Allow("a"), want)
	}
	e, _ := mxerror.As(l.Allow("a"))
	if e == nil || e.RetryAfter != 500*time.Millisecond || e.Fields["retry_after_ms"] != int64(500) {
		t.Errorf("%+v", e)
	}
	wantCode(t, "another key", l.Allow("b"), "")
	c.advance(e.RetryAfter)
	wantCode(t, "after the time named", l.Allow("a"), "")
	for i := range 10 {
		l.Allow(fmt.Sprint(i))
	}
	if n := l.keys.Len(); n != 2 {
		t.Errorf("%d keys are kept", n)
	}
	var off *Limiter = NewLimiter(0, 1)
	for range 100 {
		wantCode(t, "switched off", off.Allow("a"), "")
	}
}

func TestReservedNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Reserved = func(id string) bool { return id == "@irc_bob:x.org" } })
	_, err := f.Register(t.Context(), Registration{Localpart: "IRC_bob"})
	wantCode(t, "a person", err, "M_EXCLUSIVE")
	f.register(Registration{Localpart: "irc_bob", Service: "irc", Kind: "service"})
}

func FuzzCanonicalEmail(f *testing.F) {
	for _, s := range []string{"a@b.c", "A <a@b.c>", "a@b.c\r\nBcc: x@y.z", "Strauß@Example.com", "\"a b\"@c.d", "a@[127.0.0.1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		folded, err := CanonicalEmail(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(folded, " \r\n<>\"") || !strings.Contains(folded, "@") {
			t.Errorf("%q becomes %q", s, folded)
		}
		if again, err := CanonicalEmail(folded); err == nil && again != folded {
			t.Errorf("%q, then %q", folded, again)
		}
	})
}
