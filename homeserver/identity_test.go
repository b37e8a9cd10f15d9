package homeserver

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json/v2"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/internal/safedial"
)

// idServer is an identity server.
type idServer struct {
	*httptest.Server
	name string

	mu      sync.Mutex
	bound   map[string]string // "address medium" to user
	invites []obj
	signed  []string // the Authorization headers of unbindings
	broken  bool
	pepper  string
}

func newIDServer(t *testing.T) *idServer {
	s := &idServer{bound: map[string]string{}, pepper: "first"}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		status, out := s.answer(r)
		w.WriteHeader(status)
		if raw, err := json.Marshal(out); err == nil {
			_, _ = w.Write(raw)
		}
	}))
	t.Cleanup(s.Close)
	s.name = strings.TrimPrefix(s.URL, "https://")
	return s
}

func (s *idServer) answer(r *http.Request) (int, any) {
	path, known := strings.CutPrefix(r.URL.Path, "/_matrix/identity/v2")
	if s.broken || !known {
		return 500, "broken"
	}
	if path != "/3pid/unbind" && r.Header.Get("Authorization") != "Bearer id-token" {
		return 401, obj{"errcode": "M_UNAUTHORIZED", "error": "who are you?"}
	}
	var q struct {
		Pepper    string   `json:"pepper"`
		Addresses []string `json:"addresses"`
		SID       string   `json:"sid"`
		User      string   `json:"mxid"`
		ThreePID  struct{ Medium, Address string }
	}
	raw := obj{}
	if r.Method == "POST" {
		var body []byte
		body, _ = io.ReadAll(r.Body)
		if json.Unmarshal(body, &q) != nil || json.Unmarshal(body, &raw) != nil {
			return 400, obj{"errcode": "M_BAD_JSON", "error": "?"}
		}
	}
	switch path {
	case "/hash_details":
		return 200, obj{"lookup_pepper": s.pepper, "algorithms": []string{"sha256"}}
	case "/lookup":
		if q.Pepper != s.pepper || s.pepper == "first" {
			s.pepper = "second" // it is rotated just then
			return 400, obj{"errcode": "M_INVALID_PEPPER", "error": "rotated"}
		}
		out := obj{}
		for key, user := range s.bound {
			hash := sha256.Sum256([]byte(key + " " + s.pepper))
			if h := base64.RawURLEncoding.EncodeToString(hash[:]); h == q.Addresses[0] {
				out[h] = user
			}
		}
		return 200, obj{"mappings": out}
	case "/store-invite":
		s.invites = append(s.invites, raw)
		return 200, obj{"token": "t0ken", "display_name": "c...@e...", "public_keys": []obj{{"public_key": "long", "key_validity_url": "https://x/isvalid"}, {"public_key": "short", "key_validity_url": "https://x/ephemeral"}}}
	case "/3pid/bind":
		if q.SID != "sid" {
			return 404, obj{"errcode": "M_NO_VALID_SESSION", "error": "no session"}
		}
		s.bound["alice@example.org email"] = q.User
		return 200, obj{"medium": "email", "address": "alice@example.org", "mxid": q.User}
	case "/3pid/unbind":
		s.signed = append(s.signed, r.Header.Get("Authorization"))
		delete(s.bound, "alice@example.org email")
		return 200, obj{}
	}
	return 404, obj{"errcode": "M_UNRECOGNIZED", "error": "?"}
}

func withIdentity(t *testing.T, trusted ...string) (*hs, *idServer) {
	ids := newIDServer(t)
	roots := x509.NewCertPool()
	roots.AddCert(ids.Certificate())
	return start(t, func(o *Options) {
		o.IdentityServers, o.IdentityNetworks, o.Federation.RootCAs = trusted, safedial.Loopback(), roots
	}), ids
}

func (s *idServer) invitation(address string) obj {
	return obj{"id_server": s.name, "id_access_token": "id-token", "medium": "email", "address": address}
}

// TestInviteByAddress: whom an identity server knows is invited; whom it doesn't is waited for.
func TestInviteByAddress(t *testing.T) {
	t.Parallel()
	h, ids := withIdentity(t, "*")
	alice, bob, carol := h.user("alice"), h.user("bob"), h.user("carol")
	ids.bound["bob@example.org email"] = "@bob:test"
	room := h.room(alice, obj{"name": "Den", "invite_3pid": []obj{ids.invitation("BOB@example.org"), ids.invitation("dora@example.org")}})
	if m := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.member/@bob:test", nil).Get("membership").Str; m != "invite" {
		t.Errorf("bob: %s", m)
	}
	h.join(bob, room)
	third := h.ok(alice, "GET", "/v3/rooms/"+room+"/state/m.room.third_party_invite/t0ken", nil)
	if third.Get("display_name").Str != "c...@e..." || third.Get("public_key").Str != "long" || third.Get("key_validity_url").Str != "https://x/isvalid" || third.Get("public_keys.1.public_key").Str != "short" {
		t.Errorf("the invitation: %s", third)
	}
	want := obj{"medium": "email", "address": "dora@example.org", "room_id": room, "sender": "@alice:test", "room_name": "Den", "sender_display_name": "alice", "room_join_rules": "invite"}
	for k, v := range want {
		if len(ids.invites) != 1 || ids.invites[0][k] != v {
			t.Errorf("the identity server heard %v; %s is to be %v", ids.invites, k, v)
		}
	}
	ids.bound["carol@example.org email"] = "@carol:test"
	h.ok(bob, "POST", "/v3/rooms/"+room+"/invite", ids.invitation("carol@example.org"))
	h.join(carol, room)
	// Who may not invite is refused before anybody hears of it; so is what makes no sense.
	h.state(alice, room, "m.room.power_levels", "", obj{"invite": 50})
	h.refused(403, "M_FORBIDDEN", carol, "POST", "/v3/rooms/"+room+"/invite", ids.invitation("eve@example.org"))
	for what, change := range map[string]obj{"M_MISSING_PARAM": {"id_access_token": ""}, "M_INVALID_PARAM": {"medium": "pigeon"}} {
		q := ids.invitation("eve@example.org")
		for k, v := range change {
			q[k] = v
		}
		h.refused(400, what, alice, "POST", "/v3/rooms/"+room+"/invite", q)
	}
	q := ids.invitation("eve@example.org")
	q["id_access_token"] = "stolen"
	h.refused(403, "M_UNAUTHORIZED", alice, "POST", "/v3/rooms/"+room+"/invite", q)
	if len(ids.invites) != 1 {
		t.Errorf("the identity server heard of %d invitations", len(ids.invites))
	}
	ids.broken = true
	h.refused(502, "M_UNKNOWN", alice, "POST", "/v3/rooms/"+room+"/invite", ids.invitation("eve@example.org"))
}

// TestBindAddress publishes that an address is one's own, and takes it back.
func TestBindAddress(t *testing.T) {
	t.Parallel()
	h, ids := withIdentity(t, "*")
	alice := h.user("alice")
	q := obj{"id_server": ids.name, "id_access_token": "id-token", "sid": "sid", "client_secret": "s"}
	h.refused(404, "M_NO_VALID_SESSION", alice, "POST", "/v3/account/3pid/bind", obj{"id_server": ids.name, "id_access_token": "id-token", "sid": "x", "client_secret": "s"})
	h.ok(alice, "POST", "/v3/account/3pid/bind", q)
	if ids.bound["alice@example.org email"] != "@alice:test" {
		t.Errorf("bound: %v", ids.bound)
	}
	address := obj{"medium": "email", "address": "alice@example.org"}
	for range 2 {
		h.ok(alice, "POST", "/v3/account/3pid/bind", q)
		for _, path := range []string{"unbind", "delete"} {
			out := h.ok(alice, "POST", "/v3/account/3pid/"+path, address)
			if got := out.Get("id_server_unbind_result").Str; got != map[string]string{"unbind": "success", "delete": "no-support"}[path] {
				t.Errorf("%s: %s", path, out)
			}
		}
	}
	if len(ids.bound) != 0 || len(ids.signed) != 2 || !strings.HasPrefix(ids.signed[0], `X-Matrix origin="test",destination="`+ids.name) {
		t.Errorf("bound: %v; the requests were signed with %q", ids.bound, ids.signed)
	}
	// An account that is closed has no addresses.
	h.ok(alice, "POST", "/v3/account/3pid/bind", q)
	out := h.ok(alice, "POST", "/v3/account/deactivate", obj{"auth": passwordAuth("alice")})
	if out.Get("id_server_unbind_result").Str != "success" || len(ids.bound) != 0 {
		t.Errorf("deactivate: %s; bound: %v", out, ids.bound)
	}
}

// TestIdentityServersNamed: only those that are named are asked.
func TestIdentityServersNamed(t *testing.T) {
	t.Parallel()
	h, ids := withIdentity(t, "id.example.org")
	alice := h.user("alice")
	room := h.room(alice, obj{})
	h.refused(403, "M_SERVER_NOT_TRUSTED", alice, "POST", "/v3/rooms/"+room+"/invite", ids.invitation("x@example.org"))
	h.refused(400, "M_SERVER_NOT_TRUSTED", alice, "POST", "/v3/account/3pid/bind", obj{"id_server": ids.name, "id_access_token": "id-token", "sid": "sid", "client_secret": "s"})
	if out := h.ok(alice, "POST", "/v3/account/3pid/unbind", obj{"medium": "email", "address": "a@b.c", "id_server": ids.name}); out.Get("id_server_unbind_result").Str != "no-support" {
		t.Errorf("unbind: %s", out)
	}
	bad := ids.invitation("x@example.org")
	bad["id_server"] = "id.example.org/../x?"
	h.refused(400, "M_INVALID_PARAM", alice, "POST", "/v3/rooms/"+room+"/invite", bad)
}
