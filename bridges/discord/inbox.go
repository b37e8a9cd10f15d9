package discord

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

const (
	// inboxLimit is how many events may wait for the pump. When there are more, the
	// gateway is read no further.
	inboxLimit = 10_000
	// inboxGroup bounds what one transaction stores.
	inboxGroup = 256
)

// entry is an event of the gateway.
type entry struct {
	kind string
	data json.RawMessage
	seq  int64 // place in the inbox; 0 for what is not stored
	told int64 // the gateway's number in its session, or unnumbered; 0 for what it has not told, or not in this run
}

// unnumbered is the number of what a gateway has told without one.
const unnumbered = -1

// stored reports whether an event is kept until Matrix has it. Others say how things
// are, and the gateway says so again when a session begins.
func (e *entry) stored() bool {
	switch e.kind {
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "CHANNEL_PINS_UPDATE",
		"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI",
		"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		return true
	}
	return false
}

// handled is an event that Matrix has; message is the newest of its channel then, if
// the event is a message.
type handled struct {
	seq              int64
	channel, message wire.ID
}

// inbox keeps events from when they are read until Matrix has them. What is put in is
// stored, in the order in which it came and several with one commit if they come
// together, and only then handed to the pump. One goroutine (run) does all the
// storing.
type inbox struct {
	store *store
	log   *slog.Logger

	in  chan *entry // not yet stored
	out chan *entry // stored

	ready []*entry // by run: stored and not yet taken
	next  int64    // by run: the last number given

	mu      sync.Mutex
	handled []handled     // to be forgotten
	extra   []*request    // to be stored at once
	wake    chan struct{} // there is something of these
	stopped chan struct{} // closed when nothing is stored any more
}

// request asks for events to be stored that did not come from the gateway.
type request struct {
	list []*entry
	done chan struct{}
}

func newInbox(st *store, log *slog.Logger) *inbox {
	return &inbox{
		store: st, log: log, in: make(chan *entry, inboxGroup), out: make(chan *entry),
		wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
}

// load takes over what an earlier run has left. It is called before run.
func (b *inbox) load(ctx context.Context) error {
	list, err := b.store.entries(ctx)
	if err != nil {
		return err
	}
	b.ready, b.stopped = list, make(chan struct{})
	for _, e := range list {
		b.next = e.seq
	}
	if len(list) > 0 {
		b.log.Info("events of an earlier run are handled first", "events", len(list))
	}
	return nil
}

// put hands an event over. It waits while too many wait already, and drops the event
// when the inbox has been stopped.
func (b *inbox) put(e *entry) {
	select {
	case b.in <- e:
	case <-b.stopped:
	}
}

// keep stores events, which are not handed to the pump: it is the pump that calls. It
// returns false if the inbox has been stopped.
func (b *inbox) keep(list []*entry) bool {
	r := &request{list, make(chan struct{})}
	b.mu.Lock()
	b.extra = append(b.extra, r)
	b.mu.Unlock()
	signal(b.wake)
	select {
	case <-r.done:
		return true
	case <-b.stopped:
		return false
	}
}

// done says that an event has been handled.
func (b *inbox) done(h handled) {
	if h.seq == 0 && h.channel == "" {
		return
	}
	b.mu.Lock()
	b.handled = append(b.handled, h)
	b.mu.Unlock()
	signal(b.wake)
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// run stores until ctx is done, and at last what was put in before that.
func (b *inbox) run(ctx context.Context) {
	defer close(b.stopped)
	for {
		in := b.in
		if len(b.ready) >= inboxLimit {
			in = nil
		}
		var out chan *entry
		var head *entry
		if len(b.ready) > 0 {
			out, head = b.out, b.ready[0]
		}
		select {
		case out <- head:
			b.ready[0] = nil
			b.ready = b.ready[1:]
		case e := <-in:
			b.turn(ctx, e)
		case <-b.wake:
			b.turn(ctx, nil)
		case <-ctx.Done():
			for {
				select {
				case e := <-b.in:
					b.turn(ctx, e)
					continue
				default:
				}
				b.turn(ctx, nil)
				return
			}
		}
	}
}

// turn stores first and what else has come, and forgets what is handled.
func (b *inbox) turn(ctx context.Context, first *entry) {
	var group []*entry
	for e := first; e != nil; {
		group = append(group, e)
		e = nil
		if len(group) < inboxGroup {
			select {
			case e = <-b.in:
			default:
			}
		}
	}
	b.mu.Lock()
	done, extra := b.handled, b.extra
	b.handled, b.extra = nil, nil
	b.mu.Unlock()
	var add []*entry
	for _, r := range extra {
		add = append(add, r.list...)
	}
	add = append(add, group...)
	needed := len(done) > 0
	for _, e := range add {
		if e.stored() && e.seq == 0 {
			b.next++
			e.seq = b.next
			needed = true
		}
	}
	if needed {
		b.write(ctx, add, done)
	}
	for _, r := range extra {
		close(r.done)
	}
	b.ready = append(b.ready, group...)
}

// write makes the transaction, again and again until it succeeds: meanwhile nothing is
// handled, and the gateway is read no further. When ctx is done it is tried once.
func (b *inbox) write(ctx context.Context, add []*entry, drop []handled) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		// Not ctx: what was read should be stored also while the bridge is stopping.
		err := b.store.turnInbox(context.WithoutCancel(ctx), add, drop)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			b.log.Error("the last events of Discord are not stored; they are fetched when the bridge starts", "error", err, "events", len(add))
			return
		}
		b.log.Error("events of Discord cannot be stored, trying again", "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
