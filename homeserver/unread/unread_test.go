package unread

import (
	"crypto/ed25519"
	"encoding/json/jsontext"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

const (
	alice = "@alice:test"
	bob   = "@bob:test"
	carol = "@carol:test"
)

type rig struct {
	testing.TB
	s    *store.Store
	m    *room.Manager
	c    *Counter
	room store.RoomName
	bob  int64
}

func newRig(t testing.TB) *rig {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	r := &rig{TB: t}
	s, err := store.Open(t.Context(), store.Options{URI: filepath.Join(t.TempDir(), "hs.db"), Relaxed: true, Log: log, Publish: func(e []store.Entry) {
		if r.c != nil {
			r.c.Publish(e)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.s, r.c = s, New(Options{Store: s, Log: log})
	r.m = room.NewManager(room.Options{Store: s, Log: log,
		Signer: event.Signer{Server: "test", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}})
	t.Cleanup(func() {
		r.m.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	name, _, err := r.m.Create(t.Context(), room.Creation{Version: "11", Creator: alice, Content: jsontext.Value(`{"room_version":"11"}`),
		Events: func(string) ([]room.Proposal, error) {
			return []room.Proposal{member(alice, "join"), state(alice, "m.room.power_levels", "", `{"users":{"`+alice+`":100},"redact":0}`),
				state(alice, "m.room.join_rules", "", `{"join_rule":"public"}`)}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	r.room = name
	for _, u := range []string{bob, carol} {
		r.send(member(u, "join"))
	}
	if r.bob, err = s.UserNID(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	return r
}

func state(sender, typ, key, content string) room.Proposal {
	return room.Proposal{Sender: sender, Type: typ, StateKey: &key, Content: jsontext.Value(content)}
}

func member(user, membership string) room.Proposal {
	return state(user, "m.room.member", user, `{"membership":"`+membership+`"}`)
}

func (r *rig) send(p room.Proposal) *event.Event {
	r.Helper()
	e, err := r.m.Send(r.Context(), r.room.NID, p)
	if err != nil {
		r.Fatal(err)
	}
	return e
}

// say sends a message; relates is the m.relates_to, extra more of the content.
func (r *rig) say(sender, relates, extra string) *event.Event {
	r.Helper()
	content := `{"msgtype":"m.text","body":"hi"`
	if relates != "" {
		content += `,"m.relates_to":` + relates
	}
	return r.send(room.Proposal{Sender: sender, Type: "m.room.message", Content: jsontext.Value(content + extra + "}")})
}

const mention = `,"m.mentions":{"user_ids":["` + bob + `"]}`

func inThread(root string) string {
	return fmt.Sprintf(`{"rel_type":"m.thread","event_id":%q}`, root)
}

func (r *rig) receipt(kind, thread string, e *event.Event) {
	r.Helper()
	err := r.s.Write(r.Context(), func(t *store.Tx) error {
		return t.SetReceipt(store.Receipt{Room: r.room.NID, User: r.bob, Kind: kind, Thread: thread, EventID: e.ID, Event: e.NID})
	})
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) redact(e *event.Event) {
	r.Helper()
	r.send(room.Proposal{Sender: alice, Type: "m.room.redaction", Redacts: e.ID, Content: jsontext.Value(fmt.Sprintf(`{"redacts":%q}`, e.ID))})
}

func (r *rig) unread(c *Counter) sync.Unread {
	r.Helper()
	u, err := c.Unread(r.Context(), r.bob, bob, r.room.NID, r.s.Position())
	if err != nil {
		r.Fatal(err)
	}
	return u
}

func (r *rig) want(what string, want sync.Unread) {
	r.Helper()
	if got := r.unread(r.c); !reflect.DeepEqual(got, want) {
		r.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func TestUnread(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("at first", sync.Unread{})
	one := r.say(alice, "", "")
	two := r.say(alice, "", mention)
	r.want("two messages", sync.Unread{Notifications: 2, Highlights: 1})
	root := r.say(carol, "", "")
	first := r.say(alice, inThread(root.ID), "")
	r.say(alice, inThread(root.ID), mention)
	threads := map[string]sync.Unread{root.ID: {Notifications: 2, Highlights: 1}}
	r.want("a thread", sync.Unread{Notifications: 3, Highlights: 1, Threads: threads})
	r.receipt("m.read.private", "main", one)
	r.want("main read, privately, up to the first", sync.Unread{Notifications: 2, Highlights: 1, Threads: threads})
	r.receipt("m.read", "main", two)
	r.want("main read up to the second", sync.Unread{Notifications: 1, Threads: threads})
	r.receipt("m.read", root.ID, first)
	threads = map[string]sync.Unread{root.ID: {Notifications: 1, Highlights: 1}}
	r.want("the thread read up to its first", sync.Unread{Notifications: 1, Threads: threads})
	last := r.say(carol, "", "")
	r.want("one more", sync.Unread{Notifications: 2, Threads: threads})
	// Reactions and edits don't notify; a message related to one of the thread is of the thread.
	r.send(room.Proposal{Sender: alice, Type: "m.reaction", Content: jsontext.Value(fmt.Sprintf(`{"m.relates_to":{"rel_type":"m.annotation","event_id":%q,"key":"+"}}`, first.ID))})
	r.say(alice, fmt.Sprintf(`{"rel_type":"m.replace","event_id":%q}`, one.ID), "")
	r.say(alice, fmt.Sprintf(`{"rel_type":"m.reference","event_id":%q}`, first.ID), "")
	r.say(alice, fmt.Sprintf(`{"rel_type":"m.reference","event_id":%q}`, root.ID), "")
	threads = map[string]sync.Unread{root.ID: {Notifications: 2, Highlights: 1}}
	r.want("relations", sync.Unread{Notifications: 3, Threads: threads})
	r.redact(last)
	r.want("a redaction", sync.Unread{Notifications: 2, Threads: threads})
	r.receipt("m.read", "", last)
	r.want("read without a thread", sync.Unread{Notifications: 1, Threads: map[string]sync.Unread{root.ID: {Notifications: 1}}})
	r.say(bob, inThread(root.ID), "")
	r.want("having said something in the thread", sync.Unread{Notifications: 1})
	r.say(bob, "", "")
	r.want("having said something", sync.Unread{})
	r.say(alice, "", "")
	r.send(state(bob, "m.room.member", bob, `{"membership":"join","displayname":"Bobby"}`))
	r.want("a new name", sync.Unread{Notifications: 1})
	r.send(member(bob, "leave"))
	r.want("gone", sync.Unread{})
	r.say(alice, "", "")
	r.send(member(bob, "join"))
	r.want("back", sync.Unread{})
	r.say(alice, "", "")
	r.want("back, with a message", sync.Unread{Notifications: 1})
	ignored := store.AccountData{Type: "m.ignored_user_list", Content: `{"ignored_users":{"` + alice + `":{}}}`}
	if err := r.s.Write(t.Context(), func(t *store.Tx) error { return t.SetAccountData(r.bob, ignored) }); err != nil {
		t.Fatal(err)
	}
	r.want("ignoring the sender", sync.Unread{})
}

// TestMentionOfAll: the sender needs the power that the room asks for.
func TestMentionOfAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const everybody = `,"m.mentions":{"room":true}`
	r.say(carol, "", everybody)
	r.want("by somebody without power", sync.Unread{Notifications: 1})
	r.say(alice, "", everybody)
	r.want("by somebody with power", sync.Unread{Notifications: 2, Highlights: 1})
	r.send(state(alice, "m.room.power_levels", "", `{"users":{"`+alice+`":100},"notifications":{"room":0}}`))
	r.say(carol, "", everybody)
	r.want("where everybody may", sync.Unread{Notifications: 3, Highlights: 2})
}

// said is an event as the model knows it.
type said struct {
	e             *event.Event
	mine, message bool
	highlight     bool
	thread        string
	redacted      bool
	isIndirect    bool
}

// model counts from scratch, in the plainest way.
type model struct {
	events   []*said
	join     int64
	receipts map[string]int64 // by thread; "" is unthreaded
	muted    bool
}

func (m *model) counts() sync.Unread {
	read := func(thread string) int64 {
		name := thread
		if thread == "" {
			name = "main"
		}
		pos := max(m.join, m.receipts[""], m.receipts[name])
		for _, s := range m.events {
			if s.mine && s.thread == thread {
				pos = max(pos, s.e.Pos)
			}
		}
		return pos
	}
	var out sync.Unread
	for _, s := range m.events {
		if s.mine || s.redacted || s.e.Pos <= read(s.thread) || !s.highlight && (m.muted || !s.message) {
			continue
		}
		u := out
		if s.thread != "" {
			u = out.Threads[s.thread]
		}
		u.Notifications++
		if s.highlight {
			u.Highlights++
		}
		if s.thread == "" {
			out = u
			continue
		}
		if out.Threads == nil {
			out.Threads = map[string]sync.Unread{}
		}
		out.Threads[s.thread] = u
	}
	return out
}

// TestNeverSticks does things at random and compares three counters with the model: one that is
// asked after each step, one that is asked now and then and remembers little, and one that has
// just been made and finds what the others stored.
func TestNeverSticks(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.c.entries = 8
			rarely := New(r.c.o)
			rarely.entries = 4
			rng := rand.New(rand.NewPCG(seed, 7))
			me, err := r.s.Membership(t.Context(), r.room.NID, r.bob)
			if err != nil {
				t.Fatal(err)
			}
			m := &model{join: me.Pos, receipts: map[string]int64{}}
			pick := func(ok func(*said) bool) *said {
				for range 20 {
					if len(m.events) > 0 {
						if s := m.events[rng.IntN(len(m.events))]; ok(s) {
							return s
						}
					}
				}
				return nil
			}
			roots := map[string]bool{}
			for step := range 220 {
				what := ""
				switch n := rng.IntN(100); {
				case n < 62:
					what = "a message"
					s := &said{message: true}
					sender, relates, extra := []string{alice, alice, carol, carol, bob}[rng.IntN(5)], "", ""
					s.mine = sender == bob
					switch rng.IntN(4) {
					case 0:
						if root := pick(func(s *said) bool { return s.thread == "" && !s.isIndirect && !s.redacted }); root != nil {
							s.thread, relates = root.e.ID, inThread(root.e.ID)
							roots[root.e.ID] = true
						}
					case 1:
						if to := pick(func(s *said) bool { return !s.redacted && !s.isIndirect }); to != nil {
							s.thread, s.isIndirect = to.thread, true
							relates = fmt.Sprintf(`{"rel_type":"m.reference","event_id":%q}`, to.e.ID)
						}
					}
					if !s.mine && rng.IntN(4) == 0 {
						s.highlight, extra = true, mention
					}
					s.e = r.say(sender, relates, extra)
					m.events = append(m.events, s)
				case n < 80:
					what = "a receipt"
					to := pick(func(s *said) bool { return true })
					if to == nil {
						continue
					}
					thread := []string{"", "main", to.thread}[rng.IntN(3)]
					if thread == "" && rng.IntN(3) > 0 {
						thread = "main"
					}
					if m.receipts[thread] < to.e.Pos {
						m.receipts[thread] = to.e.Pos
					}
					// One of the two kinds may be behind.
					r.receipt([]string{"m.read", "m.read.private"}[rng.IntN(2)], thread, at(r, m.receipts[thread]))
				case n < 90:
					what = "a redaction"
					// What an indirect thread hangs on stays: that loses its thread with it.
					s := pick(func(s *said) bool { return !s.mine && !s.redacted && !hangs(m, s) })
					if s == nil {
						continue
					}
					r.redact(s.e)
					s.redacted = true
				case n < 96:
					what = "muting"
					m.muted = !m.muted
					err := push.Update(t.Context(), r.s, r.bob, func(ch *push.Changes) error {
						return ch.Enable(push.Underride, ".m.rule.message", !m.muted)
					})
					if err != nil {
						t.Fatal(err)
					}
				default:
					what = "leaving and coming back"
					r.send(member(bob, "leave"))
					m.join = r.send(member(bob, "join")).Pos
				}
				want := m.counts()
				check := func(name string, c *Counter) {
					t.Helper()
					if got := r.unread(c); !reflect.DeepEqual(got, want) {
						t.Fatalf("step %d, %s, %s: %+v, want %+v", step, what, name, got, want)
					}
				}
				check("asked always", r.c)
				if rng.IntN(9) == 0 {
					rarely.rules, rarely.marks, rarely.members = r.c.rules, r.c.marks, r.c.members
					check("asked rarely", rarely)
				}
				if rng.IntN(15) == 0 {
					if err := r.c.Save(t.Context()); err != nil {
						t.Fatal(err)
					}
					fresh := New(r.c.o)
					check("made anew", fresh)
				}
				if rng.IntN(10) == 0 {
					for _, x := range r.c.memos.m {
						x.work = saveAfter
						r.c.saver.put(place{r.bob, r.room.NID}, x)
					}
				}
			}
		})
	}
}

// hangs tells whether the thread of another event depends on this one.
func hangs(m *model, s *said) bool {
	for _, o := range m.events {
		if o.isIndirect {
			if _, target := relation(o.e); target == s.e.ID && s.thread != "" {
				return true
			}
		}
	}
	return false
}

func at(r *rig, pos int64) *event.Event {
	e, err := r.s.LastEvent(r.Context(), r.room.NID, pos)
	if err != nil {
		r.Fatal(err)
	}
	return e
}

// TestRedactedParent: what is in a thread only by way of another event is no longer when that is
// redacted.
func TestRedactedParent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	root := r.say(alice, "", "")
	in := r.say(alice, inThread(root.ID), "")
	r.say(carol, fmt.Sprintf(`{"rel_type":"m.reference","event_id":%q}`, in.ID), "")
	r.want("before", sync.Unread{Notifications: 1, Threads: map[string]sync.Unread{root.ID: {Notifications: 2}}})
	r.redact(in)
	r.want("after", sync.Unread{Notifications: 2})
}

// BenchmarkCrowd is a message in a room of many members of whom none has read anything, and all ask.
func BenchmarkCrowd(b *testing.B) {
	const people = 3000
	r := newRig(b)
	ids, users := make([]string, people), make([]int64, people)
	for i := range ids {
		ids[i] = fmt.Sprintf("@u%d:test", i)
		r.send(member(ids[i], "join"))
		var err error
		if users[i], err = r.s.UserNID(b.Context(), ids[i]); err != nil {
			b.Fatal(err)
		}
	}
	r.say(alice, "", "")
	for b.Loop() {
		c := New(Options{Store: r.s, Log: r.c.o.Log})
		for i, id := range ids {
			if _, err := c.Unread(b.Context(), users[i], id, r.room.NID, r.s.Position()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/people, "µs/member")
}

// BenchmarkRoom is one message in a room of many members, all of whom ask for their counts.
func BenchmarkRoom(b *testing.B) {
	const people = 10_000
	r := newRig(b)
	users := make([]int64, people)
	ids := make([]string, people)
	ctx := b.Context()
	for i := range users {
		ids[i] = fmt.Sprintf("@u%d:test", i)
	}
	var proposals []room.Proposal
	for _, id := range ids {
		proposals = append(proposals, member(id, "join"))
	}
	for i := range proposals {
		if _, err := r.m.Send(ctx, r.room.NID, proposals[i]); err != nil {
			b.Fatal(err)
		}
	}
	last := r.say(alice, "", "")
	for i, id := range ids {
		var err error
		if users[i], err = r.s.UserNID(ctx, id); err != nil {
			b.Fatal(err)
		}
	}
	// They have read what there is: else each would have to look at all who came later.
	err := r.s.Write(ctx, func(t *store.Tx) error {
		for _, u := range users {
			if err := t.SetReceipt(store.Receipt{Room: r.room.NID, User: u, Kind: "m.read", EventID: last.ID, Event: last.NID}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for i, id := range ids {
		if _, err := r.c.Unread(ctx, users[i], id, r.room.NID, r.s.Position()); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		r.say(alice, "", mention)
		for i, id := range ids {
			if _, err := r.c.Unread(ctx, users[i], id, r.room.NID, r.s.Position()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/people, "µs/member")
}
