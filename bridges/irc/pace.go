package irc

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pace is how many lines may be said at once, and for each second after that. The zero Pace is no bound.
type Pace struct {
	Burst     int
	PerSecond float64
}

// paces holds back who says more on a network than one person may, or than a channel takes: what they say waits, and what others
// say does not. Its methods may be called concurrently.
type paces struct {
	user, channel Pace

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

func newPaces(user, channel Pace) *paces {
	return &paces{user: user, channel: channel, limiters: make(map[string]*rate.Limiter)}
}

// maxLimiters is how many limiters are kept; those who were silent long enough need none.
const maxLimiters = 1000

// due is how long a message has to wait yet; 0: it may go.
func (p *paces) due(o *outgoing, now time.Time) (wait time.Duration) {
	p.each(o, now, func(l *rate.Limiter, lines int) {
		if missing := float64(lines) - l.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(l.Limit())*float64(time.Second))+time.Millisecond)
		}
	})
	return wait
}

// spend counts a message that goes.
func (p *paces) spend(o *outgoing, now time.Time) {
	p.each(o, now, func(l *rate.Limiter, lines int) { l.AllowN(now, lines) })
}

func (p *paces) each(o *outgoing, now time.Time, f func(l *rate.Limiter, lines int)) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range [...]struct {
		pace Pace
		key  string
	}{{p.user, "u" + string(o.Status.Sender)}, {p.channel, "c" + o.Channel}} {
		if b.pace.Burst == 0 || len(b.key) == 1 {
			continue
		}
		l := p.limiters[b.key]
		if l == nil {
			p.prune(now)
			l = rate.NewLimiter(rate.Limit(b.pace.PerSecond), b.pace.Burst)
			p.limiters[b.key] = l
		}
		f(l, min(max(len(o.Lines), 1), b.pace.Burst))
	}
}

// prune forgets who has been silent; p.mu must be held.
func (p *paces) prune(now time.Time) {
	if len(p.limiters) < maxLimiters {
		return
	}
	for key, l := range p.limiters {
		if l.TokensAt(now) >= float64(l.Burst()) {
			delete(p.limiters, key)
		}
	}
}
