package sync

import (
	"context"
	"fmt"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// User is a user who syncs, as the Notifier knows them. Get one by Notifier.Activate for each
// request. It is safe for concurrent use: all fields but ready are guarded by Notifier.mu.
type User struct {
	n     *Notifier
	nid   int64
	ready chan struct{} // closed once rooms is loaded
	err   error
	// rooms are the user's standings; early holds those that arrive while rooms is loading.
	rooms map[int64]store.Membership
	early []store.Membership
	// news is the newest log position that concerns the user; data and messages are those of their
	// account data and of messages to their devices.
	news, data, messages int64
	// wake is closed, and replaced, when there is news.
	wake chan struct{}
	used time.Time
}

// idleUser is how long a user stays active without a sync.
const idleUser = 10 * time.Minute

func (u *User) tell(pos int64) {
	u.news = max(u.news, pos)
	close(u.wake)
	u.wake = make(chan struct{})
}

// Activate finds an active user, or makes one.
func (n *Notifier) Activate(ctx context.Context, nid int64) (*User, error) {
	n.mu.Lock()
	n.sweep()
	u := n.users[nid]
	if u == nil {
		u = &User{n: n, nid: nid, ready: make(chan struct{}), wake: make(chan struct{})}
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

// load reads a user's rooms. What is published meanwhile is not lost: standings wait in early, and
// what the database knows already and is not published yet is waited for.
func (n *Notifier) load(ctx context.Context, u *User) {
	defer close(u.ready)
	touched := map[int64]int64{}
	n.mu.Lock()
	n.loading[u] = touched
	n.mu.Unlock()
	all, err := n.store.RoomsAndEndsOf(ctx, u.nid)
	n.mu.Lock()
	defer n.mu.Unlock()
	defer delete(n.loading, u)
	if err != nil {
		u.err = fmt.Errorf("loading the user's rooms: %w", err)
		delete(n.users, u.nid)
		return
	}
	newest := int64(0)
	for _, m := range all {
		newest = max(newest, m.Pos, m.Last)
	}
	for n.pos < newest {
		moved := n.moved
		n.mu.Unlock()
		<-moved
		n.mu.Lock()
	}
	u.rooms = make(map[int64]store.Membership, len(all))
	ends := make(map[int64]store.MembershipAndEnd, len(all))
	for _, m := range all {
		u.rooms[m.Room], ends[m.Room] = m.Membership, m
	}
	for _, m := range u.early {
		if have, ok := u.rooms[m.Room]; !ok || m.Pos > have.Pos {
			u.rooms[m.Room] = m
		}
	}
	u.early = nil
	for _, m := range u.rooms {
		if m.Membership == "leave" || m.Membership == "ban" {
			continue
		}
		r := n.rooms[m.Room]
		if r == nil {
			r = n.enter(m.Room, n.pos)
			end := ends[m.Room]
			if r.last = max(end.Last, touched[m.Room]); r.last == end.Last && end.Root != 0 {
				r.root, r.rootPos = end.Root, end.Last
			}
		}
		r.users[u] = struct{}{}
	}
	u.news, u.data, u.messages = n.pos, n.pos, n.pos
}

// Standing is a user's standing in a room together with how new the room is.
type Standing struct {
	store.Membership
	// Last is the position of the room's newest event; for a room that the user has left, that of
	// the leaving.
	Last int64
	// Receipts is the position of the newest receipt in the room, or later.
	Receipts int64
	members  int64
	recent   []recentEvent
	from     int64
	base     statetree.Ref
	basePos  int64
}

// View is what there is to tell a user about, all as of one position of the log.
type View struct {
	Pos   int64
	Rooms []Standing
	// AccountData, ToDevice and DeviceLists are the positions of the newest of these that concern
	// the user, or later.
	AccountData, ToDevice, DeviceLists int64
}

// View copies out what a sync looks at.
func (u *User) View() View {
	n := u.n
	n.mu.Lock()
	defer n.mu.Unlock()
	v := View{Pos: n.pos, Rooms: make([]Standing, 0, len(u.rooms)), AccountData: u.data, ToDevice: u.messages, DeviceLists: n.lists}
	for _, m := range u.rooms {
		st := Standing{Membership: m, Last: m.Pos, Receipts: m.Pos, members: n.pos, from: n.pos}
		if r := n.rooms[m.Room]; r != nil && m.Membership != "leave" && m.Membership != "ban" {
			st.Last, st.Receipts, st.members = r.last, r.brief, r.members
			st.recent, st.from, st.base, st.basePos = r.recent, r.from, r.root, r.rootPos
		}
		v.Rooms = append(v.Rooms, st)
	}
	return v
}

// Wait returns the channel that the next news closes, and the newest position that concerns the
// user so far. Take it before the View.
func (u *User) Wait() (wake <-chan struct{}, news int64) {
	u.n.mu.Lock()
	defer u.n.mu.Unlock()
	u.used = u.n.now()
	return u.wake, u.news
}

// newestMessage is the position of the newest message to a device of the user, or a later one.
func (u *User) newestMessage() int64 {
	u.n.mu.Lock()
	defer u.n.mu.Unlock()
	return u.messages
}

// Position is how far the log has been told.
func (n *Notifier) Position() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pos
}

// Shares tells whether two users are in one room, if that is known without a look-up.
func (n *Notifier) Shares(a, b int64) (share, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	u, v := n.users[a], n.users[b]
	if u == nil || v == nil || u.rooms == nil || v.rooms == nil {
		return false, false
	}
	if len(v.rooms) < len(u.rooms) {
		u, v = v, u
	}
	for room, m := range u.rooms {
		if m.Membership == "join" && v.rooms[room].Membership == "join" {
			return true, true
		}
	}
	return false, true
}

// news gives the newest events of (after, upto], newest first, if they are known without a look-up.
func (st Standing) news(after, upto int64) (nids []int64, ok bool) {
	if after < st.from {
		return nil, false
	}
	for i := len(st.recent) - 1; i >= 0 && st.recent[i].pos > after; i-- {
		if st.recent[i].pos <= upto {
			nids = append(nids, st.recent[i].nid)
		}
	}
	return nids, true
}

// root is the state of the room at a position, if it is known without a look-up.
func (st Standing) root(upto int64) (statetree.Ref, bool) {
	for i := len(st.recent) - 1; i >= 0; i-- {
		if st.recent[i].pos <= upto {
			return st.recent[i].root, true
		}
	}
	return st.base, st.basePos > 0 && st.basePos <= upto
}

// RootAt is the state of a room at a position.
func (st Standing) RootAt(ctx context.Context, s *store.Store, upto int64) (statetree.Ref, error) {
	if root, ok := st.root(upto); ok {
		return root, nil
	}
	return s.RootAt(ctx, st.Room, upto)
}

// Bump is the position of the newest event of (after, upto] that is proper activity, 0 if there is
// none; ok tells whether that is known without a look-up.
func (st Standing) Bump(after, upto int64) (pos int64, ok bool) {
	for i := len(st.recent) - 1; i >= 0 && st.recent[i].pos > after; i-- {
		if e := st.recent[i]; e.pos <= upto && e.bumps {
			return e.pos, true
		}
	}
	return 0, after >= st.from
}
