package e2e

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/integration/client"
)

func accounts(t *testing.T, r *rig) {
	ctx := t.Context()
	name := fmt.Sprintf("account%d", r.n.Add(1))
	a := must(r.anon.Register(ctx, name))(t)
	equal(t, "user id", a.UserID, r.UserID(name))
	_, err := r.anon.Register(ctx, name)
	refused(t, err, 400, "M_USER_IN_USE")
	_, err = r.anon.Register(ctx, "has space")
	refused(t, err, 400, "M_INVALID_USERNAME")
	_, err = r.anon.Register(ctx, "ghost_anna")
	refused(t, err, 400, "M_EXCLUSIVE")
	b := must(r.anon.Login(ctx, name))(t)
	if b.DeviceID == a.DeviceID || b.Token == a.Token {
		t.Error("the second login has the device or the token of the first")
	}
	err = r.anon.Do(ctx, "POST", client.Path("login"), nil, map[string]any{"type": "m.login.password", "password": "wrong",
		"identifier": map[string]string{"type": "m.id.user", "user": name}}, nil)
	refused(t, err, 403, "M_FORBIDDEN")
	var who struct {
		User   string `json:"user_id"`
		Device string `json:"device_id"`
	}
	ok(t, b.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, &who))
	equal(t, "whoami", who.User+" "+who.Device, b.UserID+" "+b.DeviceID)
	ok(t, b.Do(ctx, "POST", client.Path("logout"), nil, struct{}{}, nil))
	refused(t, b.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil), 401, "M_UNKNOWN_TOKEN")
	ok(t, a.Do(ctx, "GET", client.Path("account", "whoami"), nil, nil, nil))

	ok(t, a.Do(ctx, "PUT", client.Path("profile", a.UserID, "displayname"), nil, map[string]string{"displayname": "Ängström"}, nil))
	var p struct{ Displayname string }
	ok(t, r.anon.Do(ctx, "GET", client.Path("profile", a.UserID), nil, nil, &p))
	equal(t, "displayname", p.Displayname, "Ängström")
	refused(t, r.anon.Do(ctx, "GET", client.Path("profile", "@nobody:test"), nil, nil, nil), 404, "M_NOT_FOUND")
	refused(t, r.anon.Do(ctx, "GET", client.Path("profile", "nobody"), nil, nil, nil), 400, "M_INVALID_PARAM")

	// The name is in the membership of a room, also when it changes later.
	room := r.room(t, a, nil)
	ok(t, a.Do(ctx, "PUT", client.Path("profile", a.UserID, "displayname"), nil, map[string]string{"displayname": "New"}, nil))
	until(t, a, "", "the new name in the room", func(s *client.Sync) bool {
		c, err := a.StateContent(ctx, room, "m.room.member", a.UserID)
		return err == nil && c["displayname"] == "New"
	})
}

func accountData(t *testing.T, r *rig) {
	ctx := t.Context()
	a := r.user(t)
	room := r.room(t, a, nil)
	since := must(a.Sync(ctx, client.SyncOptions{}))(t).Next
	ok(t, a.Do(ctx, "PUT", client.Path("user", a.UserID, "account_data", "org.example"), nil, map[string]int{"n": 1}, nil))
	ok(t, a.Do(ctx, "PUT", client.Path("user", a.UserID, "rooms", room, "account_data", "org.example"), nil, map[string]int{"n": 2}, nil))
	ok(t, a.Do(ctx, "PUT", client.Path("user", a.UserID, "rooms", room, "tags", "m.favourite"), nil, map[string]float64{"order": 0.5}, nil))
	global, inRoom, tag := false, false, false
	until(t, a, since, "account data", func(s *client.Sync) bool {
		global = global || find(s.AccountData.Events, "org.example", "") != nil
		inRoom = inRoom || find(s.Rooms.Join[room].AccountData.Events, "org.example", "") != nil
		tag = tag || find(s.Rooms.Join[room].AccountData.Events, "m.tag", "") != nil
		return global && inRoom && tag
	})
	var got map[string]int
	ok(t, a.Do(ctx, "GET", client.Path("user", a.UserID, "rooms", room, "account_data", "org.example"), nil, nil, &got))
	equal(t, "account data of the room", got["n"], 2)
	refused(t, a.Do(ctx, "GET", client.Path("user", a.UserID, "account_data", "org.missing"), nil, nil, nil), 404, "M_NOT_FOUND")
}
