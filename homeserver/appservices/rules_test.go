package appservices

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

func leave(user string) room.Proposal {
	return room.Proposal{Sender: user, Type: "m.room.member", StateKey: &user, Content: jsontext.Value(`{"membership":"leave"}`)}
}

func (r *rig) send(name store.RoomName, p room.Proposal) {
	r.Helper()
	if _, err := r.rooms.Send(r.Context(), name.NID, p); err != nil {
		r.Fatal(err)
	}
}

// TestAwayWhileInRoom: a service that was away hears of what happened while its users were in a room,
// although they have left since, and not of what came after.
func TestAwayWhileInRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	mine := r.room("@irc_eve:test")
	r.say(mine, "before")
	b.wait(t, 1)
	stop()
	r.say(mine, "still here")
	r.send(mine, leave("@irc_eve:test"))
	r.say(mine, "secret")
	r.send(mine, join("@irc_eve:test"))
	r.say(mine, "back")
	r.send(mine, leave("@irc_eve:test"))
	r.say(mine, "secret again")
	stop = r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	other := r.room("@irc_zoe:test")
	r.say(other, "last")
	if got := b.wait(t, 4); fmt.Sprint(got) != "[before still here back last]" {
		t.Errorf("got %q", got)
	}
}

// TestForeignUsers: users of other servers are nobody's, whatever the expressions say.
func TestForeignUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	foreign := r.room("@irc_eve:elsewhere")
	r.say(foreign, "secret")
	r.say(r.room("@irc_eve:test"), "mine")
	if got := b.wait(t, 1); fmt.Sprint(got) != "[mine]" {
		t.Errorf("got %q", got)
	}
}

// ephemeral waits for what passes of a type, and gives the transactions' lists of it.
func (b *bridge) ephemeral(t *testing.T, typ string, n int) (out []string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		out = nil
		b.mu.Lock()
		for _, raw := range b.txns {
			var txn struct {
				Ephemeral []jsontext.Value `json:"ephemeral"`
			}
			if err := json.Unmarshal([]byte(raw), &txn); err != nil {
				t.Error(err)
			}
			for _, e := range txn.Ephemeral {
				if strings.Contains(string(e), `"type":"`+typ+`"`) {
					out = append(out, string(e))
				}
			}
		}
		b.mu.Unlock()
		if len(out) >= n {
			return out
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %s there is %q", typ, out)
		}
	}
}

// TestReceipts: of private receipts a service hears only those of its own users.
func TestReceipts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	mine, other := r.room("@irc_eve:test"), r.room()
	read := func(name store.RoomName, user, kind, thread string) {
		t.Helper()
		nid, err := r.store.UserNID(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		err = r.store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.SetReceipt(store.Receipt{Room: name.NID, User: nid, Kind: kind, Thread: thread, EventID: "$" + kind + thread + user, TS: 5})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	read(mine, "@alice:test", "m.read.private", "")
	read(mine, "@irc_eve:test", "m.read.private", "")
	read(other, "@alice:test", "m.read", "")
	read(mine, "@alice:test", "m.read", "main")
	got := b.ephemeral(t, "m.receipt", 2)
	slices.Sort(got)
	want := []string{
		`{"content":{"$m.read.private@irc_eve:test":{"m.read.private":{"@irc_eve:test":{"ts":5}}}},"room_id":"` + mine.ID + `","type":"m.receipt"}`,
		`{"content":{"$m.readmain@alice:test":{"m.read":{"@alice:test":{"ts":5,"thread_id":"main"}}}},"room_id":"` + mine.ID + `","type":"m.receipt"}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestPresence: a service hears how those are there who share a room with it, and how its own users are.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	r.room("@bob:test")
	r.say(r.room("@irc_eve:test"), "known")
	b.wait(t, 1)
	for _, user := range []string{"@bob:test", "@irc_eve:test", "@alice:test"} {
		nid, err := r.store.UserNID(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		r.there[nid] = presence.State{User: nid, UserID: user, Presence: presence.Unavailable}
		r.mu.Unlock()
		r.now.PresenceChanged(nid)
	}
	got := b.ephemeral(t, "m.presence", 2)
	slices.Sort(got)
	want := []string{`{"content":{"presence":"unavailable"},"sender":"@alice:test","type":"m.presence"}`,
		`{"content":{"presence":"unavailable"},"sender":"@irc_eve:test","type":"m.presence"}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestMakesUsers: a service is asked to make a user of its who is invited and does not exist, before
// it is told.
func TestMakesUsers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	var asked []string
	b.other = func(req *http.Request) int {
		asked = append(asked, fmt.Sprint(req.Method, " ", req.URL.Path, " after ", len(b.got)))
		return 404
	}
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	name := r.room()
	for i, who := range []string{"@irc_new:test", "@irc_new:test", "@carol:test"} {
		r.send(name, room.Proposal{Sender: "@alice:test", Type: "m.room.member", StateKey: &who, Content: jsontext.Value(fmt.Sprintf(`{"membership":"invite","body":"%s %d"}`, who, i))})
	}
	got := b.wait(t, 2)
	b.mu.Lock()
	defer b.mu.Unlock()
	if fmt.Sprint(asked) != "[GET /_matrix/app/v1/users/@irc_new:test after 0 GET /users/@irc_new:test after 0]" || fmt.Sprint(got) != "[@irc_new:test 0 @irc_new:test 1]" {
		t.Errorf("asked %q, told %q", asked, got)
	}
}

// TestSize: transactions of large events stay small enough for frameworks that refuse large bodies.
func TestSize(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	mine := r.room("@irc_eve:test")
	r.say(mine, "before")
	b.wait(t, 1)
	stop()
	const n = 40
	for range n {
		r.say(mine, strings.Repeat("x", 50<<10))
	}
	stop = r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	b.wait(t, n+1)
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, raw := range b.txns {
		if len(raw) > 512<<10 {
			t.Errorf("transaction %s has %d bytes", id, len(raw))
		}
	}
}

// TestLegacyRoutes: a service that knows only the endpoints of drafts is served, token in the address.
func TestLegacyRoutes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	b := newBridge()
	b.legacy = true
	stop := r.serve(map[string]http.RoundTripper{"irc": b})
	defer stop()
	r.say(r.room("@irc_eve:test"), "hello")
	if got := b.wait(t, 1); got[0] != "hello" {
		t.Errorf("got %q", got)
	}
	for path, want := range map[string]string{
		"/_matrix/app/v1/users/@a:b":              "/users/@a:b",
		"/_matrix/app/v1/rooms/%23a:b":            "/rooms/%23a:b",
		"/_matrix/app/v1/thirdparty/user?x=1":     "/_matrix/app/unstable/thirdparty/user?x=1",
		"/_matrix/app/v1/thirdparty/protocol/irc": "/_matrix/app/unstable/thirdparty/protocol/irc",
		"/_matrix/app/v1/ping":                    "",
	} {
		if got := legacyPath(path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}
