package sync

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Notifier knows which users are active (have synced of late), the rooms that they are in, and
// how new each of these is, and wakes those whom a log entry concerns.
type Notifier struct {
	store *store.Store
	now   func() time.Time

	mu    sync.Mutex
	users map[int64]*activeUser
	rooms map[int64]*activeRoom
	swept time.Time
}

// activeUser is a user who syncs. Guarded by Notifier.mu, except ready.
type activeUser struct {
	nid   int64
	ready chan struct{} // closed once rooms is loaded
	err   error
	// rooms are the user's standings; early holds those that arrive while rooms is loading.
	rooms map[int64]store.Membership
	early []store.Membership
	// news is the newest log position that concerns the user.
	news int64
	// wake is closed, and replaced, when there is news.
	wake chan struct{}
	used time.Time
}

// activeRoom is a room that an active user is or was in.
type activeRoom struct {
	// last is the position of the newest event, brief that of the newest receipt.
	last, brief int64
	users       map[*activeUser]struct{}
}

// idleUser is how long a user stays active without a sync.
const idleUser = 10 * time.Minute

// NewNotifier makes a notifier. Its Publish must be given every entry of the log from now on.
func NewNotifier(s *store.Store, now func() time.Time) *Notifier {
	return &Notifier{store: s, now: now, users: map[int64]*activeUser{}, rooms: map[int64]*activeRoom{}}
}

// Publish takes in fresh log entries. It is called by the store's writer and does not block.
func (n *Notifier) Publish(entries []store.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case store.KindEvent:
			if m := e.Member; m != nil {
				n.member(*m)
			}
			if r := n.rooms[e.Room]; r != nil {
				r.last = max(r.last, e.Pos)
				r.tell(e.Pos)
			}
		case store.KindReceipt:
			if r := n.rooms[e.Room]; r != nil {
				r.brief = max(r.brief, e.Pos)
				r.tell(e.Pos)
			}
		case store.KindDeviceList:
			// Whoever shares a room with that user must hear of it. Who does is for the sync to
			// find out: somebody woken for nothing finds nothing and waits on.
			for _, u := range n.users {
				u.tell(e.Pos)
			}
		default:
			if u := n.users[e.User]; u != nil {
				u.tell(e.Pos)
			}
		}
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

func (r *activeRoom) tell(pos int64) {
	for u := range r.users {
		u.tell(pos)
	}
}

func (u *activeUser) tell(pos int64) {
	u.news = max(u.news, pos)
	close(u.wake)
	u.wake = make(chan struct{})
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
	r := n.rooms[m.Room]
	if r == nil {
		r = &activeRoom{users: map[*activeUser]struct{}{}}
		n.rooms[m.Room] = r
	}
	r.last = max(r.last, m.Pos)
	// Whoever leaves still has to hear of that; afterwards the entry goes.
	r.users[u] = struct{}{}
	u.tell(m.Pos)
	if m.Membership == "leave" || m.Membership == "ban" {
		n.leave(u, m.Room)
	}
}

func (n *Notifier) leave(u *activeUser, room int64) {
	r := n.rooms[room]
	if r == nil {
		return
	}
	delete(r.users, u)
	if len(r.users) == 0 {
		delete(n.rooms, room)
	}
}

// activate finds an active user, or makes one.
func (n *Notifier) activate(ctx context.Context, nid int64) (*activeUser, error) {
	n.mu.Lock()
	n.sweep()
	u := n.users[nid]
	if u == nil {
		u = &activeUser{nid: nid, ready: make(chan struct{}), wake: make(chan struct{})}
		n.users[nid] = u
		u.used = n.now()
		n.mu.Unlock()
		n.load(context.WithoutCancel(ctx), u)
	} else {
		u.used = n.now()
		n.mu.Unlock()
	}
	select {
	case <-u.ready:
		return u, u.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// load reads a user's rooms. What is published meanwhile is not lost: standings wait in early,
// and rooms are registered before their newest position is read.
func (n *Notifier) load(ctx context.Context, u *activeUser) {
	defer close(u.ready)
	fail := func(err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		u.err = fmt.Errorf("loading the user's rooms: %w", err)
		delete(n.users, u.nid)
		for room := range u.rooms {
			n.leave(u, room)
		}
	}
	all, err := n.store.RoomsOf(ctx, u.nid)
	if err != nil {
		fail(err)
		return
	}
	n.mu.Lock()
	u.rooms = make(map[int64]store.Membership, len(all))
	for _, m := range all {
		u.rooms[m.Room] = m
	}
	for _, m := range u.early {
		if have, ok := u.rooms[m.Room]; !ok || m.Pos > have.Pos {
			u.rooms[m.Room] = m
		}
	}
	u.early = nil
	var fresh []int64
	for _, m := range u.rooms {
		if m.Membership == "leave" || m.Membership == "ban" {
			continue
		}
		r := n.rooms[m.Room]
		if r == nil {
			r = &activeRoom{users: map[*activeUser]struct{}{}}
			n.rooms[m.Room] = r
		}
		r.users[u] = struct{}{}
		if r.last == 0 {
			fresh = append(fresh, m.Room)
		}
	}
	n.mu.Unlock()
	for _, room := range fresh {
		pos, err := n.store.LastPosition(ctx, room)
		if err != nil {
			fail(err)
			return
		}
		n.mu.Lock()
		if r := n.rooms[room]; r != nil {
			r.last = max(r.last, pos)
		}
		n.mu.Unlock()
	}
	n.mu.Lock()
	u.news = max(u.news, n.store.Position())
	n.mu.Unlock()
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

// standing is a user's standing in a room together with how new the room is.
type standing struct {
	store.Membership
	last, brief int64
}

// rooms copies out what a sync looks at.
func (n *Notifier) standings(u *activeUser) []standing {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]standing, 0, len(u.rooms))
	for _, m := range u.rooms {
		st := standing{Membership: m}
		if r := n.rooms[m.Room]; r != nil {
			st.last, st.brief = r.last, r.brief
		}
		out = append(out, st)
	}
	return out
}

// waitFor returns the channel that the next news closes, and the newest so far.
func (n *Notifier) waitFor(u *activeUser) (wake <-chan struct{}, news int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u.used = n.now()
	return u.wake, u.news
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
