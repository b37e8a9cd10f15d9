package sync

import (
	"slices"
	"sync"
	"time"
)

// Typing remembers who is typing where. It lives in memory only.
type Typing struct {
	now  func() time.Time
	wake func(room int64)

	mu    sync.Mutex
	seq   int64
	rooms map[int64]*typingRoom
}

type typingRoom struct {
	users map[string]time.Time // until when
	seq   int64
	timer *time.Timer
}

// typingMax bounds the rooms and the people in one that are remembered as typing.
const typingMax = 10000

// NewTyping makes an empty memory; wake is called when a room's list has changed.
func NewTyping(now func() time.Time, wake func(room int64)) *Typing {
	// Tokens of before a restart must not hide what is typed after it.
	return &Typing{now: now, wake: wake, seq: now().UnixMilli(), rooms: map[int64]*typingRoom{}}
}

// Set says that a user types in a room for some time, or (0) no longer.
func (t *Typing) Set(room int64, user string, d time.Duration) {
	t.mu.Lock()
	r := t.rooms[room]
	if r == nil {
		if d <= 0 || !t.room() {
			t.mu.Unlock()
			return
		}
		r = &typingRoom{users: map[string]time.Time{}}
		t.rooms[room] = r
	}
	_, was := r.users[user]
	switch {
	case d <= 0 && !was, d > 0 && !was && len(r.users) >= typingMax:
		t.mu.Unlock()
		return
	case d <= 0:
		delete(r.users, user)
	default:
		r.users[user] = t.now().Add(d)
	}
	if changed := was != (d > 0); changed {
		t.seq++
		r.seq = t.seq
	}
	t.arm(room, r)
	t.mu.Unlock()
	t.wake(room)
}

// room tells whether there is room for one more; it forgets rooms where nobody has typed for long.
func (t *Typing) room() bool {
	if len(t.rooms) >= typingMax {
		for id, r := range t.rooms {
			if len(r.users) == 0 && r.seq < t.seq-typingKept {
				delete(t.rooms, id)
			}
		}
	}
	return len(t.rooms) < typingMax
}

// typingKept is after how many changes elsewhere a room may be forgotten in which nobody types:
// until then, clients can still be told that somebody has ceased to.
const typingKept = 1000

// arm sets the timer for the next who stops typing by falling silent.
func (t *Typing) arm(room int64, r *typingRoom) {
	if r.timer != nil {
		r.timer.Stop()
	}
	var next time.Time
	for _, until := range r.users {
		if next.IsZero() || until.Before(next) {
			next = until
		}
	}
	if !next.IsZero() {
		r.timer = time.AfterFunc(max(next.Sub(t.now()), time.Millisecond), func() { t.expire(room) })
	}
}

func (t *Typing) expire(room int64) {
	t.mu.Lock()
	r := t.rooms[room]
	changed := false
	if r != nil {
		for user, until := range r.users {
			if !until.After(t.now()) {
				delete(r.users, user)
				changed = true
			}
		}
		if changed {
			t.seq++
			r.seq = t.seq
		}
		t.arm(room, r)
	}
	t.mu.Unlock()
	if changed {
		t.wake(room)
	}
}

// Position is the newest change anywhere.
func (t *Typing) Position() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// Since lists who types in a room, if that changed after a position.
func (t *Typing) Since(room, after int64) (users []string, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rooms[room]
	if r == nil || r.seq <= after {
		return nil, false
	}
	for u := range r.users {
		users = append(users, u)
	}
	slices.Sort(users)
	return users, true
}

// In lists who types in a room.
func (t *Typing) In(room int64) []string {
	users, _ := t.Since(room, -1)
	return users
}

// Close stops the timers.
func (t *Typing) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rooms {
		if r.timer != nil {
			r.timer.Stop()
		}
	}
	clear(t.rooms)
}
