package authrules

import (
	"encoding/json/jsontext"
	"errors"
	"testing"

	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

func state(typ, key, sender, content string) *pdu.PDU {
	return &pdu.PDU{Type: typ, StateKey: &key, Sender: id.UserID(sender), RoomID: "!r:x", Content: jsontext.Value(content)}
}

// TestPowerLevelsOfEquals changes the levels of somebody with the sender's own level.
func TestPowerLevelsOfEquals(t *testing.T) {
	t.Parallel()
	const a = "@a:x"
	for _, tc := range []struct {
		name, version, old, new string
		allowed                 bool
	}{
		{"removed", "11", `{"users":{"@a:x":100,"@b:x":100}}`, `{"users":{"@a:x":100}}`, false},
		{"lowered", "11", `{"users":{"@a:x":100,"@b:x":100}}`, `{"users":{"@a:x":100,"@b:x":0}}`, false},
		{"removed from below", "11", `{"users":{"@a:x":100,"@b:x":50}}`, `{"users":{"@a:x":100}}`, true},
		{"all removed", "11", `{"users":{"@a:x":100,"@b:x":100}}`, `{}`, false},
		{"the sender's own", "11", `{"users":{"@a:x":100}}`, `{}`, true},
		{"no number", "9", `{"users":{"@a:x":100,"@b:x":"admin"}}`, `{"users":{"@a:x":100,"@b:x":"admin"},"ban":1}`, false},
	} {
		auth := []*pdu.PDU{state("m.room.create", "", a, `{"room_version":"11"}`), state("m.room.member", a, a, `{"membership":"join"}`),
			state("m.room.power_levels", "", a, tc.old)}
		err := Authorize(id.RoomVersion(tc.version), state("m.room.power_levels", "", a, tc.new), auth, nil, nil)
		if (err == nil) != tc.allowed {
			t.Errorf("%s: %v", tc.name, err)
		}
		var fail eventauth.AuthFailError
		if err != nil && !errors.As(err, &fail) {
			t.Errorf("%s: %v is no AuthFailError", tc.name, err)
		}
	}
}
