package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

// history pages through a room in both directions with several page sizes.
func history(t *testing.T, r *rig) {
	ctx := t.Context()
	a := r.user(t)
	room := r.room(t, a, nil)
	const n = 57
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("m", i))
		must(a.Send(ctx, room, "m.room.message", fmt.Sprint(i), client.Message(want[i])))(t)
	}
	for _, dir := range []string{"b", "f"} {
		for _, limit := range []int{1, 7, 10, 1000} {
			got := bodies(must(a.History(ctx, room, dir, limit))(t))
			if !slices.Equal(got, want) {
				t.Errorf("direction %s, pages of %d: got %q", dir, limit, got)
			}
		}
	}
	_, err := a.Messages(ctx, room, "nonsense", "b", 1)
	refused(t, err, 400, "M_INVALID_PARAM")
	_, err = a.Messages(ctx, room, "", "sideways", 1)
	refused(t, err, 400, "M_INVALID_PARAM")

	// Who comes later sees what the history's visibility allows.
	for visibility, sees := range map[string]bool{"world_readable": true, "shared": true, "invited": false, "joined": false} {
		b := r.user(t)
		room := r.room(t, a, map[string]any{"preset": "public_chat", "initial_state": []any{
			map[string]any{"type": "m.room.history_visibility", "state_key": "", "content": map[string]string{"history_visibility": visibility}}}})
		id := must(a.Send(ctx, room, "m.room.message", "1", client.Message("before")))(t)
		ok(t, b.Join(ctx, room))
		_, err := b.Event(ctx, room, id)
		if sees {
			ok(t, err)
		} else {
			refused(t, err, 404, "M_NOT_FOUND")
		}
		equal(t, visibility+": the newcomer sees what was before", slices.Contains(bodies(must(b.History(ctx, room, "b", 50))(t)), "before"), sees)
	}
}

// syncing wakes a waiting client by everything that should.
func syncing(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room := r.room(t, a, nil, b)
	quiet := must(b.Sync(ctx, client.SyncOptions{}))(t)
	if find(quiet.Rooms.Join[room].Timeline.Events, "m.room.create", "") == nil && find(quiet.Rooms.Join[room].State.Events, "m.room.create", "") == nil {
		t.Error("the first sync has not the whole state")
	}
	began := time.Now()
	s := must(b.Sync(ctx, client.SyncOptions{Since: quiet.Next, Timeout: 300 * time.Millisecond}))(t)
	if took := time.Since(began); took < 250*time.Millisecond || len(s.Rooms.Join) > 0 {
		t.Errorf("with nothing new, /sync answered after %v with %d rooms", took, len(s.Rooms.Join))
	}
	since := s.Next
	for _, wake := range []struct {
		what string
		do   func() error
		seen func(*client.Sync) bool
	}{
		{"a message", func() error { _, err := a.Send(ctx, room, "m.room.message", "1", client.Message("hi")); return err },
			func(s *client.Sync) bool {
				return slices.Equal(bodies(s.Rooms.Join[room].Timeline.Events), []string{"hi"})
			}},
		{"state", func() error {
			_, err := a.SetState(ctx, room, "m.room.topic", "", map[string]string{"topic": "t"})
			return err
		},
			func(s *client.Sync) bool {
				return find(s.Rooms.Join[room].Timeline.Events, "m.room.topic", "") != nil
			}},
		{"typing", func() error {
			return a.Do(ctx, "PUT", client.Path("rooms", room, "typing", a.UserID), nil, map[string]any{"typing": true, "timeout": 30000}, nil)
		}, func(s *client.Sync) bool { return typing(s, room, a.UserID) }},
		{"account data", func() error {
			return b.Do(ctx, "PUT", client.Path("user", b.UserID, "account_data", "x"), nil, struct{}{}, nil)
		},
			func(s *client.Sync) bool { return find(s.AccountData.Events, "x", "") != nil }},
		{"an invitation", func() error {
			_, err := a.CreateRoom(ctx, map[string]any{"invite": []string{b.UserID}})
			return err
		},
			func(s *client.Sync) bool { return len(s.Rooms.Invite) == 1 }},
	} {
		type answer struct {
			s    *client.Sync
			err  error
			took time.Duration
		}
		got := make(chan answer, 1)
		go func() {
			began := time.Now()
			var last *client.Sync
			_, err := b.Follow(ctx, client.SyncOptions{Since: since, Timeout: 20 * time.Second}, func(s *client.Sync) bool {
				last = s
				// Whoever does something also shows to be there, which may come first.
				return len(s.Presence.Events) > 0 && !wake.seen(s)
			})
			got <- answer{last, err, time.Since(began)}
		}()
		ok(t, wake.do())
		x := <-got
		ok(t, x.err)
		if x.took > 10*time.Second || !wake.seen(x.s) {
			t.Errorf("%s did not wake the waiting client well: after %v %+v", wake.what, x.took, x.s)
		}
		since = x.s.Next
	}
	// An old token is as good as ever.
	s = must(b.Sync(ctx, client.SyncOptions{Since: quiet.Next}))(t)
	equal(t, "from the old token", strings.Join(types(s.Rooms.Join[room].Timeline.Events), " "), "m.room.message m.room.topic")
	_, err := b.Sync(ctx, client.SyncOptions{Since: "nonsense"})
	refused(t, err, 400, "M_INVALID_PARAM")
	full := must(b.Sync(ctx, client.SyncOptions{Since: s.Next, FullState: true}))(t)
	if find(full.Rooms.Join[room].State.Events, "m.room.create", "") == nil {
		t.Error("full_state does not bring the state")
	}
}

func typing(s *client.Sync, room, user string) bool {
	e := find(s.Rooms.Join[room].Ephemeral.Events, "m.typing", "")
	return e != nil && strings.Contains(string(e.Content), user)
}

// limited fills gaps by /messages, without loss and repetition.
func limited(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room := r.room(t, a, nil, b)
	since := must(b.Sync(ctx, client.SyncOptions{}))(t).Next
	var want []string
	for i := range 35 {
		want = append(want, fmt.Sprint("m", i))
		must(a.Send(ctx, room, "m.room.message", fmt.Sprint(i), client.Message(want[i])))(t)
		if i == 10 {
			must(a.SetState(ctx, room, "m.room.topic", "", map[string]string{"topic": "in the gap"}))(t)
		}
	}
	s := must(b.Sync(ctx, client.SyncOptions{Since: since, Filter: map[string]any{"room": map[string]any{"timeline": map[string]any{"limit": 5}}}}))(t)
	j := s.Rooms.Join[room]
	if !j.Timeline.Limited || len(j.Timeline.Events) != 5 {
		t.Fatalf("limited %v, %d events", j.Timeline.Limited, len(j.Timeline.Events))
	}
	if find(j.State.Events, "m.room.topic", "") == nil {
		t.Error("the state that changed in the gap is missing")
	}
	got := bodies(j.Timeline.Events)
	for from := j.Timeline.PrevBatch; from != "" && len(got) < 2*len(want); {
		var p client.Page
		ok(t, b.Do(ctx, "GET", client.Path("rooms", room, "messages"), map[string][]string{"dir": {"b"}, "limit": {"4"}, "from": {from}, "to": {since}}, nil, &p))
		for _, e := range p.Chunk {
			if e.Type == "m.room.message" {
				got = append([]string{e.Body()}, got...)
			}
		}
		from = p.End
	}
	if !slices.Equal(got, want) {
		t.Errorf("timeline and gap together: %q", got)
	}
}

func filters(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room, other := r.room(t, a, nil, b), r.room(t, a, nil, b)
	must(a.Send(ctx, room, "m.room.message", "1", client.Message("of a")))(t)
	must(b.Send(ctx, room, "m.room.message", "1", client.Message("of b")))(t)
	must(b.Send(ctx, room, "org.example", "2", map[string]any{"url": "mxc://x/y"}))(t)
	timeline := func(filter any) []client.Event {
		t.Helper()
		return must(a.Sync(ctx, client.SyncOptions{Filter: filter}))(t).Rooms.Join[room].Timeline.Events
	}
	tl := func(f map[string]any) any { return map[string]any{"room": map[string]any{"timeline": f}} }
	equal(t, "types", strings.Join(types(timeline(tl(map[string]any{"types": []string{"org.*"}}))), " "), "org.example")
	equal(t, "not_types", slices.Contains(types(timeline(tl(map[string]any{"not_types": []string{"org.example"}}))), "org.example"), false)
	equal(t, "senders", strings.Join(bodies(timeline(tl(map[string]any{"senders": []string{b.UserID}}))), " "), "of b")
	equal(t, "not_senders", strings.Join(bodies(timeline(tl(map[string]any{"not_senders": []string{b.UserID}}))), " "), "of a")
	equal(t, "contains_url", strings.Join(types(timeline(tl(map[string]any{"contains_url": true}))), " "), "org.example")
	equal(t, "limit", len(timeline(tl(map[string]any{"limit": 2}))), 2)
	s := must(a.Sync(ctx, client.SyncOptions{Filter: map[string]any{"room": map[string]any{"not_rooms": []string{room}}}}))(t)
	_, has := s.Rooms.Join[room]
	_, hasOther := s.Rooms.Join[other]
	if has || !hasOther {
		t.Errorf("not_rooms: the room %v, the other %v", has, hasOther)
	}
	// A filter that is stored says the same.
	var stored struct {
		ID string `json:"filter_id"`
	}
	ok(t, a.Do(ctx, "POST", client.Path("user", a.UserID, "filter"), nil, tl(map[string]any{"types": []string{"org.example"}}), &stored))
	equal(t, "stored filter", strings.Join(types(timeline(stored.ID)), " "), "org.example")
	var back json.RawMessage
	ok(t, a.Do(ctx, "GET", client.Path("user", a.UserID, "filter", stored.ID), nil, nil, &back))
	if !strings.Contains(string(back), "org.example") {
		t.Errorf("the stored filter is %s", back)
	}
	refused(t, a.Do(ctx, "GET", client.Path("user", a.UserID, "filter", "12345"), nil, nil, nil), 404, "M_NOT_FOUND")
	_, err := a.Sync(ctx, client.SyncOptions{Filter: map[string]any{"room": 5}})
	refused(t, err, 400, "M_BAD_JSON")
}

// lazy makes sure that only the members who speak are shown, each once.
func lazy(t *testing.T, r *rig) {
	ctx := t.Context()
	a := r.user(t)
	var others []*client.Client
	for range 8 {
		others = append(others, r.user(t))
	}
	room := r.room(t, a, map[string]any{"preset": "public_chat", "name": "it needs no heroes"}, others...)
	must(others[3].Send(ctx, room, "m.room.message", "1", client.Message("x")))(t)
	filter := map[string]any{"room": map[string]any{"state": map[string]any{"lazy_load_members": true}, "timeline": map[string]any{"limit": 1}}}
	members := func(s *client.Sync) (out []string) {
		for _, e := range s.Rooms.Join[room].State.Events {
			if e.Type == "m.room.member" {
				out = append(out, *e.StateKey)
			}
		}
		slices.Sort(out)
		return out
	}
	s := must(a.Sync(ctx, client.SyncOptions{Filter: filter}))(t)
	if got := members(s); slices.Contains(got, others[0].UserID) || !slices.Contains(got, others[3].UserID) {
		t.Errorf("members in the first sync: %q", got)
	}
	must(others[5].Send(ctx, room, "m.room.message", "1", client.Message("y")))(t)
	s = must(a.Sync(ctx, client.SyncOptions{Since: s.Next, Filter: filter}))(t)
	if got := members(s); !slices.Contains(got, others[5].UserID) || slices.Contains(got, others[0].UserID) {
		t.Errorf("members with the next message: %q", got)
	}
	full := must(a.Sync(ctx, client.SyncOptions{}))(t)
	equal(t, "members without lazy loading", len(members(full))+len(memberTimeline(full, room)), 9)
}

func memberTimeline(s *client.Sync, room string) (out []string) {
	for _, e := range s.Rooms.Join[room].Timeline.Events {
		if e.Type == "m.room.member" {
			out = append(out, *e.StateKey)
		}
	}
	return out
}

func ephemeral(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room := r.room(t, a, nil, b)
	id := must(a.Send(ctx, room, "m.room.message", "1", client.Message("read me")))(t)
	receipt := func(c *client.Client, kind string) error {
		return c.Do(ctx, "POST", client.Path("rooms", room, "receipt", kind, id), nil, struct{}{}, nil)
	}
	shows := func(user string) func(*client.Sync) bool {
		return func(s *client.Sync) bool {
			e := find(s.Rooms.Join[room].Ephemeral.Events, "m.receipt", "")
			return e != nil && strings.Contains(string(e.Content), user) && strings.Contains(string(e.Content), id)
		}
	}
	since := must(a.Sync(ctx, client.SyncOptions{}))(t).Next
	ok(t, receipt(b, "m.read"))
	since = until(t, a, since, "the receipt", shows(b.UserID))
	refused(t, receipt(b, "m.nonsense"), 400, "M_INVALID_PARAM")

	// A private receipt is shown to nobody else.
	c := r.user(t)
	ok(t, c.Join(ctx, room))
	own := must(c.Sync(ctx, client.SyncOptions{}))(t).Next
	ok(t, receipt(c, "m.read.private"))
	until(t, c, own, "one's own private receipt", shows(c.UserID))
	must(b.Send(ctx, room, "m.room.message", "after", client.Message("after")))(t)
	until(t, a, since, "the message after", func(s *client.Sync) bool {
		if shows(c.UserID)(s) {
			t.Error("a private receipt is shown to somebody else")
		}
		return slices.Contains(bodies(s.Rooms.Join[room].Timeline.Events), "after")
	})

	type1 := func(on bool) {
		ok(t, b.Do(ctx, "PUT", client.Path("rooms", room, "typing", b.UserID), nil, map[string]any{"typing": on, "timeout": 30000}, nil))
	}
	type1(true)
	since = until(t, a, since, "who types", func(s *client.Sync) bool { return typing(s, room, b.UserID) })
	type1(false)
	until(t, a, since, "who has stopped typing", func(s *client.Sync) bool {
		return find(s.Rooms.Join[room].Ephemeral.Events, "m.typing", "") != nil && !typing(s, room, b.UserID)
	})
	ok(t, b.Do(ctx, "POST", client.Path("rooms", room, "read_markers"), nil, map[string]string{"m.fully_read": id, "m.read": id}, nil))
	var marker struct {
		ID string `json:"event_id"`
	}
	ok(t, b.Do(ctx, "GET", client.Path("user", b.UserID, "rooms", room, "account_data", "m.fully_read"), nil, nil, &marker))
	equal(t, "the read marker", marker.ID, id)
}
