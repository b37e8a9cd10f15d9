package authrules

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"
)

// TestThirdParty: an invitation by a third party is as good as the signature of the identity server whose keys
// the room has.
func TestThirdParty(t *testing.T) {
	t.Parallel()
	const a, b = "@a:x", "@b:y"
	key := func() (string, ed25519.PrivateKey) {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawStdEncoding.EncodeToString(public), private
	}
	public, private := key()
	wrong, stranger := key()
	sign := func(k ed25519.PrivateKey, user, token string) string {
		sig := base64.RawStdEncoding.EncodeToString(ed25519.Sign(k, fmt.Appendf(nil, `{"mxid":%q,"token":%q}`, user, token)))
		return fmt.Sprintf(`{"mxid":%q,"signatures":{"id":{"ed25519:0":%q}},"token":%q}`, user, sig, token)
	}
	content := func(signed string) string {
		return `{"membership":"invite","third_party_invite":{"display_name":"b","signed":` + signed + `}}`
	}
	one := `{"display_name":"b","key_validity_url":"u","public_key":"` + public + `"}`
	list := `{"display_name":"b","key_validity_url":"u","public_key":"` + wrong + `","public_keys":[{"public_key":"x"},{"public_key":"` + public + `"}]}`
	forged := sign(stranger, b, "t")
	many := sign(private, b, "t")
	many = strings.Replace(many, `"signatures":{`, `"signatures":{"many":{`+strings.Repeat(`"ed25519:1":"AAAA",`, thirdSignaturesMax)+`"ed25519:2":"AAAA"},`, 1)
	for _, tc := range []struct {
		name, third, sender, content string
		allowed                      bool
	}{
		{"one key", one, a, content(sign(private, b, "t")), true},
		{"a list of keys", list, a, content(sign(private, b, "t")), true},
		{"another key", one, a, content(forged), false},
		{"another token", one, a, content(sign(private, b, "u")), false},
		{"another user", one, a, content(sign(private, "@c:y", "t")), false},
		{"another sender", one, "@c:x", content(sign(private, b, "t")), false},
		{"no signature", one, a, content(`{"mxid":"@b:y","token":"t"}`), false},
		{"nothing signed", one, a, `{"membership":"invite","third_party_invite":{}}`, false},
		{"text", one, a, `{"membership":"invite","third_party_invite":"x"}`, false},
		{"keys of one's own", one, a, `{"membership":"invite","public_key":{"token":"` + wrong + `"},"public_keys":["` + wrong + `"],"third_party_invite":{"signed":` + forged + `}}`, false},
		{"signed text", one, a, `{"membership":"invite","public_key":{"token":"` + wrong + `"},"third_party_invite":{"signed":` + fmt.Sprintf("%q", forged) + `}}`, false},
		{"too many signatures", one, a, content(many), false},
	} {
		// The inviter has left since: it was for them to invite when they did.
		auth := []*pdu.PDU{state("m.room.create", "", a, `{"room_version":"11"}`), state("m.room.member", a, a, `{"membership":"leave"}`),
			state("m.room.third_party_invite", "t", a, tc.third), state("m.room.join_rules", "", a, `{"join_rule":"invite"}`)}
		if err := Authorize(id.RoomV11, state("m.room.member", b, tc.sender, tc.content), auth, nil, nil); (err == nil) != tc.allowed {
			t.Errorf("%s: %v", tc.name, err)
		}
		banned := append(auth[:len(auth):len(auth)], state("m.room.member", b, b, `{"membership":"ban"}`))
		if Authorize(id.RoomV11, state("m.room.member", b, tc.sender, tc.content), banned, nil, nil) == nil {
			t.Errorf("%s: somebody who is banned is invited", tc.name)
		}
	}
}
