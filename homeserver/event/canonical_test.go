package event

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"testing"

	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/pdu"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// agree wants an event that was built to be what the library makes of it: its bytes, hash, id and signature.
func agree(t *testing.T, e *Event) {
	t.Helper()
	raw, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := canonicaljson.Marshal(e.PDU); err != nil || !bytes.Equal(raw, want) {
		t.Errorf("it is\n%s\ninstead of\n%s (%v)", raw, want, err)
	}
	if !e.VerifyContentHash() {
		t.Error("the hash is not that of its content")
	}
	if id, err := ID(e.PDU, e.Version); err != nil || id != e.ID {
		t.Errorf("its id is %s, not %s, %v", e.ID, id, err)
	}
	signed, err := ForSignature(e.PDU, e.Version)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := base64.RawStdEncoding.DecodeString(e.Signatures["test"]["ed25519:1"])
	if err != nil || !ed25519.Verify(testSigner().Key.Public().(ed25519.PublicKey), signed, sig) {
		t.Errorf("its signature is wrong, %v", err)
	}
	pruned, err := e.Pruned(1).JSON()
	if want, err2 := canonicaljson.Marshal(Redact(e.PDU.Clone(), e.Version)); err != nil || err2 != nil || !bytes.Equal(pruned, want) {
		t.Errorf("pruned it is\n%s\ninstead of\n%s (%v, %v)", pruned, want, err, err2)
	}
}

// TestCanonical builds events of all versions in which the order of keys, escapes, and what a redaction leaves matter.
func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, v := range Versions() {
		for typ, content := range map[string]string{
			"m.room.message":      `{ "b" : "\u2028</script>\u0000\n\t\"\\ \ud83d\ude00 é", "a":[ {"z":1,"y":-5}, null, true ], "\u0061a": {}, "é":1, "😀":2, "ｚ":3}`,
			"m.room.member":       `{"reason":"x","membership":"join","join_authorised_via_users_server":"@a:test","displayname":"A"}`,
			"m.room.power_levels": `{"users":{"@b:test":1,"@a:test":2},"ban":50,"events":{"x":1,"m.room.name":2},"kick":50,"redact":50,"invite":0}`,
			"m.room.join_rules":   `{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!r:test"}],"x":1}`,
			"m.room.redaction":    `{"redacts":"$x","reason":"spam"}`,
			"m.room.create":       `{"room_version":"12","creator":"@a:test","x":[1]}`,
			"m.room.aliases":      `{"aliases":["#b:test","#a:test"]}`,
		} {
			for _, key := range []*string{nil, str(""), str("@ü\"\\:test")} {
				agree(t, build(t, v, typ, content, key))
			}
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	t.Parallel()
	good := Proto{Version: "12", RoomID: "!r", Type: "t", Sender: "@a:test", Content: []byte(`{}`), TS: 1, Depth: 1}
	for name, change := range map[string]func(*Proto){
		"a float":         func(p *Proto) { p.Content = []byte(`{"a":1.5}`) },
		"a huge number":   func(p *Proto) { p.Content = []byte(`{"a":9007199254740992}`) },
		"a key twice":     func(p *Proto) { p.Content = []byte(`{"a":1,"\u0061":2}`) },
		"no UTF-8":        func(p *Proto) { p.Content = []byte("{\"a\":\"\xff\"}") },
		"a type":          func(p *Proto) { p.Type = "\xff" },
		"a time":          func(p *Proto) { p.TS = 1 << 53 },
		"something after": func(p *Proto) { p.Content = []byte(`{} {}`) },
	} {
		p := good
		change(&p)
		if _, err := Build(p, testSigner()); !mxerror.Is(err, "M_BAD_JSON") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Build(good, testSigner()); err != nil {
		t.Error(err)
	}
}

// FuzzBuild: whatever can be built is what the library makes of it, and what it refuses is refused.
func FuzzBuild(f *testing.F) {
	f.Add(`{"body":"hi"}`, "m.room.message", "@a:test", "")
	f.Add(`{"membership":"join","third_party_invite":{"signed":{"b":1,"a":2}}}`, "m.room.member", "@a:test", "@b:test")
	f.Fuzz(func(t *testing.T, content, typ, sender, key string) {
		for _, v := range []Version{"6", "9", "12"} {
			e, err := Build(Proto{Version: v, RoomID: "!r:test", Type: typ, Sender: sender, StateKey: &key, Content: []byte(content), TS: 1, Depth: 1, Prev: []string{"$p"}}, testSigner())
			if err == nil {
				agree(t, e)
				continue
			}
			u := &pdu.PDU{RoomID: "!r:test", Content: []byte(content), Type: "t", Sender: "@a:test"}
			if _, err2 := canonicaljson.Marshal(u); err2 == nil && typ == "m.room.message" && sender == "@a:test" && key == "" && len(content) < MaxSize && content != "" && content[0] == '{' {
				t.Errorf("%q is refused: %v", content, err)
			}
		}
	})
}
