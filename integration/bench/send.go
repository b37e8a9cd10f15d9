package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// message is what is sent: of the length of an ordinary message.
var message = `{"msgtype":"m.text","body":"` + strings.Repeat("word ", 20) + `"}`

// member is a user with what is needed to send.
type member struct {
	*client.Client
	target string // of a send into the member's room, without the transaction id
}

// people makes n users who are in one room, or each in a room of their own.
func (b *bench) people(ctx context.Context, prefix string, n int, apart bool) ([]member, error) {
	anon := &client.Client{URL: b.URL()}
	out := make([]member, n)
	room := ""
	for i := range out {
		c, err := anon.Register(ctx, fmt.Sprintf("%s%d", prefix, i))
		if err != nil {
			return nil, err
		}
		if i == 0 || apart {
			room, err = c.CreateRoom(ctx, map[string]any{"preset": "public_chat"})
		} else {
			err = c.Join(ctx, room)
		}
		if err != nil {
			return nil, err
		}
		out[i] = member{c, sendTarget(room)}
	}
	return out, nil
}

func sendTarget(room string) string {
	return "/_matrix/client/v3/rooms/" + url.PathEscape(room) + "/send/m.room.message/"
}

// load is the outcome of sending.
type load struct {
	sent  int
	took  time.Duration
	times []time.Duration
}

// send lets all members send at once, each one message after the other, until the time is over or
// upto messages have been sent.
func (b *bench) send(ctx context.Context, all []member, d time.Duration, upto int) (load, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out load
	var left atomic.Int64
	left.Store(int64(upto))
	began := time.Now()
	for i, m := range all {
		wg.Go(func() {
			w, err := dial(ctx, b.URL())
			if err != nil {
				cancel(err)
				return
			}
			defer w.close()
			var times []time.Duration
			prefix := fmt.Sprintf("%s%d.%d.", m.target, began.UnixNano(), i)
			for n := 0; time.Since(began) < d && left.Add(-1) >= 0; n++ {
				at := time.Now()
				if err := w.must("PUT", fmt.Sprint(prefix, n), m.Token, message); err != nil {
					cancel(err)
					return
				}
				times = append(times, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			out.sent += len(times)
			out.times = append(out.times, times...)
		})
	}
	wg.Wait()
	out.took = time.Since(began)
	return out, context.Cause(ctx)
}

// sends measures sends with 1, 16 and 64 senders.
func sends(ctx context.Context, b *bench) error {
	for _, s := range []struct {
		senders int
		apart   bool
	}{{1, false}, {16, false}, {64, false}, {64, true}} {
		key, where := fmt.Sprintf("send_%d", s.senders), "one room"
		if s.apart {
			key, where = key+"_apart", "a room each"
		}
		all, err := b.people(ctx, key, s.senders, s.apart)
		if err != nil {
			return err
		}
		if _, err := b.send(ctx, all, time.Second, 1e9); err != nil { // warm up
			return err
		}
		stop := b.profile(ctx, key, b.PID())
		cpu, err := b.cpu()
		if err != nil {
			return err
		}
		l, err := b.send(ctx, all, b.duration, 1e9)
		stop()
		if err != nil {
			return err
		}
		after, err := b.cpu()
		if err != nil {
			return err
		}
		label := fmt.Sprintf("sends, %d senders, %s", s.senders, where)
		rate := result{Key: key + "_per_s", What: label, Value: float64(l.sent) / l.took.Seconds(), Unit: "/s"}
		if s.senders == 64 && !s.apart {
			rate.Target, rate.AtLeast = 3000, true
		}
		b.report.add(rate)
		b.report.add(result{Key: key + "_p50_ms", What: label + ", latency p50", Value: ms(percentile(l.times, 50)), Unit: "ms"})
		b.report.add(result{Key: key + "_p99_ms", What: label + ", latency p99", Value: ms(percentile(l.times, 99)), Unit: "ms"})
		b.report.add(result{Key: key + "_cpu_us", What: label + ", CPU of the server", Value: float64((after - cpu).Microseconds()) / float64(l.sent), Unit: "us a send"})
	}
	return nil
}
