package session

import "time"

// bucket is a token bucket that paces outgoing lines. It is not safe for
// concurrent use.
type bucket struct {
	burst, perSecond float64
	tokens           float64
	last             time.Time
}

func newBucket(burst int, perSecond float64, now time.Time) *bucket {
	return &bucket{burst: float64(burst), perSecond: perSecond, tokens: float64(burst), last: now}
}

// take takes a token and returns 0, or returns how long to wait for one.
func (b *bucket) take(now time.Time) time.Duration { return b.takeOf(now, 1) }

// takeOf takes a token if there are as many as needed.
func (b *bucket) takeOf(now time.Time, need float64) time.Duration {
	if now.After(b.last) {
		b.tokens = min(b.burst, b.tokens+now.Sub(b.last).Seconds()*b.perSecond)
		b.last = now
	}
	if b.tokens >= need {
		b.tokens--
		return 0
	}
	// A nanosecond more than needed, so that rounding does not cost another turn.
	return time.Duration((need-b.tokens)/b.perSecond*float64(time.Second)) + 1
}

// keep is how many tokens a question leaves in the bucket for messages.
const keep = 2

// spare takes a token if enough others remain, or returns how long to wait.
func (b *bucket) spare(now time.Time) time.Duration {
	return b.takeOf(now, min(1+keep, b.burst))
}

// spend takes up to n tokens, as many as there are.
func (b *bucket) spend(n float64) { b.tokens = max(0, b.tokens-n) }
