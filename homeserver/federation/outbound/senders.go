package outbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Source has what is to be sent; *store.Store does.
type Source interface {
	Position() int64
	ServerNID(ctx context.Context, name string) (int64, error)
	ServerName(ctx context.Context, nid int64) (string, error)
	NameServer(ctx context.Context, name string) (int64, error)
	Destination(ctx context.Context, server int64) (store.Destination, error)
	RoomsFor(ctx context.Context, server, after int64) ([]store.RoomFor, error)
	LocalEvents(ctx context.Context, room, after, upto int64, limit int) ([]*event.Event, error)
	Event(ctx context.Context, nid int64) (*event.Event, error)
	StateEvent(ctx context.Context, root statetree.Ref, typ, key string) (*event.Event, error)
	EDUs(ctx context.Context, server, after, upto int64, limit int) ([]store.EDU, error)
	DeviceUpdates(ctx context.Context, server, after, upto int64, limit int) ([]store.DeviceUpdate, error)
	ReceiptsFor(ctx context.Context, server, after, upto int64, limit int) ([]store.Receipt, error)
	ServersBehind(ctx context.Context) ([]int64, error)
	NewServers(ctx context.Context, room, user int64, own string) (bool, error)
	ServersSharing(ctx context.Context, user int64) ([]string, error)
	JoinedServers(ctx context.Context, room int64) ([]string, error)
	ReceiptsAfter(ctx context.Context, room, after, upto int64) ([]store.Receipt, error)
	RoomByNID(ctx context.Context, nid int64) (store.RoomName, error)
	Incomplete(room int64) bool
	UserID(ctx context.Context, nid int64) (string, error)
	UserNID(ctx context.Context, id string) (int64, error)
	JoinedFrom(ctx context.Context, room int64, server string) (int64, error)
	MembersFrom(ctx context.Context, room int64, server string) ([]string, error)
	Write(ctx context.Context, fn func(*store.Tx) error) error
}

var _ Source = (*store.Store)(nil)

// Remote sends transactions; *fclient.Client does.
type Remote interface {
	Send(ctx context.Context, server, txn string, t fclient.Transaction) (map[string]string, error)
}

var _ Remote = (*fclient.Client)(nil)

// Backoff knows when servers that don't answer are to be tried again; *fclient.Backoff does.
type Backoff interface {
	State(ctx context.Context, server string) (store.Backoff, error)
}

var _ Backoff = (*fclient.Backoff)(nil)

// Devices describes devices of this server's users for others.
type Devices interface {
	// DeviceUpdate is the content of an m.device_list_update of a device, or of an m.signing_key_update
	// if the device is "". Nil means that there is nothing to tell.
	DeviceUpdate(ctx context.Context, user int64, device string) (typ string, content map[string]any, err error)
}

// Options say what Senders need.
type Options struct {
	// Server is this server's name.
	Server  string
	Source  Source
	Remote  Remote
	Backoff Backoff
	Devices Devices
	// Typing lists who types in a room.
	Typing func(room int64) []string
	// Present tells how a user of this server is there; ok is false for who is not. Nil means that
	// nobody is told.
	Present func(user int64) (p Presence, ok bool)
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Bounds of sending.
const (
	// sendersMax is how many servers are sent to at once.
	sendersMax = 500
	// ringMax is how many events are remembered for a server that is being sent to; a server with
	// more is read from the store.
	ringMax = 256
	// newsMax is how many entries of the log may wait to be handed out.
	newsMax = 8192
	// eduMax is how many ephemeral messages of each sort are remembered for a server.
	eduMax = 100
	// manyBehind is from how many events on a server gets the newest ones only.
	manyBehind = 100
	// givenUp is how long a server may have been away to be still tried now and then.
	givenUp = 7 * 24 * time.Hour
)

// Senders sends to all servers. It is safe for concurrent use.
type Senders struct {
	o     Options
	slots chan struct{}
	wake  chan struct{}

	mu sync.Mutex
	// news are fresh entries of the log, and lost tells that there were more.
	news []store.Entry
	lost bool
	// typing are rooms where typing may have changed, and present users whose presence has.
	typing  map[int64]bool
	present map[int64]Presence
	awoken  map[string]bool
	dest    map[string]*destination
	ctx     context.Context // nil while Run does not run
	wg      sync.WaitGroup
	// save keeps how far a server is, and drops what it has.
	save func(context.Context, store.Destination) error
	// typed is who was last said to type where, and when. It belongs to Run.
	typed map[int64]map[string]time.Time
}

// New makes Senders; Run lets them work.
func New(o Options) *Senders {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Senders{o: o, slots: make(chan struct{}, sendersMax), wake: make(chan struct{}, 1), typing: map[int64]bool{},
		present: map[int64]Presence{}, awoken: map[string]bool{}, dest: map[string]*destination{}, typed: map[int64]map[string]time.Time{}}
	s.save = s.saveRow
	return s
}

func (s *Senders) saveRow(ctx context.Context, row store.Destination) error {
	return s.o.Source.Write(ctx, func(t *store.Tx) error {
		if err := t.DeleteEDUs(row.Server, row.Cursor); err != nil {
			return err
		}
		return t.SetDestination(row)
	})
}

func (s *Senders) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Publish takes fresh log entries. The store calls it from its writer: it never waits.
func (s *Senders) Publish(entries []store.Entry) {
	s.mu.Lock()
	before := len(s.news)
	for _, e := range entries {
		switch {
		case e.Kind == store.KindEvent && (len(e.Servers) > 0 || s.outsider(e) != "" || s.comes(e)), e.Kind == store.KindEDU, e.Kind == store.KindReceipt, e.Kind == store.KindDeviceList && e.Ref <= 0:
		default:
			continue
		}
		if len(s.news) == newsMax {
			s.lost = true
			break
		}
		s.news = append(s.news, e)
	}
	changed := len(s.news) > before || s.lost
	s.mu.Unlock()
	if changed {
		s.poke()
	}
}

// TypingChanged tells that the list of who types in a room may have changed.
func (s *Senders) TypingChanged(room int64) {
	s.mu.Lock()
	if len(s.typing) < newsMax {
		s.typing[room] = true
	}
	s.mu.Unlock()
	s.poke()
}

// Presence is how a user of this server is there.
type Presence struct {
	UserID, Presence string
	Status           *string
	LastActive       time.Time
	CurrentlyActive  bool
}

// PresenceChanged tells that a user's has changed.
func (s *Senders) PresenceChanged(user int64, p Presence) {
	s.mu.Lock()
	if len(s.present) < newsMax {
		s.present[user] = p
	}
	s.mu.Unlock()
	s.poke()
}

// Wake tells that a server that did not answer does. It never waits.
func (s *Senders) Wake(server string) {
	s.mu.Lock()
	if len(s.awoken) < newsMax {
		s.awoken[server] = true
	}
	s.mu.Unlock()
	s.poke()
}

// Heard tells that a server has made a request: if it answered with an error of late it is tried again soon.
func (s *Senders) Heard(server string) {
	s.mu.Lock()
	d := s.dest[server]
	s.mu.Unlock()
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard()
}

// Run hands out what there is to send until ctx ends, and then waits for what is under way.
func (s *Senders) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.ctx = nil // nothing is started from here on, so there is nobody more to wait for
		s.mu.Unlock()
		s.wg.Wait()
	}()
	if err := s.startAll(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	for {
		select {
		case <-s.wake:
			if err := s.handOut(ctx); err != nil && ctx.Err() == nil {
				// What it was about is caught up with when there is something next.
				s.o.Log.ErrorContext(ctx, "handing out to other servers", "err", err)
			}
		case <-ctx.Done():
			s.stopTimers()
			return nil
		}
	}
}

// startAll starts senders for all servers that have something waiting.
func (s *Senders) startAll(ctx context.Context) error {
	behind, err := s.o.Source.ServersBehind(ctx)
	if err != nil {
		return err
	}
	for _, nid := range behind {
		name, err := s.o.Source.ServerName(ctx, nid)
		if err != nil {
			return err
		}
		if name != s.o.Server {
			s.to(name, (*destination).fallBehind)
		}
	}
	return nil
}

// handOut gives what is new to those whom it concerns.
func (s *Senders) handOut(ctx context.Context) error {
	s.mu.Lock()
	news, lost, typing, present, awoken := s.news, s.lost, s.typing, s.present, s.awoken
	s.news, s.lost = nil, false
	s.typing, s.present, s.awoken = map[int64]bool{}, map[int64]Presence{}, map[string]bool{}
	s.mu.Unlock()
	var failed error
	for server := range awoken {
		if known, err := s.o.Source.ServerNID(ctx, server); err == nil && known != 0 {
			s.to(server, func(d *destination) { d.asleep = false; d.fallBehind() })
		}
	}
	for _, e := range news {
		failed = errors.Join(failed, s.handOutEntry(ctx, e))
	}
	for room := range typing {
		failed = errors.Join(failed, s.handOutTyping(ctx, room))
	}
	for user, p := range present {
		failed = errors.Join(failed, s.handOutPresence(ctx, user, p))
	}
	if lost || failed != nil {
		s.mu.Lock()
		for _, d := range s.dest {
			d.mu.Lock()
			d.fallBehind()
			d.mu.Unlock()
		}
		s.mu.Unlock()
		failed = errors.Join(failed, s.startAll(ctx))
	}
	return failed
}

func (s *Senders) handOutEntry(ctx context.Context, e store.Entry) error {
	switch e.Kind {
	case store.KindEvent:
		own := ""
		if e.Event != nil {
			own = store.ServerOf(string(e.Event.Sender))
		}
		may, err := s.audience(ctx, e.Event)
		if err != nil {
			return err
		}
		for _, server := range e.Servers {
			if server != s.o.Server && server != own && may(server) {
				s.to(server, func(d *destination) { d.event(e.Pos, e.Ref) })
			}
		}
		if err := s.greet(ctx, e); err != nil {
			return err
		}
		if s.joins(e) {
			return s.introduce(ctx, e)
		}
		if server := s.outsider(e); server != "" && !slices.Contains(e.Servers, server) {
			s.to(server, func(d *destination) { d.outsider(e.Pos, e.Ref) })
		}
	case store.KindEDU:
		server, err := s.o.Source.ServerName(ctx, e.Ref)
		if err != nil {
			return err
		}
		s.to(server, (*destination).fallBehind)
	case store.KindDeviceList:
		if user, err := s.o.Source.UserID(ctx, e.User); err != nil || store.ServerOf(user) != s.o.Server {
			return err
		}
		servers, err := s.o.Source.ServersSharing(ctx, e.User)
		if err != nil {
			return err
		}
		for _, server := range servers {
			if server != s.o.Server {
				s.to(server, (*destination).fallBehind)
			}
		}
	case store.KindReceipt:
		return s.handOutReceipt(ctx, e)
	}
	return nil
}

// comes tells whether somebody has joined a room by an event, of whatever server.
func (s *Senders) comes(e store.Entry) bool {
	return e.Member != nil && e.Event != nil && e.Event.StateKey != nil && e.Event.Membership() == "join"
}

// joins tells whether a user of this server has joined a room by an event.
func (s *Senders) joins(e store.Entry) bool {
	return s.comes(e) && store.ServerOf(*e.Event.StateKey) == s.o.Server
}

// introduce tells of the devices of a user who has come into a room with servers that don't know
// them yet: specification, "Device Management": m.device_list_update is sent "when that user joins a
// room which contains servers which are not already receiving updates for that user's device list".
// Where it isn't known yet who is in the room, devices without identity keys, which are of no use to
// others, are not told of.
func (s *Senders) introduce(ctx context.Context, e store.Entry) error {
	if e.Event.Replaces != 0 {
		if was, err := s.o.Source.Event(ctx, e.Event.Replaces); err == nil && was.Membership() == "join" {
			return nil // another name or picture
		}
	}
	fresh, err := s.o.Source.NewServers(ctx, e.Room, e.Member.User, s.o.Server)
	if err != nil || !fresh {
		return err
	}
	incomplete := s.o.Source.Incomplete(e.Room)
	return s.o.Source.Write(ctx, func(t *store.Tx) error {
		devices, err := t.DevicesOf(e.Member.User)
		if err != nil || len(devices) == 0 {
			return err
		}
		var ids []string
		for _, d := range devices {
			if incomplete {
				_, err := t.DeviceKeys(store.DeviceName{User: e.Member.User, ID: d.ID})
				if errors.Is(err, store.ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
			}
			ids = append(ids, d.ID)
		}
		if len(ids) == 0 {
			return nil
		}
		return t.IntroduceDevices(e.Member.User, ids...)
	})
}

// outsider is the server whose user an event puts out of a room: it may know of the room by an
// invitation or a knock alone, and is told that this has ended. "" if there is none.
func (s *Senders) outsider(e store.Entry) string {
	if e.Event == nil || e.Event.Type != "m.room.member" || e.Event.StateKey == nil || store.ServerOf(string(e.Event.Sender)) != s.o.Server {
		return ""
	}
	switch e.Event.Membership() {
	case "leave", "ban":
	default:
		return ""
	}
	if server := store.ServerOf(*e.Event.StateKey); server != s.o.Server {
		return server
	}
	return ""
}

// to changes what there is for a server, and sees to it that it is sent.
func (s *Senders) to(server string, change func(*destination)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.ctx.Err() != nil {
		return
	}
	d := s.dest[server]
	if d == nil {
		// What came before is in the store alone.
		d = &destination{s: s, name: server, behind: true}
		s.dest[server] = d
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if change(d); !d.asleep {
		d.news = true
		s.start(d)
	}
}

// start lets a destination be sent to, if it isn't already. s.mu and d.mu are held.
func (s *Senders) start(d *destination) {
	if d.running {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.running = true
	ctx := s.ctx
	s.wg.Go(func() { d.run(ctx) })
}

func (s *Senders) stopTimers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dest {
		d.mu.Lock()
		if d.timer != nil {
			d.timer.Stop()
		}
		d.mu.Unlock()
	}
}

func encode(typ string, content any) jsontext.Value {
	return mustJSON(map[string]any{"edu_type": typ, "content": content})
}
