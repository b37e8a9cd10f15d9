package homeserver

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/v2"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
)

// TestThirdPartyInvites: whoever turns out to have an address that was invited gets the invitation, whether the
// inviter's server is another one or the same.
func TestThirdPartyInvites(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, carol, bob := a.user("alice"), a.user("carol"), b.user("bob")
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key := base64.RawStdEncoding.EncodeToString(public)
	room := a.room(alice, obj{"preset": "private_chat"})
	path := "/v3/rooms/" + url.PathEscape(room)
	for _, token := range []string{"t0ken", "other"} {
		a.ok(alice, "PUT", path+"/state/m.room.third_party_invite/"+token, obj{"display_name": "b...@e...", "key_validity_url": "https://x/isvalid", "public_key": key,
			"public_keys": []obj{{"public_key": key, "key_validity_url": "https://x/isvalid"}}})
	}
	signed := func(by ed25519.PrivateKey, user, token string) obj {
		sum, err := canonicaljson.Marshal(obj{"mxid": user, "token": token})
		if err != nil {
			t.Fatal(err)
		}
		return obj{"mxid": user, "token": token, "signatures": obj{"id.example": obj{"ed25519:0": base64.RawStdEncoding.EncodeToString(ed25519.Sign(by, sum))}}}
	}
	bind := func(s *site, user string, invites ...obj) (int, gjson.Result) {
		t.Helper()
		raw, err := json.Marshal(obj{"medium": "email", "address": "x@example.org", "mxid": user, "invites": invites})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.Federation().ServeHTTP(w, httptest.NewRequest("PUT", "/_matrix/federation/v1/3pid/onbind", strings.NewReader(string(raw))).WithContext(t.Context()))
		return w.Code, gjson.Parse(w.Body.String())
	}
	invite := func(user, sender string, signed obj) obj {
		return obj{"medium": "email", "address": "x@example.org", "mxid": user, "room_id": room, "sender": sender, "signed": signed}
	}
	standing := func(user string) string {
		_, body := a.do(alice, "GET", path+"/state/m.room.member/"+url.PathEscape(user), nil)
		return body.Get("membership").Str
	}
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	// What is wrong brings nobody in, and is no error of who tells it.
	for what, i := range map[string]obj{
		"another key":    invite(b.id("bob"), a.id("alice"), signed(stranger, b.id("bob"), "t0ken")),
		"another token":  invite(b.id("bob"), a.id("alice"), signed(private, b.id("bob"), "none")),
		"another user":   invite(b.id("bob"), a.id("alice"), signed(private, b.id("eve"), "t0ken")),
		"another sender": invite(b.id("bob"), a.id("carol"), signed(private, b.id("bob"), "t0ken")),
		"nothing":        {},
	} {
		if code, body := bind(b, b.id("bob"), i); code != 200 {
			t.Errorf("%s: %d %s", what, code, body)
		}
		if m := standing(b.id("bob")); m != "" {
			t.Fatalf("%s: bob is %q", what, m)
		}
	}
	if code, body := bind(b, a.id("carol")); code != 400 {
		t.Errorf("somebody else's user: %d %s", code, body)
	}
	for range 2 { // told twice, it is one invitation
		if code, body := bind(b, b.id("bob"), obj{}, invite(b.id("bob"), a.id("alice"), signed(private, b.id("bob"), "t0ken"))); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
	}
	if m := standing(b.id("bob")); m != "invite" {
		t.Fatalf("bob is %q", m)
	}
	if e := a.ok(alice, "GET", path+"/state/m.room.member/"+url.PathEscape(b.id("bob")), nil); e.Get("third_party_invite.display_name").Str != "b...@e..." {
		t.Errorf("the invitation: %s", e)
	}
	eventually(t, "bob's invitation", func() bool {
		return b.ok(bob, "GET", "/v3/sync", nil).Get("rooms.invite." + gjsonKey(room)).Exists()
	})
	b.joinVia(bob, room, a)
	if m := standing(b.id("bob")); m != "join" {
		t.Errorf("bob is %q", m)
	}
	// Whoever is in the room already is not put back.
	if code, _ := bind(b, b.id("bob"), invite(b.id("bob"), a.id("alice"), signed(private, b.id("bob"), "other"))); code != 200 || standing(b.id("bob")) != "join" {
		t.Errorf("%d, bob is %q", code, standing(b.id("bob")))
	}
	// A user of the inviter's own server.
	if code, body := bind(a, a.id("carol"), invite(a.id("carol"), a.id("alice"), signed(private, a.id("carol"), "other"))); code != 200 || standing(a.id("carol")) != "invite" {
		t.Errorf("%d %s, carol is %q", code, body, standing(a.id("carol")))
	}
	a.ok(carol, "POST", "/v3/join/"+url.PathEscape(room), nil)
}
