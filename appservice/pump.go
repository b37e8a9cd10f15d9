package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// Kinds of items that are never stored.
const (
	kindEphemeral store.Kind = 0
	kindEcho      store.Kind = -1 // see echo.go
)

// deviceLane is the lane of everything that belongs to devices, not rooms.
const deviceLane = ""

const (
	// maxEphemeral bounds the ephemeral events that wait in one lane; what is
	// more is dropped.
	maxEphemeral = 64
	// keyWait bounds how long an encrypted event waits for the to-device
	// events that came before it.
	keyWait = 10 * time.Second
)

// keyHandler takes what the homeserver says about devices and their keys.
type keyHandler interface {
	HandleDeviceLists(ctx context.Context, lists *mautrix.DeviceLists)
	HandleKeyCount(ctx context.Context, count *mautrix.OTKCount)
}

// pump feeds a bridge from its inbox. Each room is a lane: its events are
// handled one after the other, and the next one begins when the mark of the one
// before is committed. Rooms do not wait for each other.
type pump struct {
	box     *store.Inbox
	br      *bridgev2.Bridge
	conn    *connector
	keys    keyHandler // nil without encryption
	births  *births
	may     *permissions
	log     *slog.Logger
	metrics *instanceMetrics

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // the lanes' goroutines

	tracer trace.Tracer // set before the start; nil: nothing is traced

	mu         sync.Mutex
	open       bool // events may be handled
	lanes      map[string]*lane
	waiting    int           // echoes in the lanes
	lastDevice int64         // Seq of the newest item of deviceLane
	doneDevice int64         // Seq of the newest handled one
	deviceMove chan struct{} // closed when doneDevice changes
}

type lane struct {
	items     []work
	now       work      // what is being handled
	begun     time.Time // since when; zero if nothing is
	ephemeral int
	running   bool
}

type work struct {
	store.Item
	after    int64 // an encrypted event waits for the device items up to this
	received time.Time
}

func newPump(box *store.Inbox, br *bridgev2.Bridge, conn *connector, keys keyHandler, births *births, may *permissions, log *slog.Logger, metrics *instanceMetrics) *pump {
	p := &pump{box: box, br: br, conn: conn, keys: keys, births: births, may: may, log: log, metrics: metrics,
		lanes: make(map[string]*lane), deviceMove: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// add queues items in order. It never blocks.
func (p *pump) add(items []store.Item) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, it := range items {
		l := p.lanes[it.Lane]
		if l == nil {
			l = &lane{}
			p.lanes[it.Lane] = l
		}
		if it.Kind == kindEphemeral {
			if l.ephemeral >= maxEphemeral {
				p.metrics.dropped()
				continue
			}
			l.ephemeral++
		}
		if it.Kind == kindEcho {
			p.waiting++
		}
		if it.Lane == deviceLane {
			p.lastDevice = it.Seq
		}
		l.items = append(l.items, work{Item: it, after: p.lastDevice, received: now})
		p.run(it.Lane, l)
	}
}

// start lets the events be handled.
func (p *pump) start() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
	for name, l := range p.lanes {
		p.run(name, l)
	}
}

// run starts the lane's goroutine if it has something to do. p.mu is held.
func (p *pump) run(name string, l *lane) {
	if p.open && !l.running && len(l.items) > 0 {
		l.running = true
		p.wg.Add(1)
		go p.work(name, l)
	}
}

// drain lets what is being handled end, until ctx ends, and begins nothing
// more. What is left is in the inbox.
func (p *pump) drain(ctx context.Context) {
	p.mu.Lock()
	p.open = false
	p.mu.Unlock()
	if !p.wait(ctx) {
		p.log.Warn("events are still being handled while the bridge stops; they will be handled again")
	}
}

// close waits, until ctx ends, for the lanes to end; nothing they do is marked
// any more. It is called when the bridge has stopped, so that nothing they wait
// for can last.
func (p *pump) close(ctx context.Context) {
	p.cancel()
	if !p.wait(ctx) {
		p.log.Error("a handler does not end; it is left behind")
	}
}

func (p *pump) wait(ctx context.Context) bool {
	ended := make(chan struct{})
	go func() {
		p.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return true
	case <-ctx.Done():
		return false
	}
}

// work is the goroutine of a lane; it ends when the lane is empty.
func (p *pump) work(name string, l *lane) {
	defer p.wg.Done()
	for {
		p.mu.Lock()
		if !p.open || len(l.items) == 0 {
			l.running, l.now, l.begun = false, work{}, time.Time{}
			if len(l.items) == 0 {
				delete(p.lanes, name)
			}
			p.mu.Unlock()
			return
		}
		w := l.items[0]
		l.items[0] = work{}
		l.items = l.items[1:]
		l.now, l.begun = w, time.Now()
		switch w.Kind {
		case kindEphemeral:
			l.ephemeral--
		case kindEcho:
			p.waiting--
		}
		p.mu.Unlock()

		if err := p.handle(w); err != nil {
			// Only the end of the bridge is an error here: the item stays in
			// the inbox.
			p.mu.Lock()
			l.running = false
			p.mu.Unlock()
			return
		}
	}
}

// handle handles one item and marks it. The error is that of the pump's context.
func (p *pump) handle(w work) error {
	err := p.dispatch(w)
	if err != nil {
		return err
	}
	if w.Kind == kindEphemeral || w.Kind == kindEcho {
		return nil
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		// Not the pump's context: what was handled is marked even when the
		// bridge stops meanwhile.
		err := p.box.Done(context.WithoutCancel(p.ctx), w.Seq)
		if err == nil {
			break
		}
		if errors.Is(err, store.ErrClosed) {
			return err
		}
		// A full disk, perhaps. Going on would mean to do it all again after a
		// crash.
		p.metrics.failed("inbox")
		p.log.Error("cannot mark an event as handled; trying again", "error", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-p.ctx.Done():
			return p.ctx.Err()
		}
	}
	p.metrics.handled(time.Since(w.received))
	if p.tracer != nil {
		_, span := p.tracer.Start(context.WithoutCancel(p.ctx), "bridge event", trace.WithTimestamp(w.received), trace.WithNewRoot(), trace.WithAttributes(attribute.String("bridge", p.metrics.id)))
		span.End()
	}
	if w.Kind == store.KindEvent {
		p.metrics.traffic.handled(id.RoomID(w.Lane), time.Since(w.received))
	}
	if w.Lane == deviceLane {
		p.mu.Lock()
		p.doneDevice = w.Seq
		close(p.deviceMove)
		p.deviceMove = make(chan struct{})
		p.mu.Unlock()
	}
	return nil
}

// dispatch gives one item to the bridge and returns when it is handled, whatever
// came of it.
func (p *pump) dispatch(w work) (err error) {
	ctx := p.br.Log.WithContext(p.ctx)
	defer func() {
		if v := recover(); v != nil {
			p.metrics.failed("panic")
			p.bury(w, fmt.Sprint("the handler panicked: ", v))
			p.log.Error("panic while handling what the homeserver sent", "event_id", w.EventID, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	switch w.Kind {
	case store.KindDeviceLists:
		var lists mautrix.DeviceLists
		if p.keys == nil || !p.decode(w, &lists) {
			return nil
		}
		p.keys.HandleDeviceLists(ctx, &lists)
		return p.ctx.Err()
	case store.KindKeyCounts:
		var counts appservice.OTKCountMap
		if p.keys == nil || !p.decode(w, &counts) {
			return nil
		}
		for user, devices := range counts {
			for device, count := range devices {
				count.UserID, count.DeviceID = user, device
				p.keys.HandleKeyCount(ctx, &count)
			}
		}
		return p.ctx.Err()
	}
	evt := new(event.Event)
	if !p.decode(w, evt) {
		return nil
	}
	if !p.classify(evt, w.Kind) {
		p.bury(w, "the content is not as the type demands")
		return nil
	}
	if w.Kind == store.KindToDevice {
		p.conn.EventProcessor.Dispatch(ctx, evt)
		return p.ctx.Err()
	}
	if evt.Type.IsState() {
		p.memory().update(ctx, evt)
	}
	if w.Redelivered && evt.ID != "" {
		if p.known(ctx, evt.ID) {
			return p.ctx.Err()
		}
		p.conn.setRedelivered(evt.ID, true)
		defer p.conn.setRedelivered(evt.ID, false)
	}
	if w.Kind == store.KindEvent && !p.isOwn(evt) {
		p.conn.checks.received(evt)
	}
	if evt.Type == event.EventEncrypted {
		p.waitForKeys(w.after)
	}
	if p.commanding(ctx, evt, w.Kind) && p.command(ctx, evt) {
		return p.ctx.Err()
	}
	if w.Kind == store.KindEvent && !p.isOwn(evt) {
		if err := p.births.settle(p.ctx, evt.RoomID, func() bool { return p.placed(ctx, evt) }); err != nil {
			return err
		}
	}
	p.conn.EventProcessor.Dispatch(ctx, evt)
	if (w.Kind == store.KindEvent || w.Kind == kindEcho) && p.isOwn(evt) {
		return p.ctx.Err() // bridgev2 does not queue its own echoes
	}
	return waitHandled(p.ctx, p.br, evt.RoomID, p.conn.Bot.UserID, nil)
}

func (p *pump) decode(w work, v any) bool {
	if err := json.Unmarshal(w.Body, v); err != nil {
		p.metrics.failed("content")
		p.log.Warn("cannot read what the homeserver sent; it is skipped", "event_id", w.EventID, "error", err)
		p.bury(w, "the event cannot be read: "+err.Error())
		return false
	}
	return true
}

// classify sets what the JSON of an event does not say. It returns false if the
// content is not what the type demands: bridgev2 would go on with an empty one.
func (p *pump) classify(evt *event.Event, kind store.Kind) bool {
	evt.Mautrix.ReceivedAt = time.Now()
	switch {
	case kind == store.KindToDevice:
		evt.Type.Class = event.ToDeviceEventType
		evt.Mautrix.EventSource = event.SourceToDevice
	case kind == kindEphemeral:
		evt.Type.Class = event.EphemeralEventType
		evt.Mautrix.EventSource = event.SourceEphemeral
	case evt.StateKey != nil:
		evt.Type.Class = event.StateEventType
		evt.Mautrix.EventSource = event.SourceJoin | event.SourceTimeline
	default:
		evt.Type.Class = event.MessageEventType
		evt.Mautrix.EventSource = event.SourceTimeline
	}
	if err := evt.Content.ParseRaw(evt.Type); err != nil && !errors.Is(err, event.ErrUnsupportedContentType) {
		p.metrics.failed("content")
		p.log.Warn("the content of an event is not as its type demands; it is skipped", "event_id", evt.ID, "room_id", evt.RoomID, "type", evt.Type.Type)
		return false
	}
	return true
}

// known reports whether the bridge's database has what the event became.
func (p *pump) known(ctx context.Context, evt id.EventID) bool {
	msg, err := p.br.DB.Message.GetPartByMXID(ctx, evt)
	if err == nil && msg != nil {
		return true
	}
	reaction, err := p.br.DB.Reaction.GetByMXID(ctx, evt)
	return err == nil && reaction != nil
}

// placed reports whether bridgev2 knows the room of an event.
func (p *pump) placed(ctx context.Context, evt *event.Event) bool {
	if portal, err := p.br.GetPortalByMXID(ctx, evt.RoomID); err != nil || portal != nil {
		return true // what the database can't tell now, it can't tell bridgev2 either
	}
	user, err := p.br.GetUserByMXID(ctx, evt.Sender)
	return err == nil && user != nil && user.ManagementRoom == evt.RoomID
}

// isOwn reports whether the event was sent by the bridge.
func (p *pump) isOwn(evt *event.Event) bool {
	return evt.Type != event.StateTombstone && p.isOwnUser(evt.Sender)
}

func (p *pump) isOwnUser(user id.UserID) bool {
	return user == p.conn.Bot.UserID || p.br.IsGhostMXID(user)
}

// memory is the bridge's memory of the state of rooms; it is there once the
// bridge has started.
func (p *pump) memory() *stateMemory {
	return &stateMemory{store: p.conn.AS.StateStore, own: p.isOwnUser,
		ask: func(ctx context.Context, room id.RoomID, kind event.Type, key string) error {
			evt, err := p.conn.Bot.FullStateEvent(ctx, room, kind, key)
			if err == nil && evt == nil {
				err = errors.New("no such state")
			}
			return err
		},
		turn: func(ctx context.Context, room id.RoomID, f func()) {
			// The error is that of the bridge's end; the event stays in the inbox
			// then, and comes again.
			_ = waitHandled(ctx, p.br, room, p.conn.Bot.UserID, f)
		}}
}

// waitForKeys waits until the device items up to seq are handled: they hold the
// keys of what follows.
func (p *pump) waitForKeys(seq int64) {
	timeout := time.NewTimer(keyWait)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		done, move := p.doneDevice, p.deviceMove
		p.mu.Unlock()
		if done >= seq {
			return
		}
		select {
		case <-move:
		case <-timeout.C:
			return
		case <-p.ctx.Done():
			return
		}
	}
}
