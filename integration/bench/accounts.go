package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

const syncPath = "/_matrix/client/v3/sync"

// manyRooms measures an account that is in many rooms: its first /sync, its first page of sliding
// sync, and a page of a room's history; each right after a start of the server and again.
func manyRooms(ctx context.Context, b *bench) error {
	const rooms = 1000
	anon := &client.Client{URL: b.URL()}
	alice, err := anon.Register(ctx, "alice")
	if err != nil {
		return err
	}
	room := ""
	for i := range rooms {
		if room, err = alice.CreateRoom(ctx, map[string]any{"preset": "public_chat", "name": fmt.Sprint("room ", i)}); err != nil {
			return err
		}
		if _, err := alice.Send(ctx, room, "m.room.message", fmt.Sprint("m", i), client.Message("hello")); err != nil {
			return err
		}
	}
	for i := range 200 {
		if _, err := alice.Send(ctx, room, "m.room.message", fmt.Sprint("p", i), client.Message("one of many")); err != nil {
			return err
		}
	}
	page := client.Path("rooms", room, "messages") + "?dir=b&limit=100"
	first := `{"lists":{"all":{"ranges":[[0,19]],"timeline_limit":20,"filters":{"not_room_types":["m.space"]},
		"required_state":[["m.room.name",""],["m.room.encryption",""],["m.room.create",""],["m.room.power_levels",""],["m.room.member","$LAZY"],["m.room.member","$ME"]]}},
		"extensions":{"e2ee":{"enabled":true},"to_device":{"enabled":true},"account_data":{"enabled":true},"receipts":{"enabled":true},"typing":{"enabled":true}}}`
	for _, m := range []struct {
		key, what, method, path, body string
		target                        float64
	}{
		{"rooms_sync", fmt.Sprintf("first /sync in %d rooms", rooms), "GET", syncPath, "", 500},
		{"rooms_sliding", fmt.Sprintf("first page of sliding sync in %d rooms", rooms), "POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", first, 50},
		{"messages", "a page of 100 events of /messages", "GET", page, "", 0},
	} {
		if err := b.Restart(ctx); err != nil {
			return err
		}
		if err := b.resetPeak(); err != nil {
			return err
		}
		stop := b.profile(ctx, m.key, b.PID())
		cold, err := b.timed(ctx, m.method, m.path, alice.Token, m.body)
		if err != nil {
			return err
		}
		peak, err := b.peak()
		if err != nil {
			return err
		}
		var warm []time.Duration
		for range 20 {
			d, err := b.timed(ctx, m.method, m.path, alice.Token, m.body)
			if err != nil {
				return err
			}
			warm = append(warm, d)
		}
		stop()
		b.report.add(result{Key: m.key + "_cold_ms", What: m.what + ", after a start", Value: ms(cold), Unit: "ms", Target: m.target})
		b.report.add(result{Key: m.key + "_ms", What: m.what + ", median of 20 more", Value: ms(percentile(warm, 50)), Unit: "ms", Target: m.target})
		if m.key == "rooms_sync" {
			b.report.add(result{Key: m.key + "_peak_mib", What: m.what + ", peak memory", Value: peak / (1 << 20), Unit: "MiB"})
		}
	}
	return nil
}

// timed makes a request on a connection of its own and waits for the whole answer.
func (b *bench) timed(ctx context.Context, method, target, token, body string) (time.Duration, error) {
	w, err := dial(ctx, b.URL())
	if err != nil {
		return 0, err
	}
	defer w.close()
	began := time.Now()
	err = w.must(method, target, token, body)
	return time.Since(began), err
}

// initialMembers is how many members a room is made with.
const initialMembers = 15_000

// largeRoom measures the first /sync of somebody in a room with very many members.
func largeRoom(ctx context.Context, b *bench) error {
	n := b.large
	bot := &client.Client{URL: b.URL(), Token: crowdToken}
	ghost := func(i int) string { return fmt.Sprintf("ghost_%d", i) }
	if _, err := b.each(ctx, n, func(w *wire, i int) error {
		return w.must("POST", "/_matrix/client/v3/register", crowdToken, `{"type":"m.login.application_service","inhibit_login":true,"username":"`+ghost(i)+`"}`)
	}); err != nil {
		return err
	}
	ids := make([]string, min(n, initialMembers))
	for i := range ids {
		ids[i] = b.UserID(ghost(i))
	}
	room, err := bot.CreateRoom(ctx, map[string]any{"preset": "public_chat", "com.beeper.initial_members": ids})
	if err != nil {
		return err
	}
	if _, err := b.each(ctx, n-len(ids), func(w *wire, i int) error {
		return w.must("POST", client.Path("rooms", room, "join")+"?user_id="+url.QueryEscape(b.UserID(ghost(i+len(ids)))), crowdToken, `{}`)
	}); err != nil {
		return err
	}
	alice, err := (&client.Client{URL: b.URL()}).Register(ctx, "alice")
	if err != nil {
		return err
	}
	if err := alice.Join(ctx, room); err != nil {
		return err
	}
	lazy := "?filter=" + url.QueryEscape(`{"room":{"state":{"lazy_load_members":true}}}`)
	for _, m := range []struct{ key, what, query string }{
		{"large_sync", fmt.Sprintf("first /sync in a room of %d", n), ""},
		{"large_lazy_sync", fmt.Sprintf("first /sync in a room of %d, members loaded lazily", n), lazy},
	} {
		if err := b.Restart(ctx); err != nil {
			return err
		}
		before, err := b.rss()
		if err != nil {
			return err
		}
		if err := b.resetPeak(); err != nil {
			return err
		}
		stop := b.profile(ctx, m.key, b.PID())
		took, err := b.timed(ctx, "GET", syncPath+m.query, alice.Token, "")
		stop()
		if err != nil {
			return err
		}
		peak, err := b.peak()
		if err != nil {
			return err
		}
		b.report.add(result{Key: m.key + "_ms", What: m.what + ", after a start", Value: ms(took), Unit: "ms"})
		b.report.add(result{Key: m.key + "_memory_mib", What: m.what + ", memory on top", Value: (peak - before) / (1 << 20), Unit: "MiB"})
	}
	return nil
}

// waiting measures how fast many waiting clients hear of a message.
func waiting(ctx context.Context, b *bench) error {
	const clients, rounds = 1000, 10
	all, err := b.people(ctx, "waiting", clients+1, false)
	if err != nil {
		return err
	}
	sender, all := all[clients], all[:clients]
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready := make(chan struct{}, clients)
	woken := make(chan time.Time, clients)
	var wg sync.WaitGroup
	for _, m := range all {
		wg.Go(func() {
			if err := follow(ctx, b.URL(), m.Token, rounds, ready, woken); err != nil {
				cancel(err)
			}
		})
	}
	var lasts, alls []time.Duration
	for i := range rounds {
		for range clients {
			select {
			case <-ready:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		time.Sleep(300 * time.Millisecond) // all are waiting now
		w, err := dial(ctx, b.URL())
		if err != nil {
			return err
		}
		if err := w.must("PUT", fmt.Sprint(sender.target, "w", i), sender.Token, `{"msgtype":"m.text","body":"wake up"}`); err != nil {
			return err
		}
		sent := time.Now() // the answer to the send comes after the commit
		w.close()
		var took []time.Duration
		for range clients {
			select {
			case at := <-woken:
				took = append(took, at.Sub(sent))
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		slices.Sort(took)
		lasts, alls = append(lasts, took[len(took)-1]), append(alls, took...)
	}
	wg.Wait()
	b.report.add(result{Key: "waiting_p50_ms", What: fmt.Sprintf("%d waiting clients have a message after the commit, p50", clients), Value: ms(percentile(alls, 50)), Unit: "ms", Target: 50})
	b.report.add(result{Key: "waiting_last_ms", What: fmt.Sprintf("the last of %d has it, median of %d", clients, rounds), Value: ms(percentile(lasts, 50)), Unit: "ms", Target: 50})
	return context.Cause(ctx)
}

// follow syncs, and tells when it is about to wait and when it was woken by a message.
func follow(ctx context.Context, base, token string, rounds int, ready chan<- struct{}, woken chan<- time.Time) error {
	w, err := dial(ctx, base)
	if err != nil {
		return err
	}
	defer w.close()
	target := syncPath + "?set_presence=offline"
	if err := w.must("GET", target, token, ""); err != nil {
		return err
	}
	for range rounds {
		ready <- struct{}{}
		for {
			since, err := nextBatch(w.body)
			if err != nil {
				return err
			}
			if err := w.must("GET", target+"&timeout=30000&since="+url.QueryEscape(since), token, ""); err != nil {
				return err
			}
			if bytes.Contains(w.body, []byte("wake up")) {
				woken <- time.Now()
				break
			}
		}
	}
	return nil
}
