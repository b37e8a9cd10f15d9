package pushers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// user is somebody with pushers. Guarded by Pushers.mu.
type user struct {
	nid int64
	// rooms are the rooms that the user is in or invited to. While loading is set, also those that
	// the user has left meanwhile.
	rooms   map[int64]standing
	loading bool
	// dirty are rooms whose count may have changed; all means every one.
	dirty map[int64]bool
	all   bool
	// read is set when the counts may have become less.
	read bool
	// queued: in Pushers.ready. busy: being served. again: to be queued afterwards.
	queued, busy, again bool
	retry               *time.Timer

	// What follows belongs to the worker that serves the user: the id, up to where the log has been
	// looked at, the rooms with something unread, those whose count may have changed since, and
	// the pushers' states.
	id       string
	upto     int64
	counts   map[int64]int
	stale    map[int64]bool
	allStale bool
	state    map[string]*state
}

// standing is how a user stands in a room.
type standing struct {
	pos    int64
	in     bool
	invite bool
}

// state is how a pusher does; what a restart may forget.
type state struct {
	pos int64
	// badge is the count that was told last; -1 for none. owed is set when a new one could not be
	// told.
	badge    int
	owed     bool
	failures int
	since    time.Time // of the first failure
	next     time.Time // of the next try
}

// Publish takes in fresh log entries. The store's writer calls it; it does not block.
func (p *Pushers) Publish(entries []store.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running || len(entries) == 0 {
		return
	}
	p.seen = entries[len(entries)-1].Pos
	for _, e := range entries {
		switch e.Kind {
		case store.KindEvent:
			if e.Member != nil {
				p.member(*e.Member)
			}
			for u := range p.rooms[e.Room] {
				u.dirty[e.Room] = true
				u.read = u.read || e.User == u.nid
				p.queue(u)
			}
		case store.KindState:
			if e.Member != nil {
				p.member(*e.Member)
			}
		case store.KindReceipt:
			if u := p.users[e.User]; u != nil {
				u.dirty[e.Room], u.read = true, true
				p.queue(u)
			}
		case store.KindAccountData:
			if u := p.users[e.User]; u != nil && e.Room == 0 {
				u.all = true
			}
		}
	}
}

// member takes in that somebody's standing has changed.
func (p *Pushers) member(m store.Membership) {
	u := p.users[m.User]
	if u == nil {
		return
	}
	u.dirty[m.Room] = true
	p.stand(u, m)
	if m.Membership != "join" && m.Membership != "invite" {
		u.read = true
		p.queue(u)
	}
}

// stand takes in a standing, unless a newer one is known.
func (p *Pushers) stand(u *user, m store.Membership) {
	if have, ok := u.rooms[m.Room]; ok && have.pos > m.Pos {
		return
	}
	st := standing{pos: m.Pos, in: m.Membership == "join" || m.Membership == "invite", invite: m.Membership == "invite"}
	if st.in || u.loading {
		u.rooms[m.Room] = st
	} else {
		delete(u.rooms, m.Room)
	}
	if st.in {
		if p.rooms[m.Room] == nil {
			p.rooms[m.Room] = map[*user]struct{}{}
		}
		p.rooms[m.Room][u] = struct{}{}
	} else {
		p.leave(u, m.Room)
	}
}

func (p *Pushers) leave(u *user, room int64) {
	delete(p.rooms[room], u)
	if len(p.rooms[room]) == 0 {
		delete(p.rooms, room)
	}
}

// queue puts a user into the queue, once.
func (p *Pushers) queue(u *user) {
	switch {
	case u.queued || u.loading:
		return
	case u.busy:
		u.again = true
		return
	}
	u.queued = true
	p.ready = append(p.ready, u)
	select {
	case p.wake <- struct{}{}:
	default: // all workers will look
	}
}

// refresh takes in that a user's pushers have changed.
func (p *Pushers) refresh(ctx context.Context, nid int64) error {
	rows, err := p.o.Store.PushersOf(ctx, nid)
	if err != nil || len(rows) == 0 {
		return err // a worker finds out that there are none any more
	}
	return p.follow(ctx, nid)
}

// follow makes sure that a user is followed.
func (p *Pushers) follow(ctx context.Context, nid int64) error {
	p.mu.Lock()
	if u := p.users[nid]; u != nil || !p.running {
		if u != nil {
			p.queue(u) // a worker may just have found no pushers
		}
		p.mu.Unlock()
		return nil
	}
	u := &user{nid: nid, rooms: map[int64]standing{}, dirty: map[int64]bool{}, all: true, loading: true, state: map[string]*state{}}
	p.users[nid] = u
	p.mu.Unlock()
	// What is published from here on is taken in already.
	id, err := p.o.Store.UserID(ctx, nid)
	var all []store.Membership
	if err == nil {
		all, err = p.o.Store.RoomsOf(ctx, nid)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.forget(u)
		return fmt.Errorf("reading the rooms of a user with pushers: %w", err)
	}
	u.id = id
	for _, m := range all {
		p.stand(u, m)
	}
	u.loading = false
	for room, st := range u.rooms {
		if !st.in {
			delete(u.rooms, room)
		}
	}
	p.queue(u)
	return nil
}

// forget drops a user.
func (p *Pushers) forget(u *user) {
	delete(p.users, u.nid)
	for room := range u.rooms {
		p.leave(u, room)
	}
	if u.retry != nil {
		u.retry.Stop()
	}
}

// Run serves the pushers until ctx ends.
func (p *Pushers) Run(ctx context.Context) error {
	p.mu.Lock()
	p.running, p.began = true, p.o.Store.Position()
	p.seen = p.began
	p.mu.Unlock()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { p.work(ctx) })
	}
	users, err := p.o.Store.PusherUsers(ctx)
	for _, nid := range users {
		if err == nil {
			err = p.follow(ctx, nid)
		}
	}
	if err != nil && ctx.Err() == nil {
		p.o.Log.ErrorContext(ctx, "reading the pushers failed", "err", err)
	}
	<-ctx.Done()
	wg.Wait()
	return p.note(context.WithoutCancel(ctx), p.end())
}

// served is how far a pusher has come.
type served struct {
	row store.Pusher
	pos int64
}

// end ends the following, and tells how far those have come who have nothing left to be told.
func (p *Pushers) end() (all []served) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = false
	for _, u := range p.users {
		if u.retry != nil {
			u.retry.Stop()
		}
		for key, st := range u.state {
			if st.failures == 0 && st.pos > 0 {
				row := unkey(key)
				row.User = u.nid
				all = append(all, served{row, st.pos})
			}
		}
	}
	return all
}

// note stores how far pushers have come, so that the next start need not look at it again. The
// lock must not be held: the store's writer publishes before it answers.
func (p *Pushers) note(ctx context.Context, all []served) error {
	for batch := range slices.Chunk(all, 500) {
		err := p.o.Store.Write(ctx, func(t *store.Tx) error {
			for _, d := range batch {
				if err := t.PusherServed(d.row, d.pos); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("noting how far the pushers have come: %w", err)
		}
	}
	return nil
}

// work serves users until ctx ends.
func (p *Pushers) work(ctx context.Context) {
	for {
		u, round := p.take()
		if u == nil {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		wait, gone, err := p.serve(ctx, u, round)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			p.o.Log.ErrorContext(ctx, "serving a user's pushers failed", "err", err)
			wait = time.Minute
		}
		p.done(u, wait, gone, err)
	}
}

// round is what one turn of a worker looks at.
type round struct {
	// upto is the end of the log as far as dirty is complete.
	upto    int64
	dirty   map[int64]bool
	all     bool
	read    bool
	invites int
}

// take takes the next user out of the queue; nil if there is none.
func (p *Pushers) take() (*user, round) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ready) == 0 {
		return nil, round{}
	}
	u := p.ready[0]
	p.ready = p.ready[1:]
	u.queued, u.busy = false, true
	r := round{upto: p.seen, dirty: u.dirty, all: u.all, read: u.read}
	u.dirty, u.all, u.read = map[int64]bool{}, false, false
	for _, st := range u.rooms {
		if st.invite {
			r.invites++
		}
	}
	if len(p.ready) > 0 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
	return u, r
}

// done puts a user back. wait, when not 0, is when to look again even if nothing happens.
func (p *Pushers) done(u *user, wait time.Duration, gone bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.busy = false
	if err != nil {
		u.all = true
	}
	if gone && !u.again {
		p.forget(u)
		return
	}
	if u.again {
		u.again = false
		p.queue(u)
	}
	if u.retry != nil {
		u.retry.Stop()
		u.retry = nil
	}
	if wait > 0 && !u.queued {
		u.retry = time.AfterFunc(wait, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.running && p.users[u.nid] == u {
				p.queue(u)
			}
		})
	}
}
