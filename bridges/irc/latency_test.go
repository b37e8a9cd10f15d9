package irc_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/ircd"
)

// TestLatency measures the way of a message through the whole bridge, without a
// homeserver's own time, and fails only if it is far off.
func TestLatency(t *testing.T) {
	r := newRig(t, "demo: {listen: '127.0.0.1:0'}")
	room := r.hs.byAlias("irc_demo_#garden")
	r.hs.enter(room, user, "Mia")
	carl := ircd.Dial(t, r.bridge.DemoAddr(), "carl")
	carl.Join("#garden")
	const ghost = "@irc_demo.carl:test.example"
	_, at := r.hs.await(room, 0, "join of carl", memberEvent(ghost, "join"))
	const n = 100
	toIRC, toMatrix := make([]time.Duration, n), make([]time.Duration, n)
	for i := range n {
		text := fmt.Sprintf("ping %d.", i)
		start := time.Now()
		r.hs.say(room, user, "m.room.message", obj{"msgtype": "m.text", "body": text})
		carl.Expect(text)
		toIRC[i] = time.Since(start)
		start = time.Now()
		carl.Send("PRIVMSG #garden :" + text)
		_, at = r.hs.await(room, at, "message", message(ghost, text))
		toMatrix[i] = time.Since(start)
	}
	for name, d := range map[string][]time.Duration{"Matrix to IRC": toIRC, "IRC to Matrix": toMatrix} {
		slices.Sort(d)
		t.Logf("%s: p50 %v, p99 %v", name, d[n/2], d[n-1])
		if d[n/2] > 250*time.Millisecond {
			t.Errorf("%s takes %v", name, d[n/2])
		}
	}
}
