package devices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// How much is done while the server is killed so often.
const (
	kills    = 6
	messages = 40 * kills
	oneTime  = 50 // one-time keys in one upload
	uploads  = 8
	sessions = 20 * kills // keys in the backup
)

// day is somebody with devices on a server that is killed meanwhile.
type day struct {
	*testing.T
	ctx        context.Context
	alice, bob *client.Client
	sent       atomic.Int64
	wg         sync.WaitGroup
}

// insist asks until the server is there and answers well. An answer of 4xx is a failure.
func (d *day) insist(c *client.Client, method, path string, query url.Values, body, out any) bool {
	for {
		err := c.Do(d.ctx, method, path, query, body, out)
		var e *client.Error
		switch {
		case err == nil:
			return true
		case errors.As(err, &e) && e.Status < 500:
			d.Error(err)
			return false
		}
		select {
		case <-d.ctx.Done():
			d.Error(err)
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// write sends messages to alice's device, one after the other, each until it is acknowledged.
func (d *day) write() {
	for i := range messages {
		body := map[string]any{"messages": map[string]any{d.alice.UserID: map[string]any{d.alice.DeviceID: map[string]int{"n": i}}}}
		if !d.insist(d.bob, "PUT", client.Path("sendToDevice", "m.test", fmt.Sprintf("txn%d", i)), nil, body, nil) {
			return
		}
		d.sent.Add(1)
	}
}

// read has alice's device read them: each once, in order.
func (d *day) read() {
	since := ""
	for next := 0; next < messages; {
		var s client.Sync
		if !d.insist(d.alice, "GET", client.Path("sync"), url.Values{"since": {since}, "timeout": {"1000"}}, nil, &s) {
			return
		}
		for _, e := range s.ToDevice.Events {
			var content struct{ N int }
			if err := json.Unmarshal(e.Content, &content); err != nil || content.N != next {
				d.Errorf("message %d came, want %d (%v)", content.N, next, err)
				return
			}
			next++
		}
		since = s.Next
	}
	// And no more of them.
	var s client.Sync
	if d.insist(d.alice, "GET", client.Path("sync"), url.Values{"since": {since}}, nil, &s) && len(s.ToDevice.Events) != 0 {
		d.Errorf("%d messages too many", len(s.ToDevice.Events))
	}
}

// keyName is the name of a one-time key; names rise in the order of the uploads.
func keyName(i int) string { return fmt.Sprintf("signed_curve25519:K%05d", i) }

// upload has alice's device upload one-time keys, each time twice, as it does when it has not heard of the first.
func (d *day) upload() {
	for u := range uploads {
		keys := map[string]any{}
		for i := range oneTime {
			n := u*oneTime + i
			keys[keyName(n)] = map[string]any{"key": fmt.Sprintf("key%040d", n), "signatures": map[string]any{}}
		}
		for range 2 {
			if !d.insist(d.alice, "POST", client.Path("keys", "upload"), nil, map[string]any{"one_time_keys": keys}, nil) {
				return
			}
			// The second comes when some have been claimed.
			for want := min(d.sent.Load()+int64(messages/uploads/3), messages); d.sent.Load() < want && d.ctx.Err() == nil; {
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// claim claims one key after another, until told to stop.
func (d *day) claim(stop <-chan struct{}, got func(key int)) {
	last := -1
	body := map[string]any{"one_time_keys": map[string]any{d.alice.UserID: map[string]string{d.alice.DeviceID: "signed_curve25519"}}}
	for {
		select {
		case <-stop:
			return
		default:
		}
		var out struct {
			Keys map[string]map[string]map[string]json.RawMessage `json:"one_time_keys"`
		}
		if !d.insist(d.bob, "POST", client.Path("keys", "claim"), nil, body, &out) {
			return
		}
		for name := range out.Keys[d.alice.UserID][d.alice.DeviceID] {
			n, err := strconv.Atoi(strings.TrimPrefix(name, "signed_curve25519:K"))
			if err != nil || n <= last {
				d.Errorf("%s after key %d", name, last)
				return
			}
			last = n
			got(n)
		}
	}
}

// backup puts keys into alice's backup. What a change that had its effect and was not acknowledged is answered the second
// time is the same as the first time.
func (d *day) backup() {
	var made struct{ Version string }
	if !d.insist(d.alice, "POST", client.Path("room_keys", "version"), nil, map[string]any{"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": map[string]string{"public_key": "x"}}, &made) {
		return
	}
	version := url.Values{"version": {made.Version}}
	etag := int64(0)
	for i := range sessions {
		key := map[string]any{"first_message_index": i, "forwarded_count": 0, "is_verified": true, "session_data": map[string]int{"n": i}}
		var out struct {
			Count int64
			ETag  string
		}
		if !d.insist(d.alice, "PUT", client.Path("room_keys", "keys", fmt.Sprintf("!r%d:test", i%3), fmt.Sprintf("s%d", i)), version, key, &out) {
			return
		}
		now, err := strconv.ParseInt(out.ETag, 10, 64)
		if err != nil || now != etag+1 || out.Count != int64(i)+1 {
			d.Errorf("after key %d: count %d, etag %s after %d", i, out.Count, out.ETag, etag)
			return
		}
		etag = now
	}
	var all struct {
		Rooms map[string]struct {
			Sessions map[string]struct {
				First int `json:"first_message_index"`
			}
		}
	}
	if !d.insist(d.alice, "GET", client.Path("room_keys", "keys"), version, nil, &all) {
		return
	}
	for i := range sessions {
		if k, ok := all.Rooms[fmt.Sprintf("!r%d:test", i%3)].Sessions[fmt.Sprintf("s%d", i)]; !ok || k.First != i {
			d.Errorf("key %d of the backup: %v, %+v", i, ok, k)
		}
	}
}

// TestKills kills the server again and again while all of that goes on.
func TestKills(t *testing.T) {
	t.Parallel()
	s := testserver.New(t, testserver.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	anon := &client.Client{URL: s.URL(), HTTP: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 20}}}
	d := &day{T: t, ctx: ctx}
	var err error
	if d.alice, err = anon.Register(ctx, "alice"); err != nil {
		t.Fatal(err)
	}
	if d.bob, err = anon.Register(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	d.wg.Go(d.write)
	d.wg.Go(d.read)
	d.wg.Go(d.upload)
	d.wg.Go(d.backup)
	stop := make(chan struct{})
	var claimers sync.WaitGroup
	var mu sync.Mutex
	seen := map[int]bool{}
	for range 3 {
		claimers.Go(func() {
			d.claim(stop, func(key int) {
				mu.Lock()
				defer mu.Unlock()
				if seen[key] {
					t.Errorf("key %d was given out twice", key)
				}
				seen[key] = true
			})
		})
	}
	for k := range kills {
		for d.sent.Load() < int64((k+1)*messages/(kills+1)) && !t.Failed() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if err := errors.Join(s.Kill(), s.Start(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	d.wg.Wait()
	close(stop)
	claimers.Wait()
	// A key whose answer was lost with the server is lost; there are at most so many.
	if n, want := len(seen), uploads*oneTime*2/3; n < want {
		t.Errorf("%d of %d keys were given out, want %d or more", n, uploads*oneTime, want)
	}
}
