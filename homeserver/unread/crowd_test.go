package unread

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// TestCrowd: in a room in which people come and go, what is remembered of it for all gives each the count that
// looking through everything gives.
func TestCrowd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const people = 3 * page
	id := func(i int) string { return fmt.Sprintf("@u%d:test", i) }
	var said []*event.Event
	for i := range people {
		r.send(member(id(i), "join"))
		switch i % 40 {
		case 7:
			said = append(said, r.say(alice, "", fmt.Sprintf(`,"m.mentions":{"user_ids":[%q,%q]}`, id(5), id(i))))
		case 11:
			r.say(id(i), "", "")
		case 23:
			r.redact(said[len(said)-1])
		}
	}
	// One wants to hear of those who come, another one has read something, and a third one has another name since.
	nid := func(i int) int64 {
		t.Helper()
		n, err := r.s.UserNID(t.Context(), id(i))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	last := said[len(said)-1]
	err := r.s.Write(t.Context(), func(tx *store.Tx) error {
		return tx.SetReceipt(store.Receipt{Room: r.room.NID, User: nid(30), Kind: "m.read", EventID: last.ID, Event: last.NID})
	})
	if err != nil {
		t.Fatal(err)
	}
	err = push.Update(t.Context(), r.s, nid(20), func(c *push.Changes) error {
		rule, err := push.ParseRule(push.Override, "comers", []byte(`{"actions":["notify"],"conditions":[{"kind":"event_match","key":"content.membership","pattern":"join"}]}`))
		if err != nil {
			return err
		}
		return c.Put(push.Override, rule, "", "")
	})
	if err != nil {
		t.Fatal(err)
	}
	r.send(state(id(40), "m.room.member", id(40), `{"membership":"join","displayname":"Forty"}`))
	most := 0
	check := func(when string) {
		t.Helper()
		for i := people - 1; i >= 0; i -= 3 { // the last first, so that the range grows
			user := nid(i)
			got, err := r.c.Unread(t.Context(), user, id(i), r.room.NID, r.s.Position())
			if err != nil {
				t.Fatal(err)
			}
			alone := New(Options{Store: r.s, Log: r.c.o.Log})
			want, err := alone.Unread(t.Context(), user, id(i), r.room.NID, r.s.Position())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %+v, want %+v", when, id(i), got, want)
			}
			most = max(most, got.Notifications)
		}
	}
	check("at first")
	if known, ok := r.c.crowds.get(r.room.NID); !ok || len(known.places) < people/20 || len(known.places) > people/5 {
		t.Errorf("what is remembered: %+v", known)
	}
	r.say(alice, "", "")
	r.send(member("@new:test", "join"))
	r.redact(said[0])
	check("after more")
	// Those who have not asked before begin with what is remembered.
	r.c.memos = newCache[place](memosKept, (*memo).weight)
	r.say(alice, "", "")
	check("after a restart")
	if most < people/2 { // of who hears of those who come
		t.Errorf("the most of anybody: %d", most)
	}
}
