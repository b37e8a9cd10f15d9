package irc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// inboxLimit is how many entries may wait for the pump. When there are more,
	// the connection is read no further.
	inboxLimit = 10_000
	// inboxGroup bounds what one transaction stores.
	inboxGroup = 256
)

// inbox keeps the lines of a network from when they are read until Matrix has
// them. What is put in is stored, in the order in which it came and several lines
// with one commit if they come together, and only then handed to the pump. See
// the package's documentation for what a crash can do to it.
//
// A line is numbered when it is stored. One goroutine (run) does all the storing.
type inbox struct {
	network string
	store   *store
	log     *slog.Logger

	in  chan *entry // not yet stored
	out chan *entry // stored

	// heard is when something was said last, by channel, of what an earlier run has left.
	heard map[string]time.Time

	ready []*entry // by run: stored and not yet taken
	next  int64    // by run: the last number given

	mu      sync.Mutex
	handled []int64         // to be forgotten
	waiting []chan struct{} // closed when they are
	wake    chan struct{}
	stopped chan struct{} // closed when nothing is stored any more
}

func newInbox(network string, st *store, log *slog.Logger) *inbox {
	return &inbox{
		network: network, store: st, log: log,
		in: make(chan *entry, inboxGroup), out: make(chan *entry), wake: make(chan struct{}, 1), stopped: make(chan struct{}),
	}
}

// load takes over what an earlier run has left. It is called before run.
func (b *inbox) load(ctx context.Context) error {
	list, err := b.store.lines(ctx, b.network)
	if err != nil {
		return err
	}
	b.ready, b.stopped, b.heard = nil, make(chan struct{}), make(map[string]time.Time)
	for _, l := range list {
		if l.Kind == lineMessage && len(l.Channels) == 1 && l.Time.After(b.heard[l.Channels[0]]) {
			b.heard[l.Channels[0]] = l.Time
		}
		b.ready = append(b.ready, &entry{line: l})
		b.next = l.seq
	}
	if len(list) > 0 {
		b.log.Info("lines of an earlier run are handled first", "lines", len(list))
	}
	return nil
}

// put hands an entry over. It waits while too many wait already, and drops the
// entry when the inbox has been stopped.
func (b *inbox) put(e *entry) {
	select {
	case b.in <- e:
	case <-b.stopped:
	}
}

// sync returns when what was put before is stored.
func (b *inbox) sync() {
	e := &entry{stored: make(chan struct{})}
	b.put(e)
	select {
	case <-e.stored:
	case <-b.stopped:
	}
}

// drained returns when all that was put in before has been handed to its rooms.
func (b *inbox) drained(ctx context.Context) error {
	e := &entry{reached: make(chan struct{})}
	b.put(e)
	select {
	case <-e.reached:
		return nil
	case <-b.stopped:
		return errors.New("the bridge is being stopped")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// done says that a line has been handled, and with wait returns when that is
// stored. A line that was not stored is ignored.
func (b *inbox) done(seq int64, wait bool) {
	if seq == 0 {
		return
	}
	var stored chan struct{}
	b.mu.Lock()
	b.handled = append(b.handled, seq)
	if wait {
		stored = make(chan struct{})
		b.waiting = append(b.waiting, stored)
	}
	b.mu.Unlock()
	signal(b.wake)
	if !wait {
		return
	}
	select {
	case <-stored:
	case <-b.stopped:
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
	handled, waiting := b.handled, b.waiting
	b.handled, b.waiting = nil, nil
	b.mu.Unlock()
	needed := len(handled) > 0
	for _, e := range group {
		if e.line != nil && e.line.ID != "" {
			b.next++
			e.line.seq = b.next
		}
		needed = needed || e.line != nil && e.line.seq != 0 || len(e.ties) > 0
	}
	if needed {
		b.write(ctx, group, handled)
	}
	for _, w := range waiting {
		close(w)
	}
	for _, e := range group {
		if e.stored != nil {
			close(e.stored)
			continue
		}
		if e.line != nil || e.event != nil || e.names != nil || e.reached != nil {
			b.ready = append(b.ready, e)
		}
	}
}

// write makes the transaction, again and again until it succeeds: meanwhile
// nothing is handled, and the server is not told that it was heard. When ctx is
// done it is tried once.
func (b *inbox) write(ctx context.Context, group []*entry, handled []int64) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		// Not ctx: what was read should be stored also while the bridge is stopping.
		err := b.store.turnInbox(context.WithoutCancel(ctx), b.network, group, handled)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			b.log.Error("the last lines of the network are lost", "error", err, "lines", len(group))
			return
		}
		b.log.Error("lines of the network cannot be stored, trying again", "error", err, "in", fmt.Sprint(wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}
