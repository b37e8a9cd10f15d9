package homeserver

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/internal/inproc"
	"github.com/landbridge-im/landbridge/registration"
)

// startWithService starts a server with one application service, "irc", that takes everything. Its token is
// serviceToken.
func startWithService(t *testing.T, h http.Handler, limited bool, change func(*Options)) *hs {
	t.Helper()
	reg := &registration.Registration{ID: "irc", URL: "http://irc.invalid", ASToken: serviceToken, HSToken: "hs-token-irc-0123456789", SenderLocalpart: "ircbot", RateLimited: &limited,
		Namespaces: registration.Namespaces{Users: []registration.Namespace{{Exclusive: true, Regex: "@irc_.*:test"}}, Aliases: []registration.Namespace{{Exclusive: true, Regex: "#irc_.*:test"}}}}
	set, err := registration.NewSet("test", reg)
	if err != nil || len(set.All()) != 1 {
		t.Fatal(err, set.Problems())
	}
	s := start(t, func(o *Options) {
		o.Registrations, o.Transport = set, func(*registration.Registration) http.RoundTripper { return inproc.Transport(h) }
		if change != nil {
			change(o)
		}
	})
	s.runs()
	return s
}

const serviceToken = "as-token-irc-0123456789"

// taking is a service that takes everything.
func taking(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }

// TestServiceDevices: "The ability to create new devices is only available to application services", whatever
// their registration says.
func TestServiceDevices(t *testing.T) {
	t.Parallel()
	h := startWithService(t, http.HandlerFunc(taking), false, nil)
	h.must(serviceToken, "POST", "/v3/register", obj{"type": "m.login.application_service", "username": "irc_eve", "inhibit_login": true}, nil)
	as := "?user_id=" + url.QueryEscape("@irc_eve:test")
	if status := h.call(serviceToken, "PUT", "/v3/devices/NEW"+as, obj{"display_name": "bridge"}, nil); status != 201 {
		t.Errorf("made: %d", status)
	}
	if status := h.call(serviceToken, "PUT", "/v3/devices/NEW"+as, obj{"display_name": "renamed"}, nil); status != 200 {
		t.Errorf("renamed: %d", status)
	}
	h.must(serviceToken, "DELETE", "/v3/devices/NEW"+as, nil, nil)
	alice := h.user("alice")
	h.refused(404, "M_NOT_FOUND", alice, "PUT", "/v3/devices/NEW", obj{})
}

// TestServiceLogin: what log-in and registration say to whom.
func TestServiceLogin(t *testing.T) {
	t.Parallel()
	h := startWithService(t, http.HandlerFunc(taking), false, nil)
	alice := h.user("alice")
	login := func(user string) obj {
		return obj{"type": "m.login.application_service", "identifier": obj{"type": "m.id.user", "user": user}}
	}
	register := obj{"type": "m.login.application_service", "username": "irc_eve"}
	h.refused(403, "M_FORBIDDEN", serviceToken, "POST", "/v3/login", login("irc_eve"))
	h.refused(401, "M_MISSING_TOKEN", "", "POST", "/v3/register", register)
	h.refused(401, "M_UNKNOWN_TOKEN", "nonsense", "POST", "/v3/register", register)
	h.refused(400, "M_EXCLUSIVE", serviceToken, "POST", "/v3/register", obj{"type": "m.login.application_service", "username": "eve"})
	h.must(serviceToken, "POST", "/v3/register", register, nil)
	h.must(serviceToken, "POST", "/v3/login", login("@irc_eve:test"), nil)
	h.refused(401, "M_MISSING_TOKEN", "", "POST", "/v3/login", login("irc_eve"))
	h.refused(401, "M_UNKNOWN_TOKEN", "nonsense", "POST", "/v3/login", login("irc_eve"))
	h.refused(403, "M_FORBIDDEN", alice, "POST", "/v3/login", login("irc_eve"))
	h.refused(400, "M_EXCLUSIVE", serviceToken, "POST", "/v3/login", login("alice"))
}

// TestServiceRate: "Whether requests from masqueraded users are rate-limited. The sender is excluded."
func TestServiceRate(t *testing.T) {
	t.Parallel()
	h := startWithService(t, http.HandlerFunc(taking), true, func(o *Options) { o.Settings.Messages = client.Rate{PerSecond: 0.001, Burst: 2} })
	h.must(serviceToken, "POST", "/v3/register", obj{"type": "m.login.application_service", "username": "irc_eve", "inhibit_login": true}, nil)
	room := h.room(serviceToken, obj{"preset": "public_chat"})
	send := func(as, txn string) int {
		return h.call(serviceToken, "PUT", "/v3/rooms/"+url.PathEscape(room)+"/send/m.room.message/"+txn+as, obj{"msgtype": "m.text", "body": "x"}, nil)
	}
	for _, txn := range []string{"1", "2", "3", "4"} {
		if status := send("", txn); status != 200 {
			t.Errorf("the sender: %d", status)
		}
	}
	as := "?user_id=" + url.QueryEscape("@irc_eve:test")
	h.must(serviceToken, "POST", "/v3/rooms/"+url.PathEscape(room)+"/join"+as, nil, nil)
	var got []int
	for _, txn := range []string{"1", "2", "3"} {
		got = append(got, send(as, txn))
	}
	if got[0] != 200 || got[2] != 429 {
		t.Errorf("a masqueraded user: %v", got)
	}
}

// TestServiceDeletesPortals: a room that a bridge made goes; one that it was connected to keeps its people.
func TestServiceDeletesPortals(t *testing.T) {
	t.Parallel()
	h := startWithService(t, http.HandlerFunc(taking), false, nil)
	alice := h.user("alice")
	yeet := func(room string) string {
		return "/unstable/com.beeper.yeet/rooms/" + url.PathEscape(room) + "/delete"
	}
	join := func(token, room string) {
		t.Helper()
		h.must(token, "POST", "/v3/rooms/"+url.PathEscape(room)+"/join", nil, nil)
	}
	made := h.room(serviceToken, obj{"preset": "public_chat"})
	join(alice, made)
	plumbed := h.room(alice, obj{"preset": "public_chat"})
	h.refused(403, "M_FORBIDDEN", serviceToken, "POST", yeet(plumbed), nil)
	join(serviceToken, plumbed)
	h.refused(403, "M_FORBIDDEN", alice, "POST", yeet(made), nil)
	h.must(serviceToken, "POST", yeet(made), nil, nil)
	h.must(serviceToken, "POST", yeet(plumbed), nil, nil)
	var joined struct {
		Rooms []string `json:"joined_rooms"`
	}
	h.must(alice, "GET", "/v3/joined_rooms", nil, &joined)
	if len(joined.Rooms) != 1 || joined.Rooms[0] != plumbed {
		t.Errorf("alice is in %v", joined.Rooms)
	}
	h.must(serviceToken, "GET", "/v3/joined_rooms", nil, &joined)
	if len(joined.Rooms) != 0 {
		t.Errorf("the bridge is in %v", joined.Rooms)
	}
}

// TestAliasQueries: who asks for an alias of a service waits for it, and hears if it does not answer.
func TestAliasQueries(t *testing.T) {
	t.Parallel()
	var h *hs
	tries := 0
	h = startWithService(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasPrefix(r.URL.Path, "/_matrix/app/v1/rooms/"):
			taking(w, r)
		case strings.Contains(r.URL.Path, "#irc_town:test"):
			// The service looks the alias up itself before it makes the room, and is not asked about it.
			h.refused(404, "M_NOT_FOUND", serviceToken, "GET", "/v3/directory/room/%23irc_town:test", nil)
			h.room(serviceToken, obj{"room_alias_name": "irc_town", "preset": "public_chat"})
			taking(w, r)
		case strings.Contains(r.URL.Path, "#irc_dead:test"):
			tries++
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(404)
			_, _ = w.Write([]byte(`{"errcode":"M_NOT_FOUND"}`))
		}
	}), false, nil)
	alice := h.user("alice")
	h.must(alice, "POST", "/v3/join/%23irc_town:test", nil, nil)
	h.refused(404, "M_NOT_FOUND", alice, "GET", "/v3/directory/room/%23irc_none:test", nil)
	h.refused(408, "M_UNKNOWN", alice, "GET", "/v3/directory/room/%23irc_dead:test", nil)
	if tries != 3 {
		t.Errorf("asked %d times", tries)
	}
}

// TestServiceRoomVersion: a bridge that names itself in the power levels of a new room, as was right before room
// version 12, gets a room in which it may, now and when it changes them, unless it has asked for a version.
func TestServiceRoomVersion(t *testing.T) {
	t.Parallel()
	h := startWithService(t, http.HandlerFunc(taking), false, nil)
	h.user("alice")
	levels := func(users obj) []obj {
		return []obj{{"type": "m.room.power_levels", "state_key": "", "content": obj{"users": users}}}
	}
	alice := []string{"@alice:test"}
	for _, tc := range []struct {
		name, version string
		body          obj
	}{
		{"nobody is named", "12", obj{}},
		{"itself in the state", "11", obj{"initial_state": levels(obj{"@ircbot:test": 100})}},
		{"itself in the override", "11", obj{"power_level_content_override": obj{"users": obj{"@ircbot:test": 100}}}},
		{"another", "12", obj{"initial_state": levels(obj{"@alice:test": 50})}},
		{"who is invited and trusted", "11", obj{"preset": "trusted_private_chat", "invite": alice, "initial_state": levels(obj{"@ircbot:test": 100, "@alice:test": 10})}},
		{"who is trusted alone", "12", obj{"preset": "trusted_private_chat", "invite": alice, "power_level_content_override": obj{"users": obj{"@alice:test": 100}}}},
		{"who is invited", "12", obj{"preset": "private_chat", "invite": alice, "initial_state": levels(obj{"@alice:test": 10})}},
		{"itself in the override, 12 asked for", "12", obj{"room_version": "12", "power_level_content_override": obj{"users": obj{"@ircbot:test": 100}}}},
		{"itself in the override, 10 asked for", "10", obj{"room_version": "10", "power_level_content_override": obj{"users": obj{"@ircbot:test": 100}}}},
	} {
		status, out := h.do(serviceToken, "POST", "/v3/createRoom", tc.body)
		if status != 200 {
			t.Errorf("%s: %d %s", tc.name, status, out.Raw)
			continue
		}
		room := "/v3/rooms/" + out.Get("room_id").Str + "/state/"
		if got := h.ok(serviceToken, "GET", room+"m.room.create", nil).Get("room_version").Str; got != tc.version {
			t.Errorf("%s: version %s, want %s", tc.name, got, tc.version)
		}
		if tc.version == "11" {
			h.ok(serviceToken, "PUT", room+"m.room.power_levels", obj{"users": obj{"@ircbot:test": 100, "@alice:test": 50}})
		}
	}
	h.refused(400, "M_INVALID_ROOM_STATE", serviceToken, "POST", "/v3/createRoom", obj{"room_version": "12", "initial_state": levels(obj{"@ircbot:test": 100})})
	h.refused(400, "M_BAD_JSON", serviceToken, "POST", "/v3/createRoom", obj{"power_level_content_override": obj{"users": "x"}})
}
