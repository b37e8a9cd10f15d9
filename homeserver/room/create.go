package room

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Creation says what room to make.
type Creation struct {
	Version event.Version
	// RoomID, when not empty, is the id of the room in the versions that do not derive it; see
	// Manager.NewID.
	RoomID  string
	Creator string
	// Content is that of the m.room.create event, complete.
	Content jsontext.Value
	TS      int64
	// Events are what follows the create event, given the room's id, which newer versions take
	// from it.
	Events func(roomID string) ([]Proposal, error)
	// Extra is written along with the room, for instance its alias. May be nil.
	Extra func(*store.Tx, store.Room) error
}

// Create makes a room with all its first events, or nothing at all.
func (m *Manager) Create(ctx context.Context, c Creation) (store.RoomName, []*event.Event, error) {
	if !event.Supported(c.Version) {
		return store.RoomName{}, nil, mxerror.New(400, "M_UNSUPPORTED_ROOM_VERSION", "This server does not speak room version %q; it speaks 3 to 12.", string(c.Version))
	}
	name := store.RoomName{NID: m.o.Store.NextRoom(), Version: c.Version}
	// Until the room is there its id is nobody else's.
	reserved := ""
	reserve := func(id string) bool {
		m.unreserve(reserved)
		if reserved = ""; m.reserve(id) {
			reserved = id
		}
		return reserved != ""
	}
	defer func() { m.unreserve(reserved) }()
	events, err := m.do(ctx, name.NID, func(ctx context.Context, a *actor, b *batch) error {
		if err := a.create(ctx, b, c, reserve); err != nil {
			return err
		}
		name.ID = a.room.ID
		return nil
	})
	if err == nil && c.TS == 0 {
		m.outlast(events[0].OriginServerTS)
	}
	return name, events, err
}

// outlast waits until a time that is a moment ahead has passed, a millisecond or two, so that what the creator does next
// is later than the room by any clock.
func (m *Manager) outlast(ts int64) {
	if wait := time.UnixMilli(ts + 1).Sub(m.o.Now()); wait > 0 && wait < 10*time.Millisecond {
		time.Sleep(wait)
	}
}

func (a *actor) create(ctx context.Context, b *batch, c Creation, reserve func(id string) bool) error {
	now := a.m.o.Now()
	if c.TS == 0 {
		c.TS = creationTime(now)
	}
	a.room = store.Room{NID: a.nid, Version: c.Version, CreatedTS: now.UnixMilli()}
	if !c.Version.RoomIDIsCreateEventID() {
		if a.room.ID = c.RoomID; c.RoomID == "" {
			a.room.ID = a.m.NewID()
		}
	}
	none := ""
	p := Proposal{Type: "m.room.create", Sender: c.Creator, StateKey: &none, Content: c.Content, TS: c.TS}
	e, err := a.buildCreate(ctx, p, c.Version, reserve)
	if err != nil {
		return err
	}
	if err := a.authorise(e, nil); err != nil {
		return err
	}
	a.room.ID = e.InRoom
	if e, err = a.number(ctx, e, p); err != nil {
		return err
	}
	c.TS = e.OriginServerTS
	e.Prev, e.Auth = []int64{}, []int64{}
	if err := a.append(ctx, b, e); err != nil {
		return err
	}
	b.fresh, b.result = true, []*event.Event{e}
	rest, err := c.Events(a.room.ID)
	if err != nil {
		return err
	}
	for i, p := range rest {
		if p.TS == 0 {
			p.TS = c.TS
		}
		e, err := a.propose(ctx, b, p)
		if err != nil {
			return fmt.Errorf("event %d of the new room (%s): %w", i+1, p.Type, err)
		}
		b.result = append(b.result, e)
	}
	if c.Extra != nil {
		b.extra = append(b.extra, func(t *store.Tx) error { return c.Extra(t, b.room) })
	}
	return nil
}

// buildCreate makes the create event. Two that say the same would name the same room in the
// versions whose room id is the hash of it; the later one is moved on by a millisecond.
func (a *actor) buildCreate(ctx context.Context, p Proposal, v event.Version, reserve func(id string) bool) (*event.Event, error) {
	for {
		e, err := event.Build(event.Proto{Version: v, RoomID: a.room.ID, Type: p.Type, Sender: p.Sender,
			StateKey: p.StateKey, Content: p.Content, TS: p.TS, Depth: 1}, a.m.o.Signer)
		if err != nil || !v.RoomIDIsCreateEventID() {
			return e, err
		}
		if reserve(e.InRoom) {
			_, err = a.m.o.Store.RoomByID(ctx, e.InRoom)
			if errors.Is(err, store.ErrNotFound) {
				return e, nil
			} else if err != nil {
				return nil, err
			}
		}
		p.TS++
	}
}

// reserve takes an id for a room that is being made, unless another one has it.
func (m *Manager) reserve(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.making[id] {
		return false
	}
	m.making[id] = true
	return true
}

func (m *Manager) unreserve(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.making, id)
}

// creationTime is now, rounded up: nothing of a room is older than the request that made it, so that whoever looks for
// what was said before that (timestamp_to_event) finds nothing.
func creationTime(now time.Time) int64 { return now.Add(time.Millisecond - 1).UnixMilli() }

// NewID makes a room id for the versions that do not derive it.
func (m *Manager) NewID() string {
	var raw [15]byte
	rand.Read(raw[:])
	return "!" + base32.StdEncoding.EncodeToString(raw[:]) + ":" + m.o.Signer.Server
}
