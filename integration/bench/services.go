package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/registration"
)

// sink is an application service that counts the messages that it is given.
type sink struct {
	open atomic.Bool
	got  atomic.Int64
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil || !s.open.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var txn struct {
		Events []struct {
			Type string `json:"type"`
		} `json:"events"`
	}
	if err := json.Unmarshal(raw, &txn); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, e := range txn.Events {
		if e.Type == "m.room.message" {
			s.got.Add(1)
		}
	}
	_, _ = io.WriteString(w, "{}")
}

const sinkToken = "token-of-the-sink-to-the-server"

// services measures what application services are told: how fast one that was away gets what it missed, over
// HTTP, and how fast it is found whose a user is.
func services(ctx context.Context, b *bench) error {
	if err := b.matching(); err != nil {
		return err
	}
	s := &sink{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: s}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	defer func() { srv.Close(); <-served }()
	reg := fmt.Sprintf("id: sink\nurl: http://%s\nas_token: %s\nhs_token: token-of-the-server-to-the-sink\nsender_localpart: sinkbot\nrate_limited: false\nnamespaces: {users: []}\n", l.Addr(), sinkToken)
	// The server watches the folder.
	if err := os.WriteFile(filepath.Join(filepath.Dir(b.dir), "registrations", "sink.yaml"), []byte(reg), 0o600); err != nil {
		return err
	}
	bot := &client.Client{URL: b.URL(), Token: sinkToken}
	var room string
	for room == "" {
		if room, err = bot.CreateRoom(ctx, map[string]any{"preset": "public_chat"}); err != nil {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return err
			}
		}
	}
	n := min(b.events, 20_000)
	_, err = b.each(ctx, n, func(w *wire, i int) error {
		return w.must("PUT", client.Path("rooms", room, "send", "m.room.message", fmt.Sprint("n", i)), sinkToken, `{"msgtype":"m.text","body":"a message of some words, as people write them"}`)
	})
	if err != nil {
		return err
	}
	s.open.Store(true)
	// The server tries again after a pause; the time is that from the first answer on.
	for s.got.Load() == 0 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	first, began := s.got.Load(), time.Now()
	for s.got.Load() < int64(n) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	rate := float64(int64(n)-first) / time.Since(began).Seconds()
	b.report.add(result{Key: "service_deliveries_per_s", What: fmt.Sprintf("deliveries over HTTP to a service that missed %d events", n), Value: rate, Unit: "/s"})
	return nil
}

// matching measures in this process, without the server, whose a user is: 1,000 registrations, 100,000 users.
func (b *bench) matching() error {
	var regs []*registration.Registration
	for i := range 1000 {
		id := fmt.Sprintf("bridge%d", i)
		regs = append(regs, &registration.Registration{ID: id, ASToken: id + "-token-of-the-service", HSToken: id + "-token-of-the-server", SenderLocalpart: id,
			Namespaces: registration.Namespaces{Users: []registration.Namespace{{Regex: `^@_` + id + `_.+:test$`, Exclusive: true}}}})
	}
	began := time.Now()
	set, err := registration.NewSet("test", regs...)
	if err != nil {
		return err
	}
	b.report.add(result{Key: "registrations_load_ms", What: "1,000 registrations are checked against each other", Value: ms(time.Since(began)), Unit: "ms"})
	const users = 100_000
	ids := make([]string, users)
	for i := range ids {
		ids[i] = fmt.Sprintf("@_bridge%d_user%d:test", i%1000, i)
	}
	began = time.Now()
	for i, id := range ids {
		if r := set.ExclusiveUser(id); r == nil || r != regs[i%1000] {
			return fmt.Errorf("%s is not found to be %s's", id, regs[i%1000].ID)
		}
	}
	b.report.add(result{Key: "namespace_match_us", What: "whose a user is, among 1,000 registrations, 100,000 users once each", Value: float64(time.Since(began).Microseconds()) / users, Unit: "us"})
	return nil
}
