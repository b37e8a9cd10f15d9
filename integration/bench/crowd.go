package main

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

const crowdToken = "token-of-the-crowd-to-the-server"

const crowdRegistration = `id: crowd
url: null
as_token: ` + crowdToken + `
hs_token: token-of-the-server-to-the-crowd
sender_localpart: crowdbot
rate_limited: false
namespaces:
  users: [{regex: "@ghost_.*", exclusive: true}]
`

// workers is how many requests of a bridge are under way at once.
const workers = 16

// each calls a path for each ghost.
func (b *bench) each(ctx context.Context, n int, call func(w *wire, i int) error) (time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var next atomic.Int64
	began := time.Now()
	for range workers {
		wg.Go(func() {
			w, err := dial(ctx, b.URL())
			if err != nil {
				cancel(err)
				return
			}
			defer w.close()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := call(w, i); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began), context.Cause(ctx)
}

// crowd measures a large room: ghosts that come one by one, as bridges bring them, what their
// comings and goings cost on the disk, and sends among them.
func crowd(ctx context.Context, b *bench) error {
	n := b.members
	bot := &client.Client{URL: b.URL(), Token: crowdToken}
	room, err := bot.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
	if err != nil {
		return err
	}
	ghost := func(i int) string { return fmt.Sprintf("ghost_%d", i) }
	took, err := b.each(ctx, n, func(w *wire, i int) error {
		return w.must("POST", "/_matrix/client/v3/register", crowdToken, `{"type":"m.login.application_service","inhibit_login":true,"username":"`+ghost(i)+`"}`)
	})
	if err != nil {
		return err
	}
	b.report.add(result{Key: "ghosts_register_s", What: fmt.Sprintf("%d ghosts register", n), Value: took.Seconds(), Unit: "s"})
	b.report.add(result{Key: "ghosts_register_per_s", What: "ghosts registered", Value: float64(n) / took.Seconds(), Unit: "/s"})
	membership := func(verb string) func(w *wire, i int) error {
		return func(w *wire, i int) error {
			return w.must("POST", client.Path("rooms", room, verb)+"?user_id="+url.QueryEscape(b.UserID(ghost(i))), crowdToken, `{}`)
		}
	}
	stop := b.profile(ctx, "ghosts_join", b.PID())
	took, err = b.each(ctx, n, membership("join"))
	stop()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "ghosts_join_s", What: fmt.Sprintf("%d ghosts join one room", n), Value: took.Seconds(), Unit: "s", Target: 10})
	if err := b.bulk(ctx, bot, n, ghost); err != nil {
		return err
	}

	before, err := b.disk(ctx)
	if err != nil {
		return err
	}
	changes := min(n, 2000)
	for _, verb := range []string{"leave", "join"} {
		if _, err := b.each(ctx, changes, membership(verb)); err != nil {
			return err
		}
	}
	after, err := b.disk(ctx)
	if err != nil {
		return err
	}
	b.report.add(result{Key: "disk_membership_bytes", What: fmt.Sprintf("disk, a change of membership in a room of %d", n), Value: (after - before) / float64(2*changes), Unit: "bytes"})

	anon := &client.Client{URL: b.URL()}
	all := make([]member, 64)
	for i := range all {
		c, err := anon.Register(ctx, fmt.Sprintf("guest%d", i))
		if err != nil {
			return err
		}
		if err := c.Join(ctx, room); err != nil {
			return err
		}
		all[i] = member{c, sendTarget(room)}
	}
	if _, err := b.send(ctx, all, time.Second, 1e9); err != nil {
		return err
	}
	stop = b.profile(ctx, "crowd_send", b.PID())
	l, err := b.send(ctx, all, b.duration, 1e9)
	stop()
	if err != nil {
		return err
	}
	label := fmt.Sprintf("sends, 64 senders, a room of %d", n)
	b.report.add(result{Key: "crowd_send_per_s", What: label, Value: float64(l.sent) / l.took.Seconds(), Unit: "/s"})
	b.report.add(result{Key: "crowd_send_p99_ms", What: label + ", latency p99", Value: ms(percentile(l.times, 99)), Unit: "ms"})
	began := time.Now()
	if _, err := all[0].Sync(ctx, client.SyncOptions{}); err != nil {
		return err
	}
	b.report.add(result{Key: "crowd_sync_ms", What: fmt.Sprintf("first /sync with a room of %d", n), Value: ms(time.Since(began)), Unit: "ms"})
	return nil
}

// bulk measures a room that is made with all its members at once, as bridges can.
func (b *bench) bulk(ctx context.Context, bot *client.Client, n int, ghost func(int) string) error {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = b.UserID(ghost(i))
	}
	began := time.Now()
	if _, err := bot.CreateRoom(ctx, map[string]any{"com.beeper.initial_members": ids}); err != nil {
		return err
	}
	b.report.add(result{Key: "ghosts_bulk_s", What: fmt.Sprintf("createRoom with %d initial members", n), Value: time.Since(began).Seconds(), Unit: "s"})
	return nil
}
