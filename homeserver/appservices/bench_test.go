package appservices

import (
	"context"
	"encoding/json/jsontext"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/registration"
)

// counting is a service in this process that counts events.
type counting struct{ n atomic.Int64 }

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	raw, err := io.ReadAll(r.Body)
	c.n.Add(int64(strings.Count(string(raw), `"n":`)))
	return answer(http.StatusOK), err
}

// BenchmarkDeliver delivers a backlog to a service in this process; ns/op is for each event.
func BenchmarkDeliver(b *testing.B) {
	r := newRig(b)
	set, err := registration.NewSet(server, &registration.Registration{ID: "irc", URL: "http://irc", ASToken: "irc-as-token", HSToken: "irc-hs-token", SenderLocalpart: "irc",
		Namespaces: registration.Namespaces{Users: []registration.Namespace{{Regex: "@irc_.*", Exclusive: true}}}})
	if err != nil {
		b.Fatal(err)
	}
	c := &counting{}
	s := New(Options{Store: r.store, ServerName: server, Set: set, Log: slog.New(slog.DiscardHandler), Now: time.Now, Typing: func(int64) []string { return nil },
		Presence:  func(int64) presence.State { return presence.State{} },
		Transport: func(*registration.Registration) http.RoundTripper { return c }})
	name := r.room("@irc_eve:test")
	const each = 500
	for n := 0; n < b.N; n += each {
		var batch []room.Proposal
		for i := n; i < min(n+each, b.N); i++ {
			batch = append(batch, room.Proposal{Sender: "@alice:test", Type: "m.room.message", Content: jsontext.Value(fmt.Sprintf(`{"n":%d,"msgtype":"m.text","body":"some words"}`, i))})
		}
		if _, err := r.rooms.SendAll(b.Context(), name.NID, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(b.Context())
	defer func() { cancel(); <-done }()
	go func() { defer close(done); s.Run(ctx) }()
	for c.n.Load() < int64(b.N) {
		time.Sleep(50 * time.Microsecond)
	}
}

// BenchmarkManyServices has a thousand services look at what is said in a room that is none of theirs; ns/op is for
// each message, until all have seen it.
func BenchmarkManyServices(b *testing.B) {
	r := newRig(b)
	services := map[string]http.RoundTripper{}
	for i := range 1000 {
		services[fmt.Sprintf("s%d", i)] = &counting{}
	}
	name := r.room()
	stop := r.serve(services)
	defer stop()
	b.ResetTimer()
	for range b.N {
		r.say(name, "hello")
		for slices.ContainsFunc(r.now.Status(), func(st Status) bool { return st.Behind > 0 }) {
			time.Sleep(50 * time.Microsecond)
		}
	}
}
