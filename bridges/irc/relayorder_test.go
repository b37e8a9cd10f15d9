package irc

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// relayWire is a network that keeps the bridge waiting for an answer to what it is to relay.
type relayWire struct {
	wire
	held chan *session.Line // what was to be relayed

	mu   sync.Mutex
	said []string // in #a, as the bridge itself
}

func (w *relayWire) RelaySeparator() string { return "/" }

func (w *relayWire) Send(_ context.Context, line *session.Line) error {
	if err := line.Before(); err != nil {
		return err
	}
	line.Mark()
	if line.Command == "RELAYMSG" {
		w.held <- line
		return nil
	}
	if line.Params[0] == "#a" {
		w.mu.Lock()
		w.said = append(w.said, line.Params[1])
		w.mu.Unlock()
	}
	go line.Done(session.Outcome{State: session.Delivered})
	return nil
}

// TestRelayRefusedInOrder: messages that a server refuses to relay one after the other are said by the bridge in their order, and
// what comes later does not overtake those whose refusal is on its way.
func TestRelayRefusedInOrder(t *testing.T) {
	t.Parallel()
	st := openTestStore(t, filepath.Join(t.TempDir(), "irc.db"))
	w := &relayWire{held: make(chan *session.Line, 10)}
	settled := make(chan string, 100)
	b := newOutbox("net", st, w, slog.New(slog.DiscardHandler), 100, func(_ context.Context, o *outgoing, err error) error {
		if err != nil {
			t.Errorf("%s: %v", o.EventID, err)
		}
		settled <- string(o.EventID)
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := b.load(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); b.run(ctx) }()
	defer func() { cancel(); <-done }()
	add := func(channel, name string) {
		t.Helper()
		o := outgoingText("$"+name, name)
		if o.Channel = channel; channel == "#a" {
			o.RelayNick = "mia"
		}
		if err := b.add(ctx, o, nil); err != nil {
			t.Fatal(err)
		}
	}
	next := func() (line *session.Line) {
		t.Helper()
		select {
		case line = <-w.held:
		case <-ctx.Done():
			t.Fatal("nothing is to be relayed")
		}
		return line
	}
	refuse := func(line *session.Line) {
		line.Done(session.Outcome{State: session.Refused, Err: &session.Refusal{Code: "PRIVS_NEEDED"}})
	}
	add("#a", "1")
	add("#a", "2")
	first, second := next(), next()
	refuse(first)
	add("#a", "3")
	have := map[string]bool{}
	await := func(name string) {
		t.Helper()
		for !have["$"+name] {
			select {
			case got := <-settled:
				have[got] = true
			case <-ctx.Done():
				t.Fatalf("%s is not settled", name)
			}
		}
	}
	// Channels take turns: by the last of these #a has had its turns, too.
	for i := range 4 {
		name := fmt.Sprint("other-", i)
		add("#b", name)
		await(name)
	}
	refuse(second)
	for _, name := range []string{"1", "2", "3"} {
		await(name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if want := []string{"<m> 1", "<m> 2", "<m> 3"}; !slices.Equal(w.said, want) {
		t.Errorf("%q was said, want %q", w.said, want)
	}
}
