package event

import (
	"crypto/ed25519"
	"encoding/json/v2"
	"fmt"
	"slices"
	"strings"
	"testing"

	gmsl "github.com/matrix-org/gomatrixserverlib"
	"maunium.net/go/mautrix/federation/pdu"
)

// TestIDs compares ids and the redacted form of events of every version with those that another
// implementation makes, also with keys at the top level that some versions have or protect and others don't.
func TestIDs(t *testing.T) {
	t.Parallel()
	types := map[string]string{
		"m.room.message":            `{"body":"x"}`,
		"m.room.create":             `{"creator":"@a:b","room_version":"%s","m.federate":true}`,
		"m.room.member":             `{"membership":"join","displayname":"x","join_authorised_via_users_server":"@c:d"}`,
		"m.room.join_rules":         `{"join_rule":"restricted","allow":[],"x":1}`,
		"m.room.power_levels":       `{"ban":1,"events":{"x":2},"events_default":3,"invite":4,"kick":5,"notifications":{},"redact":6,"state_default":7,"users":{"@a:b":100},"users_default":8}`,
		"m.room.aliases":            `{"aliases":["#a:b"]}`,
		"m.room.history_visibility": `{"history_visibility":"shared","x":1}`,
		"m.room.redaction":          `{"redacts":"$other","reason":"x"}`,
	}
	extras := []string{``, `,"redacts":"$x"`, `,"msc4354_sticky":{"duration_ms":1}`, `,"origin":"b"`, `,"membership":"join"`, `,"prev_state":[]`,
		`,"something":1`, `,"unsigned":{"age":1}`, `,"redacts":"$x","msc4354_sticky":{"duration_ms":1},"unsigned":{"age":1}`}
	for n := 3; n <= 12; n++ {
		version := Version(fmt.Sprint(n))
		other := gmsl.MustGetRoomVersion(gmsl.RoomVersion(version))
		for typ, content := range types {
			room, state := `"room_id":"!r:b",`, ""
			if typ != "m.room.message" && typ != "m.room.redaction" {
				state = `"state_key":"",`
			}
			if typ == "m.room.create" {
				content = fmt.Sprintf(content, version)
				if n == 12 {
					room = ""
				}
			}
			for _, extra := range extras {
				raw := fmt.Sprintf(`{"auth_events":[],"content":%s,"depth":1,"hashes":{"sha256":"aGFzaA"},"origin_server_ts":1,"prev_events":[],%s"sender":"@a:b",%s"type":%q%s}`,
					content, room, state, typ, extra)
				p := &pdu.PDU{}
				if err := json.Unmarshal([]byte(raw), p); err != nil {
					t.Fatal(err)
				}
				before, _ := (&Event{PDU: p}).JSON()
				got, err := ID(p, version)
				if err != nil {
					t.Fatal(err)
				}
				if after, _ := (&Event{PDU: p}).JSON(); !slices.Equal(before, after) {
					t.Errorf("version %s %s%s: computing the id changed the event", version, typ, extra)
				}
				e, err := other.NewEventFromTrustedJSON([]byte(raw), false)
				if err != nil {
					t.Fatal(err)
				}
				if got != e.EventID() {
					t.Errorf("version %s %s%s: the id is %s, another server says %s", version, typ, extra, got, e.EventID())
				}
				pruned, err := (&Event{PDU: p, Version: version}).Pruned(0).JSON()
				if err != nil {
					t.Fatal(err)
				}
				for key, kept := range map[string]bool{"redacts": strings.Contains(content, `"redacts"`) && n >= 11, "msc4354_sticky": false, "something": false} {
					if strings.Contains(string(pruned), `"`+key+`"`) != kept {
						t.Errorf("version %s %s%s: redacted %s", version, typ, extra, pruned)
					}
				}
			}
		}
	}
}

// TestSignatures verifies our signatures with another implementation.
func TestSignatures(t *testing.T) {
	t.Parallel()
	for n := 3; n <= 12; n++ {
		e, err := Build(Proto{Version: Version(fmt.Sprint(n)), RoomID: "!r:test", Type: "m.room.redaction", Sender: "@a:test",
			Content: []byte(`{"redacts":"$x","reason":"y"}`), Redacts: "$x", TS: 1, Depth: 1}, testSigner())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		other := gmsl.MustGetRoomVersion(gmsl.RoomVersion(e.Version))
		redacted, err := other.RedactEventJSON(raw)
		if err != nil {
			t.Fatal(err)
		}
		s := testSigner()
		if err := gmsl.VerifyJSON(s.Server, gmsl.KeyID(s.KeyID), s.Key.Public().(ed25519.PublicKey), redacted); err != nil {
			t.Errorf("version %s: %v", e.Version, err)
		}
		if mine, err := ForSignature(e.PDU, e.Version); err != nil || strings.Contains(string(mine), "signatures") {
			t.Errorf("version %s: %s %v", e.Version, mine, err)
		}
	}
}

// TestKnownIDs has ids that Synapse 1.163.2 makes of events about which implementations differ.
func TestKnownIDs(t *testing.T) {
	t.Parallel()
	const (
		redaction = `"type":"m.room.redaction","redacts":"$x","content":{"redacts":"$y","reason":"z"}`
		signed    = `"type":"m.room.member","state_key":"@c:d","content":{"membership":"invite","third_party_invite":{"display_name":"x","signed":{"mxid":"@c:d","token":"t"}}}`
		unsigned  = `"type":"m.room.member","state_key":"@c:d","content":{"membership":"invite","third_party_invite":{"display_name":"x"}}`
		number    = `"type":"m.room.member","state_key":"@c:d","content":{"membership":"invite","third_party_invite":3}`
		sticky    = `"type":"m.room.message","content":{},"msc4354_sticky":{"duration_ms":1}`
	)
	for _, tc := range []struct{ version, event, id string }{
		{"10", redaction, "$tk5Ta3_UIAsODa2JoR1z_wZjNYupRT5oHoBUqcqfNWo"},
		{"11", redaction, "$VcnweD9B4sB6zuLsjd9SYmLvLJx5oukxNB_HvNHTFUI"},
		{"12", redaction, "$VcnweD9B4sB6zuLsjd9SYmLvLJx5oukxNB_HvNHTFUI"},
		{"10", signed, "$bfm2HoBDcHuxwxxmqZpNHOxSHv0aODUVxlLFW2r9m9c"},
		{"11", signed, "$oT440ywpBNtRZfeskOmjM768W_UbgbpRnKzZNFOuREY"},
		{"10", unsigned, "$bfm2HoBDcHuxwxxmqZpNHOxSHv0aODUVxlLFW2r9m9c"},
		{"11", unsigned, "$i6r4sM0V__08WRQFsVhr19-DTWbdIVsn7eyOhwiHwsQ"},
		{"11", number, "$bfm2HoBDcHuxwxxmqZpNHOxSHv0aODUVxlLFW2r9m9c"},
		{"10", sticky, "$5t6W-BZ2wGyOgGAz4Dil-dAoAdMi8gbbkh8uREH5QHQ"},
		{"12", sticky, "$5t6W-BZ2wGyOgGAz4Dil-dAoAdMi8gbbkh8uREH5QHQ"},
	} {
		p := &pdu.PDU{}
		raw := `{"auth_events":[],"depth":1,"hashes":{"sha256":"aGFzaA"},"origin_server_ts":1,"prev_events":[],"room_id":"!r:b","sender":"@a:b",` + tc.event + `}`
		if err := json.Unmarshal([]byte(raw), p); err != nil {
			t.Fatal(err)
		}
		if got, err := ID(p, Version(tc.version)); got != tc.id || err != nil {
			t.Errorf("version %s %s: %s %v", tc.version, tc.event, got, err)
		}
	}
}
