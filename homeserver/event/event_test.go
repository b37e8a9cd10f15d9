package event

import (
	"crypto/ed25519"
	"encoding/json/v2"
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func testSigner() Signer {
	return Signer{Server: "test", KeyID: "ed25519:1", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}
}

func build(t *testing.T, v Version, typ, content string, key *string) *Event {
	t.Helper()
	e, err := Build(Proto{Version: v, RoomID: "!room:test", Type: typ, Sender: "@alice:test", StateKey: key, Content: []byte(content),
		TS: 1700000000000, Depth: 3, Prev: []string{"$prev"}, Auth: []string{"$auth"}}, testSigner())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func str(s string) *string { return &s }

// TestRoundTrip builds an event of every version, encodes it and parses it again.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, v := range Versions() {
		e := build(t, v, "m.room.message", `{ "body": "hällo \u0001 \"quoted\"", "n": 5 }`, nil)
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(raw, e.ID, e.InRoom, v)
		if err != nil {
			t.Fatal(err)
		}
		if !again.VerifyContentHash() {
			t.Errorf("version %s: content hash does not match", v)
		}
		if id, err := ID(again.PDU, v); err != nil || string(id) != e.ID {
			t.Errorf("version %s: id %s became %s, %v", v, e.ID, id, err)
		}
		if v != "3" && strings.ContainsAny(e.ID, "+/") {
			t.Errorf("version %s: id %s is not URL-safe", v, e.ID)
		}
	}
}

func TestCreateNamesTheRoom(t *testing.T) {
	t.Parallel()
	e, err := Build(Proto{Version: "12", Type: "m.room.create", Sender: "@alice:test", StateKey: str(""), Content: []byte(`{"room_version":"12"}`), TS: 1, Depth: 1}, testSigner())
	if err != nil {
		t.Fatal(err)
	}
	if e.InRoom != "!"+e.ID[1:] || e.RoomID != "" {
		t.Fatalf("event %s is in room %q and carries %q", e.ID, e.InRoom, e.RoomID)
	}
}

func TestAppendClient(t *testing.T) {
	t.Parallel()
	message := build(t, "12", "m.room.message", `{"body":"hi"}`, nil)
	message.TxnScope, message.Txn = 7, TxnKey("m.room.message", "t\"1")
	old := build(t, "12", "m.room.topic", `{"topic":"old"}`, str(""))
	topic := build(t, "12", "m.room.topic", `{"topic":"new"}`, str(""))
	redaction := build(t, "12", "m.room.redaction", `{"redacts":"$x"}`, nil)
	for _, tc := range []struct {
		name string
		e    *Event
		v    View
		want map[string]any
	}{
		{"plain", message, View{}, map[string]any{"content": map[string]any{"body": "hi"}, "event_id": message.ID,
			"origin_server_ts": 1700000000000.0, "sender": "@alice:test", "type": "m.room.message"}},
		{"with everything", message, View{RoomID: true, Txn: true, NowMS: 1700000000500, Membership: "join"},
			map[string]any{"content": map[string]any{"body": "hi"}, "event_id": message.ID, "room_id": "!room:test",
				"origin_server_ts": 1700000000000.0, "sender": "@alice:test", "type": "m.room.message",
				"unsigned": map[string]any{"age": 500.0, "membership": "join", "transaction_id": `t"1`}}},
		{"state", topic, View{Previous: old}, map[string]any{"content": map[string]any{"topic": "new"}, "event_id": topic.ID, "state_key": "",
			"origin_server_ts": 1700000000000.0, "sender": "@alice:test", "type": "m.room.topic",
			"unsigned": map[string]any{"prev_content": map[string]any{"topic": "old"}, "prev_sender": "@alice:test", "replaces_state": old.ID}}},
		{"redaction", redaction, View{}, map[string]any{"content": map[string]any{"redacts": "$x"}, "redacts": "$x", "event_id": redaction.ID,
			"origin_server_ts": 1700000000000.0, "sender": "@alice:test", "type": "m.room.redaction"}},
	} {
		var got map[string]any
		raw := tc.e.AppendClient(nil, tc.v)
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Errorf("%s: %v in %s", tc.name, err, raw)
		} else if fmt.Sprint(got) != fmt.Sprint(tc.want) {
			t.Errorf("%s:\n got %v\nwant %v", tc.name, got, tc.want)
		}
	}
}

// TestOldRedaction has a redaction from before room version 11, whose target is outside of the
// content; clients find it in both places.
func TestOldRedaction(t *testing.T) {
	t.Parallel()
	for _, content := range []string{`{}`, `{"reason":"spam"}`} {
		e, err := Build(Proto{Version: "10", RoomID: "!r:test", Type: "m.room.redaction", Sender: "@a:test", Content: []byte(content), Redacts: "$x", TS: 1, Depth: 1}, testSigner())
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Redacts string
			Content struct{ Redacts, Reason string }
		}
		if err := json.Unmarshal(e.AppendClient(nil, View{}), &got, json.MatchCaseInsensitiveNames(true)); err != nil {
			t.Fatal(err)
		}
		if e.RedactsID() != "$x" || got.Redacts != "$x" || got.Content.Redacts != "$x" {
			t.Errorf("content %s: %+v", content, got)
		}
	}
}

func TestPruned(t *testing.T) {
	t.Parallel()
	e := build(t, "12", "m.room.member", `{"membership":"join","displayname":"A"}`, str("@alice:test"))
	p := e.Pruned(9)
	if string(p.Content) != `{"membership":"join"}` || p.RedactedBy != 9 || !p.Has(Redacted) {
		t.Errorf("pruned to %s, %d", p.Content, p.RedactedBy)
	}
	if e.ContentString("displayname") != "A" || e.Has(Redacted) {
		t.Error("the original was changed")
	}
	if id, err := p.GetEventID("12"); err != nil || string(id) != e.ID {
		t.Errorf("the id became %s, %v", id, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, tc := range []struct {
		name, code string
		p          Proto
	}{
		{"no type", "M_INVALID_PARAM", Proto{Content: []byte(`{}`)}},
		{"no content", "M_BAD_JSON", Proto{Type: "x"}},
		{"array", "M_BAD_JSON", Proto{Type: "x", Content: []byte(`[1]`)}},
		{"broken", "M_BAD_JSON", Proto{Type: "x", Content: []byte(`{"a":`)}},
		{"float", "M_BAD_JSON", Proto{Type: "x", Content: []byte(`{"a":1e-3}`)}},
		{"nested duplicate", "M_BAD_JSON", Proto{Type: "x", Content: []byte(`{"a":{"b":1,"b":2}}`)}},
		{"long type", "M_TOO_LARGE", Proto{Type: long, Content: []byte(`{}`)}},
		{"long key", "M_TOO_LARGE", Proto{Type: "x", StateKey: &long, Content: []byte(`{}`)}},
		{"huge", "M_TOO_LARGE", Proto{Type: "x", Content: []byte(`{"a":"` + strings.Repeat("x", 3*MaxSize) + `"}`)}},
	} {
		tc.p.Version, tc.p.RoomID, tc.p.Sender = "12", "!r:test", "@a:test"
		if _, err := Build(tc.p, testSigner()); !mxerror.Is(err, tc.code) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.code)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"m.room.message","content":{"body":"x"},"sender":"@a:b","room_id":"!r:b","depth":1,"origin_server_ts":1,"prev_events":[],"auth_events":[]}`))
	f.Add([]byte(`{"type":"m.room.redaction","redacts":"$x","content":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := Parse(raw, "$id", "!room", "10")
		if err != nil || len(e.Content) == 0 || e.Content.Kind() != '{' {
			return
		}
		var out map[string]any
		if err := json.Unmarshal(e.AppendClient(nil, View{RoomID: true, NowMS: 5}), &out); err != nil {
			t.Fatalf("%q gave clients what is not JSON: %v", raw, err)
		}
		e.Pruned(1)
	})
}

// BenchmarkBuild is what it costs to make a message, and the JSON that is stored of it.
func BenchmarkBuild(b *testing.B) {
	s := testSigner()
	for b.Loop() {
		e, err := Build(Proto{Version: "12", RoomID: "!room:test", Type: "m.room.message", Sender: "@alice:test", Content: []byte(`{"msgtype":"m.text","body":"` + strings.Repeat("word ", 20) + `"}`),
			TS: 1, Depth: 3, Prev: []string{"$" + strings.Repeat("p", 43)}, Auth: []string{"$" + strings.Repeat("a", 43), "$" + strings.Repeat("b", 43)}}, s)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.JSON(); err != nil {
			b.Fatal(err)
		}
	}
}
