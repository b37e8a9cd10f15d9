package sync

import (
	"encoding/json/jsontext"
	"testing"
	"time"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func ev(typ, sender, content string) *event.Event {
	return &event.Event{PDU: &pdu.PDU{Type: typ, Sender: id.UserID(sender), Content: jsontext.Value(content)}}
}

func TestEventFilter(t *testing.T) {
	t.Parallel()
	message := ev("m.room.message", "@a:x", `{"body":"hi"}`)
	image := ev("m.room.message", "@b:x", `{"url":"mxc://x/y"}`)
	for _, tc := range []struct {
		filter string
		e      *event.Event
		want   bool
	}{
		{`{}`, message, true},
		{`{"types":[]}`, message, false},
		{`{"types":["m.room.message"]}`, message, true},
		{`{"types":["m.room.*"]}`, message, true},
		{`{"types":["*message"]}`, message, true},
		{`{"types":["m.*.mess*e"]}`, message, true},
		{`{"types":["m.*.x*e"]}`, message, false},
		{`{"types":["m.room.name"]}`, message, false},
		{`{"types":["*"],"not_types":["m.room.*"]}`, message, false},
		{`{"senders":["@a:x"]}`, message, true},
		{`{"senders":["@*:x"]}`, message, false},
		{`{"not_senders":["@a:x"]}`, message, false},
		{`{"senders":["@a:x"],"not_senders":["@a:x"]}`, message, false},
		{`{"contains_url":true}`, message, false},
		{`{"contains_url":true}`, image, true},
		{`{"contains_url":false}`, image, false},
	} {
		f, err := ParseEventFilter([]byte(tc.filter))
		if err != nil {
			t.Errorf("%s: %v", tc.filter, err)
		} else if f.Allows(tc.e) != tc.want {
			t.Errorf("%s on %s by %s: want %v", tc.filter, tc.e.Type, tc.e.Sender, tc.want)
		}
	}
}

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{``, `[]`, `{"room":5}`, `{"room":{"timeline":{"limit":"many"}}}`, `{"event_format":"xml"}`,
		`{"room":{"rooms":["nonsense"]}}`, `{"room":{"timeline":{"senders":["bob"]}}}`, `{"presence":{"not_senders":[""]}}`} {
		if _, err := ParseFilter([]byte(bad)); !mxerror.Is(err, "M_BAD_JSON") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	f, err := ParseFilter([]byte(`{"room":{"timeline":{"limit":100000},"state":{"lazy_load_members":true}},"unknown":1}`))
	if err != nil || f.Room.Timeline.limit() != maxLimit || !f.Room.State.LazyLoadMembers || f.Room.Ephemeral.limit() != defaultLimit {
		t.Errorf("%+v, %v", f, err)
	}
}

func FuzzParseFilter(f *testing.F) {
	f.Add([]byte(`{"room":{"timeline":{"types":["m.*"],"limit":3}}}`))
	e := ev("m.room.message", "@a:x", `{}`)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if flt, err := ParseFilter(raw); err == nil {
			flt.Room.Timeline.Allows(e)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tok := Token{12, 34, 56, 78}
	if got, err := ParseToken(tok.String()); err != nil || got != tok {
		t.Errorf("%s became %v, %v", tok, got, err)
	}
	for _, p := range []Position{At(store.Place{Depth: 3, Pos: -9}), {Place: store.Place{Depth: 3, Pos: 2}, Log: 9}, {Log: 7, IsLog: true}} {
		if got, err := ParsePosition(p.String()); err != nil || got != p {
			t.Errorf("%s became %v, %v", p, got, err)
		}
	}
	for _, bad := range []string{"", "s", "s1", "s1_2", "s1_2_3_4_5", "s-1_2_3", "t", "t1", "tx_1", "s1_2_x", "99999999999999999999"} {
		if _, err := ParseToken(bad); !mxerror.Is(err, "M_INVALID_PARAM") {
			t.Errorf("token %q: %v", bad, err)
		}
		if _, err := ParsePosition(bad); !mxerror.Is(err, "M_INVALID_PARAM") {
			t.Errorf("position %q: %v", bad, err)
		}
	}
}

func TestTyping(t *testing.T) {
	t.Parallel()
	woken := make(chan int64, 10)
	ty := NewTyping(time.Now, func(room int64) { woken <- room })
	defer ty.Close()
	start := ty.Position()
	ty.Set(1, "@b:x", time.Minute)
	ty.Set(1, "@a:x", time.Minute)
	if users, changed := ty.Since(1, start); !changed || len(users) != 2 || users[0] != "@a:x" {
		t.Fatalf("typing: %v, %v", users, changed)
	}
	if _, changed := ty.Since(1, ty.Position()); changed {
		t.Error("nothing has changed since")
	}
	if _, changed := ty.Since(2, start); changed {
		t.Error("another room has changed")
	}
	<-woken
	<-woken
	// Falling silent is news too, by itself.
	ty.Set(1, "@a:x", 0)
	<-woken
	ty.Set(1, "@b:x", 10*time.Millisecond)
	for room := range woken {
		if room == 1 && len(ty.In(1)) == 0 {
			break
		}
	}
}
