package e2e

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

// rooms makes rooms of every version with every preset and lets two people talk in them.
func rooms(t *testing.T, r *rig) {
	for version := 3; version <= 12; version++ {
		for preset, rule := range map[string]string{"private_chat": "invite", "trusted_private_chat": "invite", "public_chat": "public"} {
			t.Run(fmt.Sprintf("%d %s", version, preset), func(t *testing.T) {
				t.Parallel()
				ctx := t.Context()
				a, b := r.user(t), r.user(t)
				room := r.room(t, a, map[string]any{"preset": preset, "room_version": fmt.Sprint(version), "invite": []string{b.UserID},
					"name": "Name", "topic": "Topic", "creation_content": map[string]any{"type": "org.example"},
					"initial_state":                []any{map[string]any{"type": "org.example", "state_key": "k", "content": map[string]int{"n": 1}}},
					"power_level_content_override": map[string]any{"events_default": 7, "users_default": 7}})
				ok(t, b.Join(ctx, room))
				id := must(b.Send(ctx, room, "m.room.message", "1", client.Message("hello")))(t)
				equal(t, "the message", must(a.Event(ctx, room, id))(t).Body(), "hello")
				create := must(a.StateContent(ctx, room, "m.room.create", ""))(t)
				equal(t, "room_version", create["room_version"].(string), fmt.Sprint(version))
				equal(t, "type", create["type"].(string), "org.example")
				equal(t, "join_rule", must(a.StateContent(ctx, room, "m.room.join_rules", ""))(t)["join_rule"].(string), rule)
				equal(t, "name", must(a.StateContent(ctx, room, "m.room.name", ""))(t)["name"].(string), "Name")
				equal(t, "topic", must(a.StateContent(ctx, room, "m.room.topic", ""))(t)["topic"].(string), "Topic")
				equal(t, "initial state", must(a.StateContent(ctx, room, "org.example", "k"))(t)["n"].(float64), 1)
				levels := must(a.StateContent(ctx, room, "m.room.power_levels", ""))(t)
				equal(t, "events_default", levels["events_default"].(float64), 7)
				_, creatorListed := levels["users"].(map[string]any)[a.UserID]
				equal(t, "the creator has a power level", creatorListed, version < 12)
				_, err := b.SetState(ctx, room, "m.room.name", "", map[string]string{"name": "Other"})
				if trusted := preset == "trusted_private_chat"; trusted {
					ok(t, err)
				} else {
					refused(t, err, 403, "M_FORBIDDEN")
				}
				red := must(a.Redact(ctx, room, id, "2"))(t)
				e := must(a.Event(ctx, room, id))(t)
				if e.Body() != "" || len(e.Unsigned.Because) == 0 {
					t.Errorf("after redaction: %s %s", e.Content, e.Unsigned.Because)
				}
				redaction := must(a.Event(ctx, room, red))(t)
				var c struct{ Redacts string }
				ok(t, json.Unmarshal(redaction.Content, &c))
				if redaction.Redacts != id && c.Redacts != id {
					t.Errorf("the redaction does not say what it redacts: %s", redaction.Content)
				}
			})
		}
	}
	t.Run("wrong", func(t *testing.T) {
		a := r.user(t)
		for _, w := range []struct {
			opts map[string]any
			code string
		}{
			{map[string]any{"room_version": "999"}, "M_UNSUPPORTED_ROOM_VERSION"},
			{map[string]any{"room_version": 12}, "M_BAD_JSON"},
			{map[string]any{"preset": "nonsense"}, "M_INVALID_PARAM"},
			{map[string]any{"visibility": "nonsense"}, "M_INVALID_PARAM"},
			{map[string]any{"invite": []string{"nobody"}}, "M_INVALID_PARAM"},
			{map[string]any{"initial_state": []any{map[string]any{"type": "x"}}}, "M_BAD_JSON"},
			{map[string]any{"power_level_content_override": "x"}, "M_BAD_JSON"},
		} {
			_, err := a.CreateRoom(t.Context(), w.opts)
			refused(t, err, 400, w.code)
		}
		var joined struct {
			Rooms []string `json:"joined_rooms"`
		}
		ok(t, a.Do(t.Context(), "GET", client.Path("joined_rooms"), nil, nil, &joined))
		equal(t, "rooms left over from refused requests", len(joined.Rooms), 0)
	})
}

func memberships(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b, c := r.user(t), r.user(t), r.user(t)
	room := r.room(t, a, map[string]any{"preset": "private_chat"})
	refused(t, b.Join(ctx, room), 403, "M_FORBIDDEN")
	ok(t, a.Change(ctx, room, "invite", b.UserID))
	until(t, b, "", "the invitation", func(s *client.Sync) bool {
		return find(s.Rooms.Invite[room].State.Events, "m.room.member", b.UserID) != nil
	})
	ok(t, b.Join(ctx, room))
	refused(t, a.Change(ctx, room, "invite", b.UserID), 403, "M_FORBIDDEN")
	refused(t, b.Change(ctx, room, "kick", a.UserID), 403, "M_FORBIDDEN")
	refused(t, b.Change(ctx, room, "ban", a.UserID), 403, "M_FORBIDDEN")
	refused(t, a.Change(ctx, room, "kick", c.UserID), 403, "M_FORBIDDEN")
	since := must(b.Sync(ctx, client.SyncOptions{}))(t).Next
	ok(t, a.Change(ctx, room, "kick", b.UserID))
	until(t, b, since, "the kick", func(s *client.Sync) bool { _, left := s.Rooms.Leave[room]; return left })
	_, err := b.Send(ctx, room, "m.room.message", "1", client.Message("x"))
	refused(t, err, 403, "M_FORBIDDEN")
	ok(t, a.Change(ctx, room, "ban", b.UserID))
	refused(t, a.Change(ctx, room, "invite", b.UserID), 403, "M_FORBIDDEN")
	ok(t, a.Change(ctx, room, "unban", b.UserID))
	refused(t, a.Change(ctx, room, "unban", b.UserID), 403, "M_FORBIDDEN")
	ok(t, a.Change(ctx, room, "invite", b.UserID))
	ok(t, b.Leave(ctx, room)) // turns the invitation down
	refused(t, b.Join(ctx, room), 403, "M_FORBIDDEN")
	forget := func(c *client.Client) error {
		return c.Do(ctx, "POST", client.Path("rooms", room, "forget"), nil, struct{}{}, nil)
	}
	refused(t, forget(a), 400, "M_UNKNOWN")
	ok(t, forget(b))
	refused(t, a.Change(ctx, room, "invite", "nobody"), 400, "M_INVALID_PARAM")
	refused(t, a.Do(ctx, "POST", client.Path("rooms", room, "kick"), nil, struct{}{}, nil), 400, "M_MISSING_PARAM")

	var members struct{ Chunk []client.Event }
	ok(t, a.Do(ctx, "GET", client.Path("rooms", room, "members"), url.Values{"membership": {"join"}}, nil, &members))
	equal(t, "members that joined", len(members.Chunk), 1)
	var joined struct{ Joined map[string]any }
	ok(t, a.Do(ctx, "GET", client.Path("rooms", room, "joined_members"), nil, nil, &joined))
	equal(t, "joined members", len(joined.Joined), 1)
}

func events(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room := r.room(t, a, nil, b)
	_, err := b.SetState(ctx, room, "m.room.topic", "", map[string]string{"topic": "x"})
	refused(t, err, 403, "M_FORBIDDEN")
	_, err = a.StateContent(ctx, room, "org.missing", "")
	refused(t, err, 404, "M_NOT_FOUND")
	_, err = a.Event(ctx, room, "$missing")
	refused(t, err, 404, "M_NOT_FOUND")
	id := must(a.SetState(ctx, room, "org.example", "a/b", map[string]int{"n": 1}))(t)
	equal(t, "the same state again", must(a.SetState(ctx, room, "org.example", "a/b", map[string]int{"n": 1}))(t), id)
	var e client.Event
	ok(t, a.Do(ctx, "GET", client.Path("rooms", room, "state", "org.example", "a/b"), url.Values{"format": {"event"}}, nil, &e))
	equal(t, "?format=event", e.ID, id)
	next := must(a.SetState(ctx, room, "org.example", "a/b", map[string]int{"n": 2}))(t)
	if got := must(a.Event(ctx, room, next))(t); !strings.Contains(string(got.Unsigned.PrevContent), "1") {
		t.Errorf("prev_content: %s", got.Unsigned.PrevContent)
	}
	state := must(a.State(ctx, room))(t)
	if find(state, "org.example", "a/b") == nil || find(state, "m.room.member", b.UserID) == nil {
		t.Errorf("the state misses something: %q", types(state))
	}
	// ts is for application services alone.
	var sent struct {
		ID string `json:"event_id"`
	}
	ok(t, a.Do(ctx, "PUT", client.Path("rooms", room, "send", "m.room.message", "ts"), url.Values{"ts": {"1000"}}, client.Message("now"), &sent))
	if got := must(a.Event(ctx, room, sent.ID))(t); got.TS == 1000 {
		t.Error("an ordinary user chose the time of an event")
	}
	// b may redact what is b's, and nothing else; a may do both.
	mine, theirs := must(a.Send(ctx, room, "m.room.message", "m", client.Message("a")))(t), must(b.Send(ctx, room, "m.room.message", "t", client.Message("b")))(t)
	_, err = b.Redact(ctx, room, mine, "r1")
	refused(t, err, 403, "M_FORBIDDEN")
	must(b.Redact(ctx, room, theirs, "r2"))(t)
	must(a.Redact(ctx, room, mine, "r3"))(t)
	var around struct {
		Before []client.Event `json:"events_before"`
		After  []client.Event `json:"events_after"`
		Event  client.Event
	}
	ok(t, a.Do(ctx, "GET", client.Path("rooms", room, "context", theirs), url.Values{"limit": {"4"}}, nil, &around))
	if around.Event.ID != theirs || len(around.Before) == 0 || around.Before[0].ID != mine || len(around.After) == 0 {
		t.Errorf("context: %q, %s, %q", types(around.Before), around.Event.ID, types(around.After))
	}
}

func transactions(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	room := r.room(t, a, nil, b)
	first := must(a.Send(ctx, room, "m.room.message", "t", client.Message("one")))(t)
	equal(t, "a retry", must(a.Send(ctx, room, "m.room.message", "t", client.Message("one")))(t), first)
	if must(b.Send(ctx, room, "m.room.message", "t", client.Message("two")))(t) == first {
		t.Error("another user's request with the same id is taken for a retry")
	}
	other := r.room(t, a, nil)
	if must(a.Send(ctx, other, "m.room.message", "t", client.Message("one")))(t) == first {
		t.Error("a request for another room with the same id is taken for a retry")
	}
	// Many at once: one event.
	ids := make(chan string, 16)
	for range cap(ids) {
		go func() {
			id, err := a.Send(ctx, room, "m.room.message", "at once", client.Message("at once"))
			if err != nil {
				id = err.Error()
			}
			ids <- id
		}()
	}
	one := <-ids
	for range cap(ids) - 1 {
		equal(t, "of many retries at once", <-ids, one)
	}
	all := bodies(must(a.History(ctx, room, "f", 100))(t))
	equal(t, "messages", strings.Join(all, " "), "one two at once")
	// The sender, and nobody else, is shown the transaction id.
	if e := must(a.Event(ctx, room, first))(t); e.Unsigned.TxnID != "t" {
		t.Errorf("the sender sees the transaction id %q", e.Unsigned.TxnID)
	}
	if e := must(b.Event(ctx, room, first))(t); e.Unsigned.TxnID != "" {
		t.Errorf("somebody else sees the transaction id %q", e.Unsigned.TxnID)
	}
}

func aliases(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	name := fmt.Sprintf("alias%d", r.n.Add(1))
	alias := "#" + name + ":test"
	room := r.room(t, a, map[string]any{"preset": "public_chat", "room_alias_name": name})
	equal(t, "canonical alias", must(a.StateContent(ctx, room, "m.room.canonical_alias", ""))(t)["alias"].(string), alias)
	var found struct {
		Room string `json:"room_id"`
	}
	ok(t, r.anon.Do(ctx, "GET", client.Path("directory", "room", alias), nil, nil, &found))
	equal(t, "the alias leads to", found.Room, room)
	ok(t, b.Join(ctx, alias))
	_, err := b.CreateRoom(ctx, map[string]any{"room_alias_name": name})
	refused(t, err, 400, "M_ROOM_IN_USE")
	put := func(c *client.Client, alias string) error {
		return c.Do(ctx, "PUT", client.Path("directory", "room", alias), nil, map[string]string{"room_id": room}, nil)
	}
	refused(t, put(a, alias), 409, "M_UNKNOWN")
	refused(t, put(a, "#ghost_x:test"), 400, "M_EXCLUSIVE")
	refused(t, put(a, "nonsense"), 400, "M_INVALID_PARAM")
	ok(t, put(b, "#second-"+name+":test"))
	var list struct{ Aliases []string }
	ok(t, a.Do(ctx, "GET", client.Path("rooms", room, "aliases"), nil, nil, &list))
	slices.Sort(list.Aliases)
	equal(t, "aliases", strings.Join(list.Aliases, " "), alias+" #second-"+name+":test")
	del := func(c *client.Client, alias string) error {
		return c.Do(ctx, "DELETE", client.Path("directory", "room", alias), nil, nil, nil)
	}
	refused(t, del(b, alias), 403, "M_FORBIDDEN")
	ok(t, del(b, "#second-"+name+":test"))
	ok(t, del(a, alias))
	refused(t, b.Do(ctx, "GET", client.Path("directory", "room", alias), nil, nil, nil), 404, "M_NOT_FOUND")
	refused(t, b.Join(ctx, alias), 404, "M_NOT_FOUND")
}
