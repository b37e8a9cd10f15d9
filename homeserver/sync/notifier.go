package sync

import (
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Notifier knows which users are active (have synced of late), the rooms that they are in, and
// how new each of these is, and wakes those whom a log entry concerns.
type Notifier struct {
	store *store.Store
	now   func() time.Time

	mu sync.Mutex
	// pos is the newest position that was published; moved is closed, and replaced, when it grows.
	pos   int64
	moved chan struct{}
	users map[int64]*User
	rooms map[int64]*activeRoom
	swept time.Time
	// lists is the newest change of anybody's device list.
	lists int64
	// loading are the users whose rooms are being read, each with the rooms that have had an event
	// since.
	loading map[*User]map[int64]int64
}

// activeRoom is a room that an active user is or was in.
type activeRoom struct {
	// last is the position of the newest event, brief that of the newest receipt, and members
	// that of the newest change of a membership. Of what was before the room became active they
	// may say too much, never too little.
	last, brief, members int64
	// recent are the newest events, all that came after the position from, oldest first. What
	// readers hold of it is never written to again.
	recent []recentEvent
	from   int64
	// root is the state after the event at rootPos, which the first of recent follows; rootPos is 0
	// if it is not known.
	root    statetree.Ref
	rootPos int64
	users   map[*User]struct{}
}

// recentEvent is what there is to know of a new event without looking it up.
type recentEvent struct {
	pos, nid int64
	root     statetree.Ref
	bumps    bool
}

// recentMin and recentMax bound how many events of an active room are known without a look-up.
const recentMin, recentMax = 32, 96

// Peers bounds how many are woken for what is not in the log (presence): members of larger rooms
// hear of it with their next answer.
const Peers = 100

// NewNotifier makes a notifier. Its Publish must be given every entry of the log from now on.
func NewNotifier(s *store.Store, now func() time.Time) *Notifier {
	return &Notifier{store: s, now: now, pos: s.Position(), moved: make(chan struct{}), users: map[int64]*User{}, rooms: map[int64]*activeRoom{},
		lists: s.Position(), loading: map[*User]map[int64]int64{}}
}

// Publish takes in fresh log entries. It is called by the store's writer and does not block.
func (n *Notifier) Publish(entries []store.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range entries {
		n.pos = max(n.pos, e.Pos)
		switch e.Kind {
		case store.KindEvent:
			n.event(e)
		case store.KindState:
			n.state(e)
		case store.KindComplete:
			n.complete(e)
		case store.KindEDU: // for servers
		case store.KindReceipt:
			if r := n.rooms[e.Room]; r != nil {
				r.brief = max(r.brief, e.Pos)
				r.tell(e.Pos)
			}
		case store.KindDeviceList:
			n.lists = max(n.lists, e.Pos)
			n.deviceList(e)
		case store.KindToDevice:
			if u := n.users[e.User]; u != nil {
				u.messages = max(u.messages, e.Pos)
				u.tell(e.Pos)
			}
		case store.KindAccountData:
			if u := n.users[e.User]; u != nil {
				u.data = max(u.data, e.Pos)
				u.tell(e.Pos)
			}
		default:
			if u := n.users[e.User]; u != nil {
				u.tell(e.Pos)
			}
		}
	}
	close(n.moved)
	n.moved = make(chan struct{})
}

// event takes in a new event. Whoever is thrown out by it is told too.
func (n *Notifier) event(e store.Entry) {
	if e.Member != nil {
		n.member(*e.Member)
	}
	for _, touched := range n.loading {
		touched[e.Room] = e.Pos
	}
	r := n.rooms[e.Room]
	if r == nil {
		return
	}
	r.last = max(r.last, e.Pos)
	if e.Member != nil {
		r.members = max(r.members, e.Pos)
	}
	if e.Event != nil {
		r.add(recentEvent{e.Pos, e.Ref, e.Event.Now(), Bumps(e.Event)})
	} else {
		r.recent, r.from, r.rootPos = nil, e.Pos, 0
	}
	r.tell(e.Pos)
}

// state takes in that the current state of a room has changed by the event before.
func (n *Notifier) state(e store.Entry) {
	if e.Member != nil {
		n.member(*e.Member)
	}
	if r := n.rooms[e.Room]; r != nil {
		if e.Member != nil {
			r.members = max(r.members, e.Pos)
		}
		r.tell(e.Pos)
	}
}

// complete takes in that all of a room's state is here, and that what was known of its past is otherwise
// now.
func (n *Notifier) complete(e store.Entry) {
	for _, touched := range n.loading {
		touched[e.Room] = e.Pos
	}
	if r := n.rooms[e.Room]; r != nil {
		r.recent, r.from, r.root, r.rootPos = nil, e.Pos, 0, 0
		r.last, r.members = max(r.last, e.Pos), max(r.members, e.Pos)
		r.tell(e.Pos)
	}
}

// deviceList wakes those who see a user's devices. Of a user who is not active nobody knows here
// who that is: somebody who is woken for nothing finds nothing, and waits on.
func (n *Notifier) deviceList(e store.Entry) {
	u := n.users[e.User]
	switch {
	case e.Ref != 0:
		if v := n.users[e.Ref]; v != nil {
			v.tell(e.Pos)
		}
	case u == nil || u.rooms == nil:
		for _, v := range n.users {
			v.tell(e.Pos)
		}
	default:
		u.tell(e.Pos)
		for room := range u.rooms {
			if r := n.rooms[room]; r != nil {
				r.tell(e.Pos)
			}
		}
	}
}

func (r *activeRoom) add(e recentEvent) {
	if len(r.recent) >= recentMax {
		cut := len(r.recent) - recentMin
		last := r.recent[cut-1]
		r.from, r.root, r.rootPos = last.pos, last.root, last.pos
		r.recent = append(make([]recentEvent, 0, recentMax), r.recent[cut:]...)
	}
	r.recent = append(r.recent, e)
}

// Moved returns a channel that is closed when there is anything new at all.
func (n *Notifier) Moved() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.moved
}

// Drop forgets a room that has been removed for good.
func (n *Notifier) Drop(room int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rooms[room]; r != nil {
		for u := range r.users {
			delete(u.rooms, room)
		}
		delete(n.rooms, room)
	}
}

// WakeRoom wakes those in a room for something that is not in the log.
func (n *Notifier) WakeRoom(room int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rooms[room]; r != nil {
		r.tell(0)
	}
}

// WakePeers wakes a user, and those who share a room with them that is not too large, for something
// that is not in the log; at most Peers. It gives false if the user is not active, and so their
// rooms are not known here.
func (n *Notifier) WakePeers(user int64) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.users[user]
	if u == nil || u.rooms == nil {
		return false
	}
	u.tell(0)
	woken := map[*User]bool{u: true}
	for room, m := range u.rooms {
		if m.Membership == "join" {
			n.wakeSmall(room, woken)
		}
	}
	return true
}

// WakeRooms is WakePeers for a user who is not active.
func (n *Notifier) WakeRooms(rooms []int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	woken := map[*User]bool{}
	for _, room := range rooms {
		n.wakeSmall(room, woken)
	}
}

// wakeSmall wakes those in a room that is not too large who have not been woken yet.
func (n *Notifier) wakeSmall(room int64, woken map[*User]bool) {
	r := n.rooms[room]
	if r == nil || len(r.users) > Peers {
		return
	}
	for u := range r.users {
		if !woken[u] && len(woken) < Peers {
			woken[u] = true
			u.tell(0)
		}
	}
}

func (r *activeRoom) tell(pos int64) {
	for u := range r.users {
		u.tell(pos)
	}
}

// member takes in that somebody's standing has changed.
func (n *Notifier) member(m store.Membership) {
	u := n.users[m.User]
	if u == nil {
		return
	}
	if u.rooms == nil {
		u.early = append(u.early, m)
		return
	}
	u.rooms[m.Room] = m
	u.tell(m.Pos)
	r := n.rooms[m.Room]
	if m.Membership == "leave" || m.Membership == "ban" {
		if r != nil {
			// Whoever leaves still has to hear of that, and has been told; nothing more follows.
			n.leave(u, m.Room)
		}
		return
	}
	if r == nil {
		r = n.enter(m.Room, m.Pos-1)
		r.last = m.Pos
	}
	r.users[u] = struct{}{}
}

// enter makes a room active; all its events after a position will be told.
func (n *Notifier) enter(room, from int64) *activeRoom {
	r := &activeRoom{users: map[*User]struct{}{}, from: from, brief: n.pos, members: n.pos}
	n.rooms[room] = r
	return r
}

func (n *Notifier) leave(u *User, room int64) {
	r := n.rooms[room]
	if r == nil {
		return
	}
	delete(r.users, u)
	if len(r.users) == 0 {
		delete(n.rooms, room)
	}
}

// sweep forgets users who have not synced for long.
func (n *Notifier) sweep() {
	now := n.now()
	if now.Sub(n.swept) < time.Minute {
		return
	}
	n.swept = now
	for nid, u := range n.users {
		if u.rooms == nil || now.Sub(u.used) < idleUser {
			continue
		}
		delete(n.users, nid)
		for room := range u.rooms {
			n.leave(u, room)
		}
	}
}

// Forget tells that a user has forgotten a room.
func (n *Notifier) Forget(user, room int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if u := n.users[user]; u != nil && u.rooms != nil {
		m := u.rooms[room]
		m.Forgotten = true
		u.rooms[room] = m
	}
}

// Bumps tells whether an event is "proper" activity of its room: MSC4186, "bump_stamp": "an event
// being received is one of the following types: m.room.create, m.room.message, m.room.encrypted,
// m.sticker, m.call.invite, m.poll.start, m.beacon_info".
func Bumps(e *event.Event) bool {
	switch e.Type {
	case "m.room.create", "m.room.message", "m.room.encrypted", "m.sticker", "m.call.invite", "m.poll.start",
		"org.matrix.msc3381.poll.start", "m.beacon_info", "org.matrix.msc3672.beacon_info":
		return true
	}
	return false
}
