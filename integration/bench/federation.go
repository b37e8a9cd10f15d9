package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/integration/client"
)

// perTransaction is how many events a transaction may have: specification, PUT /send.
const perTransaction = 50

// inbound measures how fast events of other servers are taken in: from the first request until the last event
// is there for clients. The events are signed before.
func inbound(ctx context.Context, b *bench) error {
	for _, s := range []struct {
		servers, each int
	}{{1, b.received}, {16, b.received / 8}} {
		if err := b.inbound(ctx, s.servers, s.each); err != nil {
			return err
		}
	}
	return nil
}

// stream is what one server is to send into one room.
type stream struct {
	p    *peer
	room string
	txns [][]byte
	last string
}

func (b *bench) inbound(ctx context.Context, servers, each int) error {
	ps, err := b.newPeers(servers)
	if err != nil {
		return err
	}
	defer ps.close()
	owner, err := (&client.Client{URL: b.URL()}).Register(ctx, fmt.Sprint("inbound", servers))
	if err != nil {
		return err
	}
	var all []*stream
	for _, p := range ps.all {
		s, err := b.stream(ctx, owner, p, each)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	stop := b.profile(ctx, fmt.Sprint("inbound_", servers), b.PID())
	defer stop()
	cpu, err := b.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			if err := s.send(ctx, owner); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.cpu()
	if err != nil {
		return err
	}
	key, what := fmt.Sprintf("inbound_%d", servers), fmt.Sprintf("events of %d other servers, a room each", servers)
	if servers == 1 {
		what = "events of one other server, one room"
	}
	n := float64(servers * each)
	b.report.add(result{Key: key + "_per_s", What: what, Value: n / took.Seconds(), Unit: "/s"})
	b.report.add(result{Key: key + "_cpu_us", What: what + ", CPU of the server", Value: float64((after - cpu).Microseconds()) / n, Unit: "us each"})
	return nil
}

// stream prepares what a server sends into a new room, one message after the other.
func (b *bench) stream(ctx context.Context, owner *client.Client, p *peer, n int) (*stream, error) {
	room, err := owner.CreateRoom(ctx, map[string]any{"preset": "public_chat", "room_version": string(roomVersion)})
	if err != nil {
		return nil, err
	}
	user := p.user("sender")
	join, err := p.join(ctx, room, user)
	if err != nil {
		return nil, err
	}
	state, err := owner.State(ctx, room)
	if err != nil {
		return nil, err
	}
	auth := []string{join.ID}
	for _, e := range state {
		if e.Type == "m.room.power_levels" {
			auth = append(auth, e.ID)
		}
	}
	s := &stream{p: p, room: room}
	last := join
	var events []json.RawMessage
	for i := range n {
		last, err = event.Build(event.Proto{Version: roomVersion, RoomID: room, Type: "m.room.message", Sender: user, Content: []byte(message),
			TS: time.Now().UnixMilli(), Depth: last.PDU.Depth + 1, Prev: []string{last.ID}, Auth: auth}, p.signer())
		if err != nil {
			return nil, err
		}
		raw, err := last.JSON()
		if err != nil {
			return nil, err
		}
		if events = append(events, json.RawMessage(raw)); len(events) == perTransaction || i == n-1 {
			body, err := p.transaction(events)
			if err != nil {
				return nil, err
			}
			s.txns, events = append(s.txns, body), nil
		}
	}
	s.last = last.ID
	return s, nil
}

// send sends it, and waits until somebody sees the last message.
func (s *stream) send(ctx context.Context, owner *client.Client) error {
	for i := 0; i < len(s.txns); {
		_, err := s.p.call(ctx, "PUT", fmt.Sprintf("/_matrix/federation/v1/send/%d", i), s.txns[i])
		var busy errBusy
		if errors.As(err, &busy) {
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			continue
		} else if err != nil {
			return err
		}
		i++
	}
	for {
		if _, err := owner.Event(ctx, s.room, s.last); err == nil {
			return nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fanOut measures how fast messages get to many servers.
func fanOut(ctx context.Context, b *bench) error {
	ps, err := b.newPeers(b.destinations)
	if err != nil {
		return err
	}
	defer ps.close()
	var arrived atomic.Int64
	for _, p := range ps.all {
		p.got = func(_ *peer, pdus []gjson.Result) {
			n := 0
			for _, e := range pdus {
				if e.Get("type").Str == "m.room.message" {
					n++
				}
			}
			arrived.Add(int64(n))
		}
	}
	owner, err := (&client.Client{URL: b.URL()}).Register(ctx, "fanout")
	if err != nil {
		return err
	}
	room, err := owner.CreateRoom(ctx, map[string]any{"preset": "public_chat", "room_version": string(roomVersion)})
	if err != nil {
		return err
	}
	for _, p := range ps.all {
		if _, err := p.join(ctx, room, p.user("member")); err != nil {
			return err
		}
	}
	txn := 0
	send := func() error {
		txn++
		_, err := owner.Send(ctx, room, "m.room.message", fmt.Sprint("t", txn), client.Message("hello"))
		return err
	}
	wait := func() error {
		for end := time.Now().Add(5 * time.Minute); arrived.Load() < int64(txn*len(ps.all)); {
			if time.Now().After(end) {
				return fmt.Errorf("%d of %d messages got to other servers", arrived.Load(), txn*len(ps.all))
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		return nil
	}
	for range 2 { // connections are made, keys are fetched
		if err := errors.Join(send(), wait()); err != nil {
			return err
		}
	}
	var times []time.Duration
	for range 10 {
		began := time.Now()
		if err := errors.Join(send(), wait()); err != nil {
			return err
		}
		times = append(times, time.Since(began))
	}
	stop := b.profile(ctx, "fanout", b.PID())
	defer stop()
	cpu, err := b.cpu()
	if err != nil {
		return err
	}
	const many = 100
	began := time.Now()
	for range many {
		if err := send(); err != nil {
			return err
		}
	}
	if err := wait(); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.cpu()
	if err != nil {
		return err
	}
	n := float64(many * len(ps.all))
	what := fmt.Sprintf("a message to %d other servers", len(ps.all))
	b.report.add(result{Key: "fanout_p50_ms", What: what + ", until the last has it, p50 of 10", Value: ms(percentile(times, 50)), Unit: "ms"})
	b.report.add(result{Key: "fanout_per_s", What: fmt.Sprintf("%d messages to %d other servers, deliveries", many, len(ps.all)), Value: n / took.Seconds(), Unit: "/s"})
	b.report.add(result{Key: "fanout_cpu_us", What: "CPU of the server", Value: float64((after - cpu).Microseconds()) / n, Unit: "us a delivery"})
	rss, err := b.rss()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "fanout_rss_mb", What: fmt.Sprintf("memory with %d connected servers (RSS)", len(ps.all)), Value: rss / 1e6, Unit: "MB"})
	return nil
}
