package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// syncLatency measures the time from the beginning of a send until another client has the message
// from its waiting /sync.
func syncLatency(ctx context.Context, b *bench) error {
	all, err := b.people(ctx, "sync", 2, false)
	if err != nil {
		return err
	}
	alice, bob := all[0], all[1]
	s, err := bob.Sync(ctx, client.SyncOptions{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	got := make(chan time.Time)
	const rounds = 500
	expect := make(chan string)
	go func() {
		w, err := dial(ctx, b.URL())
		if err != nil {
			cancel(err)
			return
		}
		since := s.Next
		for want := range expect {
			for {
				if err := w.must("GET", "/_matrix/client/v3/sync?timeout=30000&since="+url.QueryEscape(since), bob.Token, ""); err != nil {
					cancel(err)
					return
				}
				at := time.Now()
				if since, err = nextBatch(w.body); err != nil {
					cancel(err)
					return
				}
				if bytes.Contains(w.body, []byte(want)) {
					got <- at
					break
				}
			}
		}
	}()
	w, err := dial(ctx, b.URL())
	if err != nil {
		return err
	}
	defer w.close()
	defer close(expect)
	var times []time.Duration
	for i := range rounds {
		text := fmt.Sprintf("message number %d.", i)
		select {
		case expect <- text:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		time.Sleep(2 * time.Millisecond) // the other one is waiting now, as clients mostly are
		at := time.Now()
		if err := w.must("PUT", fmt.Sprint(alice.target, "s", i), alice.Token, `{"msgtype":"m.text","body":"`+text+`"}`); err != nil {
			return err
		}
		select {
		case end := <-got:
			times = append(times, end.Sub(at))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	b.report.add(result{Key: "sync_p50_ms", What: "send to another client's /sync, p50", Value: ms(percentile(times, 50)), Unit: "ms"})
	b.report.add(result{Key: "sync_p99_ms", What: "send to another client's /sync, p99", Value: ms(percentile(times, 99)), Unit: "ms"})
	return nil
}

// nextBatch finds the token in an answer of /sync.
func nextBatch(body []byte) (string, error) {
	_, rest, ok := bytes.Cut(body, []byte(`"next_batch":"`))
	token, _, ok2 := bytes.Cut(rest, []byte(`"`))
	if !ok || !ok2 {
		return "", fmt.Errorf("no next_batch in %s", body[:min(len(body), 300)])
	}
	return string(token), nil
}
