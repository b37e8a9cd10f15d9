package inbound

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"log/slog"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/expirable"
	"github.com/tidwall/gjson"
	"golang.org/x/sync/errgroup"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Bounds of what waits to be taken in.
const (
	stagedPerRoom   = 1000
	stagedPerOrigin = 10000
	// callers is how many lanes may be asking other servers at once.
	callers = 8
	// verifyWait is how long an answer waits for keys; what is not verified by then its lane verifies.
	verifyWait = 10 * time.Second
	// lookAgain is how often rooms are looked for whose events wait for another try.
	lookAgain = 5 * time.Second
)

type intakeOptions struct {
	Server string
	Store  *store.Store
	Rooms  Rooms
	Remote Remote
	Keys   Keys
	Policy Policy
	Log    *slog.Logger
	Now    func() time.Time
}

// Intake takes in the events that other servers send: a lane for each room that has some. It is safe
// for concurrent use.
type Intake struct {
	o     intakeOptions
	check checker
	gate  gate
	// slots bounds the lanes that make network calls.
	slots chan struct{}

	filling filling
	// barren are missing events that nobody had when they were asked for.
	barren *lru.LRU[string, struct{}]
	// eager are rooms where an event was just tried sooner than it should be.
	eager *lru.LRU[string, struct{}]

	// lacking are events that were put off while events before them were not here.
	lacking *lru.LRU[string, struct{}]
	// rested are servers that came back of late: one that comes and goes is not worth a try each time.
	rested *lru.LRU[string, struct{}]
	// back are servers that have come back since Run looked.
	back chan string

	mu    sync.Mutex
	lanes map[string]*lane
	// soon are rooms with events that were just put off, and for which what was missing may come at once.
	soon map[string]time.Time
	// ctx is that of Run; nil while it doesn't run.
	ctx context.Context
	wg  sync.WaitGroup
}

func newIntake(o intakeOptions) *Intake {
	return &Intake{o: o, check: checker{o.Store, o.Keys}, gate: gate{o.Store}, slots: make(chan struct{}, callers), lanes: map[string]*lane{}, soon: map[string]time.Time{},
		barren:  lru.NewLRU[string, struct{}](barrenMax, nil, barrenTime),
		eager:   lru.NewLRU[string, struct{}](stagedPerOrigin, nil, eagerPause),
		lacking: lru.NewLRU[string, struct{}](stagedPerOrigin, nil, quarantineTime),
		rested:  lru.NewLRU[string, struct{}](stagedPerOrigin, nil, restPause), back: make(chan string, 64)}
}

// restPause is how often a server's coming back counts.
const restPause = time.Minute

// Back tells that a server answers, or calls, that did not answer: what could not be taken in is tried at
// once, for it may know what was missing. It never waits.
func (i *Intake) Back(server string) {
	select {
	case i.back <- server:
	default: // then it waits as long as it would have
	}
}

// hasten has events tried that waited for a server.
func (i *Intake) hasten(ctx context.Context, server string) error {
	if _, late := i.rested.Get(server); late {
		return nil
	}
	if rooms, err := i.o.Store.StagedRooms(ctx); err != nil || len(rooms) == 0 {
		return err
	}
	i.rested.Add(server, struct{}{})
	return i.o.Store.Write(ctx, func(t *store.Tx) error { return t.HastenStaged(server, i.o.Now().UnixMilli()-1) })
}

// offer is what another server sends at once.
type offer struct {
	// results are what became of each event by its id: "" for what is taken in, else why it is not.
	results map[string]string
	staged  []store.StagedPDU
	fresh   []inspected
}

// examine looks at events of another server. What is to be taken in has to be staged then, and begun with.
func (i *Intake) examine(ctx context.Context, origin string, pdus []jsontext.Value) (*offer, error) {
	o := &offer{results: map[string]string{}}
	list, err := i.inspectAll(ctx, origin, pdus)
	if err != nil {
		return nil, err
	}
	more := map[string]int64{}
	for _, p := range list {
		if p.id == "" {
			continue // there is no telling what its id is
		}
		if _, twice := o.results[p.id]; twice {
			continue
		}
		o.results[p.id] = p.why
		if p.why != "" {
			continue
		}
		if done, err := i.known(ctx, p.event); err != nil {
			return nil, err
		} else if done {
			continue
		}
		stored, err := p.event.JSON()
		if err != nil {
			return nil, err
		}
		o.staged = append(o.staged, store.StagedPDU{RoomID: p.event.InRoom, ID: p.id, Origin: origin, ReceivedTS: i.o.Now().UnixMilli(), JSON: stored})
		o.fresh = append(o.fresh, p)
		more[p.event.InRoom]++
	}
	for roomID, n := range more {
		ofRoom, byOrigin, err := i.o.Store.StagedCounts(ctx, roomID, origin)
		if err != nil {
			return nil, err
		}
		if ofRoom+n > stagedPerRoom || byOrigin+int64(len(o.staged)) > stagedPerOrigin {
			return nil, mxerror.LimitExceeded(time.Minute)
		}
	}
	return o, nil
}

// stage makes what is to be taken in durable.
func (o *offer) stage(t *store.Tx) error {
	for _, p := range o.staged {
		if err := t.Stage(p); err != nil {
			return err
		}
	}
	return nil
}

// begin has the lanes take in what was staged.
func (i *Intake) begin(o *offer) {
	for _, p := range o.fresh {
		verified := ""
		if p.verified {
			verified = p.id
		}
		i.wake(p.event.InRoom, p.id, verified)
	}
}

// inspectors is how many events of a transaction are looked at at once.
const inspectors = 8

// inspectAll inspects events, several at once: signatures take most of the time, and keys may have to be fetched.
func (i *Intake) inspectAll(ctx context.Context, origin string, pdus []jsontext.Value) ([]inspected, error) {
	verifying, cancel := context.WithTimeout(ctx, verifyWait)
	defer cancel()
	out := make([]inspected, len(pdus))
	var g errgroup.Group
	g.SetLimit(inspectors)
	for n, raw := range pdus {
		g.Go(func() (err error) {
			out[n], err = i.inspect(ctx, verifying, origin, raw)
			return err
		})
	}
	return out, g.Wait()
}

// known tells whether an event has its place already.
func (i *Intake) known(ctx context.Context, e *event.Event) (bool, error) {
	have, err := i.o.Store.EventByID(ctx, e.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && !have.Has(event.Outlier), err
}

// inspected is an event of a transaction at first sight.
type inspected struct {
	id    string
	event *event.Event
	// why is what keeps it out.
	why string
	// verified tells that its signatures and its hash have been checked.
	verified bool
}

// inspect reads an event of a transaction, as far as that goes without knowing what is before it. Its
// id is empty if not even that can be told.
func (i *Intake) inspect(ctx, verifying context.Context, origin string, raw jsontext.Value) (p inspected, err error) {
	if raw.Kind() != '{' || len(raw) > 4*event.MaxSize {
		return p, nil
	}
	roomID := gjson.GetBytes(raw, "room_id")
	if roomID.Type != gjson.String {
		return p, nil
	}
	r, err := i.o.Store.RoomByID(ctx, roomID.Str)
	if errors.Is(err, store.ErrNotFound) {
		return p, nil
	} else if err != nil {
		return p, err
	}
	e, err := parsePDU(raw, r.ID, r.Version)
	if err != nil {
		// The answer is by event id, which what is malformed may have too.
		return inspected{id: lenientID(raw, r.Version), why: err.Error()}, nil
	}
	p.id, p.event = e.ID, e
	if ok, err := i.gate.allows(ctx, r.NID, origin); err != nil {
		return p, err
	} else if !ok {
		p.why = errBarred.Message
		return p, nil
	}
	in, err := i.o.Store.ServerInRoom(ctx, r.NID, i.o.Server)
	if err != nil {
		return p, err
	}
	if !in {
		if ok, err := i.concernsUs(ctx, r, e); err != nil {
			return p, err
		} else if !ok {
			p.why = "This server is not in the room."
			return p, nil
		}
	}
	v, err := i.check.verify(verifying, e)
	switch {
	case err == nil:
		p.event, p.verified = v, true
	case ctx.Err() != nil:
		return p, ctx.Err()
	case errors.Is(err, keyring.ErrUnavailable) || verifying.Err() != nil:
		// The lane tries again.
	default:
		p.why = "The event's signature could not be verified."
	}
	return p, nil
}

// lenientID is the id of an event that is not acceptable; "" if it has none.
func lenientID(raw jsontext.Value, v event.Version) string {
	p := &pdu.PDU{}
	if json.Unmarshal(raw, p) != nil || p.Hashes == nil || p.Content.Kind() != '{' {
		return ""
	}
	id, err := event.ID(p, v)
	if err != nil {
		return ""
	}
	return id
}

// concernsUs tells whether an event of a room that this server is not in is the end of an invitation
// or a knock of one of its users. Of an invitation, that is its sender's to say.
func (i *Intake) concernsUs(ctx context.Context, r store.RoomName, e *event.Event) (bool, error) {
	if e.Type != "m.room.member" || e.StateKey == nil || store.ServerOf(*e.StateKey) != i.o.Server || string(e.Sender) == *e.StateKey {
		return false, nil
	}
	if m := e.Membership(); m != "leave" && m != "ban" {
		return false, nil
	}
	user, err := i.o.Store.UserNID(ctx, *e.StateKey)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	m, err := i.o.Store.Membership(ctx, r.NID, user)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	switch m.Membership {
	case "knock":
		return true, nil
	case "invite":
		invite, err := i.o.Store.Event(ctx, m.Event)
		return err == nil && invite.Sender == e.Sender, err
	}
	return false, nil
}

// wake gives a room's lane something to do: the event offered, if that isn't "". verified is its id too
// if its signatures have been checked.
func (i *Intake) wake(roomID, offered, verified string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ctx == nil || i.ctx.Err() != nil {
		return // what is staged is found at the next start
	}
	l := i.lanes[roomID]
	if l == nil {
		l = &lane{i: i, roomID: roomID, verified: map[string]bool{}, offered: map[string]bool{}}
		i.lanes[roomID] = l
		ctx := i.ctx
		i.wg.Go(func() { l.run(ctx) })
	}
	l.again = true
	if verified != "" && len(l.verified) < stagedPerRoom {
		l.verified[verified] = true
	}
	if offered != "" && len(l.offered) < stagedPerRoom {
		l.offered[offered] = true
	}
}

// next tells whether a lane has more to do; if not it has ended.
func (i *Intake) next(l *lane) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if l.again {
		l.again = false
		return true
	}
	delete(i.lanes, l.roomID)
	return false
}

// Run takes in what was staged, until ctx ends, and waits for the lanes then. It is called once.
func (i *Intake) Run(ctx context.Context) error {
	i.mu.Lock()
	i.ctx = ctx
	i.mu.Unlock()
	defer func() {
		i.mu.Lock()
		i.ctx = nil // who asks for a lane from here on gets none, so there is nobody more to wait for
		i.mu.Unlock()
		i.wg.Wait()
	}()
	again, moment := time.NewTicker(lookAgain), time.NewTicker(filledPause)
	defer again.Stop()
	defer moment.Stop()
	for all := true; ctx.Err() == nil; all = i.wait(ctx, again.C, moment.C) {
		rooms, err := i.takeSoon(), error(nil)
		if all {
			rooms, err = i.o.Store.StagedRooms(ctx)
		}
		if err != nil && ctx.Err() == nil {
			i.o.Log.ErrorContext(ctx, "looking for events that wait to be taken in", "err", err)
		}
		for id := range rooms {
			i.wake(id, "", "")
		}
	}
	return nil
}

// wait waits until there is something to look for again: in all rooms, or in those of soon only.
func (i *Intake) wait(ctx context.Context, again, moment <-chan time.Time) (all bool) {
	select {
	case <-ctx.Done():
	case <-moment:
		return false
	case <-again:
	case server := <-i.back:
		if err := i.hasten(ctx, server); err != nil && ctx.Err() == nil {
			i.o.Log.ErrorContext(ctx, "trying events again for which a server was missing", "server", server, "err", err)
		}
	}
	return true
}

// takeSoon gives the rooms of soon whose time has come, and forgets them.
func (i *Intake) takeSoon() map[string]int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	rooms := map[string]int64{}
	for id, at := range i.soon {
		if !at.After(time.Now()) {
			rooms[id] = 1
			delete(i.soon, id)
		}
	}
	return rooms
}
