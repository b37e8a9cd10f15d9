package sync

import (
	"context"
	"encoding/json/jsontext"
	"io"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Devices is what a sync needs to know of end-to-end encryption.
type Devices interface {
	// ToDevice lists messages to a device in (after, upto], oldest first and at most limit, as
	// JSON events, and the position of the last one listed if there are more.
	ToDevice(ctx context.Context, user int64, device string, after, upto int64, limit int) (events []jsontext.Value, last int64, more bool, err error)
	// Acknowledge drops messages to a device up to a position: the client has them.
	Acknowledge(ctx context.Context, user int64, device string, upto int64) error
	// Counts are the one-time keys left, by algorithm, and the algorithms whose fallback key is
	// unused.
	Counts(ctx context.Context, user int64, device string) (otk map[string]int, fallback []string, err error)
	// ChangedLists lists the users whose device lists, as a viewer sees them, changed in
	// (after, upto].
	ChangedLists(ctx context.Context, viewer, after, upto int64) (users []int64, err error)
}

// Options say what a Syncer needs.
type Options struct {
	Store    *store.Store
	Notifier *Notifier
	Typing   *Typing
	Devices  Devices
	Now      func() time.Time
	// Draining is closed when the server is about to stop: whoever waits is answered.
	Draining <-chan struct{}
}

// Syncer answers /sync. It is safe for concurrent use.
type Syncer struct{ o Options }

// New makes a Syncer.
func New(o Options) *Syncer { return &Syncer{o} }

// Request is one /sync request.
type Request struct {
	UserID    string
	User      int64
	DeviceID  string
	Scope     int64 // of the device's transactions
	Since     Token
	Initial   bool // no since was given
	FullState bool
	Filter    Filter
	Timeout   time.Duration
	// StateAfter asks for the state at the end of the timeline instead of its start.
	StateAfter bool
}

// Serve waits until there is something to tell, or the time is up, and writes the answer. An
// error before the first byte is returned; what has been written by then is reported by n.
func (s *Syncer) Serve(ctx context.Context, q Request, w io.Writer) (n int64, err error) {
	u, err := s.o.Notifier.activate(ctx, q.User)
	if err != nil {
		return 0, err
	}
	if !q.Initial && q.DeviceID != "" {
		// "the server ... considers it acknowledged once the client uses the next batch token".
		if err := s.o.Devices.Acknowledge(ctx, q.User, q.DeviceID, q.Since.Device); err != nil {
			return 0, err
		}
	}
	deadline := time.NewTimer(q.Timeout)
	defer deadline.Stop()
	for last := q.Timeout <= 0; ; {
		// The channel is taken before the position is read: what comes in between wakes us.
		wake, news := s.o.Notifier.waitFor(u)
		upto := Token{Log: s.o.Store.Position(), Brief: s.o.Typing.Position()}
		upto.Device = upto.Log
		quiet := !q.Initial && !q.FullState && news <= min(q.Since.Log, q.Since.Device) && upto.Brief <= q.Since.Brief
		if !quiet || last {
			b := &builder{s: s, q: q, u: u, upto: upto, out: &stream{w: w}}
			some, err := b.build(ctx)
			if err != nil {
				return b.out.n, err
			}
			if some || last {
				return b.out.close()
			}
		}
		select {
		case <-wake:
		case <-deadline.C:
			last = true
		case <-s.o.Draining:
			last = true
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// stream gathers the answer and passes it on in pieces, so that the answer to a large initial
// sync never stands in memory whole.
type stream struct {
	w   io.Writer
	buf []byte
	n   int64
}

const flushAt = 64 << 10

// maybe passes on what has gathered, when it is enough.
func (o *stream) maybe() error {
	if len(o.buf) < flushAt {
		return nil
	}
	return o.flush()
}

func (o *stream) flush() error {
	n, err := o.w.Write(o.buf)
	o.n += int64(n)
	o.buf = o.buf[:0]
	return err
}

func (o *stream) close() (int64, error) {
	err := o.flush()
	return o.n, err
}

func (o *stream) str(s string) { o.buf = append(o.buf, s...) }

func (o *stream) quote(s string) { o.buf, _ = jsontext.AppendQuote(o.buf, s) }
