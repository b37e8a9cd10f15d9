package appservices

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/registration"
)

// TestSlowLookUp: a service that does not answer keeps nobody waiting for longer than the bound,
// and what the others say is told.
func TestSlowLookUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var regs []*registration.Registration
	for _, id := range []string{"slow", "quick", "wrong"} {
		regs = append(regs, &registration.Registration{ID: id, URL: "http://" + id, ASToken: id + "-as-token", HSToken: id + "-hs-token", SenderLocalpart: id, Protocols: []string{"irc"}})
	}
	set, err := registration.NewSet(server, regs...)
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]http.HandlerFunc{
		"slow":  func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"wrong": func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{"instances":5}`)) },
		"quick": func(w http.ResponseWriter, r *http.Request) {
			w.Write([]byte(`{"user_fields":["nick"],"location_fields":[],"icon":"","field_types":{},"instances":[{"network_id":"n","desc":"d","fields":{}}]}`))
		},
	}
	s := New(Options{Store: r.store, ServerName: server, Set: set, Log: slog.New(slog.DiscardHandler), Now: time.Now, LookupTimeout: 200 * time.Millisecond,
		Typing:    func(int64) []string { return nil },
		Transport: func(reg *registration.Registration) http.RoundTripper { return inproc.Transport(answers[reg.ID]) }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for end := time.Now().Add(10 * time.Second); len(s.Status()) < 3 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	p, ok := s.Protocol(t.Context(), "irc")
	if !ok || string(p["instances"]) != `[{"desc":"d","fields":{},"instance_id":"quick|n","network_id":"n"}]` {
		t.Errorf("%s, %v", p, ok)
	}
	// What was said is remembered, also when the service has gone.
	answers["quick"] = answers["wrong"]
	if again, ok := s.Protocol(t.Context(), "irc"); !ok || string(again["instances"]) != string(p["instances"]) {
		t.Errorf("later: %s, %v", again, ok)
	}
}
