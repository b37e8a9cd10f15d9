package slack

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// inboxLimit is how many events may wait to be handled. When there are more, no more
// are taken, and Slack sends them again.
const inboxLimit = 20_000

// entry is an event on its way into Matrix.
type entry struct {
	seq int64 // in the inbox; 0 for what was fetched to fill a gap
	raw json.RawMessage
	at  time.Time // when it came
	ts  string    // when it happened
	// waited says that it has waited already for a message that was known to be coming.
	waited bool
}

// setTime reads when the event happened.
func (e *entry) setTime() {
	var t struct {
		TS string `json:"event_ts"`
	}
	if lenient(e.raw, &t) == nil {
		e.ts = t.TS
	}
}

// inbox keeps events from when they arrive until Matrix has them. An event is stored,
// and known by its id if it comes again, before Slack is told that it arrived.
type inbox struct {
	workspace string
	store     *store
	log       *slog.Logger

	mu      sync.Mutex
	queue   []*entry
	wake    chan struct{}
	room    chan struct{} // wakes who waits for room
	done    []int64
	cursors map[string]string // not yet stored
	flush   chan struct{}
	// patience is how long an event waits for one that happened before it: with several
	// connections, they can overtake each other.
	patience time.Duration
}

// overtaking is the patience while there are several connections, which is the case
// for seconds, every few hours.
const overtaking = 500 * time.Millisecond

func newInbox(workspace string, st *store, log *slog.Logger) *inbox {
	return &inbox{
		workspace: workspace, store: st, log: log, cursors: make(map[string]string),
		wake: make(chan struct{}, 1), room: make(chan struct{}, 1), flush: make(chan struct{}, 1),
	}
}

// load takes over what an earlier run has left. It is called before anything is put in.
func (b *inbox) load(ctx context.Context) error {
	b.mu.Lock() // another workspace's connection may be putting something in
	defer b.mu.Unlock()
	list, err := b.store.waitingEvents(ctx, b.workspace)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		b.log.Info("events of an earlier run are handled first", "events", len(list))
	}
	b.queue = nil
	for _, e := range list {
		e.setTime()
		b.insert(e)
	}
	signal(b.wake)
	return nil
}

// put stores an event and queues it. It waits while too many wait already.
func (b *inbox) put(ctx context.Context, eventID string, raw json.RawMessage) error {
	for {
		b.mu.Lock()
		full := len(b.queue) >= inboxLimit
		b.mu.Unlock()
		if !full {
			break
		}
		select {
		case <-b.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// Storing and queueing under one lock keeps the order of both the same.
	b.mu.Lock()
	defer b.mu.Unlock()
	seq, err := b.store.received(context.WithoutCancel(ctx), b.workspace, eventID, raw)
	if err != nil || seq == 0 {
		return err
	}
	e := &entry{seq: seq, raw: raw, at: time.Now()}
	e.setTime()
	b.insert(e)
	signal(b.wake)
	return nil
}

// again queues an entry once more.
func (b *inbox) again(e *entry) {
	b.mu.Lock()
	b.insert(e)
	b.mu.Unlock()
	signal(b.wake)
}

// maxOvertaken is how many events one may overtake.
const maxOvertaken = 200

// insert queues an entry behind what happened before it. b.mu is held.
func (b *inbox) insert(e *entry) {
	at := len(b.queue)
	if e.ts != "" {
		for n := 0; at > 0 && n < maxOvertaken && b.queue[at-1].ts > e.ts; n++ {
			at--
		}
	}
	b.queue = slices.Insert(b.queue, at, e)
}

// setPatience says whether there are several connections.
func (b *inbox) setPatience(several bool) {
	b.mu.Lock()
	b.patience = 0
	if several {
		b.patience = overtaking
	}
	b.mu.Unlock()
	signal(b.wake)
}

// next takes the oldest entry. It returns nil if there is none, or none that may be
// taken before wait has passed.
func (b *inbox) next() (e *entry, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil, time.Hour
	}
	e = b.queue[0]
	if wait := b.patience - time.Since(e.at); b.patience > 0 && wait > 0 {
		return nil, wait
	}
	b.queue[0] = nil
	b.queue = b.queue[1:]
	signal(b.room)
	return e, 0
}

// finish says that an entry has been handled, and how far its channel is with it.
func (b *inbox) finish(e *entry, channel, ts string) {
	b.mu.Lock()
	if e != nil && e.seq != 0 {
		b.done = append(b.done, e.seq)
	}
	if channel != "" && ts > b.cursors[channel] {
		b.cursors[channel] = ts
	}
	b.mu.Unlock()
	signal(b.flush)
}

// run records what has been handled, several at once, until ctx is done.
func (b *inbox) run(ctx context.Context) {
	for {
		select {
		case <-b.flush:
		case <-ctx.Done():
			b.write(context.WithoutCancel(ctx))
			return
		}
		for !b.write(context.WithoutCancel(ctx)) {
			if sleep(ctx, time.Second) != nil {
				return
			}
		}
	}
}

func (b *inbox) write(ctx context.Context) bool {
	b.mu.Lock()
	done, cursors := b.done, b.cursors
	b.done, b.cursors = nil, make(map[string]string)
	b.mu.Unlock()
	if len(done) == 0 && len(cursors) == 0 {
		return true
	}
	err := b.store.handled(ctx, b.workspace, done, cursors)
	if err == nil {
		return true
	}
	b.log.Error("what has been handled cannot be recorded, trying again", "error", err)
	b.mu.Lock()
	b.done = append(done, b.done...)
	for channel, ts := range cursors {
		if ts > b.cursors[channel] {
			b.cursors[channel] = ts
		}
	}
	b.mu.Unlock()
	signal(b.flush)
	return false
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
