package presence

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// What users are.
const (
	Online      = "online"
	Unavailable = "unavailable"
	Offline     = "offline"
)

// Valid tells whether a word says what a user is.
func Valid(s string) bool { return s == Online || s == Unavailable || s == Offline }

// Times of specification, client-server API, "Presence": it leaves them to the server.
const (
	// idleAfter is from when on somebody who does nothing is unavailable: "if their last active
	// time was over a threshold value (e.g. 5 minutes)".
	idleAfter = 5 * time.Minute
	// offlineAfter is how long somebody stays who has no request waiting any more.
	offlineAfter = 30 * time.Second
	// activeFor is how long somebody counts as currently active.
	activeFor = time.Minute
	// tick is how often it is looked who has become idle or has gone.
	tick = 5 * time.Second
)

// usersMax bounds how many users are remembered; those who are offline for longest are forgotten
// first.
const usersMax = 50_000

// MaxStatus bounds a status message, in bytes.
const MaxStatus = 2048

// State is how a user is there.
type State struct {
	User     int64
	UserID   string
	Presence string
	// Status is the status message; nil for none.
	Status *string
	// LastActive is zero if that was never known.
	LastActive time.Time
	// CurrentlyActive means that LastActive moves on without anybody being told.
	CurrentlyActive bool
}

// Audience says who is to hear of whom.
type Audience interface {
	// WakePeers wakes a user's waiting clients and those of users who share a room with them; it
	// bounds how many.
	WakePeers(ctx context.Context, user int64)
	// Shares tells whether two users share a room.
	Shares(ctx context.Context, a, b int64) (bool, error)
}

// Options say what a Tracker needs.
type Options struct {
	Audience Audience
	Now      func() time.Time
	// Changed, if it is set, is told of each change of a local user, for other servers. It must not
	// block or call the Tracker.
	Changed func(State)
}

// Tracker follows who is there. It is safe for concurrent use.
type Tracker struct {
	o Options

	mu    sync.Mutex
	seq   int64
	users map[int64]*tracked
	order *list.List // of *tracked, by seq
}

// tracked is a user. Guarded by Tracker.mu.
type tracked struct {
	State
	remote bool
	// devices are how each device that polls describes itself.
	devices map[string]string
	polling int
	polled  time.Time // when the last poll ended
	// seq is the position of the last change.
	seq   int64
	place *list.Element
}

// New makes a Tracker that knows nobody.
func New(o Options) *Tracker {
	// Tokens of before a restart must not hide what happens after it.
	return &Tracker{o: o, seq: o.Now().UnixMilli(), users: map[int64]*tracked{}, order: list.New()}
}

// Run looks for who has become idle or has gone, until ctx ends.
func (t *Tracker) Run(ctx context.Context) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.Tick(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Set is what a user says of themselves: PUT /presence/{userId}/status. "When setting the status,
// the activity time is updated to reflect that activity".
func (t *Tracker) Set(ctx context.Context, user int64, userID, presence string, status *string) {
	t.change(ctx, user, userID, func(u *tracked, now time.Time) {
		u.Presence, u.Status = presence, status
		if presence != Offline {
			u.LastActive = now
			u.polled = now
		}
	})
}

// Active tells that a user did something: "A pro-active event may be sending a message to a room
// or changing presence state to online. ... Any activity that bumps the last active time on any of
// the user's clients will cause the server to automatically set their presence to online."
func (t *Tracker) Active(ctx context.Context, user int64, userID string) {
	t.change(ctx, user, userID, func(u *tracked, now time.Time) {
		u.Presence, u.LastActive = Online, now
		if u.polling == 0 {
			u.polled = now
		}
	})
}

// Synced tells that a device polls, saying set_presence; done, that the request has ended. A device
// that polls and says nothing is there: "If this parameter is omitted then the client is
// automatically marked as online when it uses this API."
func (t *Tracker) Synced(ctx context.Context, user int64, userID, device, presence string) (done func()) {
	if presence == "" {
		presence = Online
	}
	if presence == Offline {
		t.change(ctx, user, userID, func(u *tracked, _ time.Time) { delete(u.devices, device) })
		return func() {}
	}
	t.change(ctx, user, userID, func(u *tracked, now time.Time) {
		was := u.devices[device]
		u.devices[device] = presence
		u.polling++
		switch {
		case u.Presence == Offline || presence == Online && was == Unavailable:
			// Polling alone is no activity, but coming back is.
			u.Presence, u.LastActive = presence, now
		case presence == Unavailable && u.Presence == Online && u.idle():
			u.Presence = Unavailable
		}
	})
	return func() {
		ctx := context.WithoutCancel(ctx)
		t.change(ctx, user, userID, func(u *tracked, now time.Time) { u.polling, u.polled = u.polling-1, now })
	}
}

// idle tells whether all of a user's devices say that nobody is at them.
func (u *tracked) idle() bool {
	for _, p := range u.devices {
		if p != Unavailable {
			return false
		}
	}
	return true
}

// Remote takes in what another server says of its user.
func (t *Tracker) Remote(ctx context.Context, s State) {
	t.change(ctx, s.User, s.UserID, func(u *tracked, _ time.Time) { u.remote, u.State = true, s })
}

// change changes a user and tells those whom it concerns, if others can see it.
func (t *Tracker) change(ctx context.Context, user int64, userID string, fn func(u *tracked, now time.Time)) {
	t.mu.Lock()
	now := t.o.Now()
	u := t.users[user]
	if u == nil {
		u = &tracked{State: State{User: user, UserID: userID, Presence: Offline}, devices: map[string]string{}}
		u.place = t.order.PushFront(u)
		t.users[user] = u
		t.forget()
	}
	before := u.State
	fn(u, now)
	if len(u.devices) > devicesMax {
		clear(u.devices)
	}
	changed := t.settle(u, before, now)
	state := u.State
	remote := u.remote
	t.mu.Unlock()
	if changed {
		t.tell(ctx, state, remote)
	}
}

// devicesMax bounds how many devices of one user are told apart.
const devicesMax = 64

// settle works out whether a user is currently active, and whether others see a change.
func (t *Tracker) settle(u *tracked, before State, now time.Time) bool {
	if !u.remote {
		u.CurrentlyActive = u.Presence == Online && now.Sub(u.LastActive) < activeFor
	}
	if u.Presence == before.Presence && u.CurrentlyActive == before.CurrentlyActive && same(u.Status, before.Status) {
		return false
	}
	t.seq++
	u.seq = t.seq
	t.order.MoveToBack(u.place)
	return true
}

func same(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func (t *Tracker) tell(ctx context.Context, s State, remote bool) {
	t.o.Audience.WakePeers(ctx, s.User)
	if t.o.Changed != nil && !remote {
		t.o.Changed(s)
	}
}

// forget makes room for somebody new.
func (t *Tracker) forget() {
	for el := t.order.Front(); el != nil && len(t.users) > usersMax; {
		next := el.Next()
		if u := el.Value.(*tracked); u.Presence == Offline && u.polling == 0 && u.seq > 0 {
			t.order.Remove(el)
			delete(t.users, u.User)
		}
		el = next
	}
}

// Tick looks for who has become idle or has gone.
func (t *Tracker) Tick(ctx context.Context) {
	t.mu.Lock()
	now := t.o.Now()
	var changed []State
	for _, u := range t.users {
		if u.remote || u.Presence == Offline {
			continue
		}
		before := u.State
		switch {
		case u.polling == 0 && now.Sub(u.polled) >= offlineAfter:
			u.Presence = Offline
			clear(u.devices)
		case u.Presence == Online && now.Sub(u.LastActive) >= idleAfter:
			u.Presence = Unavailable
		}
		if t.settle(u, before, now) {
			changed = append(changed, u.State)
		}
	}
	t.mu.Unlock()
	for _, s := range changed {
		t.tell(ctx, s, false)
	}
}

// Get is how a user is there; somebody who was never heard of is offline.
func (t *Tracker) Get(user int64) State {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.users[user]; u != nil {
		return u.State
	}
	return State{User: user, Presence: Offline}
}
