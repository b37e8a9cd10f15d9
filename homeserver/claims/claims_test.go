package claims

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/web/page"
)

// fake is a bridge, its network, and the mail.
type fake struct {
	mu     sync.Mutex
	at     time.Time
	wrote  []string // "bob claim-...-0 text"
	mailed []string
	err    error
	ties   []string
}

var _ Bridges = (*fake)(nil)

func (f *fake) List() []string { return []string{"irc"} }
func (f *fake) Network(service string) (string, bool) {
	return "IRC", service == "irc"
}
func (f *fake) Ghost(_, person string) (string, bool) { return "@irc_" + person + ":x", true }
func (f *fake) Person(_, user string) (string, bool) {
	rest, ok := strings.CutPrefix(user, "@irc_")
	return strings.TrimSuffix(rest, ":x"), ok
}
func (f *fake) Robot(context.Context, string, string) bool { return false }
func (f *fake) Message(_ context.Context, _, person, key, text string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	f.wrote = append(f.wrote, person+" "+key+" "+text)
	return nil
}
func (f *fake) SignIns(service string) []SignIn {
	if service != "irc" {
		return nil
	}
	return []SignIn{{"", "IRC"}, {"b", "IRC B"}}
}
func (f *fake) SignInURL(_, id, redirect, state string) (string, bool) {
	if id == "gone" {
		return "", false
	}
	return "https://irc.example/authorize?" + url.Values{"with": {id}, "redirect_uri": {redirect}, "state": {state}}.Encode(), true
}
func (f *fake) SignedIn(_ context.Context, service, id, redirect, code string) (Person, error) {
	switch code {
	case "stranger":
		return Person{}, ErrStranger
	case "old":
		return Person{}, ErrBadCode
	case "broken":
		return Person{}, errors.New("the network is broken")
	}
	return Person{service, id + code, "Person " + code}, nil
}
func (f *fake) Tied(_ context.Context, _, person, account string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ties = append(f.ties, person+"="+account)
}

func (f *fake) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.at
}

// kit is a Claims that works, with people whom the network knows.
type kit struct {
	*Claims
	*fake
	t     *testing.T
	users map[string]int64
}

func newKit(t *testing.T) *kit {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "x.db"), Relaxed: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	k := &kit{fake: &fake{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}, t: t, users: map[string]int64{}}
	err = s.Write(t.Context(), func(tx *store.Tx) error {
		for _, name := range []string{"@anna:x", "@berta:x", "@ircbot:x", "@irc_bob:x", "@irc_carl:x"} {
			nid, err := tx.NameUser(name)
			if err != nil {
				return err
			}
			a := store.Account{User: nid, Kind: "user"}
			if strings.HasPrefix(name, "@irc") {
				a.Service = "irc"
			}
			if _, err := tx.AddAccount(a); err != nil {
				return err
			}
			k.users[name] = nid
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	site, err := page.New(page.Options{Name: "x", PublicURL: "https://m.x", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	k.Claims, err = New(Options{ServerName: "x", Store: s, Key: []byte("key"), Bot: func(string) string { return "@ircbot:x" }, Pages: site, Log: log, Now: k.now,
		Act:      func(context.Context, string, string, string, any, any) error { return nil },
		Stranger: func(*http.Request) error { return nil },
		Mail: func(_ context.Context, to, subject, text string) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.mailed = append(k.mailed, to+" "+subject+" "+text)
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	k.settle()
	k.Claims.Use(k.fake)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return k
}

// settle gives the settings, which wakes who sends.
func (k *kit) settle() {
	k.Configure(Settings{OfferLife: 10 * 24 * time.Hour, Reminders: []time.Duration{3 * 24 * time.Hour, 7 * 24 * time.Hour}, PerMinute: 6000, Community: "Home"})
}

// pass lets time pass.
func (k *kit) pass(d time.Duration) {
	k.mu.Lock()
	k.at = k.at.Add(d)
	k.mu.Unlock()
	k.settle()
}

// until waits for a condition, which is asked with k.mu held.
func (k *kit) until(what string, ok func() bool) {
	k.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		k.mu.Lock()
		done := ok()
		k.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("not %s; sent %q, mailed %q", what, k.wrote, k.mailed)
		}
	}
}

func (k *kit) bob() Person { return Person{Service: "irc", ID: "bob", Name: "Bob"} }

// overview is how far people have come, counted anew.
func (k *kit) overview() Overview {
	k.t.Helper()
	k.forgetFigures()
	o, err := k.Overview(k.t.Context(), "irc")
	if err != nil {
		k.t.Fatal(err)
	}
	return o
}

// TestCodes: a code and an address are good for one time, for one account, and not for ever.
func TestCodes(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	anna, berta := k.users["@anna:x"], k.users["@berta:x"]
	confirm := func(service, code string) error {
		_, err := k.Confirm(ctx, Person{Service: service, ID: "bob"}, code)
		return err
	}
	code, err := k.Ask(ctx, "irc", "@anna:x")
	if err != nil {
		t.Fatal(err)
	}
	if err := confirm("irc", "AAAAA-AAAAA"); !errors.Is(err, ErrBadCode) {
		t.Errorf("a wrong code: %v", err)
	}
	if err := confirm("slack", code); !errors.Is(err, ErrBadCode) {
		t.Errorf("on another network: %v", err)
	}
	k.pass(31 * time.Minute)
	if err := confirm("irc", code); !errors.Is(err, ErrBadCode) {
		t.Errorf("an old code: %v", err)
	}
	if code, err = k.Ask(ctx, "irc", "@anna:x"); err != nil {
		t.Fatal(err)
	}
	if err := confirm("irc", strings.ToLower(code)); err != nil {
		t.Fatal(err)
	}
	if err := confirm("irc", code); !errors.Is(err, ErrBadCode) {
		t.Errorf("a used code: %v", err)
	}
	if _, err := k.Confirm(ctx, Person{Service: "irc", ID: "carl"}, code); !errors.Is(err, ErrBadCode) {
		t.Errorf("a used code, by somebody else: %v", err)
	}
	if code, err = k.Ask(ctx, "irc", "@berta:x"); err != nil {
		t.Fatal(err)
	}
	if err := confirm("irc", code); !errors.Is(err, ErrLinked) {
		t.Errorf("a person who has an account: %v", err)
	}
	if err := k.Unlink(ctx, "irc", "bob"); err != nil {
		t.Fatal(err)
	}

	offer, err := k.Offer(ctx, k.bob())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := k.Offer(ctx, k.bob()); err != nil || again != offer {
		t.Errorf("an offer that is good is made anew: %v", err)
	}
	path := strings.TrimPrefix(offer.URL, "https://m.x")
	if !k.Invited(ctx, path) {
		t.Error("nobody can sign up with the offer")
	}
	k.pass(11 * 24 * time.Hour)
	if k.Invited(ctx, path) {
		t.Error("somebody can sign up with an old offer")
	}
	if _, err := k.Claim(ctx, tokenIn(path), anna); !errors.Is(err, ErrBadCode) {
		t.Errorf("an old offer: %v", err)
	}
	if _, err := k.offeredCode(ctx, offer.Code); !errors.Is(err, ErrBadCode) {
		t.Errorf("an old offer's code: %v", err)
	}
	fresh, err := k.Offer(ctx, k.bob())
	if err != nil || fresh == offer {
		t.Fatalf("the offer is not renewed: %v", err)
	}
	token := tokenIn(strings.TrimPrefix(fresh.URL, "https://m.x"))
	if _, err := k.Claim(ctx, token, k.users["@irc_carl:x"]); err == nil || errors.Is(err, ErrBadCode) {
		t.Errorf("a ghost claims a person: %v", err)
	}
	if _, err := k.Claim(ctx, token, anna); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Claim(ctx, token, berta); !errors.Is(err, ErrBadCode) {
		t.Errorf("a used offer: %v", err)
	}
	if _, err := k.offeredCode(ctx, fresh.Code); !errors.Is(err, ErrBadCode) {
		t.Errorf("a used offer's code: %v", err)
	}
	if o := k.overview(); o.Moved != 1 || o.People != 2 {
		t.Errorf("figures: %+v", o)
	}
	k.until("told", func() bool { return strings.Join(k.ties, " ") == "bob=@anna:x bob= bob=@anna:x" })
}

// TestGuesses: a person has few guesses at a code.
func TestGuesses(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	for range guessBurst {
		if _, err := k.Confirm(t.Context(), k.bob(), "AAAAA-AAAAA"); !errors.Is(err, ErrBadCode) {
			t.Fatalf("a guess: %v", err)
		}
	}
	code, err := k.Ask(t.Context(), "irc", "@anna:x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Confirm(t.Context(), k.bob(), code); err == nil {
		t.Error("there is no end of guesses")
	}
	if _, err := k.Confirm(t.Context(), Person{Service: "irc", ID: "carl"}, code); err != nil {
		t.Errorf("another person suffers by it: %v", err)
	}
}

// TestInvitations: people are written to once for each time that is due, until they come or want no more.
func TestInvitations(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	ctx := t.Context()
	invite := func(by string, want Invited, people ...Invitee) Invited {
		t.Helper()
		got, err := k.Invite(ctx, Invitations{Service: "irc", By: by, People: people})
		links := got.Links
		got.Links = nil
		if err != nil || got.Queued != want.Queued || got.Before != want.Before || got.Linked != want.Linked || got.Stopped != want.Stopped || got.NoAddress != want.NoAddress {
			t.Errorf("by %s: %+v, %v; not %+v", by, got, err, want)
		}
		got.Links = links
		return got
	}
	for _, q := range []Invitations{{Service: "slack", By: ByMessage}, {Service: "irc", By: "pigeon"}} {
		if _, err := k.Invite(ctx, q); err == nil {
			t.Errorf("%+v is taken", q)
		}
	}
	k.mu.Lock()
	k.err = ErrNotRunning
	k.mu.Unlock()
	invite(ByMessage, Invited{Queued: 2})
	k.mu.Lock()
	k.err = nil
	k.mu.Unlock()
	// Whoever was tried while the bridge did not run is tried again.
	wrote := func() int {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.wrote)
	}
	for deadline := time.Now().Add(time.Minute); wrote() < 2; time.Sleep(10 * time.Millisecond) {
		if k.pass(sendSoon); time.Now().After(deadline) {
			t.Fatal("nobody is written to when the bridge runs again")
		}
	}
	invite(ByMessage, Invited{Before: 2})

	invite(ByMail, Invited{Queued: 1, NoAddress: 2}, Invitee{Person: "dora", Name: "Dora", Email: "dora@y"}, Invitee{Person: "emil"}, Invitee{Person: "fred", Email: "a b@y\r\nBcc: z@y"})
	k.until("mailed", func() bool { return len(k.mailed) == 1 })
	if m := k.mailed[0]; !strings.HasPrefix(m, "dora@y ") || !strings.Contains(m, "https://m.x/claim/") {
		t.Errorf("the mail: %s", m)
	}
	out := invite(ByList, Invited{Queued: 1}, Invitee{Person: "gerd", Name: "Gerd"})
	if len(out.Links) != 1 || out.Links[0].Code == "" || !k.Invited(ctx, strings.TrimPrefix(out.Links[0].URL, "https://m.x")) {
		t.Errorf("links: %+v", out.Links)
	}
	if o := k.overview(); o.Invited != 4 || o.People != 4 {
		t.Errorf("figures: %+v", o)
	}

	// Carl comes, Bob is reminded, twice and no more.
	code, err := k.Ask(ctx, "irc", "@anna:x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Confirm(ctx, Person{Service: "irc", ID: "carl"}, code); err != nil {
		t.Fatal(err)
	}
	to := func(person string) (count int) {
		for _, s := range k.wrote {
			if strings.HasPrefix(s, person+" ") {
				count++
			}
		}
		return count
	}
	k.pass(3*24*time.Hour + time.Hour)
	k.until("reminded", func() bool { return to("bob") == 2 && len(k.mailed) == 2 })
	k.pass(7*24*time.Hour + time.Hour)
	k.until("reminded again", func() bool { return to("bob") == 3 && len(k.mailed) == 3 })
	k.pass(30 * 24 * time.Hour)
	if n, err := k.Remind(ctx, "irc"); err != nil || n != 2 {
		t.Errorf("%d are reminded by hand: %v", n, err)
	}
	k.until("reminded by hand", func() bool { return to("bob") == 4 && len(k.mailed) == 4 })
	if to("carl") != 1 {
		t.Errorf("who has come was reminded: %q", k.wrote)
	}
	keys := map[string]bool{}
	for _, s := range k.wrote {
		keys[strings.Fields(s)[1]] = true
	}
	if len(keys) != len(k.wrote) {
		t.Errorf("two messages have one key: %v", keys)
	}

	// Who can't be written to is not tried again.
	k.mu.Lock()
	k.err = ErrNotReachable
	k.mu.Unlock()
	invite(ByMessage, Invited{Queued: 1}, Invitee{Person: "hans"})
	for deadline := time.Now().Add(time.Minute); k.overview().Unreachable != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("figures: %+v", k.overview())
		}
	}
}
