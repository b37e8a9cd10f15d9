package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// devicesRegistration is of a service that makes devices for its users: MSC4190 and MSC3202.
const devicesRegistration = crowdRegistration + `io.element.msc4190: true
org.matrix.msc3202: true
`

// claimedDevices is of how many devices one-time keys are claimed at once, each claimUser having
// claimEach of them.
const (
	claimedDevices = 10_000
	claimEach      = 100
)

// claim measures keys/claim for very many devices, as whoever begins to talk in a large encrypted room
// sends it.
func claim(ctx context.Context, b *bench) error {
	owner := func(i int) string { return fmt.Sprintf("ghost_%d", i/claimEach) }
	device := func(i int) string { return fmt.Sprintf("DEVICE%d", i%claimEach) }
	if _, err := b.each(ctx, claimedDevices/claimEach, func(w *wire, i int) error {
		return w.must("POST", "/_matrix/client/v3/register", crowdToken, `{"type":"m.login.application_service","inhibit_login":true,"username":"`+owner(i*claimEach)+`"}`)
	}); err != nil {
		return err
	}
	as := func(i int) string { return "?user_id=" + url.QueryEscape(b.UserID(owner(i))) }
	if _, err := b.each(ctx, claimedDevices, func(w *wire, i int) error {
		status, err := w.do("PUT", client.Path("devices", device(i))+as(i), crowdToken, `{}`)
		if err != nil || status/100 != 2 {
			return fmt.Errorf("making a device: %d %s %w", status, w.body, err)
		}
		return nil
	}); err != nil {
		return err
	}
	const rounds = 5
	took, err := b.each(ctx, claimedDevices, func(w *wire, i int) error {
		keys := map[string]any{}
		for k := range rounds {
			keys[fmt.Sprintf("signed_curve25519:K%d", k)] = map[string]any{"key": fmt.Sprintf("key%037d/%d", i, k), "signatures": map[string]any{}}
		}
		body, err := json.Marshal(map[string]any{"one_time_keys": keys})
		if err != nil {
			return err
		}
		return w.must("POST", client.Path("keys", "upload")+as(i)+"&device_id="+device(i), crowdToken, string(body))
	})
	if err != nil {
		return err
	}
	b.report.add(result{Key: "keys_upload_per_s", What: fmt.Sprintf("keys/upload, %d at a time", workers), Value: claimedDevices / took.Seconds(), Unit: "/s"})
	wanted := map[string]map[string]string{}
	for i := range claimedDevices {
		user := b.UserID(owner(i))
		if wanted[user] == nil {
			wanted[user] = map[string]string{}
		}
		wanted[user][device(i)] = "signed_curve25519"
	}
	body, err := json.Marshal(map[string]any{"one_time_keys": wanted})
	if err != nil {
		return err
	}
	alice, err := (&client.Client{URL: b.URL()}).Register(ctx, "alice")
	if err != nil {
		return err
	}
	w, err := dial(ctx, b.URL())
	if err != nil {
		return err
	}
	defer w.close()
	stop := b.profile(ctx, "claim", b.PID())
	defer stop()
	var times []time.Duration
	for range rounds {
		began := time.Now()
		if err := w.must("POST", client.Path("keys", "claim"), alice.Token, string(body)); err != nil {
			return err
		}
		times = append(times, time.Since(began))
		if n := bytes.Count(w.body, []byte(`"signed_curve25519:K`)); n != claimedDevices {
			return fmt.Errorf("%d keys were handed out, want %d", n, claimedDevices)
		}
	}
	b.report.add(result{Key: "keys_claim_ms", What: fmt.Sprintf("keys/claim for %d devices, median of %d", claimedDevices, rounds), Value: ms(percentile(times, 50)), Unit: "ms"})
	return nil
}

// streamed is how many messages to a device go through one stream of /sync.
const streamed = 100_000

// toDevice measures messages to one device, which reads them with /sync as they come.
func toDevice(ctx context.Context, b *bench) error {
	anon := &client.Client{URL: b.URL()}
	alice, err := anon.Register(ctx, "alice")
	if err != nil {
		return err
	}
	bob, err := anon.Register(ctx, "bob")
	if err != nil {
		return err
	}
	if err := b.resetPeak(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	got := make(chan error, 1)
	began := time.Now()
	stop := b.profile(ctx, "todevice", b.PID())
	go func() { got <- drain(ctx, b.URL(), bob.Token) }()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			w, err := dial(ctx, b.URL())
			if err != nil {
				cancel(err)
				return
			}
			defer w.close()
			for i := next.Add(1) - 1; i < streamed; i = next.Add(1) - 1 {
				body := fmt.Sprintf(`{"messages":{%q:{"*":{"n":%d,"body":"a key of a session, which is some hundred bytes long in earnest"}}}}`, b.UserID("bob"), i)
				if err := w.must("PUT", client.Path("sendToDevice", "m.room_key", fmt.Sprint(i)), alice.Token, body); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err = <-got:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	took := time.Since(began)
	stop()
	if err != nil {
		return err
	}
	peak, err := b.peak()
	if err != nil {
		return err
	}
	b.report.add(result{Key: "todevice_per_s", What: fmt.Sprintf("%d messages to a device, %d senders, through one /sync", streamed, workers), Value: streamed / took.Seconds(), Unit: "/s"})
	b.report.add(result{Key: "todevice_peak_mib", What: "the same, peak memory", Value: peak / (1 << 20), Unit: "MiB"})
	return nil
}

// drain reads messages to a device until all have come, each once.
func drain(ctx context.Context, base, token string) error {
	w, err := dial(ctx, base)
	if err != nil {
		return err
	}
	defer w.close()
	seen, n, since := make([]bool, streamed), 0, ""
	for n < streamed {
		if err := w.must("GET", syncPath+"?timeout=30000&since="+url.QueryEscape(since), token, ""); err != nil {
			return err
		}
		var s struct {
			Next     string `json:"next_batch"`
			ToDevice struct {
				Events []struct{ Content struct{ N int } }
			} `json:"to_device"`
		}
		if err := json.Unmarshal(w.body, &s); err != nil {
			return err
		}
		for _, e := range s.ToDevice.Events {
			if seen[e.Content.N] {
				return fmt.Errorf("message %d came twice", e.Content.N)
			}
			seen[e.Content.N] = true
			n++
		}
		since = s.Next
	}
	return nil
}
