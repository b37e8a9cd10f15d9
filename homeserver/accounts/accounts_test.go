package accounts

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	*Accounts
	t     testing.TB
	clock *clock
}

func newFixture(t testing.TB, change ...func(*Config)) *fixture {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "test.db"), Log: log, Relaxed: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, clock: &clock{t: time.UnixMilli(1_700_000_000_000)}}
	c := Config{Server: "x.org", Store: s, Log: log, Now: f.clock.now, SharedSecret: "s3cret"}
	for _, fn := range change {
		fn(&c)
	}
	if f.Accounts, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) register(r Registration) *Login {
	f.t.Helper()
	l, err := f.Register(f.t.Context(), r)
	if err != nil {
		f.t.Fatal(err)
	}
	return l
}

func (f *fixture) authenticate(token string) *Session {
	f.t.Helper()
	s, err := f.Authenticate(f.t.Context(), token, "::1", "agent")
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// wantCode checks that an error is a public one with an errcode; "" means no error.
func wantCode(t testing.TB, what string, err error, code string) {
	t.Helper()
	if code == "" && err == nil {
		return
	}
	if e, ok := mxerror.As(err); !ok || e.Code != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

const password = "correct horse"

func TestRegisterAndLogin(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "Alice", Password: password, Login: true, DisplayName: "Alice A.", Device: DeviceRequest{Name: "phone"}})
	if l.UserID != "@alice:x.org" || len(l.DeviceID) != 10 || len(l.AccessToken) < 40 {
		t.Errorf("%+v", l)
	}
	s := f.authenticate(l.AccessToken)
	if s.UserID != l.UserID || s.User != l.UserNID || s.DeviceID != l.DeviceID || s.Device != l.DeviceNID || s.Kind != "user" || s.Admin {
		t.Errorf("%+v", s)
	}
	if fields, err := f.store.Profile(ctx, l.UserNID); err != nil || len(fields) != 1 || fields[0].Value != `"Alice A."` {
		t.Errorf("profile: %v, %v", fields, err)
	}
	for _, user := range []string{"alice", "@alice:x.org", "Alice", "@ALICE:x.org"} {
		if _, err := f.LoginPassword(ctx, Identifier{User: user}, password, DeviceRequest{}); err != nil {
			t.Errorf("login as %s: %v", user, err)
		}
	}
	// The device is kept, and its old token is not.
	again, err := f.LoginPassword(ctx, Identifier{User: "alice"}, password, DeviceRequest{ID: l.DeviceID, Name: "another name"})
	if err != nil || again.DeviceNID != l.DeviceNID {
		t.Fatalf("%+v, %v", again, err)
	}
	_, err = f.Authenticate(ctx, l.AccessToken, "", "agent")
	wantCode(t, "the old token", err, "M_UNKNOWN_TOKEN")
	f.authenticate(again.AccessToken)
	if d, err := f.store.Device(ctx, l.UserNID, l.DeviceID); err != nil || d.Name != "phone" {
		t.Errorf("device: %+v, %v", d, err)
	}
	service := f.register(Registration{Localpart: "Ünï#1", Service: "irc", Kind: "service"})
	if service.AccessToken != "" || service.UserID != "@Ünï#1:x.org" {
		t.Errorf("%+v", service)
	}
	if as, err := f.LoginAs(ctx, service.UserID, DeviceRequest{ID: "DEV"}); err != nil || as.DeviceID != "DEV" {
		t.Errorf("%+v, %v", as, err)
	}
	random := f.register(Registration{})
	if len(random.UserID) != len("@:x.org")+12 {
		t.Errorf("a random name: %s", random.UserID)
	}

	long := string(make([]byte, 256))
	for _, test := range []struct {
		what, code string
		do         func() error
	}{
		{"wrong password", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "alice"}, "wrong horse", DeviceRequest{})
			return err
		}},
		{"no password", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "alice"}, "", DeviceRequest{})
			return err
		}},
		{"endless password", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "alice"}, string(make([]byte, 10_000)), DeviceRequest{})
			return err
		}},
		{"unknown user", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "nobody"}, password, DeviceRequest{})
			return err
		}},
		{"another server", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "@alice:y.org"}, password, DeviceRequest{})
			return err
		}},
		{"account without password", "M_FORBIDDEN", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: service.UserID}, "", DeviceRequest{})
			return err
		}},
		{"long device id", "M_INVALID_PARAM", func() error {
			_, err := f.LoginPassword(ctx, Identifier{User: "alice"}, password, DeviceRequest{ID: long})
			return err
		}},
		{"device id with a line break", "M_INVALID_PARAM", func() error { _, err := f.LoginAs(ctx, "alice", DeviceRequest{ID: "a\nb"}); return err }},
		{"long device name", "M_INVALID_PARAM", func() error { _, err := f.LoginAs(ctx, "alice", DeviceRequest{Name: long}); return err }},
		{"login as nobody", "M_FORBIDDEN", func() error { _, err := f.LoginAs(ctx, "@nobody:x.org", DeviceRequest{}); return err }},
		{"taken name", "M_USER_IN_USE", func() error {
			_, err := f.Register(ctx, Registration{Localpart: "ALICE", Password: password})
			return err
		}},
		{"weak password", "M_WEAK_PASSWORD", func() error { _, err := f.Register(ctx, Registration{Localpart: "b", Password: "x"}); return err }},
		{"available", "", func() error { return f.Available(ctx, "b") }},
		{"not available", "M_USER_IN_USE", func() error { return f.Available(ctx, "alice") }},
		{"never available", "M_INVALID_USERNAME", func() error { return f.Available(ctx, "a b") }},
		{"no token", "M_MISSING_TOKEN", func() error { _, err := f.Authenticate(ctx, "", "", "agent"); return err }},
		{"odd token", "M_UNKNOWN_TOKEN", func() error { _, err := f.Authenticate(ctx, "syt_abc", "", "agent"); return err }},
		{"unknown token", "M_UNKNOWN_TOKEN", func() error { _, err := f.Authenticate(ctx, tokenPrefix+"abc", "", "agent"); return err }},
	} {
		wantCode(t, test.what, test.do(), test.code)
	}
}

func TestUserID(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fill := ""
	for len(fill) < 255-len("@:x.org") {
		fill += "a"
	}
	for _, test := range []struct {
		localpart       string
		plain, historic bool
	}{
		{"a.b_c=d-e/f+1", true, true}, {fill, true, true}, {fill + "a", false, false},
		{"", false, false}, {"A", false, true}, {"a b", false, true}, {"é", false, true},
		{"a:b", false, false}, {"a\x00b", false, false}, {"a\xff", false, false},
	} {
		_, err := f.UserID(test.localpart, false)
		_, historic := f.UserID(test.localpart, true)
		if (err == nil) != test.plain || (historic == nil) != test.historic {
			t.Errorf("%q: %v, %v", test.localpart, err, historic)
		}
	}
}

func TestEndOfSessions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end func(f *fixture, s *Session) error
		// which tokens still work: the one of the session, another of the same user
		own, other bool
	}{
		"Logout":        {func(f *fixture, s *Session) error { return f.Logout(f.t.Context(), s) }, false, true},
		"LogoutAll":     {func(f *fixture, s *Session) error { return f.LogoutAll(f.t.Context(), s.User) }, false, false},
		"Deactivate":    {func(f *fixture, s *Session) error { return f.Deactivate(f.t.Context(), s.User, false) }, false, false},
		"DeleteDevices": {func(f *fixture, s *Session) error { return f.DeleteDevices(f.t.Context(), s.User, "OTHER", "NONE") }, true, false},
		"ChangePassword": {func(f *fixture, s *Session) error {
			return f.ChangePassword(f.t.Context(), s.User, s.Device, "another one", true)
		}, true, false},
		"ChangePassword2": {func(f *fixture, s *Session) error {
			return f.ChangePassword(f.t.Context(), s.User, s.Device, "another one", false)
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, ctx := newFixture(t), t.Context()
			own := f.register(Registration{Localpart: "a", Login: true})
			other, err := f.LoginAs(ctx, "a", DeviceRequest{ID: "OTHER"})
			if err != nil {
				t.Fatal(err)
			}
			stranger := f.register(Registration{Localpart: "b", Login: true})
			s := f.authenticate(own.AccessToken)
			f.authenticate(other.AccessToken) // so that all are in memory
			f.authenticate(stranger.AccessToken)
			if err := test.end(f, s); err != nil {
				t.Fatal(err)
			}
			for _, token := range []struct {
				token string
				works bool
			}{{own.AccessToken, test.own}, {other.AccessToken, test.other}, {stranger.AccessToken, true}} {
				code := "M_UNKNOWN_TOKEN"
				if token.works {
					code = ""
				}
				_, err := f.Authenticate(ctx, token.token, "", "agent")
				wantCode(t, "token", err, code)
			}
		})
	}
}

func TestDeactivated(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "a", Password: password})
	if err := f.Deactivate(ctx, l.UserNID, false); err != nil {
		t.Fatal(err)
	}
	_, err := f.LoginPassword(ctx, Identifier{User: "a"}, password, DeviceRequest{})
	wantCode(t, "login", err, "M_USER_DEACTIVATED")
	_, err = f.LoginAs(ctx, "a", DeviceRequest{})
	wantCode(t, "login of a service", err, "M_USER_DEACTIVATED")
	wantCode(t, "a new password", f.ChangePassword(ctx, l.UserNID, 0, password, false), "M_USER_DEACTIVATED")
	wantCode(t, "once more", f.Deactivate(ctx, l.UserNID, false), "M_USER_DEACTIVATED")
	_, err = f.Register(ctx, Registration{Localpart: "a"})
	wantCode(t, "signing up again", err, "M_USER_IN_USE")
	wantCode(t, "nobody", f.SetAdmin(ctx, 999, true), "M_NOT_FOUND")
}

func TestAdminIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "a", Login: true})
	for _, admin := range []bool{true, false} {
		f.authenticate(l.AccessToken)
		if err := f.SetAdmin(ctx, l.UserNID, admin); err != nil {
			t.Fatal(err)
		}
		if s := f.authenticate(l.AccessToken); s.Admin != admin {
			t.Errorf("admin: %v", s.Admin)
		}
	}
}

// TestNoTokenOutlivesItsLogout uses tokens all the time while their devices are logged out,
// several at once: once the logout is answered, none may work.
func TestNoTokenOutlivesItsLogout(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	f.register(Registration{Localpart: "a"})
	for range 10 {
		const devices = 4
		stop := make(chan struct{})
		var users, logouts sync.WaitGroup
		for range devices {
			l, err := f.LoginAs(ctx, "a", DeviceRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				users.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							f.Authenticate(ctx, l.AccessToken, "", "agent") // either answer may come meanwhile
						}
					}
				})
			}
			logouts.Go(func() {
				if err := f.Logout(ctx, &Session{User: l.UserNID, DeviceID: l.DeviceID, Device: l.DeviceNID}); err != nil {
					t.Error(err)
				}
				for range 50 {
					if _, err := f.Authenticate(ctx, l.AccessToken, "", "agent"); err == nil {
						t.Error("a token works after its logout")
						return
					}
				}
			})
		}
		logouts.Wait()
		close(stop)
		users.Wait()
	}
}

func TestStaleSessionIsNotKept(t *testing.T) {
	t.Parallel()
	c, err := newSessionCache(2)
	if err != nil {
		t.Fatal(err)
	}
	h := func(b byte) tokenHash { return tokenHash{b} }
	_, mark := c.get(h(1))
	c.forget(9, 0) // whoever it concerns
	c.put(h(1), &Session{User: 1}, mark)
	if s, _ := c.get(h(1)); s != nil {
		t.Error("a session read before an invalidation was kept")
	}
	_, mark = c.get(h(1))
	for b := range byte(5) {
		c.put(h(b), &Session{User: int64(b), Device: int64(b)}, mark)
	}
	if c.lru.Len() != 2 || len(c.ofUser) != 2 {
		t.Errorf("the cache holds %d sessions of %d users", c.lru.Len(), len(c.ofUser))
	}
	c.forget(4, 99) // another device
	if s, _ := c.get(h(4)); s == nil {
		t.Error("the wrong device was forgotten")
	}
	c.forget(4, 4)
	if s, _ := c.get(h(4)); s != nil || len(c.ofUser) != 1 {
		t.Error("the device was not forgotten")
	}
}

func TestLastSeen(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "a", Login: true})
	start := f.nowMS()
	use := func(ip string) {
		if _, err := f.Authenticate(ctx, l.AccessToken, ip, "agent"); err != nil {
			t.Fatal(err)
		}
	}
	use("early")
	f.clock.advance(time.Minute)
	use("recorded")
	f.clock.advance(time.Second)
	use("too soon")
	f.Accounts.Close()
	f.Accounts.Close() // harmless
	use("after the end")
	d, err := f.store.DeviceByNID(ctx, l.DeviceNID)
	if err != nil || d.LastSeenTS != start+60_000 || d.LastSeenIP != "recorded" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestLockedAndExpired(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	l := f.register(Registration{Localpart: "a", Login: true})
	hash := tokenHash{1}
	f.sessions.put(hash, &Session{User: 1}, 0)
	s := f.authenticate(l.AccessToken)
	s.expires = f.nowMS()
	_, err := f.Authenticate(ctx, l.AccessToken, "", "agent")
	wantCode(t, "expired", err, "M_UNKNOWN_TOKEN")
	if e, _ := mxerror.As(err); e == nil || e.Fields["soft_logout"] != true {
		t.Errorf("an expired token is no soft logout: %v", err)
	}
	s.expires, s.Locked = 0, true
	locked, err := f.Authenticate(ctx, l.AccessToken, "", "agent")
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, "locked", locked.Usable(), "M_USER_LOCKED")
}

func TestRegistrationTokens(t *testing.T) {
	t.Parallel()
	f, ctx := newFixture(t), t.Context()
	token, err := f.EnsureAdminToken(ctx)
	again, err2 := f.EnsureAdminToken(ctx)
	if err != nil || err2 != nil || token == "" || token != again {
		t.Fatalf("%q, %v, %q, %v", token, err, again, err2)
	}
	_, err = f.Register(ctx, Registration{Localpart: "a", Token: "wrong"})
	wantCode(t, "a wrong token", err, "M_FORBIDDEN")
	// It is good for one person, whoever else tries at the same time.
	var wg sync.WaitGroup
	var mu sync.Mutex
	var admins []*Login
	for i := range 8 {
		wg.Go(func() {
			l, err := f.Register(ctx, Registration{Localpart: string(rune('a' + i)), Token: token, Login: true})
			if err != nil {
				wantCode(t, "a used token", err, "M_FORBIDDEN")
				return
			}
			mu.Lock()
			defer mu.Unlock()
			admins = append(admins, l)
		})
	}
	wg.Wait()
	if len(admins) != 1 || !f.authenticate(admins[0].AccessToken).Admin {
		t.Fatalf("%d became administrators", len(admins))
	}
	if token, err := f.EnsureAdminToken(ctx); token != "" || err != nil {
		t.Errorf("with an administrator there is a token %q, %v", token, err)
	}
	if valid, err := f.RegistrationTokenValid(ctx, token); valid || err != nil {
		t.Errorf("%v, %v", valid, err)
	}
	// A sign-up that fails uses nothing up.
	k, err := f.AddRegistrationToken(ctx, store.RegistrationToken{UsesAllowed: 1, ExpiresTS: f.nowMS() + 1000})
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Register(ctx, Registration{Localpart: admins[0].UserID[1:2], Token: k.Token})
	wantCode(t, "a taken name", err, "M_USER_IN_USE")
	if valid, err := f.RegistrationTokenValid(ctx, k.Token); !valid || err != nil {
		t.Errorf("%v, %v", valid, err)
	}
	f.clock.advance(time.Second)
	if valid, err := f.RegistrationTokenValid(ctx, k.Token); valid || err != nil {
		t.Errorf("expired: %v, %v", valid, err)
	}
	for _, bad := range []store.RegistrationToken{{Token: "a b"}, {Token: string(make([]byte, 65))}, {UsesAllowed: -1}, {Token: k.Token}} {
		_, err := f.AddRegistrationToken(ctx, bad)
		wantCode(t, "a bad token", err, "M_INVALID_PARAM")
	}
}

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	h := newHasher(2)
	encoded, err := h.hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; encoded[:len(want)] != want {
		t.Errorf("%s", encoded)
	}
	if again, err := h.hash(t.Context(), password); err != nil || again == encoded {
		t.Errorf("the salt is the same: %v", err)
	}
	// The reference implementation's test vector (m=65536, t=2, p=1, "password", "somesalt").
	const vector = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for _, test := range []struct {
		encoded, password string
		want              bool
	}{{encoded, password, true}, {encoded, password + " ", false}, {encoded, "", false}, {vector, "password", true}, {vector, "Password", false}, {"", "", false}, {"", password, false}} {
		if got, err := h.matches(t.Context(), test.encoded, test.password); err != nil || got != test.want {
			t.Errorf("%q with %q: %v, %v", test.encoded, test.password, got, err)
		}
	}
	for _, bad := range []string{"x", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=8,t=1,p=1$AAAA$", "$argon2id$v=19$m=8,t=0,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4000000000,t=1,p=1$AAAA$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=8,t=1,p=0$AAAA$AAAAAAAAAAAAAAAAAAAAAA"} {
		if ok, err := h.matches(t.Context(), bad, "x"); ok || err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestPasswordsWaitInTurn(t *testing.T) {
	t.Parallel()
	h := newHasher(1)
	leave, err := h.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range maxWaiting - 1 {
		wg.Go(func() {
			if _, err := h.hash(ctx, "x"); err != context.Canceled {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
	for h.waiting.Load() < maxWaiting {
		if t.Context().Err() != nil {
			t.Fatal("nobody waits")
		}
		time.Sleep(time.Millisecond)
	}
	_, err = h.hash(t.Context(), "x")
	wantCode(t, "one too many", err, "M_LIMIT_EXCEEDED")
	cancel()
	wg.Wait()
	leave()
	if _, err := h.hash(t.Context(), "x"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
