package session

import (
	"math/rand/v2"
	"time"
)

// Backoff is how long to wait between attempts to connect.
type Backoff struct {
	// Min is the wait after the first failure and Max the longest; each failure
	// doubles it.
	Min, Max time.Duration
}

// delay returns the wait after the given number of failures in a row (from 1),
// spread by a quarter each way so that many connections do not return together.
func (b Backoff) delay(failures int) time.Duration {
	d := b.Min
	for i := 1; i < failures && d < b.Max; i++ {
		d *= 2
	}
	d = min(d, b.Max)
	if d <= 0 {
		return 0
	}
	return d - d/4 + time.Duration(rand.Int64N(int64(d)/2+1))
}
