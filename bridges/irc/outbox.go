package irc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// errOutboxFull says that too much is waiting to be sent.
var errOutboxFull = errors.New("too many messages are waiting to be sent to the IRC network")

// errUncertain says that a line may or may not have arrived.
var errUncertain = errors.New("the connection was lost before the server had answered; the message may not have arrived")

// sender is the part of a session that the outbox needs.
type sender interface {
	Send(context.Context, *session.Line) error
	InChannel(string) bool
	MaxText(command, target string) int
	TopicLock(channel string) (on, known bool)
	HasCap(name string) bool
	ClientTag(name string) bool
	Multiline() (bytes, lines int)
	RelaySeparator() string
	History(ctx context.Context, target string, after time.Time, limit int) ([]session.Message, error)
}

var _ sender = (*session.Session)(nil)

// outbox sends what is stored for one network, in order. See the package's
// documentation for what a crash can do to it.
type outbox struct {
	spawn   func(func()) // starts goroutines; set before run
	network string
	store   *store
	session sender
	log     *slog.Logger
	limit   int
	calm    time.Duration // see calmTime
	// settled is called for each message that is sent or has failed, one after the
	// other. An error says that the message is to be settled again later.
	settled func(context.Context, *outgoing, error) error

	mu      sync.Mutex
	loaded  bool              // what an earlier run has left was taken over
	queue   []*outgoing       // waiting, by Seq
	flying  int               // handed to the session and not settled
	blocked map[string]string // channels that cannot be joined, with the reason
	// blockedAll is why nothing can be sent at all; empty if it can.
	blockedAll string
	results    []result // to be settled
	settling   int      // being settled
	// relayRefused is when the server has last refused to relay to a channel; relaying is how many messages to one are
	// under way that it is asked to relay.
	relayRefused map[string]time.Time
	relaying     map[string]int
	// isKnown reports whether a message of the network is known to be another one than o; it may be nil.
	isKnown func(ctx context.Context, o *outgoing, msgID string) bool

	// paces, if not nil, hold back who says too much.
	paces  *paces
	served map[string]uint64 // channels, by the turn in which something was last sent
	turn   uint64
	later  *time.Timer // looks again

	sending, telling worker
}

type result struct {
	o   *outgoing
	err error
}

func newOutbox(network string, st *store, s sender, log *slog.Logger, limit int, settled func(context.Context, *outgoing, error) error) *outbox {
	b := &outbox{
		network: network, store: st, session: s, log: log, limit: limit, calm: calmTime, settled: settled,
		blocked: make(map[string]string), relayRefused: make(map[string]time.Time), relaying: make(map[string]int), served: make(map[string]uint64),
	}
	b.sending.do, b.telling.do = b.sendNext, b.settleAll
	return b
}

// load takes over what an earlier run has left. It is called before run.
func (b *outbox) load(ctx context.Context) error {
	if err := b.store.prune(ctx); err != nil {
		b.log.Warn("what was sent long ago is remembered still", "error", err)
	}
	// What is added meanwhile is either among what is read, or comes behind it.
	b.mu.Lock()
	defer b.mu.Unlock()
	list, err := b.store.waiting(ctx, b.network)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.mark = b.store.ledger.of(o, false); o.mark != nil {
			var lines int
			lines, o.known = o.mark.state()
			o.Written = max(o.Written, lines)
		}
		// The process died before it knew the server's answer.
		o.doubt, o.doubted = o.Written > 0 && !o.known, time.Now()
	}
	b.queue, b.loaded = list, true
	b.poke()
	return nil
}

// poke makes the sender look again for something to send.
func (b *outbox) poke() { b.sending.poke() }

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// add stores a message to be sent. It does not wait for the network.
func (b *outbox) add(ctx context.Context, o *outgoing, with func(context.Context) error) error {
	// Storing and queueing under one lock keeps the order of both the same.
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue)+b.flying+len(b.results) >= b.limit {
		return errOutboxFull
	}
	if err := b.store.put(ctx, b.network, o, with); err != nil {
		return err
	}
	if !b.loaded {
		return nil // load will find it
	}
	if b.blockedAll != "" {
		b.finish(o, errors.New(b.blockedAll))
		return nil
	}
	if reason, no := b.blocked[b.key(o.Channel)]; no {
		b.finish(o, fmt.Errorf("the bridge cannot join %s: %s", o.Channel, reason))
		return nil
	}
	b.queue = append(b.queue, o)
	b.poke()
	return nil
}

func (b *outbox) key(channel string) string { return session.CasemapASCII.Fold(channel) }

// block fails all that waits for a channel, now and until unblock.
func (b *outbox) block(channel, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := b.key(channel)
	b.blocked[key] = reason
	b.queue = slices.DeleteFunc(b.queue, func(o *outgoing) bool {
		if b.key(o.Channel) != key {
			return false
		}
		b.finish(o, fmt.Errorf("the bridge cannot join %s: %s", o.Channel, reason))
		return true
	})
}

// blockAll fails all that waits, now and until unblockAll.
func (b *outbox) blockAll(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blockedAll = reason
	for _, o := range b.queue {
		b.finish(o, errors.New(reason))
	}
	b.queue = nil
}

// unblockAll lets messages go again.
func (b *outbox) unblockAll() {
	b.mu.Lock()
	b.blockedAll = ""
	b.mu.Unlock()
	b.poke()
}

// unblock lets a channel's messages go again.
func (b *outbox) unblock(channel string) {
	b.mu.Lock()
	delete(b.blocked, b.key(channel))
	b.mu.Unlock()
	b.poke()
}

// finish hands a message over to be settled; b.mu must be held.
func (b *outbox) finish(o *outgoing, err error) {
	b.results = append(b.results, result{o, err})
	b.telling.poke()
}

// run sends until ctx is done.
func (b *outbox) run(ctx context.Context) {
	b.start(ctx)
	<-ctx.Done()
	b.stop()
}

// start lets the outbox send until ctx is done, after which stop has to be called.
func (b *outbox) start(ctx context.Context) {
	b.telling.start(ctx, b.spawn)
	b.sending.start(ctx, b.spawn)
}

// stop waits until what is being sent is settled.
func (b *outbox) stop() {
	b.mu.Lock()
	if b.later != nil {
		b.later.Stop()
	}
	b.mu.Unlock()
	b.sending.stop()
	b.telling.stop()
}

// sendNext sends one message that can be sent.
func (b *outbox) sendNext(ctx context.Context) (more bool) {
	if ctx.Err() != nil {
		return false
	}
	o := b.take()
	if o == nil {
		return false
	}
	b.send(ctx, o)
	return true
}

// maxFlying is how many messages may be under way: whose fate a crash leaves in
// doubt. With an answer in 50 ms they are 160 in a second.
const maxFlying = 8

// take removes the next message that may be sent, if there may be more under way: one of the channel whose turn it is, so that
// much that waits for one of them does not hold up the others. Within a channel that is the oldest one whose sender does not
// have to wait.
func (b *outbox) take() *outgoing {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flying >= maxFlying {
		return nil
	}
	now, best, later := time.Now(), -1, time.Duration(0)
	skip := make(map[string]bool) // channels that have a candidate or none, and those who have to wait in one
	for i, o := range b.queue {
		key := b.key(o.Channel)
		if skip[key] { // first: with much that waits this is asked of nearly all of it
			continue
		}
		waits := key + " " + string(o.Status.Sender)
		if skip[waits] {
			continue
		}
		if !b.session.InChannel(o.Channel) || b.refusing(key) {
			skip[key] = true
			continue
		}
		if wait := b.paces.due(o, now); wait > 0 {
			skip[waits] = true
			if later == 0 || wait < later {
				later = wait
			}
			continue
		}
		skip[key] = true
		if best < 0 || b.served[key] < b.served[b.key(b.queue[best].Channel)] {
			best = i
		}
	}
	if best < 0 {
		if later > 0 {
			b.sleep(later)
		}
		return nil
	}
	o := b.queue[best]
	b.paces.spend(o, now)
	b.turn++
	if len(b.served) > maxChannels {
		clear(b.served)
	}
	b.served[b.key(o.Channel)] = b.turn
	b.queue = slices.Delete(b.queue, best, best+1)
	b.flying++
	if key := b.key(o.Channel); o.RelayNick != "" && !b.refused(key) {
		o.relayed = true
		b.relaying[key]++
	}
	return o
}

// refused reports whether a server has refused of late to relay to a channel; b.mu must be held.
func (b *outbox) refused(key string) bool { return time.Since(b.relayRefused[key]) < relayPause }

// refusing reports whether a server that has refused to relay to a channel was asked for more of that: what it refuses, too, goes
// before what is said later. b.mu must be held.
func (b *outbox) refusing(key string) bool { return b.relaying[key] > 0 && b.refused(key) }

// landed notes that a message is not under way any more; b.mu must be held.
func (b *outbox) landed(o *outgoing) {
	b.flying--
	if !o.relayed {
		return
	}
	o.relayed = false
	key := b.key(o.Channel)
	if b.relaying[key]--; b.relaying[key] <= 0 {
		delete(b.relaying, key)
	}
}

// sleep looks again after a while; b.mu must be held.
func (b *outbox) sleep(d time.Duration) {
	if b.later == nil {
		b.later = time.AfterFunc(d, b.poke)
		return
	}
	b.later.Reset(d)
}

// knows reports whether a message of the network is known to be another one than o.
func (b *outbox) knows(ctx context.Context, o *outgoing, msgID string) bool {
	return msgID != "" && b.isKnown != nil && b.isKnown(ctx, o, msgID)
}

// cancel takes back a message that was not sent yet.
func (b *outbox) cancel(event id.EventID) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, o := range b.queue {
		if o.EventID == event && o.Written == 0 {
			b.queue = slices.Delete(b.queue, i, i+1)
			b.finish(o, nil)
			return true
		}
	}
	return false
}

func (o *outgoing) fail(err error) {
	if o.failed == nil {
		o.failed = err
	}
}

func (b *outbox) settleOne(o *outgoing, err error) {
	b.mu.Lock()
	b.landed(o)
	b.finish(o, err)
	b.mu.Unlock()
}
