package pushers

import (
	"bytes"
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/unread"
)

// key names a pusher of a user; unkey reads it back.
func key(row store.Pusher) string { return row.AppID + "\x00" + row.Pushkey }

func unkey(s string) store.Pusher {
	app, pushkey, _ := strings.Cut(s, "\x00")
	return store.Pusher{AppID: app, Pushkey: pushkey}
}

// turn is the serving of one user.
type turn struct {
	p       *Pushers
	u       *user
	upto    int64
	now     time.Time
	read    bool
	invites int
	// wait is when to look again; 0 for only when something happens.
	wait time.Duration
	// badge is the user's count, once it is known.
	badge   int
	counted bool
}

// again asks for another look after a time.
func (t *turn) again(d time.Duration) {
	d = max(d, time.Millisecond)
	if t.wait == 0 || d < t.wait {
		t.wait = d
	}
}

// serve tells a user's pushers what there is. gone means that there are none.
func (p *Pushers) serve(ctx context.Context, u *user, r round) (wait time.Duration, gone bool, err error) {
	defer func() {
		if err != nil {
			u.upto = 0 // what was dirty is not known any more: look at everything
		}
	}()
	t := &turn{p: p, u: u, upto: r.upto, now: p.o.Now(), read: r.read, invites: r.invites}
	if u.stale == nil {
		u.stale = map[int64]bool{}
	}
	for room := range r.dirty {
		u.stale[room] = true
	}
	u.allStale = u.allStale || r.all
	rows, err := p.o.Store.PushersOf(ctx, u.nid)
	if err != nil || len(rows) == 0 {
		return 0, err == nil, err
	}
	states := make(map[string]*state, len(rows))
	var due []store.Pusher
	var fresh []*state
	after := t.upto
	for _, row := range rows {
		st := u.state[key(row)]
		if st == nil {
			st = &state{badge: -1}
			if row.Pos > p.began {
				// It was made a moment ago, by a client that knows what is unread.
				fresh = append(fresh, st)
			}
		}
		states[key(row)] = st
		st.pos = max(st.pos, row.Pos)
		if d := st.next.Sub(t.now); d > 0 {
			t.again(d)
			continue
		}
		due = append(due, row)
		after = min(after, st.pos)
	}
	u.state = states
	if len(fresh) > 0 {
		if err := t.count(ctx); err != nil {
			return 0, false, err
		}
		for _, st := range fresh {
			st.badge = t.badge
		}
	}
	news, err := t.news(ctx, after, len(due), r.dirty)
	if err != nil {
		return 0, false, err
	}
	for _, row := range due {
		switch row.Kind {
		case kindHTTP:
			err = t.push(ctx, row, states[key(row)], news)
		case kindWebPush, kindWebPushOld:
			err = t.push(ctx, row, states[key(row)], news)
		case kindEmail:
			err = t.mail(ctx, row, states[key(row)], news)
		}
		if err != nil {
			return 0, false, err
		}
	}
	u.upto = t.upto
	return t.wait, false, nil
}

// news lists what the user has not read of what came after a position. Since the last turn, only
// the dirty rooms can have got any.
func (t *turn) news(ctx context.Context, after int64, due int, dirty map[int64]bool) ([]unread.Notification, error) {
	if due == 0 || after >= t.upto {
		return nil, nil
	}
	q := unread.Query{After: after, Upto: t.upto, Limit: backlog}
	if t.u.upto > 0 && after >= t.u.upto {
		q.Rooms = slices.AppendSeq(make([]int64, 0, len(dirty)), maps.Keys(dirty))
	}
	return t.p.o.Unread.News(ctx, t.u.nid, t.u.id, q)
}

// push tells an HTTP or Web Push pusher. Its errors are those of the store; what a gateway does wrong is
// noted and tried again later.
func (t *turn) push(ctx context.Context, row store.Pusher, st *state, news []unread.Notification) error {
	var d details
	if err := json.Unmarshal([]byte(row.JSON), &d); err != nil {
		return fmt.Errorf("reading a stored pusher: %w", err)
	}
	read := func() (target, error) { return gateway(d.Data, true) }
	if isWebPush(row.Kind) {
		read = func() (target, error) { return pushService(row.Pushkey, d.Data, true) }
	}
	to, err := read()
	if err != nil {
		return fmt.Errorf("reading a stored pusher: %w", err)
	}
	if to.web != nil && !activated(d.Data) {
		return t.activate(ctx, row, st, to)
	}
	told := false
	for _, n := range news {
		if n.Event.Pos <= st.pos || n.Event.Pos <= t.p.began && n.Event.OriginServerTS < t.now.Add(-giveUp).UnixMilli() {
			continue
		}
		if err := t.count(ctx); err != nil {
			return err
		}
		body, err := t.notification(ctx, row, to, n)
		if err != nil {
			return err
		}
		if ok, err := t.tell(ctx, row, st, to, body); err != nil || !ok {
			return err
		}
		told, st.pos = true, n.Event.Pos
		// Also while the server is stopping: what is told must not be told again.
		if err := t.p.o.Store.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error { return tx.PusherServed(row, st.pos) }); err != nil {
			return err
		}
	}
	st.pos = max(st.pos, t.upto)
	if told || to.eventsOnly || !t.read && !st.owed {
		return nil
	}
	if err := t.count(ctx); err != nil {
		return err
	}
	if st.owed = false; t.badge == st.badge {
		return nil
	}
	body, err := t.onlyBadge(row, to)
	if err != nil {
		return err
	}
	ok, err := t.tell(ctx, row, st, to, body)
	st.owed = !ok
	return err
}

// tell sends a notification to a gateway; false if that can't be done now or ever. "If the
// endpoint returns an HTTP error code, the homeserver SHOULD retry for a reasonable amount of time
// using exponential backoff."
func (t *turn) tell(ctx context.Context, row store.Pusher, st *state, to target, body []byte) (bool, error) {
	post := t.p.post
	if to.web != nil {
		// All bodies but those that are not urgent wake a phone; what an event's own content says of it
		// can only make it less urgent.
		post = func(ctx context.Context, to target, body []byte) ([]string, error) {
			gone, err := t.p.postWeb(ctx, to, body, !bytes.Contains(body, []byte(`"prio":"low"`)))
			if gone {
				return []string{row.Pushkey}, err
			}
			return nil, err
		}
	}
	rejected, err := post(ctx, to, body)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err == nil {
		t.p.sent.Add(1)
		st.failures, st.badge = 0, t.badge
		st.next = time.Time{}
		for _, k := range rejected {
			if k == row.Pushkey {
				return false, t.reject(ctx, row)
			}
		}
		return true, nil
	}
	t.p.failed.Add(1)
	if st.failures == 0 {
		st.since = t.now
	}
	st.failures++
	pause := min(t.p.o.Backoff<<min(st.failures-1, 20), backoffMax)
	if t.now.Sub(st.since) > giveUp {
		// The next notification begins anew.
		t.p.o.Log.WarnContext(ctx, "a push gateway has taken nothing for long; what waited for it is dropped", "host", to.host, "err", err)
		st.failures, st.pos = 0, t.upto
	}
	st.next = t.now.Add(pause)
	t.again(pause)
	return false, nil
}

// reject removes a pusher that its gateway does not know: "Homeservers must cease sending
// notification requests for these pushkeys and remove the associated pushers."
func (t *turn) reject(ctx context.Context, row store.Pusher) error {
	t.p.rejected.Add(1)
	return t.drop(ctx, row)
}

// drop removes a pusher.
func (t *turn) drop(ctx context.Context, row store.Pusher) error {
	delete(t.u.state, key(row))
	t.again(time.Millisecond) // it may have been the last one
	return t.p.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.DeletePusher(row.User, row.AppID, row.Pushkey) })
}

// count finds out the user's badge: "The number of unread messages a user has across all of the
// rooms they are a member of." Invitations that wait for an answer count too.
func (t *turn) count(ctx context.Context) error {
	if t.counted {
		return nil
	}
	u := t.u
	if u.allStale || u.counts == nil {
		u.counts = map[int64]int{}
		for _, room := range t.p.roomsOf(u) {
			u.stale[room] = true
		}
	}
	for room := range u.stale {
		n, err := t.p.o.Unread.Total(ctx, u.nid, u.id, room, t.upto)
		if err != nil {
			u.counts = nil
			return err
		}
		if n == 0 {
			delete(u.counts, room)
		} else {
			u.counts[room] = n
		}
	}
	u.stale, u.allStale = map[int64]bool{}, false
	t.badge, t.counted = t.invites, true
	for _, n := range u.counts {
		t.badge += n
	}
	return nil
}

func (p *Pushers) roomsOf(u *user) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]int64, 0, len(u.rooms))
	for room, st := range u.rooms {
		if st.in && !st.invite {
			out = append(out, room)
		}
	}
	return out
}

// device is a pusher as its gateway sees it.
type device struct {
	AppID   string `json:"app_id"`
	Pushkey string `json:"pushkey"`
	// TS is in seconds.
	TS     int64                     `json:"pushkey_ts"`
	Data   jsontext.Value            `json:"data"`
	Tweaks map[string]jsontext.Value `json:"tweaks,omitempty"`
}

func devices(row store.Pusher, to target, tweaks map[string]jsontext.Value) []device {
	return []device{{row.AppID, row.Pushkey, row.ChangedTS / 1000, to.rest, tweaks}}
}
