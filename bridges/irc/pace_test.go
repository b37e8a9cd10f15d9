package irc

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"
)

// TestPaces: who says too much waits, in order, and holds nobody up.
func TestPaces(t *testing.T) {
	t.Parallel()
	p := newPaces(Pace{Burst: 2, PerSecond: 1}, Pace{Burst: 3, PerSecond: 2})
	now := time.Now()
	say := func(who, channel string, lines int) time.Duration {
		o := outgoingText("$x", make([]string, lines)...)
		o.Status.Sender, o.Channel = id.UserID(who), channel
		wait := p.due(o, now)
		if wait == 0 {
			p.spend(o, now)
		}
		return wait.Round(100 * time.Millisecond)
	}
	for i, c := range []struct {
		who, channel string
		lines        int
		want         time.Duration
	}{
		{"@a", "#x", 1, 0}, {"@a", "#x", 1, 0},
		{"@a", "#y", 1, time.Second},            // their own two are spent, anywhere
		{"@b", "#x", 1, 0},                      // others are not held up
		{"@c", "#x", 1, 500 * time.Millisecond}, // but the channel has had its three
		{"@c", "#y", 10, 0},                     // more than fits in at once may go when nothing else did
		{"@c", "#z", 1, time.Second},
	} {
		if got := say(c.who, c.channel, c.lines); got != c.want {
			t.Errorf("%d: %s in %s waits %v, not %v", i, c.who, c.channel, got, c.want)
		}
	}
	for i := range 2 * maxLimiters {
		say(fmt.Sprint("@", i), fmt.Sprint("#", i), 1)
		now = now.Add(time.Second)
	}
	if len(p.limiters) > maxLimiters+1 {
		t.Errorf("%d limiters are kept", len(p.limiters))
	}
}

// TestOutboxTakesTurns: what waits for one channel does not hold up another, who says much does not hold up others, and the
// messages of each keep their order.
func TestOutboxTakesTurns(t *testing.T) {
	t.Parallel()
	st := openTestStore(t, filepath.Join(t.TempDir(), "db"))
	w := new(wire)
	b, settled, _ := startOutbox(t, st, w, 100)
	b.mu.Lock()
	b.flying = maxFlying // nothing goes until all is there
	b.paces = newPaces(Pace{Burst: 3, PerSecond: 5}, Pace{})
	b.mu.Unlock()
	add := func(who, channel, text string) {
		o := outgoingText("$"+text, text)
		o.Status.Sender, o.Channel = id.UserID(who), channel
		if err := b.add(t.Context(), o, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		add("@a", "#a", fmt.Sprint("a", i))
	}
	add("@b", "#a", "b0")
	add("@c", "#c", "c0")
	b.mu.Lock()
	b.flying = 0
	b.mu.Unlock()
	b.poke()
	for range 8 {
		if r := waitSettled(t, settled); r.err != nil {
			t.Error(r.err)
		}
	}
	got := w.sent()
	if !slices.Equal(got[:5], []string{"<m> a0", "<m> c0", "<m> a1", "<m> a2", "<m> b0"}) || !slices.Equal(got[5:], []string{"<m> a3", "<m> a4", "<m> a5"}) {
		t.Errorf("sent %q", got)
	}
}
