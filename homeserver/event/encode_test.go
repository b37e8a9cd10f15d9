package event

import (
	"bytes"
	"strings"
	"testing"

	"maunium.net/go/mautrix/crypto/canonicaljson"
)

// TestEncodedOnce holds the encoder of events that are made here against the library's of any event.
func TestEncodedOnce(t *testing.T) {
	t.Parallel()
	for _, v := range Versions() {
		for _, p := range []Proto{
			{Type: "m.room.message", Content: []byte(`{ "ü": "\u00e9\u2028<&>\ud83d\ude00", "b": [1, {"z": null, "a": 9007199254740991}], "a\"b": -5, "\u0001": true }`)},
			{Type: "m.room.member", StateKey: str("@ä\t\"q\\:test"), Content: []byte(`{"membership":"join","displayname":"\u0007"}`), Prev: []string{"$a", "$b"}, Auth: []string{"$c/+="}},
			{Type: "m.room.redaction", Redacts: "$x\u007f", Content: []byte(`{"reason":""}`)},
			{Type: "m.room.power_levels", StateKey: str(""), Content: []byte(`{"users":{"@b:test":100,"@a:test":50},"ban":50}`)},
			{Type: "x", RoomID: "-", Content: []byte(`{}`)},
		} {
			if p.Version, p.Sender, p.TS, p.Depth = v, "@alice:test", 1_700_000_000_000, 7; p.RoomID == "" {
				p.RoomID = "!room:test"
			} else {
				p.RoomID = ""
			}
			e, err := Build(p, testSigner())
			if err != nil {
				t.Fatal(err)
			}
			if !own(e.PDU) || !e.canonical {
				t.Fatalf("version %s: %s is not taken for our own", v, p.Type)
			}
			e.AddSignature("policy.example", "ed25519:p", "c2ln")
			got, err := e.JSON()
			if err != nil {
				t.Fatal(err)
			}
			want, err := canonicaljson.Marshal(e.PDU)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("version %s:\n%s, want\n%s", v, got, want)
			}
			if eventID, err := ID(e.PDU, v); err != nil || eventID != e.ID {
				t.Errorf("version %s: id %s, and %s by itself, %v", v, e.ID, eventID, err)
			}
			if !e.VerifyContentHash() {
				t.Errorf("version %s: the hash of %s does not match", v, p.Type)
			}
		}
	}
	for _, bad := range []string{`{"a":1.5}`, `{"a":9007199254740992}`, `{"a":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a":`} {
		if _, err := Build(Proto{Version: "12", RoomID: "!r", Type: "x", Sender: "@a:b", Content: []byte(bad)}, testSigner()); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := Build(Proto{Version: "12", RoomID: "!r", Type: "x", Sender: "@a\xff:b", Content: []byte(`{}`)}, testSigner()); err == nil {
		t.Error("a sender that is no UTF-8 was taken")
	}
	content := []byte(`{"b":1, "a":2}`)
	if _, err := Build(Proto{Version: "12", RoomID: "!r", Type: "x", Sender: "@a:b", Content: content}, testSigner()); err != nil || !strings.HasPrefix(string(content), `{"b":1, `) {
		t.Errorf("the caller's content became %s, %v", content, err)
	}
}
