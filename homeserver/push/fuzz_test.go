package push

import (
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// FuzzRule: whatever is accepted can be stored, read back, rendered and tried.
func FuzzRule(f *testing.F) {
	f.Add("override", "x", `{"actions":["notify"],"conditions":[{"kind":"event_match","key":"content.body","pattern":"a*"}]}`, `{"body":"abc"}`)
	f.Add("content", "x", `{"actions":[{"set_tweak":"highlight","value":false}],"pattern":"a?c"}`, `{"body":"abc"}`)
	f.Add("underride", "x", `{"actions":[],"conditions":[{"kind":"event_property_contains","key":"content.m\\.x","value":null},{"kind":"room_member_count","is":"<=2"}]}`, `{"m.x":[null]}`)
	f.Add("room", "!room:here", `{"actions":["dont_notify"]}`, `{}`)
	f.Fuzz(func(t *testing.T, kind, id, body, content string) {
		k, err := ParseKind(kind)
		if err != nil {
			return
		}
		r, err := ParseRule(k, id, []byte(body))
		if err != nil {
			if _, ok := mxerror.As(err); !ok {
				t.Fatalf("a private error for %s: %v", body, err)
			}
			return
		}
		c := &Changes{}
		if err := c.Put(k, r, "", ""); err != nil {
			t.Fatal(err)
		}
		stored, err := c.encode()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := Render(me, stored)
		if err != nil {
			t.Fatal(err)
		}
		canonical(t, raw)
		back, err := ParseChanges(stored)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := back.encode(); again != stored {
			t.Fatalf("%s became %s: %v", stored, again, err)
		}
		e, err := event.Parse([]byte(`{"type":"m.room.message","sender":"@you:here","content":`+content+`}`), "$e", "!room:here", "11")
		if err != nil {
			return
		}
		room := RoomContext{Members: 2, DisplayName: id}
		a, b := Compile(me, c).Evaluate(NewEvent(e), room), Compile(me, back).Evaluate(NewEvent(e), room)
		if describe(a) != describe(b) {
			t.Errorf("%q and %q", describe(a), describe(b))
		}
	})
}
