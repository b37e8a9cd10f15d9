package federation

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/client"
)

func unmarshal(raw []byte, out any) error { return json.Unmarshal(raw, out) }

// ephemera: typing and receipts, in a thread too.
func ephemera(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "11", nil)
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	for _, d := range [][2]*someone{{alice, bob}, {bob, alice}} {
		from, to := d[0], d[1]
		typing := func(on bool) {
			t.Helper()
			ok(t, from.Do(t.Context(), "PUT", client.Path("rooms", room, "typing", from.UserID), nil, m{"typing": on, "timeout": 20000}, nil))
		}
		typing(true)
		to.syncs(t, "typing", func(s *client.Sync) bool {
			return anyOf(s.Rooms.Join[room].Ephemeral, func(e client.Event) bool { return e.Type == "m.typing" && contains(e.Content, from.UserID) })
		})
		said := to.say(t, room, "read this")
		from.sees(t, room, said)
		typing(false)
		ok(t, from.Do(t.Context(), "POST", client.Path("rooms", room, "receipt", "m.read", said), nil, m{}, nil))
		to.syncs(t, "the receipt", func(s *client.Sync) bool {
			return anyOf(s.Rooms.Join[room].Ephemeral, func(e client.Event) bool {
				return e.Type == "m.receipt" && contains(e.Content, from.UserID) && contains(e.Content, said)
			})
		})
		// Private ones stay at home; the public one after it shows that they would have come.
		secret := to.say(t, room, "read this in secret")
		from.sees(t, room, secret)
		ok(t, from.Do(t.Context(), "POST", client.Path("rooms", room, "receipt", "m.read.private", secret), nil, m{}, nil))
		last := to.say(t, room, "and this")
		from.sees(t, room, last)
		ok(t, from.Do(t.Context(), "POST", client.Path("rooms", room, "receipt", "m.read", last), nil, m{}, nil))
		to.syncs(t, "the last receipt", func(s *client.Sync) bool {
			return anyOf(s.Rooms.Join[room].Ephemeral, func(e client.Event) bool {
				if e.Type != "m.receipt" {
					return false
				}
				var r map[string]map[string]m
				ok(t, unmarshal(e.Content, &r))
				if r[secret]["m.read.private"][from.UserID] != nil {
					t.Error("a private receipt was told to another server")
				}
				return contains(e.Content, last)
			})
		})
	}
}

// presences: who is there, as far as rooms are shared.
func presences(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "11", nil)
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	for _, d := range [][2]*someone{{alice, bob}, {bob, alice}} {
		from, to := d[0], d[1]
		ok(t, from.Do(t.Context(), "PUT", client.Path("presence", from.UserID, "status"), nil, m{"presence": "unavailable", "status_msg": "at lunch"}, nil))
		to.syncs(t, "the presence of "+from.UserID, func(s *client.Sync) bool {
			return anyOf(s.Presence, func(e client.Event) bool {
				return e.Type == "m.presence" && e.Sender == from.UserID && contains(e.Content, "unavailable") && contains(e.Content, "at lunch")
			})
		})
	}
}

// devices: keys, lists of devices that change, messages to devices.
func devices(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "11", nil)
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	upload := func(p *someone) (key string) {
		t.Helper()
		public, private, err := ed25519.GenerateKey(nil)
		ok(t, err)
		key = base64.RawStdEncoding.EncodeToString(public)
		sign := func(what m) m {
			raw, err := json.Marshal(what) // canonical, as it is all ASCII and texts
			ok(t, err)
			what["signatures"] = m{p.UserID: m{"ed25519:" + p.DeviceID: base64.RawStdEncoding.EncodeToString(ed25519.Sign(private, raw))}}
			return what
		}
		ok(t, p.Do(t.Context(), "POST", client.Path("keys", "upload"), nil, m{
			"device_keys": sign(m{"algorithms": []string{"m.olm.v1.curve25519-aes-sha2"}, "device_id": p.DeviceID, "user_id": p.UserID,
				"keys": m{"curve25519:" + p.DeviceID: key, "ed25519:" + p.DeviceID: key}}),
			"one_time_keys": m{"signed_curve25519:AAAA": sign(m{"key": key})}}, nil))
		return key
	}
	for _, d := range [][2]*someone{{alice, bob}, {bob, alice}} {
		from, to := d[0], d[1]
		s, err := to.Sync(t.Context(), client.SyncOptions{})
		ok(t, err)
		firstKey := upload(from)
		changed(t, to, s.Next, from.UserID)
		var keys struct {
			Devices map[string]map[string]json.RawMessage `json:"device_keys"`
		}
		query := func() error {
			return to.Do(t.Context(), "POST", client.Path("keys", "query"), nil, m{"device_keys": m{from.UserID: []string{}}}, &keys)
		}
		eventually(t, "the keys", func() error {
			err := query()
			if err == nil && !contains(keys.Devices[from.UserID][from.DeviceID], firstKey) {
				err = fmt.Errorf("there is %s", keys.Devices[from.UserID])
			}
			return err
		})
		var claimed struct {
			Keys map[string]map[string]json.RawMessage `json:"one_time_keys"`
		}
		ok(t, to.Do(t.Context(), "POST", client.Path("keys", "claim"), nil, m{"one_time_keys": m{from.UserID: m{from.DeviceID: "signed_curve25519"}}}, &claimed))
		if !contains(claimed.Keys[from.UserID][from.DeviceID], "signed_curve25519:AAAA") {
			t.Errorf("claimed %s", claimed.Keys[from.UserID][from.DeviceID])
		}
		// A second device, which is told of, and goes again.
		s, err = to.Sync(t.Context(), client.SyncOptions{})
		ok(t, err)
		second, err := (&client.Client{URL: from.on.url}).Login(t.Context(), localpart(from.UserID))
		ok(t, err)
		secondKey := upload(&someone{second, from.on})
		since := changed(t, to, s.Next, from.UserID)
		eventually(t, "the new device", func() error {
			err := query()
			if err == nil && !contains(keys.Devices[from.UserID][second.DeviceID], secondKey) {
				err = fmt.Errorf("there is %s", keys.Devices[from.UserID])
			}
			return err
		})
		ok(t, second.Do(t.Context(), "POST", client.Path("logout"), nil, m{}, nil))
		changed(t, to, since, from.UserID)
		eventually(t, "the end of the device", func() error {
			keys.Devices = nil
			err := query()
			if err == nil && len(keys.Devices[from.UserID]) != 1 {
				err = fmt.Errorf("there are %d", len(keys.Devices[from.UserID]))
			}
			return err
		})
		// Messages to devices: each comes once, in their order.
		for i := range 20 {
			ok(t, from.Do(t.Context(), "PUT", client.Path("sendToDevice", "m.test", fmt.Sprint("d", txns.Add(1))), nil,
				m{"messages": m{to.UserID: m{to.DeviceID: m{"n": i}}}}, nil))
		}
		var got []string
		to.syncs(t, "the messages to the device", func(s *client.Sync) bool {
			for _, e := range s.ToDevice.Events {
				if e.Type == "m.test" && e.Sender == from.UserID {
					got = append(got, string(e.Content))
				}
			}
			return len(got) >= 20
		})
		for i, g := range got {
			if g != fmt.Sprintf(`{"n":%d}`, i) {
				t.Errorf("message %d is %s", i, g)
			}
		}
	}
}

// changed waits until somebody is told that another one's devices changed.
func changed(t *testing.T, p *someone, since, userID string) (next string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	next, err := p.Follow(ctx, client.SyncOptions{Since: since, Timeout: 5 * time.Second}, func(s *client.Sync) bool {
		return !slices.Contains(s.DeviceLists.Changed, userID)
	})
	if err != nil {
		t.Fatalf("waited in vain for the list of devices of %s to change: %v", userID, err)
	}
	return next
}

// forks: both servers speak and change state at the same moment, often; in the end both have everything,
// and the same state.
func forks(t *testing.T, host, guest *server) {
	alice, bob := host.user(t), guest.user(t)
	room := alice.room(t, "12", m{"power_level_content_override": m{"users": m{bob.UserID: 50}, "state_default": 50}})
	bob.joins(t, room, host)
	alice.finds(t, room, bob, "join")
	const n = 40
	var wg sync.WaitGroup
	for _, p := range []*someone{alice, bob} {
		wg.Go(func() {
			for i := range n {
				if _, err := p.Send(t.Context(), room, "m.room.message", fmt.Sprint(p.UserID, i), client.Message(fmt.Sprint(p.UserID, i))); err != nil {
					t.Error(err)
				}
				if i%4 == 0 {
					if _, err := p.SetState(t.Context(), room, "m.room.topic", "", m{"topic": fmt.Sprint(p.UserID, " ", i)}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	// Merged by something that follows everything.
	for _, p := range []*someone{alice, bob} {
		eventually(t, p.UserID+" to have all", func() error {
			if got := len(p.bodies(t, room)); got != 2*n {
				return fmt.Errorf("there are %d", got)
			}
			return nil
		})
	}
	alice.sees(t, room, bob.say(t, room, "merged"))
	bob.sees(t, room, alice.say(t, room, "merged too"))
	same(t, room, alice, bob)
}

// same waits until the servers of some people have the same state of a room.
func same(t *testing.T, room string, people ...*someone) {
	t.Helper()
	eventually(t, "the state to be the same", func() error {
		var first map[string]string
		for _, p := range people {
			list, err := p.State(t.Context(), room)
			if err != nil {
				return err
			}
			st := map[string]string{}
			for _, e := range list {
				st[e.Type+"|"+*e.StateKey] = e.ID
			}
			if first == nil {
				first = st
				continue
			}
			for k, id := range first {
				if st[k] != id {
					return fmt.Errorf("%s is %s for %s and %s for %s", k, id, people[0].UserID, st[k], p.UserID)
				}
			}
			if len(st) != len(first) {
				return fmt.Errorf("one has %d, another %d", len(first), len(st))
			}
		}
		return nil
	})
}
