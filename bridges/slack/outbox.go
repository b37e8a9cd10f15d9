package slack

import (
	"context"
	"errors"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/txnid"
)

// outbox does what is stored for one workspace: in each channel one action after the
// other, in order, and the channels beside each other.
type outbox struct {
	w *workspace

	mu     sync.Mutex
	lanes  map[string][]*action // by channel, oldest first; the first is under way if busy
	busy   map[string]bool
	count  int
	recent map[id.EventID]string // the ts of what was posted in this run
	order  []id.EventID          // of recent
	wake   chan struct{}
}

func newOutbox(w *workspace) *outbox {
	return &outbox{
		w: w, lanes: make(map[string][]*action), busy: make(map[string]bool),
		recent: make(map[id.EventID]string), wake: make(chan struct{}, 1),
	}
}

// load takes over what an earlier run has left.
func (b *outbox) load(ctx context.Context) error {
	b.mu.Lock() // an action that is added meanwhile must be in the list or come behind it
	defer b.mu.Unlock()
	list, err := b.w.b.store.waitingActions(ctx, b.w.cfg.ID)
	if err != nil {
		return err
	}
	clear(b.lanes)
	b.count = len(list)
	for _, a := range list {
		b.lanes[a.Channel] = append(b.lanes[a.Channel], a)
	}
	signal(b.wake)
	return nil
}

func (b *outbox) poke() { signal(b.wake) }

// add stores an action. It does not wait for Slack.
func (b *outbox) add(ctx context.Context, a *action, with func(context.Context) error) error {
	// Storing and queueing under one lock keeps the order of both the same.
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count >= b.w.cfg.Queue {
		return errFull
	}
	if err := b.w.b.store.put(ctx, b.w.cfg.ID, a, with); err != nil {
		return err
	}
	b.lanes[a.Channel] = append(b.lanes[a.Channel], a)
	b.count++
	signal(b.wake)
	return nil
}

// maxLanes is how many channels are worked on at the same time.
const maxLanes = 32

// run works until ctx is done.
func (b *outbox) run(ctx context.Context) {
	work := appservice.Work{By: b.w.b.spawn}
	defer work.Wait()
	slots := make(chan struct{}, maxLanes)
	for {
		b.mu.Lock()
		var ready []string
		for channel, list := range b.lanes {
			if len(list) > 0 && !b.busy[channel] {
				ready = append(ready, channel)
				b.busy[channel] = true
			}
		}
		b.mu.Unlock()
		for _, channel := range ready {
			work.Go(func() {
				defer func() {
					b.mu.Lock()
					delete(b.busy, channel)
					b.mu.Unlock()
					signal(b.wake)
				}()
				select {
				case slots <- struct{}{}:
					defer func() { <-slots }()
				case <-ctx.Done():
					return
				}
				b.lane(ctx, channel)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-b.wake:
		}
	}
}

// lane does the actions of a channel until there are none.
func (b *outbox) lane(ctx context.Context, channel string) {
	for ctx.Err() == nil {
		b.mu.Lock()
		if len(b.lanes[channel]) == 0 {
			delete(b.lanes, channel)
			b.mu.Unlock()
			return
		}
		a := b.lanes[channel][0]
		b.mu.Unlock()
		err := b.do(ctx, a)
		if err != nil && ctx.Err() != nil {
			return // it stays for the next run
		}
		b.settle(ctx, a, err)
		b.mu.Lock()
		b.lanes[channel] = b.lanes[channel][1:]
		b.count--
		b.mu.Unlock()
	}
}

// do does an action, again for as long as it may succeed. Other channels go on
// meanwhile.
func (b *outbox) do(ctx context.Context, a *action) error {
	pending := false
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, time.Minute) {
		err := b.w.perform(ctx, a)
		if err == nil || ctx.Err() != nil || !transient(err) && (a.As != "" || !badToken(err)) || errors.Is(err, errSignedOut) {
			return err
		}
		delay := wait
		var limited *slackgo.RateLimitedError
		if errors.As(err, &limited) {
			delay, wait = max(limited.RetryAfter, 50*time.Millisecond), 500*time.Millisecond
			b.w.log.Info("Slack asks for patience", "channel", a.Channel, "for", delay)
		} else {
			b.w.log.Warn("Slack does not take a message, trying again", "channel", a.Channel, "error", err, "in", delay)
			if !pending {
				pending = true
				b.w.b.br.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{
					Status: event.MessageStatusPending, ErrorReason: event.MessageStatusNetworkError,
					Message: "Slack cannot be reached at the moment; the message is sent when it can",
				}, a.statusInfo())
			}
		}
		if sleep(ctx, delay) != nil {
			return err
		}
	}
}

// settle records that an action is done, or has failed for good, and tells its sender.
func (b *outbox) settle(ctx context.Context, a *action, err error) {
	ctx = context.WithoutCancel(ctx)
	status := bridgev2.MessageStatus{Status: event.MessageStatusSuccess}
	if err != nil {
		// A failure is told before it is forgotten: should the process die in between, it
		// is told again, which the homeserver recognises.
		status = refusal(err)
		b.w.log.Error("Slack refuses something from Matrix", "kind", a.Kind, "channel", a.Channel, "event_id", a.EventID, "error", err)
		b.tell(ctx, &status, a.statusInfo())
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := b.w.b.store.sent(ctx, a.Seq)
		if err == nil {
			break
		}
		b.w.log.Error("what was sent cannot be recorded, trying again", "error", err)
		if sleep(b.w.b.br.BackgroundCtx, wait) != nil {
			return
		}
	}
	b.w.b.br.Matrix.SendMessageStatus(ctx, &status, a.statusInfo())
	b.w.settleState(ctx, a, err != nil)
}

// more reports whether further actions of a kind wait for a channel, behind the one under way.
func (b *outbox) more(channel, kind string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range b.lanes[channel] {
		if i > 0 && a.Kind == kind {
			return true
		}
	}
	return false
}

// tell says in the room that a message has failed.
func (b *outbox) tell(ctx context.Context, status *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) {
	if info.EventType != event.EventMessage && info.EventType != event.EventSticker && info.EventType.Class != event.StateEventType || info.MessageType == event.MsgNotice {
		status.SendNotice = false
		return
	}
	status.SendNotice = false
	ctx, cancel := context.WithTimeout(txnid.With(ctx, "failed/"+string(info.SourceEventID)), time.Minute)
	defer cancel()
	content := &event.Content{Parsed: status.ToNoticeEvent(info)}
	if _, err := b.w.b.br.Bot.SendMessage(ctx, info.RoomID, event.EventMessage, content, nil); err != nil {
		b.w.log.Error("somebody is not told that their message has failed", "event_id", info.SourceEventID, "error", err)
	}
}

// maxRecent bounds recent.
const maxRecent = 2000

func (b *outbox) remember(event id.EventID, ts string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recent[event] = ts
	b.order = append(b.order, event)
	if len(b.order) > maxRecent {
		delete(b.recent, b.order[0])
		b.order = b.order[1:]
	}
}

func (b *outbox) posted(event id.EventID) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.recent[event]
}
