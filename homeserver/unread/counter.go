package unread

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// Options say what a Counter needs.
type Options struct {
	Store *store.Store
	Log   *slog.Logger
}

// Bounds of what is kept in memory, in values or, for memos, in about 50 bytes each.
const (
	rulesKept   = 10_000
	membersKept = 10_000
	marksKept   = 100_000
	memosKept   = 500_000
)

// Counter counts what users have not read. It is safe for concurrent use.
type Counter struct {
	o       Options
	rules   *cache[int64, *Rules]
	members *cache[int64, int64]
	marks   *cache[place, *Marks]
	memos   *cache[place, *memo]
	saver   saver
	recent  *recent
	crowds  *cache[int64, *crowd]
	// entries is maxEntries, but in tests.
	entries int
}

var _ sync.Counter = (*Counter)(nil)

// New makes a counter. It must be given every entry of the log from now on, see Publish.
func New(o Options) *Counter {
	return &Counter{o: o, rules: newCache[int64, *Rules](rulesKept, nil), members: newCache[int64, int64](membersKept, nil),
		marks: newCache[place](marksKept, (*Marks).weight), memos: newCache[place](memosKept, (*memo).weight), saver: newSaver(), recent: newRecent(o.Store.Position()), crowds: newCache[int64](crowdKept, (*crowd).weight), entries: maxEntries}
}

func (m *Marks) weight() int { return 1 + len(m.threads) }

// Publish takes in fresh log entries: what was read from the database before is forgotten where
// they say something else. The store's writer calls it before it answers, so whoever has set a
// receipt finds it counted. It does not block.
func (c *Counter) Publish(entries []store.Entry) {
	for _, e := range entries {
		c.recent.publish(e)
		switch e.Kind {
		case store.KindReceipt:
			c.marks.forget(place{e.User, e.Room})
		case store.KindAccountData:
			if e.Room == 0 {
				c.rules.forget(e.User)
			}
		case store.KindEvent, store.KindState:
			if e.Member != nil {
				c.members.forget(e.Room)
				c.marks.forget(place{e.Member.User, e.Room})
			}
		}
	}
}

// Unread implements sync.Counter.
func (c *Counter) Unread(ctx context.Context, user int64, userID string, room, upto int64) (sync.Unread, error) {
	m, err := c.update(ctx, user, userID, room, upto)
	if err != nil || m == nil {
		return sync.Unread{}, err
	}
	return m.counts(), nil
}

// Total is how many notifications a user has not read in a room, all threads together.
func (c *Counter) Total(ctx context.Context, user int64, userID string, room, upto int64) (int, error) {
	u, err := c.Unread(ctx, user, userID, room, upto)
	return u.Total().Notifications, err
}

// ReadMarks are the marks together with what the user has said, which marks as read too.
func (c *Counter) ReadMarks(ctx context.Context, user int64, userID string, room, upto int64) (*Marks, error) {
	m, err := c.update(ctx, user, userID, room, upto)
	if err != nil || m == nil {
		return &Marks{}, err
	}
	out := &Marks{Joined: true, join: m.Join, floor: m.Floor}
	for thread, pos := range m.Threads {
		out.raise(thread, pos)
	}
	for thread, pos := range m.Own {
		out.raise(thread, pos)
	}
	return out, nil
}

// update brings the memo of a user in a room up to date; nil if the user is not in the room.
func (c *Counter) update(ctx context.Context, user int64, userID string, room, upto int64) (*memo, error) {
	marks, err := c.Marks(ctx, user, room)
	if err != nil || !marks.Joined {
		return nil, err
	}
	rules, err := c.Rules(ctx, user, userID)
	if err != nil {
		return nil, err
	}
	at := place{user, room}
	old, err := c.memo(ctx, at)
	if err != nil {
		return nil, err
	}
	var own map[string]int64
	if old != nil && old.Join == marks.join {
		own = old.Own
		if old.Rules == rules.print {
			if old.Upto >= upto && old.Floor == marks.floor && maps.Equal(old.Threads, marks.threads) {
				return old, nil
			}
			if m, ok := old.adopt(marks); ok {
				ok, err := c.scan(ctx, m, rules, room, upto, nil)
				if err != nil {
					return nil, err
				}
				if ok {
					c.keep(at, m)
					return m, nil
				}
			}
		}
	}
	m := &memo{Rules: rules.print, Join: marks.join, Upto: marks.floor, Floor: marks.floor, Threads: marks.threads}
	for thread, pos := range own {
		// What the user once said marks as read even if it has been redacted since.
		m.own(thread, pos)
	}
	if err := c.afresh(ctx, m, rules, room, upto); err != nil {
		return nil, err
	}
	c.keep(at, m)
	return m, nil
}

// afresh counts anew.
func (c *Counter) afresh(ctx context.Context, m *memo, r *Rules, room, upto int64) error {
	rec, known, err := c.leap(ctx, m, r, room, upto)
	if err != nil {
		return err
	}
	if !known {
		if err := c.skip(ctx, m, room, upto); err != nil {
			return err
		}
		rec.from = m.Upto
	}
	if _, err := c.scan(ctx, m, r, room, upto, rec); err != nil {
		return err
	}
	c.keepCrowd(room, upto, rec, known)
	return nil
}

// memo finds what is known; nil if nothing.
func (c *Counter) memo(ctx context.Context, at place) (*memo, error) {
	if m, ok := c.memos.get(at); ok {
		return m, nil
	}
	raw, err := c.o.Store.UnreadMemo(ctx, at.user, at.room)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeMemo(raw)
	if err != nil {
		// It is only a short cut.
		c.o.Log.WarnContext(ctx, "an unread memo can't be read; counting anew", "err", err)
		return nil, nil
	}
	return m, nil
}

// saveAfter is after how many evaluated events a memo is worth storing.
const saveAfter = 64

// keep keeps a memo, unless there is a newer one.
func (c *Counter) keep(at place, m *memo) {
	save := m.work >= saveAfter
	if save {
		m.work = 0
	}
	c.memos.mu.Lock()
	have, ok := c.memos.m[at]
	newer := !ok || have.Upto <= m.Upto
	if newer {
		c.memos.set(at, m)
	}
	c.memos.mu.Unlock()
	if save && newer {
		c.saver.put(at, m)
	}
}

// Bounds of counting: how many events are read at once, and how many are looked through; of more,
// only the newest count.
const (
	page    = 128
	maxScan = 20_000
)

// skip leaves out what lies too far back.
func (c *Counter) skip(ctx context.Context, m *memo, room, upto int64) error {
	pos, err := c.o.Store.NthPlaceBack(ctx, room, m.Upto, upto, maxScan)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	m.Upto = max(m.Upto, pos)
	return err
}

// scan evaluates the events of a room in (m.Upto, upto]. False means that the memo can't be
// brought up to date; one that is begun anew, which rec notes the events of, always can: it finds what
// is redacted as such.
func (c *Counter) scan(ctx context.Context, m *memo, r *Rules, room, upto int64, rec *recorder) (bool, error) {
	for m.Upto < upto {
		events, err := c.events(ctx, room, m.Upto, upto)
		if err != nil {
			return false, err
		}
		for _, e := range events {
			ok, err := c.take(ctx, m, r, e, rec != nil)
			if err != nil || !ok {
				return false, err
			}
			if rec != nil {
				rec.note(e)
			}
			m.Upto = e.Pos
		}
		m.work += len(events)
		if len(events) < page {
			m.Upto = upto
		}
	}
	return true, nil
}

// take takes in one event.
func (c *Counter) take(ctx context.Context, m *memo, r *Rules, e *event.Event, fresh bool) (bool, error) {
	if e.Type == "m.room.redaction" && !fresh {
		if ok, err := c.redaction(ctx, m, e); err != nil || !ok {
			return false, err
		}
	}
	mine := e.Author == r.user
	if mine && (e.IsState() || e.Type == "m.room.redaction" || e.Has(event.Redacted)) {
		// A new name or cleaning up is no sign of reading; and what thread a redacted event was in
		// is not known any more.
		return true, nil
	}
	notify, highlight := false, false
	if !mine {
		a, err := c.Evaluate(ctx, r, e)
		if err != nil {
			return false, err
		}
		notify, highlight = a.Notify, a.Notify && a.Highlight
	}
	if !mine && !notify {
		return true, nil
	}
	thread, indirect, err := Thread(ctx, c.o.Store, e)
	if err != nil {
		return false, err
	}
	m.Indirect = m.Indirect || indirect
	if mine {
		m.own(thread, e.Pos)
	} else if e.Pos > m.read(thread) {
		m.add(entry{NID: e.NID, Pos: e.Pos, Thread: thread, Highlight: highlight}, c.entries)
	}
	return true, nil
}

// redaction takes out what was redacted; false if what that changes is not known.
func (c *Counter) redaction(ctx context.Context, m *memo, e *event.Event) (bool, error) {
	target, err := c.o.Store.EventByID(ctx, e.RedactsID())
	if errors.Is(err, store.ErrNotFound) || err == nil && target.Room != e.Room {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !target.Has(event.Redacted) || target.Pos > m.Upto || target.Pos <= m.Floor {
		return true, nil
	}
	if i := slices.IndexFunc(m.Entries, func(have entry) bool { return have.NID == target.NID }); i >= 0 {
		m.Entries = slices.Delete(m.Entries, i, i+1)
		return !m.Indirect, nil
	}
	return !m.Indirect && !m.piled(target.Pos), nil
}

// piled tells whether an event may have been summed up.
func (m *memo) piled(pos int64) bool {
	for _, p := range m.Piles {
		if pos > p.Read && pos <= p.Newest {
			return true
		}
	}
	return false
}
