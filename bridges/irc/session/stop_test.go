package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
	"github.com/landbridge-im/landbridge/integration/ircd"
)

// TestStopLeavesNothingOpen stops a session in the middle of sending: what
// became of every line is known.
func TestStopLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	servers(t, func(t *testing.T, srv server) {
		alice := ircd.Dial(t, srv.addr, "alice")
		alice.Join("#room")
		r := newRecorder()
		s := session.New(session.Config{Addr: srv.addr, Nick: "bridge", Burst: 10, PerSecond: 20, Handler: r})
		s.Join("#room", "")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.Run(ctx)
		}()
		await[session.Names](t, r, nil)
		const n = 40
		outcomes := make([]chan session.Outcome, n)
		for i := range n {
			outcomes[i] = make(chan session.Outcome, 1)
			line := &session.Line{Command: "PRIVMSG", Params: []string{"#room", fmt.Sprintf("line-%d.", i)}, Done: func(o session.Outcome) { outcomes[i] <- o }}
			if err := s.Send(context.Background(), line); err != nil {
				t.Fatal(err)
			}
		}
		alice.Expect("line-12.")
		started := time.Now()
		cancel()
		<-done
		if took := time.Since(started); took > 1900*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		seen := strings.Join(alice.Drain(200*time.Millisecond), "\n")
		for i := range n {
			o := <-outcomes[i]
			got := i <= 12 || strings.Contains(seen, fmt.Sprintf("line-%d.", i))
			if o.State != session.Delivered && o.State != session.NotSent || (o.State == session.Delivered) != got {
				t.Errorf("line %d: outcome %+v, seen %v", i, o, got)
			}
		}
	})
}
