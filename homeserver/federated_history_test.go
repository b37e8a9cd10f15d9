package homeserver

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// history pages back through a room, and lists the ids of its events, the newest first.
func (p *site) history(token, room string, limit int) (ids []string, bodies []string) {
	p.Helper()
	from := ""
	for range 1000 {
		out := p.ok(token, "GET", fmt.Sprintf("/v3/rooms/%s/messages?dir=b&limit=%d&from=%s", url.PathEscape(room), limit, url.QueryEscape(from)), nil)
		out.Get("chunk").ForEach(func(_, e gjson.Result) bool {
			ids = append(ids, e.Get("event_id").Str)
			if b := e.Get("content.body"); b.Exists() {
				bodies = append(bodies, b.Str)
			}
			return true
		})
		if from = out.Get("end").Str; from == "" {
			return ids, bodies
		}
	}
	p.Fatal("there is no end")
	return nil, nil
}

// TestBackfill: whoever joins a room finds what was said in it before, page by page, as those who were
// there do.
func TestBackfill(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"10", "12"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := sites(t, 3)
			a, b, c := p[0], p[1], p[2]
			alice, bob, carol := a.user("alice"), b.user("bob"), c.user("carol")
			room := a.room(alice, obj{"preset": "public_chat", "room_version": version, "name": "Hall"})
			for i := range 60 {
				a.say(alice, room, fmt.Sprint("early ", i))
			}
			c.joinVia(carol, room, a)
			a.member(t, alice, room, c.id("carol"), "join")
			for i := range 60 {
				a.say(alice, room, fmt.Sprint("late ", i))
			}
			c.sees(t, carol, room, "late 59")
			b.joinVia(bob, room, a)
			a.member(t, alice, room, b.id("bob"), "join")
			c.member(t, carol, room, b.id("bob"), "join")
			want, said := a.history(alice, room, 100)
			got, heard := b.history(bob, room, 7)
			if !slices.Equal(got, want) {
				t.Errorf("bob finds %d events, alice %d", len(got), len(want))
			}
			if !slices.Equal(heard, said) {
				t.Errorf("bob hears %q", heard)
			}
			// With the first server gone, another one has it.
			a.down.Store(true)
			dave := c.user("dave")
			c.joinVia(dave, room, b)
			b.member(t, bob, room, c.id("dave"), "join")
			if _, heard := c.history(dave, room, 30); !slices.Contains(heard, "early 0") {
				t.Errorf("dave hears %q", heard)
			}
		})
	}
}

// TestBackfillHidden: what was said before somebody came is not shown where the room doesn't want that.
func TestBackfillHidden(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat", "initial_state": []obj{{"type": "m.room.history_visibility", "content": obj{"history_visibility": "joined"}}}})
	a.say(alice, room, "secret")
	b.joinVia(bob, room, a)
	a.say(alice, room, "open")
	b.sees(t, bob, room, "open")
	if _, heard := b.history(bob, room, 5); strings.Join(heard, " ") != "open" {
		t.Errorf("bob hears %q", heard)
	}
}

// TestRemoteTimestamp: an event near a time that is not here is asked for, can be looked at, and can be
// paged from.
func TestRemoteTimestamp(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	var ids []string
	for i := range 30 {
		ids = append(ids, a.say(alice, room, fmt.Sprint("word ", i)))
	}
	b.joinVia(bob, room, a)
	path := "/v3/rooms/" + url.PathEscape(room)
	ts := a.ok(alice, "GET", path+"/event/"+ids[20], nil).Get("origin_server_ts").Int()
	near := b.ok(bob, "GET", fmt.Sprintf("/v1/rooms/%s/timestamp_to_event?ts=%d&dir=b", url.PathEscape(room), ts), nil)
	if got := near.Get("origin_server_ts").Int(); got != ts {
		t.Errorf("the event is of %d, not of %d", got, ts)
	}
	found := near.Get("event_id").Str
	around := b.ok(bob, "GET", path+"/context/"+found+"?limit=0", nil)
	if got := around.Get("event.event_id").Str; got != found {
		t.Errorf("the context is of %s", got)
	}
	out := b.ok(bob, "GET", path+"/messages?dir=b&limit=100&from="+url.QueryEscape(around.Get("start").Str), nil)
	if got := all(out.Get("chunk"), "content.body"); !strings.Contains(got, "word 0") {
		t.Errorf("before it is %s", got)
	}
	b.refused(404, "M_NOT_FOUND", bob, "GET", fmt.Sprintf("/v1/rooms/%s/timestamp_to_event?ts=%d&dir=b", url.PathEscape(room), 1000), nil)
	want, _ := a.history(alice, room, 100)
	if got, _ := b.history(bob, room, 100); !slices.Equal(got, want) {
		t.Errorf("bob finds %d events, alice %d", len(got), len(want))
	}
}
