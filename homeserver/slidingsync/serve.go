package slidingsync

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"maps"
	"slices"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
	homesync "github.com/landbridge-im/landbridge/homeserver/sync"
)

// Server answers sliding sync. It is safe for concurrent use.
type Server struct {
	syncer *homesync.Syncer
	o      homesync.Options
	conns  *conns
	lazy   *homesync.LazyMemory
	facts  *lru.Cache[int64, facts]
	bumps  *lru.Cache[int64, bump]
	left   *lru.Cache[int64, bool]
}

// Sizes of what is remembered: members sent over all connections, rooms, and leavings.
const (
	lazyMax = 1 << 16
	roomMax = 1 << 15
	leftMax = 1 << 14
)

// New makes a Server beside a Syncer.
func New(s *homesync.Syncer) *Server {
	out := &Server{syncer: s, o: s.Options(), conns: newConns(), lazy: homesync.NewLazyMemory(lazyMax)}
	// They fail only for sizes that are not positive.
	out.facts, _ = lru.New[int64, facts](roomMax)
	out.bumps, _ = lru.New[int64, bump](roomMax)
	out.left, _ = lru.New[int64, bool](leftMax)
	return out
}

// builder makes one answer.
type builder struct {
	s     *Server
	q     *Request
	store *store.Store
	conn  *conn
	base  *snapshot
	next  *snapshot
	view  homesync.View
	rend  homesync.Render
	// initial is set for the first answer of a connection.
	initial bool
	// rooms are the user's standings by room, and needed what is asked for of which room.
	rooms  map[int64]homesync.Standing
	needed map[int64]*needs
	own    ownData
	// shown are the events of the timelines that are sent.
	shown map[int64][]int64
	some  bool
}

// Serve waits until there is something to tell, or the time is up, and gives the answer as JSON.
func (s *Server) Serve(ctx context.Context, q *Request) (jsontext.Value, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	k := connKey{q.Scope, q.Conn}
	base, initial := &snapshot{}, q.Pos == ""
	var c *conn
	var err error
	if initial {
		c = s.conns.open(k)
	} else if c, base, err = s.conns.find(k, q.Pos); err != nil {
		return nil, err
	}
	since, err := s.acknowledge(ctx, q)
	if err != nil {
		return nil, err
	}
	u, err := s.o.Notifier.Activate(ctx, q.User)
	if err != nil {
		return nil, err
	}
	if p := s.o.Presence; p != nil {
		defer p.Synced(ctx, q.User, q.UserID, q.DeviceID, q.Presence)()
	}
	deadline := time.NewTimer(q.Timeout)
	defer deadline.Stop()
	for last := initial || q.Timeout <= 0; ; {
		// The channel is taken before the position is read: what comes in between wakes us.
		wake, _ := u.Wait()
		b := &builder{s: s, q: q, store: s.o.Store, conn: c, base: base, view: u.View(), initial: initial}
		out, err := b.build(ctx, since)
		if err != nil {
			return nil, err
		}
		if b.some || last {
			return out(c.keep(base, b.next)), nil
		}
		select {
		case <-wake:
		case <-deadline.C:
			last = true
		case <-s.o.Draining:
			last = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// acknowledge drops the messages to the device that the client has, and gives the position up to
// which it has them.
func (s *Server) acknowledge(ctx context.Context, q *Request) (int64, error) {
	e := q.Extensions.ToDevice
	if !e.Enabled || e.Since == "" || q.DeviceID == "" {
		return 0, nil
	}
	since, err := strconv.ParseInt(e.Since, 10, 64)
	if err != nil || since < 0 || since > s.o.Store.Position() {
		return 0, mxerror.InvalidParam("extensions.to_device.since is not a token of this server.")
	}
	return since, s.o.Devices.Acknowledge(ctx, q.User, q.DeviceID, since)
}

// build makes an answer, which lacks nothing but its position.
func (b *builder) build(ctx context.Context, since int64) (out func(pos string) jsontext.Value, err error) {
	upto := homesync.Token{Log: b.view.Pos, Device: b.view.Pos, Brief: b.s.o.Typing.Position()}
	b.next = &snapshot{token: upto, rooms: maps.Clone(b.base.rooms), asked: b.q.key(), counts: b.base.counts}
	if b.next.rooms == nil {
		b.next.rooms = map[int64]*sentRoom{}
	}
	b.some = b.initial || b.next.asked != b.base.asked
	b.rend = homesync.Render{Store: b.store, User: b.q.UserID, Scope: b.q.Scope, Membership: true, NowMS: b.s.o.Now().UnixMilli()}
	b.rooms = make(map[int64]homesync.Standing, len(b.view.Rooms))
	for _, st := range b.view.Rooms {
		b.rooms[st.Room] = st
	}
	b.needed, b.shown = map[int64]*needs{}, map[int64][]int64{}
	if err := b.loadOwn(ctx); err != nil {
		return nil, err
	}
	lists, err := b.lists(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.subscriptions(ctx); err != nil {
		return nil, err
	}
	order := slices.Collect(maps.Keys(b.needed))
	slices.SortFunc(order, func(x, y int64) int { return compareRooms(b.rooms[x], b.rooms[y]) })
	rooms := []byte{'{'}
	for _, room := range order {
		if rooms, err = b.room(ctx, rooms, b.rooms[room], b.needed[room]); err != nil {
			return nil, err
		}
	}
	rooms = append(rooms, '}')
	extensions, err := b.extensions(ctx, order, since)
	if err != nil {
		return nil, err
	}
	rest := struct {
		Lists      map[string]listResult `json:"lists"`
		Rooms      jsontext.Value        `json:"rooms"`
		Extensions extensionResults      `json:"extensions"`
		TxnID      string                `json:"txn_id,omitzero"`
	}{lists, rooms, extensions, b.q.TxnID}
	raw, err := json.Marshal(rest, json.Deterministic(true), json.FormatNilSliceAsNull(false), json.FormatNilMapAsNull(false))
	if err != nil {
		return nil, err
	}
	return func(pos string) jsontext.Value {
		head, _ := jsontext.AppendQuote([]byte(`{"pos":`), pos)
		return append(append(head, ','), raw[1:]...)
	}, nil
}

func compareRooms(x, y homesync.Standing) int {
	if x.Last != y.Last {
		if x.Last > y.Last {
			return -1
		}
		return 1
	}
	return int(x.Room - y.Room)
}
