package homeserver

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// upload publishes keys of a user's device, and gives its id.
func (p *site) upload(token, user, key string) (device string) {
	p.Helper()
	device = p.ok(token, "GET", "/v3/account/whoami", nil).Get("device_id").Str
	p.ok(token, "POST", "/v3/keys/upload", obj{"device_keys": obj{"user_id": p.id(user), "device_id": device, "algorithms": []string{"x"},
		"keys": obj{"curve25519:" + device: key, "ed25519:" + device: key}, "signatures": obj{p.id(user): obj{"ed25519:" + device: key}}}})
	return device
}

// TestDevicesIntroduced: whoever joins a room of another server makes their devices known there: "when that user joins a room which contains servers which are not already receiving
// updates for that user's device list".
func TestDevicesIntroduced(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	b.upload(bob, "bob", "key")
	b.joinVia(bob, room, a)
	nid, err := a.store.UserNID(t.Context(), b.id("bob"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "bob's devices", func() bool {
		_, err := a.store.RemoteDeviceList(t.Context(), nid)
		return err == nil
	})
}

// TestRemoteDeviceList: the devices of another server's user are kept and brought up to date by what
// that server tells, so that they are known also when it is gone.
func TestRemoteDeviceList(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := a.room(alice, obj{"preset": "public_chat"})
	b.joinVia(bob, room, a)
	a.member(t, alice, room, b.id("bob"), "join")
	var device string
	known := func() string {
		out := a.ok(alice, "POST", "/v3/keys/query", obj{"device_keys": obj{b.id("bob"): []string{}}})
		return out.Get("device_keys").Get(gjsonKey(b.id("bob"))).Get(gjsonKey(device)).Get("keys").Get(gjsonKey("ed25519:" + device)).Str
	}
	device = b.upload(bob, "bob", "one")
	eventually(t, "the first keys", func() bool { return known() == "one" })
	nid, err := a.store.UserNID(t.Context(), b.id("bob"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list is whole", func() bool {
		l, err := a.store.RemoteDeviceList(t.Context(), nid)
		return err == nil && !l.Stale && l.Stream != 0
	})
	// An update that follows is applied as it comes.
	b.ok(bob, "PUT", "/v3/devices/"+device, obj{"display_name": "desk"})
	name := func() string {
		out := a.ok(alice, "POST", "/v3/keys/query", obj{"device_keys": obj{b.id("bob"): []string{}}})
		return out.Get("device_keys").Get(gjsonKey(b.id("bob"))).Get(gjsonKey(device)).Get("unsigned.device_display_name").Str
	}
	eventually(t, "the name", func() bool { return name() == "desk" })
	b.down.Store(true)
	a.keys.Publish(t.Context(), []store.Entry{{Kind: store.KindDeviceList, User: nid}}) // what is in memory is forgotten
	if got := known(); got != "one" {
		t.Errorf("with its server gone the device has the key %q", got)
	}
}

// TestRemoteDeviceListLeft: when the last user of this server leaves a room, nobody tells it of the devices of
// those who stay, and so they are asked for.
func TestRemoteDeviceListLeft(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice, bob := a.user("alice"), b.user("bob")
	room := b.room(bob, obj{"preset": "public_chat"})
	device := b.upload(bob, "bob", "one")
	a.joinVia(alice, room, b)
	known := func() string {
		out := a.ok(alice, "POST", "/v3/keys/query", obj{"device_keys": obj{b.id("bob"): []string{}}})
		return out.Get("device_keys").Get(gjsonKey(b.id("bob"))).Get(gjsonKey(device)).Get("keys").Get(gjsonKey("ed25519:" + device)).Str
	}
	eventually(t, "the first keys", func() bool { return known() == "one" })
	nid, err := a.store.UserNID(t.Context(), b.id("bob"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the list is whole", func() bool {
		l, err := a.store.RemoteDeviceList(t.Context(), nid)
		return err == nil && !l.Stale
	})
	a.ok(alice, "POST", "/v3/rooms/"+room+"/leave", obj{})
	b.member(t, bob, room, a.id("alice"), "leave")
	b.upload(bob, "bob", "two")
	if got := known(); got != "two" {
		t.Errorf("after leaving, the key is %q", got)
	}
}

// TestManyRemoteDeviceLists: also of many users who are asked for at once is known where their lists are in the stream of
// updates, so that the next update is taken in as it comes.
func TestManyRemoteDeviceLists(t *testing.T) {
	t.Parallel()
	p := sites(t, 2)
	a, b := p[0], p[1]
	alice := a.user("alice")
	room := a.room(alice, obj{"preset": "public_chat"})
	ask := obj{}
	const many = 24
	for i := range many {
		who := fmt.Sprint("user", i)
		token := b.user(who)
		b.upload(token, who, "key"+fmt.Sprint(i))
		b.joinVia(token, room, a)
		ask[b.id(who)] = []string{}
	}
	a.member(t, alice, room, b.id(fmt.Sprint("user", many-1)), "join")
	nids := map[string]int64{}
	for user := range ask {
		nid, err := a.store.UserNID(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		nids[user] = nid
		// As if they had never been asked for.
		if err := a.store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.SetRemoteDeviceList(store.RemoteDeviceList{User: nid, Stale: true})
		}); err != nil {
			t.Fatal(err)
		}
		a.keys.Publish(t.Context(), []store.Entry{{Kind: store.KindDeviceList, User: nid}})
	}
	out := a.ok(alice, "POST", "/v3/keys/query", obj{"device_keys": ask})
	for user, nid := range nids {
		if len(out.Get("device_keys").Get(gjsonKey(user)).Map()) == 0 {
			t.Errorf("%s has no devices: %s", user, out.Get("failures"))
		}
		if l, err := a.store.RemoteDeviceList(t.Context(), nid); err != nil || l.Stale || l.Stream == 0 {
			t.Errorf("the list of %s: %+v %v", user, l, err)
		}
	}
}
