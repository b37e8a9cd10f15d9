package fclient

import (
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestWait: how long a server is left alone, also by a clock that was put back.
func TestWait(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).UnixMilli() }
	for name, tc := range map[string]struct {
		b    store.Backoff
		want time.Duration
	}{
		"never failed":       {store.Backoff{}, 0},
		"failed":             {store.Backoff{Failures: 3, SinceTS: at(-time.Minute), RetryTS: at(4 * time.Second)}, 4 * time.Second},
		"it is time":         {store.Backoff{Failures: 3, SinceTS: at(-time.Minute), RetryTS: at(-time.Second)}, 0},
		"failed tomorrow":    {store.Backoff{Failures: 3, SinceTS: at(time.Hour), RetryTS: at(2 * time.Hour)}, 0},
		"asked to wait":      {store.Backoff{SinceTS: at(-time.Second), RetryTS: at(10 * time.Second)}, 10 * time.Second},
		"longer than a wait": {store.Backoff{Failures: 30, SinceTS: at(-time.Minute), RetryTS: at(72 * time.Hour)}, 0},
	} {
		if got := Wait(tc.b, now); (got - tc.want).Abs() > time.Millisecond {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
