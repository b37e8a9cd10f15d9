package accounts

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// limiterKeys is how many keys a Limiter remembers; the one that was not used for longest is
// forgotten first.
const limiterKeys = 65536

// Limiter bounds how often something may happen for each key, e.g. a user or an address. It is
// safe for concurrent use; nil limits nothing.
type Limiter struct {
	every rate.Limit
	burst int
	now   func() time.Time
	keys  *lru.Cache[string, *rate.Limiter]
}

// NewLimiter allows perSecond events of a key in the long run, and burst at once. A rate of 0
// or less switches it off: the result is nil.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return newLimiter(perSecond, burst, limiterKeys, time.Now)
}

func newLimiter(perSecond float64, burst, keys int, now func() time.Time) *Limiter {
	if perSecond <= 0 {
		return nil
	}
	c, _ := lru.New[string, *rate.Limiter](keys) // fails only for a size that is not positive
	return &Limiter{every: rate.Limit(perSecond), burst: max(burst, 1), now: now, keys: c}
}

// Allow counts one event, or refuses it with M_LIMIT_EXCEEDED and the time to wait.
func (l *Limiter) Allow(key string) error {
	if l == nil {
		return nil
	}
	return l.AllowAt(key, l.every, l.burst)
}

// AllowAt is Allow with another rate and burst for the key.
func (l *Limiter) AllowAt(key string, every rate.Limit, burst int) error {
	if l == nil {
		return nil
	}
	k, ok := l.keys.Get(key)
	if ok && (k.Limit() != every || k.Burst() != burst) {
		k.SetLimit(every)
		k.SetBurst(burst)
	}
	if !ok {
		k = rate.NewLimiter(every, burst)
		if have, ok, _ := l.keys.PeekOrAdd(key, k); ok {
			k = have
		}
	}
	now := l.now()
	r := k.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	r.CancelAt(now)
	return mxerror.LimitExceeded(max(wait, time.Millisecond))
}
