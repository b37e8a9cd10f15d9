package fclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Delays between attempts to reach a server that doesn't answer: they double, up to a day. A server that
// is only being started again is missed for a moment; one that is gone is asked some ten times in the
// first ten minutes and seldom after that.
const (
	delayMin = 500 * time.Millisecond
	delayMax = 24 * time.Hour
)

// Shelf keeps the state of servers durably; *store.Store does.
type Shelf interface {
	Backoff(ctx context.Context, server string) (store.Backoff, error)
	Write(ctx context.Context, fn func(*store.Tx) error) error
}

var _ Shelf = (*store.Store)(nil)

// Backoff knows which servers don't answer and when to try them again. It is safe for concurrent
// use.
type Backoff struct {
	shelf Shelf
	log   *slog.Logger
	now   func() time.Time
	// dirty are servers whose state is to be written by Run.
	dirty chan string

	mu    sync.Mutex
	state *lru.Cache[string, store.Backoff]
	// why are the last errors of servers.
	why *lru.Cache[string, LastError]
	// woken is called when a server answers again.
	woken func(server string)
}

// NewBackoff makes a Backoff. now is the clock; nil means time.Now.
func NewBackoff(shelf Shelf, log *slog.Logger, now func() time.Time) (*Backoff, error) {
	if now == nil {
		now = time.Now
	}
	b := &Backoff{shelf: shelf, log: log, now: now, dirty: make(chan string, 256)}
	var err error
	if b.state, err = lru.New[string, store.Backoff](20_000); err != nil {
		return nil, fmt.Errorf("making the list of servers: %w", err)
	}
	if b.why, err = lru.New[string, LastError](5000); err != nil {
		return nil, fmt.Errorf("making the list of servers' errors: %w", err)
	}
	return b, nil
}

// LastError is the newest failure of a call to a server.
type LastError struct {
	Text string
	At   time.Time
}

// lastErrorMax bounds its text, in bytes.
const lastErrorMax = 300

// Because notes why a call to a server failed. Those that were not made because it is left alone say nothing.
func (b *Backoff) Because(server string, err error) {
	var alone *BackoffError
	if err == nil || errors.As(err, &alone) {
		return
	}
	text := err.Error()
	b.why.Add(server, LastError{strings.ToValidUTF8(text[:min(len(text), lastErrorMax)], ""), b.now()})
}

// LastError tells why a call to a server failed last, as far as that is remembered.
func (b *Backoff) LastError(server string) (LastError, bool) { return b.why.Peek(server) }

// OnWake sets what is called when a server that didn't answer does, or makes itself heard. It must
// not wait. Call it before anything else.
func (b *Backoff) OnWake(fn func(server string)) { b.woken = fn }

// Run writes what changes until ctx ends. What isn't written by then is found out anew.
func (b *Backoff) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case server := <-b.dirty:
			b.mu.Lock()
			s, _ := b.state.Get(server)
			b.mu.Unlock()
			err := b.shelf.Write(ctx, func(t *store.Tx) error { return t.SetBackoff(server, s) })
			if err != nil && ctx.Err() == nil {
				b.log.Warn("keeping when to try a server again", "server", server, "err", err)
			}
		}
	}
}

// BackoffError: a server doesn't answer, and isn't tried before Until.
type BackoffError struct {
	Server string
	Until  time.Time
}

func (e *BackoffError) Error() string {
	return fmt.Sprintf("%s did not answer and is tried again at %s", e.Server, e.Until.UTC().Format(time.RFC3339))
}

type urgentKey struct{}

// Urgent marks calls that somebody waits for: servers that did not answer are tried nevertheless.
func Urgent(ctx context.Context) context.Context { return context.WithValue(ctx, urgentKey{}, true) }

// State is what is known of a server.
func (b *Backoff) State(ctx context.Context, server string) (store.Backoff, error) {
	b.mu.Lock()
	s, ok := b.state.Get(server)
	b.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := b.shelf.Backoff(ctx, server)
	if err != nil {
		return s, fmt.Errorf("reading when to try %s again: %w", server, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, ok := b.state.Get(server); ok {
		return now, nil
	}
	b.state.Add(server, s)
	return s, nil
}

// Check fails with a BackoffError while a server is not to be tried.
func (b *Backoff) Check(ctx context.Context, server string) error {
	s, err := b.State(ctx, server)
	if err != nil {
		return err
	}
	if ctx.Value(urgentKey{}) == nil && Wait(s, b.now()) > 0 {
		return &BackoffError{server, time.UnixMilli(s.RetryTS)}
	}
	return nil
}

// Wait is for how long a server must be left alone. Where the clock has been put back to before the trouble began,
// it is tried.
func Wait(s store.Backoff, now time.Time) time.Duration {
	wait := time.UnixMilli(s.RetryTS).Sub(now)
	if s.RetryTS == 0 || s.SinceTS > now.UnixMilli() || wait > delayMax*6/5 {
		return 0
	}
	return max(wait, 0)
}

// delayOf is how long a server is left alone that has failed so often before.
func delayOf(failures int64) time.Duration { return min(delayMin<<min(failures, 20), delayMax) }

// Failed tells that a server did not answer, or wants to be left alone for a time. Calls that fail
// together count once.
func (b *Backoff) Failed(server string, pause time.Duration) {
	now := b.now()
	b.mu.Lock()
	defer b.mu.Unlock()
	s, _ := b.state.Get(server)
	if pause > 0 {
		if s.SinceTS == 0 {
			s.SinceTS = now.UnixMilli()
		}
		s.RetryTS = max(s.RetryTS, now.Add(min(pause, delayMax)).UnixMilli())
		b.set(server, s)
		return
	}
	if s.Failures > 0 && Wait(s, now) > 0 {
		return // an urgent call, or one that began before the last failure
	}
	if s.Failures == 0 || s.SinceTS > now.UnixMilli() {
		s.SinceTS = now.UnixMilli()
	}
	delay := delayOf(s.Failures)
	// Spread, so that servers that went away together don't come back together.
	delay = delay*4/5 + time.Duration(rand.Int64N(int64(delay)*2/5))
	s.Failures++
	s.RetryTS = now.Add(delay).UnixMilli()
	b.set(server, s)
}

// Reached tells that a server answered.
func (b *Backoff) Reached(server string) {
	b.mu.Lock()
	s, _ := b.state.Get(server)
	if s != (store.Backoff{}) {
		b.set(server, store.Backoff{})
	}
	b.mu.Unlock()
	if s.Failures > 0 && b.woken != nil {
		b.woken(server)
	}
}

// Heard tells that a server made a request of its own: it is worth trying at once.
func (b *Backoff) Heard(ctx context.Context, server string) {
	if s, err := b.State(ctx, server); err == nil && s.Failures > 0 {
		b.Reached(server)
	}
}

// set changes a state; b.mu is held.
func (b *Backoff) set(server string, s store.Backoff) {
	b.state.Add(server, s)
	select {
	case b.dirty <- server:
	default: // it is found out anew after a restart
	}
}
