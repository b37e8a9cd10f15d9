package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

func service(t *testing.T, r *rig) {
	ctx := t.Context()
	name := func() string { return fmt.Sprintf("ghost_%d", r.n.Add(1)) }
	anna, ben := name(), name()
	ok(t, r.bot.RegisterGhost(ctx, anna))
	ok(t, r.bot.RegisterGhost(ctx, ben))
	refused(t, r.bot.RegisterGhost(ctx, anna), 400, "M_USER_IN_USE")
	refused(t, r.bot.RegisterGhost(ctx, "outside"), 400, "M_EXCLUSIVE")
	refused(t, r.anon.RegisterGhost(ctx, name()), 401, "M_MISSING_TOKEN")

	var who struct {
		User string `json:"user_id"`
	}
	ok(t, r.bot.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, &who))
	equal(t, "the service itself", who.User, r.UserID("e2ebot"))
	ghost := r.bot.As(r.UserID(anna))
	ok(t, ghost.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, &who))
	equal(t, "as a ghost", who.User, r.UserID(anna))
	alice := r.user(t)
	err := r.bot.As(alice.UserID).Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil)
	refused(t, err, 403, "M_EXCLUSIVE")
	err = r.bot.As(r.UserID("ghost_unregistered")).Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil)
	refused(t, err, 403, "M_FORBIDDEN")

	// A bridge makes a room with everybody in it at once.
	room := must(r.bot.CreateRoom(ctx, map[string]any{"preset": "private_chat",
		"com.beeper.initial_members": []string{r.UserID(anna)}, "invite": []string{r.UserID(ben), alice.UserID}, "com.beeper.auto_join_invites": true}))(t)
	var joined struct{ Joined map[string]any }
	ok(t, r.bot.Do(ctx, "GET", client.Path("rooms", room, "joined_members"), nil, nil, &joined))
	for _, id := range []string{r.UserID("e2ebot"), r.UserID(anna), r.UserID(ben), alice.UserID} {
		if _, in := joined.Joined[id]; !in {
			t.Errorf("%s is not in the room", id)
		}
	}
	// Others can't do that.
	room2 := must(alice.CreateRoom(ctx, map[string]any{"com.beeper.initial_members": []string{r.UserID(ben)}}))(t)
	err = r.bot.As(r.UserID(ben)).Do(ctx, "GET", client.Path("rooms", room2, "state"), nil, nil, nil)
	refused(t, err, 403, "M_FORBIDDEN")

	// The time of a message, and retries, each ghost on its own.
	var first, second struct {
		ID string `json:"event_id"`
	}
	send := func(as *client.Client, out any) error {
		return as.Do(ctx, "PUT", client.Path("rooms", room, "send", "m.room.message", "same"), url.Values{"ts": {"1234567890123"}}, client.Message("old"), out)
	}
	ok(t, send(ghost, &first))
	ok(t, send(r.bot.As(r.UserID(ben)), &second))
	if first == second {
		t.Error("two ghosts' requests with the same transaction id are taken for one")
	}
	ok(t, send(ghost, &second))
	equal(t, "a retry", second.ID, first.ID)
	e := must(alice.Event(ctx, room, first.ID))(t)
	equal(t, "the time", e.TS, 1234567890123)
	equal(t, "the sender", e.Sender, r.UserID(anna))
	refused(t, ghost.Do(ctx, "PUT", client.Path("rooms", room, "send", "m.room.message", "x"), url.Values{"ts": {"yesterday"}}, client.Message("x"), nil), 400, "M_INVALID_PARAM")

	// Devices.
	withDevice := *ghost
	withDevice.AsDevice = "NODEVICE"
	refused(t, withDevice.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil), 400, "M_UNKNOWN_DEVICE")
}

// media uploads and downloads.
func media(t *testing.T, r *rig) {
	ctx := t.Context()
	a, b := r.user(t), r.user(t)
	data := bytes.Repeat([]byte("landbridge "), 50_000)
	status, answer, err := a.Raw(ctx, "POST", "/_matrix/media/v3/upload", url.Values{"filename": {"notes ü.txt"}}, data)
	ok(t, err)
	equal(t, "upload", status, 200)
	var up struct {
		URI string `json:"content_uri"`
	}
	ok(t, json.Unmarshal(answer, &up))
	id, found := strings.CutPrefix(up.URI, "mxc://test/")
	if !found {
		t.Fatalf("the upload is at %q", up.URI)
	}
	path := "/_matrix/client/v1/media/download/test/" + id
	status, answer, err = b.Raw(ctx, "GET", path, nil, nil)
	ok(t, err)
	if status != 200 || !bytes.Equal(answer, data) {
		t.Errorf("download: %d, %d bytes of %d", status, len(answer), len(data))
	}
	for _, w := range []struct {
		what         string
		c            *client.Client
		method, path string
		status       int
	}{
		{"download without a token", r.anon, "GET", path, 401},
		{"old download, switched off", b, "GET", "/_matrix/media/v3/download/test/" + id, 404},
		{"unknown media", b, "GET", "/_matrix/client/v1/media/download/test/missing", 404},
		{"upload without a token", r.anon, "POST", "/_matrix/media/v3/upload", 401},
	} {
		status, _, err := w.c.Raw(ctx, w.method, w.path, nil, nil)
		ok(t, err)
		equal(t, w.what, status, w.status)
	}
}
