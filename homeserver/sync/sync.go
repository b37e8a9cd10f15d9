package sync

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"io"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
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

// Presences is what a sync needs to know of who is there.
type Presences interface {
	// Synced tells that a device of a user polls: set_presence of the request, "" if it was not
	// given. done is called when the request ends.
	Synced(ctx context.Context, user int64, userID, device, presence string) (done func())
	// Position is the newest change of anybody.
	Position() int64
	// Changed lists the m.presence events of those whose presence changed after a position and
	// that the user may see; of the users in also it lists all who were ever heard of.
	Changed(ctx context.Context, user int64, after int64, also map[string]bool) ([]PresenceEvent, error)
}

// PresenceEvent is an m.presence event.
type PresenceEvent struct {
	Sender  string         `json:"sender"`
	Type    string         `json:"type"`
	Content jsontext.Value `json:"content"`
}

// Counter tells how much a user has not read.
type Counter interface {
	// Unread counts what there is for a user in a room as of a position of the log.
	Unread(ctx context.Context, user int64, userID string, room int64, upto int64) (Unread, error)
}

// Unread are the unread notification counts of a room as of a log position. Notifications and
// Highlights are those of the main timeline only; Threads has those of threads, by the id of their
// root.
type Unread struct {
	Notifications, Highlights int
	Threads                   map[string]Unread
}

// Total adds the threads up, for a client that does not ask for them apart: specification,
// "unread_thread_notifications".
func (u Unread) Total() Unread {
	for _, t := range u.Threads {
		u.Notifications += t.Notifications
		u.Highlights += t.Highlights
	}
	u.Threads = nil
	return u
}

// Options say what a Syncer needs.
type Options struct {
	Store    *store.Store
	Notifier *Notifier
	Typing   *Typing
	Devices  Devices
	// Presence is nil where presence is switched off.
	Presence Presences
	// Counter counts unread notifications; where it is nil there are none.
	Counter Counter
	Now     func() time.Time
	// Draining is closed when the server is about to stop: whoever waits is answered.
	Draining <-chan struct{}
}

// Syncer answers /sync. It is safe for concurrent use.
type Syncer struct {
	o       Options
	lazy    *LazyMemory
	peers   *countCache
	ignored *ignoredCache
	// acked is up to where the messages of a device, by its scope, were last dropped.
	acked *lru.Cache[int64, int64]
}

// ackedMax is of how many devices that is known.
const ackedMax = 20_000

// New makes a Syncer.
func New(o Options) *Syncer {
	acked, _ := lru.New[int64, int64](ackedMax) // it fails only for a size that is not positive
	return &Syncer{o, NewLazyMemory(lazyMax), newCountCache(), newIgnoredCache(), acked}
}

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
	// StateAfter asks for the state at the end of the timeline instead of its start, in a section
	// of this name: "" for no.
	StateAfter string
	// Presence is set_presence.
	Presence string
}

// Serve waits until there is something to tell, or the time is up, and writes the answer. An
// error before the first byte is returned; what has been written by then is reported by n.
func (s *Syncer) Serve(ctx context.Context, q Request, w io.Writer) (n int64, err error) {
	if err := s.Known(q.Since); err != nil {
		return 0, err
	}
	u, err := s.o.Notifier.Activate(ctx, q.User)
	if err != nil {
		return 0, err
	}
	if !q.Initial && q.DeviceID != "" {
		if err := s.acknowledge(ctx, u, q); err != nil {
			return 0, err
		}
	}
	if p := s.o.Presence; p != nil {
		defer p.Synced(ctx, q.User, q.UserID, q.DeviceID, q.Presence)()
	}
	deadline := time.NewTimer(q.Timeout)
	defer deadline.Stop()
	for last := q.Timeout <= 0; ; {
		// The channel is taken before the position is read: what comes in between wakes us.
		wake, news := u.Wait()
		view := u.View()
		upto := Token{Log: view.Pos, Device: view.Pos, Brief: s.o.Typing.Position()}
		if s.o.Presence != nil {
			upto.Presence = s.o.Presence.Position()
		}
		quiet := !q.Initial && !q.FullState && news <= min(q.Since.Log, q.Since.Device) && upto.Brief <= q.Since.Brief && upto.Presence <= q.Since.Presence
		if !quiet || last {
			b := &builder{s: s, q: q, view: view, upto: upto, out: &stream{w: w}}
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

// acknowledge drops the messages that a device has: "the server ... considers it acknowledged once the
// client uses the next batch token". Where none has come since it was last done, there is nothing to do.
func (s *Syncer) acknowledge(ctx context.Context, u *User, q Request) error {
	newest := u.newestMessage()
	if done, ok := s.acked.Get(q.Scope); ok && done >= newest {
		return nil
	}
	if err := s.o.Devices.Acknowledge(ctx, q.User, q.DeviceID, q.Since.Device); err != nil {
		return err
	}
	s.acked.Add(q.Scope, q.Since.Device)
	return nil
}

// Now is the token of the present.
func (s *Syncer) Now() Token {
	t := Token{Log: s.o.Notifier.Position(), Brief: s.o.Typing.Position()}
	if t.Device = t.Log; s.o.Presence != nil {
		t.Presence = s.o.Presence.Position()
	}
	return t
}

// Known refuses a token from the future: it is another server's, or that of a database which is
// no more. Waiting for it would hide everything until then.
func (s *Syncer) Known(t Token) error {
	if t.Log > s.o.Store.Position() || t.Device > s.o.Store.Position() {
		return mxerror.InvalidParam("%q is not a token of this server's /sync.", t.String())
	}
	return nil
}

// stream gathers the answer and passes it on in pieces, so that the answer to a large initial
// sync never stands in memory whole.
type stream struct {
	w   io.Writer
	buf []byte
	n   int64 // passed on already
}

const flushAt = 64 << 10

// maybe passes on what has gathered, when it is enough. What is passed on can't be cut any more.
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

// mark is how much has been written, and cut takes back what was written after a mark.
func (o *stream) mark() int64    { return o.n + int64(len(o.buf)) }
func (o *stream) cut(mark int64) { o.buf = o.buf[:mark-o.n] }
func (o *stream) str(s string)   { o.buf = append(o.buf, s...) }
func (o *stream) quote(s string) { o.buf, _ = jsontext.AppendQuote(o.buf, s) }
func (o *stream) number(n int64) { o.buf = strconv.AppendInt(o.buf, n, 10) }

// json writes a value.
func (o *stream) json(v any) error {
	raw, err := json.Marshal(v, json.Deterministic(true), json.FormatNilSliceAsNull(false))
	o.buf = append(o.buf, raw...)
	return err
}
