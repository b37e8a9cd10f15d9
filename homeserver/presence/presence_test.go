package presence

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// town is an audience in which all whose numbers are both odd or both even share a room.
type town struct{ woken []int64 }

func (a *town) WakePeers(_ context.Context, user int64) { a.woken = append(a.woken, user) }

func (*town) Shares(_ context.Context, x, y int64) (bool, error) { return x%2 == y%2, nil }

// clock is a time that stands still until it is moved.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func setUp(t *testing.T) (*Tracker, *town, *clock, *[]State) {
	t.Helper()
	c, a, told := &clock{time.Unix(1_000_000, 0)}, &town{}, &[]State{}
	return New(Options{Audience: a, Now: c.now, Changed: func(s State) { *told = append(*told, s) }}), a, c, told
}

func (t *Tracker) seen(test *testing.T, user, after int64, also ...string) string {
	test.Helper()
	met := map[string]bool{}
	for _, u := range also {
		met[u] = true
	}
	events, err := t.Changed(test.Context(), user, after, met)
	if err != nil {
		test.Fatal(err)
	}
	var out []string
	for _, e := range events {
		_, rest, _ := strings.Cut(string(e.Content), `"presence":"`)
		p, _, _ := strings.Cut(rest, `"`)
		out = append(out, e.Sender+"="+p)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestIdleAndOffline(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p, _, c, told := setUp(t)
	done := p.Synced(ctx, 1, "@a:x", "D", "")
	step := func(d time.Duration, want string, active bool) {
		t.Helper()
		c.t = c.t.Add(d)
		p.Tick(ctx)
		if s := p.Get(1); s.Presence != want || s.CurrentlyActive != active {
			t.Errorf("after %v: %s, currently active %t; want %s, %t", d, s.Presence, s.CurrentlyActive, want, active)
		}
	}
	step(0, Online, true)
	step(activeFor, Online, false)
	step(idleAfter, Unavailable, false)
	p.Active(ctx, 1, "@a:x")
	step(0, Online, true)
	done()
	step(offlineAfter-time.Second, Online, true)
	step(time.Second, Offline, false)
	if got, want := len(*told), 5; got != want {
		t.Errorf("%d changes were told to other servers, want %d: %v", got, want, *told)
	}
	// One of two devices is enough to be there.
	one := p.Synced(ctx, 1, "@a:x", "D", Online)
	two := p.Synced(ctx, 1, "@a:x", "E", Unavailable)
	step(0, Online, true)
	one()
	p.Synced(ctx, 1, "@a:x", "D", Unavailable)()
	step(0, Unavailable, false)
	p.Synced(ctx, 1, "@a:x", "D", Offline)()
	step(0, Unavailable, false)
	two()
	step(offlineAfter, Offline, false)
}

func TestStatus(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p, a, c, _ := setUp(t)
	busy := "busy"
	p.Set(ctx, 1, "@a:x", Unavailable, &busy)
	p.Synced(ctx, 1, "@a:x", "D", "")()
	p.Active(ctx, 1, "@a:x")
	if s := p.Get(1); s.Status == nil || *s.Status != busy || s.Presence != Online {
		t.Errorf("the status is lost: %+v", s)
	}
	woken := len(a.woken)
	for range 10 {
		c.t = c.t.Add(time.Second)
		p.Active(ctx, 1, "@a:x")
	}
	if len(a.woken) != woken {
		t.Errorf("%d wake-ups for activity alone", len(a.woken)-woken)
	}
	c.t = c.t.Add(3 * time.Second)
	if ago := Content(p.Get(1), c.t).LastActiveAgo; ago == nil || *ago != 3000 {
		t.Errorf("last_active_ago is %v", ago)
	}
	p.Set(ctx, 1, "@a:x", Online, nil)
	if s := p.Get(1); s.Status != nil {
		t.Errorf("the status stays: %q", *s.Status)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p, _, _, _ := setUp(t)
	before := p.Position()
	p.Set(ctx, 1, "@a:x", Online, nil)
	p.Set(ctx, 2, "@b:x", Online, nil)
	p.Set(ctx, 3, "@c:x", Online, nil)
	middle := p.Position()
	p.Set(ctx, 3, "@c:x", Offline, nil)
	p.Remote(ctx, State{User: 5, UserID: "@e:y", Presence: Unavailable})
	for _, tc := range []struct {
		what        string
		user, after int64
		also        []string
		want        string
	}{
		{"first", 1, 0, nil, "@a:x=online @e:y=unavailable"},
		{"all since", 1, before, nil, "@a:x=online @c:x=offline @e:y=unavailable"},
		{"new", 1, middle, nil, "@c:x=offline @e:y=unavailable"},
		{"nothing", 1, p.Position(), nil, ""},
		{"met", 1, p.Position(), []string{"@a:x", "@b:x", "@c:x"}, "@a:x=online @c:x=offline"},
		{"others", 2, 0, nil, "@b:x=online"},
	} {
		if got := p.seen(t, tc.user, tc.after, tc.also...); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.what, got, tc.want)
		}
	}
}

func TestBound(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	p, _, _, _ := setUp(t)
	p.Set(ctx, -1, "@stays:x", Online, nil)
	for i := range int64(usersMax + 100) {
		p.Set(ctx, i, "@u:x", Online, nil)
		p.Set(ctx, i, "@u:x", Offline, nil)
	}
	if len(p.users) > usersMax || p.order.Len() != len(p.users) {
		t.Errorf("%d users are remembered, %d in order", len(p.users), p.order.Len())
	}
	if p.Get(-1).Presence != Online {
		t.Error("somebody who is there was forgotten")
	}
}
