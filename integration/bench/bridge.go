package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/bridges/irc/demonet"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// bridgeRounds is how many messages go each way, one after the other.
const bridgeRounds = 500

// bridgeLatency measures how long a message takes over the IRC bridge, each way, from and to
// clients. The group's server is not used: it needs an IRC server first.
func bridgeLatency(ctx context.Context, b *bench) (err error) {
	irc, err := demonet.Start(demonet.Options{Listen: "127.0.0.1:0", Name: "irc.bench", Network: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer irc.Close()
	const channel = "#bench"
	config := "bridges:\n" + bridgetest.IRCBridge("irc", "none", bridgetest.IRCNetwork{ID: "bench", Addr: irc.Addr(), Channels: []string{channel}})
	srv, err := testserver.Start(ctx, testserver.Options{Binary: b.binary, Dir: b.dir, Extra: config})
	if err != nil {
		return err
	}
	defer func() {
		if e := srv.Stop(); err == nil {
			err = e
		}
	}()
	anna, err := bridgetest.Register(ctx, srv.URL(), "anna", "")
	if err != nil {
		return err
	}
	defer anna.Close()
	room, err := joinWhenThere(ctx, anna, "#irc_bench_"+channel+":"+srv.Name())
	if err != nil {
		return err
	}
	if err := anna.Follow(ctx); err != nil {
		return err
	}
	bob, err := bridgetest.DialIRC(ctx, irc.Addr(), "bob", channel)
	if err != nil {
		return err
	}
	defer bob.Close()
	if err := awaitBot(ctx, bob, channel); err != nil {
		return err
	}
	// The first messages make the ghost and its place in the room.
	if _, err := bridgetest.IRCToMatrix(ctx, bob, channel, anna, room, 10); err != nil {
		return err
	}
	out, err := bridgetest.MatrixToIRC(ctx, anna, room, bob, bridgeRounds)
	if err != nil {
		return err
	}
	in, err := bridgetest.IRCToMatrix(ctx, bob, channel, anna, room, bridgeRounds)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		key, what string
		l         bridgetest.Latencies
	}{{"bridge_out", "Matrix to an IRC client", out}, {"bridge_in", "IRC to another client's /sync", in}} {
		b.report.add(result{Key: x.key + "_p50_ms", What: x.what + ", p50", Value: ms(x.l.Percentile(50)), Unit: "ms", Target: 10})
		b.report.add(result{Key: x.key + "_p99_ms", What: x.what + ", p99", Value: ms(x.l.Percentile(99)), Unit: "ms"})
	}
	return nil
}

// awaitBot waits until the bridge has joined the channel: what is said before, it does not hear.
func awaitBot(ctx context.Context, p *bridgetest.Person, channel string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		names, err := p.Names(ctx, channel)
		if err != nil {
			return err
		}
		for _, n := range names {
			if strings.HasSuffix(n, "lbridge") {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("waiting for the bridge in %s: %w", channel, ctx.Err())
		}
	}
}

// joinWhenThere joins a bridged room, which the bridge makes while it starts.
func joinWhenThere(ctx context.Context, m *bridgetest.Matrix, alias string) (room string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if room, err = m.Join(ctx, alias); err == nil {
			return room, nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("joining %s: %w", alias, err)
		}
	}
}
