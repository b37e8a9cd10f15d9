package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

func TestRooms(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		r := newTestRoom(f, "!r:x")
		want := Room{NID: r.name.NID, ID: "!r:x", Version: "11", CreatedTS: 7, Root: 1 << 60, Depth: 9, Extremities: []int64{1, 300, 1 << 40}}
		f.write(func(tx *Tx) error {
			tx.SetRoom(Room{NID: want.NID, Depth: 1})
			tx.SetRoom(want)
			return nil
		})
		if got, err := f.LoadRoom(ctx, want.NID); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
		for _, from := range []string{"memory", "disk"} {
			if from == "disk" {
				f.reopen()
			}
			byID, err := f.RoomByID(ctx, "!r:x")
			byNID, err2 := f.RoomByNID(ctx, want.NID)
			if err := errors.Join(err, err2); err != nil || byID != r.name || byNID != r.name {
				t.Errorf("%s: %v, %v, %v", from, byID, byNID, err)
			}
		}
		if _, err := f.RoomByID(ctx, "!none:x"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if _, err := f.LoadRoom(ctx, 99); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if n, err := f.RoomCount(ctx); err != nil || n != 1 {
			t.Errorf("%d rooms, %v", n, err)
		}
	})
}

func TestMemberships(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		set := func(m Membership) { f.t.Helper(); f.write(func(tx *Tx) error { return tx.SetMembership(m) }) }
		a := Membership{Room: 1, User: 1, Membership: "join", Event: 10, Pos: 100}
		b := Membership{Room: 1, User: 2, Membership: "invite", Event: 11, Pos: 101}
		c := Membership{Room: 2, User: 1, Membership: "leave", Event: 12, Pos: 102}
		for _, m := range []Membership{a, b, c} {
			set(m)
		}
		if got, err := f.MembersOf(ctx, 1); err != nil || !slices.Equal(got, []Membership{a, b}) {
			t.Errorf("members: %v, %v", got, err)
		}
		if got, err := f.RoomsOf(ctx, 1); err != nil || !slices.Equal(got, []Membership{a, c}) {
			t.Errorf("rooms: %v, %v", got, err)
		}
		if n, err := f.JoinedCount(ctx, 1); err != nil || n != 1 {
			t.Errorf("joined: %d, %v", n, err)
		}
		f.write(func(tx *Tx) error { return tx.Forget(2, 1) })
		if got, err := f.Membership(ctx, 2, 1); err != nil || !got.Forgotten {
			t.Errorf("forgotten: %+v, %v", got, err)
		}
		c.Membership, c.Event = "invite", 13
		set(c)
		if got, err := f.Membership(ctx, 2, 1); err != nil || got != c {
			t.Errorf("invited anew: %+v, %v", got, err)
		}
		if _, err := f.Membership(ctx, 9, 9); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		want := Account{User: 1, Password: "h", Kind: "user", Admin: true, CreatedTS: 5, RateMilli: -1}
		f.write(func(tx *Tx) error {
			for i := range 2 {
				ok, err := tx.AddAccount(want)
				if ok != (i == 0) || err != nil {
					t.Errorf("time %d: %v, %v", i, ok, err)
				}
			}
			_, err := tx.AddAccount(Account{User: 2, Kind: "service", Service: "irc"})
			return err
		})
		if got, err := f.Account(ctx, 1); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
		if n, err := f.PeopleCount(ctx); err != nil || n != 1 {
			t.Errorf("people: %d, %v", n, err)
		}
		f.write(func(tx *Tx) error { return errors.Join(tx.SetAdmin(1, false), tx.Deactivate(1, 99)) })
		want.Admin, want.Password, want.DeactivatedTS = false, "", 99
		if got, err := f.Account(ctx, 1); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}

		k := RegistrationToken{Token: "t", UsesAllowed: 1, ExpiresTS: 50, MakesAdmin: true, CreatedTS: 3}
		f.write(func(tx *Tx) error {
			_, err := tx.AddRegistrationToken(k)
			return errors.Join(err, tx.UseRegistrationToken("t"))
		})
		k.Used = 1
		if got, err := f.RegistrationToken(ctx, "t"); err != nil || got != k || got.Valid(1) {
			t.Errorf("%+v, %v", got, err)
		}
		if k.Used = 0; !k.Valid(49) || k.Valid(50) {
			t.Error("expiry of a registration token")
		}
	})
}

// TestDeleteDevice: nothing of a device may outlive it.
func TestDeleteDevice(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var gone, stays Device
		f.write(func(tx *Tx) (err error) {
			for _, d := range []*Device{&gone, &stays} {
				*d, _, err = tx.EnsureDevice(Device{User: 1, ID: map[*Device]string{&gone: "GONE", &stays: "STAYS"}[d], Name: "n", CreatedTS: 4})
				if err != nil {
					return err
				}
				name := DeviceName{1, d.ID}
				_, err = tx.AddOneTimeKey(name, OneTimeKey{"alg", "k", "{}"})
				if err = errors.Join(err,
					tx.AddToken(Token{Hash: []byte(d.ID), Kind: "access", User: 1, Device: d.NID}),
					tx.SetDeviceKeys(name, "{}"), tx.SetFallbackKey(name, OneTimeKey{"alg", "f", "{}"}),
					tx.AddToDevice(name, d.NID, ToDevice{Sender: "@a:x", Type: "t", Content: "{}"}),
					tx.SetKeySignature(KeySignature{1, d.ID, 1, "ed25519:S", "sig"}),
				); err != nil {
					return err
				}
				if _, err = tx.RememberRequest(d.NID, "t", 1); err != nil {
					return err
				}
			}
			return nil
		})
		f.write(func(tx *Tx) error { return tx.DeleteDevice(gone) })
		for d, want := range map[Device]int{gone: 0, stays: 1} {
			name := DeviceName{1, d.ID}
			counts, err := f.OneTimeKeyCounts(ctx, name)
			unused, err2 := f.UnusedFallbackKeys(ctx, name)
			messages, err3 := f.ToDeviceAfter(ctx, name, 0, 100, 100)
			_, tokenErr := f.Token(ctx, []byte(d.ID))
			_, keyErr := f.DeviceKeys(ctx, name)
			_, deviceErr := f.Device(ctx, 1, d.ID)
			if err := errors.Join(err, err2, err3); err != nil {
				t.Fatal(err)
			}
			if len(counts) != want || len(unused) != want || len(messages) != want {
				t.Errorf("%s: %v, %v, %v", d.ID, counts, unused, messages)
			}
			for what, err := range map[string]error{"token": tokenErr, "keys": keyErr, "device": deviceErr} {
				if (err == nil) != (want == 1) || (err != nil && !errors.Is(err, ErrNotFound)) {
					t.Errorf("%s of %s: %v", what, d.ID, err)
				}
			}
		}
		sigs, err := f.KeySignatures(ctx, 1, 2)
		if err != nil || len(sigs) != 1 || sigs[0].TargetKey != "STAYS" {
			t.Errorf("signatures: %v, %v", sigs, err)
		}
		if users, err := f.DeviceListChanges(ctx, 0, f.Position()); err != nil || !slices.Equal(users, []int64{1}) {
			t.Errorf("device list changes: %v, %v", users, err)
		}
		f.write(func(tx *Tx) error {
			fresh, err := tx.RememberRequest(stays.NID, "t", 1)
			if fresh {
				t.Error("the request of the other device was forgotten")
			}
			return err
		})
	})
}

func TestKeyNouns(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, d := t.Context(), DeviceName{1, "D"}
		f.write(func(tx *Tx) error {
			for _, id := range []string{"z", "a", "m"} {
				if have, err := tx.AddOneTimeKey(d, OneTimeKey{"alg", id, id}); have != "" || err != nil {
					t.Errorf("%s: %q, %v", id, have, err)
				}
			}
			have, err := tx.AddOneTimeKey(d, OneTimeKey{"alg", "a", "other"})
			if have != "a" {
				t.Errorf("a key of a taken id: %q", have)
			}
			return err
		})
		f.reopen()
		f.write(func(tx *Tx) error { _, err := tx.AddOneTimeKey(d, OneTimeKey{"alg", "last", "last"}); return err })
		for _, want := range []string{"z", "a", "m", "last", ""} {
			var got OneTimeKey
			err := f.Write(ctx, func(tx *Tx) (err error) { got, err = tx.TakeOneTimeKey(d, "alg", 10); return err })
			if got.ID != want || (want == "") != errors.Is(err, ErrNotFound) {
				t.Errorf("took %q, %v; want %q", got.ID, err, want)
			}
		}
		// What was given out does not come back, but another key may take its name, and after a while it is forgotten.
		f.write(func(tx *Tx) error {
			for id, want := range map[string]string{"z": "z", "a": "", "last": "last"} {
				json := id
				if want == "" {
					json = "other"
				}
				if have, err := tx.AddOneTimeKey(d, OneTimeKey{"alg", id, json}); have != want || err != nil {
					t.Errorf("%s once more: %q, %v", id, have, err)
				}
			}
			counts, err := tx.OneTimeKeyCounts(d)
			if err != nil || counts["alg"] != 1 {
				t.Errorf("counts %v, %v", counts, err)
			}
			if got, err := tx.TakeOneTimeKey(d, "alg", 20); got.JSON != "other" || err != nil {
				t.Errorf("took %v, %v", got, err)
			}
			if err := tx.ForgetTakenKeys(d, 20); err != nil {
				return err
			}
			for id, want := range map[string]string{"z": "", "a": "other"} {
				if have, err := tx.AddOneTimeKey(d, OneTimeKey{"alg", id, cmp.Or(want, id)}); have != want || err != nil {
					t.Errorf("%s a day later: %q, %v", id, have, err)
				}
			}
			return nil
		})
		f.write(func(tx *Tx) error {
			first := OneTimeKey{"alg", "f1", "1"}
			if err := tx.SetFallbackKey(d, first); err != nil {
				return err
			}
			if _, err := tx.UseFallbackKey(d, "alg"); err != nil {
				return err
			}
			return tx.SetFallbackKey(d, first) // a repeated upload makes it no less used
		})
		if unused, err := f.UnusedFallbackKeys(ctx, d); err != nil || len(unused) != 0 {
			t.Errorf("unused: %v, %v", unused, err)
		}
		f.write(func(tx *Tx) error { return tx.SetFallbackKey(d, OneTimeKey{"alg", "f2", "2"}) })
		if unused, err := f.UnusedFallbackKeys(ctx, d); err != nil || !slices.Equal(unused, []string{"alg"}) {
			t.Errorf("unused: %v, %v", unused, err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetKeySignature(KeySignature{1, "D", 1, "ed25519:A", "own"}),
				tx.SetKeySignature(KeySignature{1, "D", 2, "ed25519:B", "hers"}),
				tx.SetKeySignature(KeySignature{1, "D", 3, "ed25519:C", "his"}))
		})
		sigs, err := f.KeySignatures(ctx, 1, 2)
		if err != nil || len(sigs) != 2 || sigs[0].Signature != "own" || sigs[1].Signature != "hers" {
			t.Errorf("signatures: %v, %v", sigs, err)
		}
	})
}

func TestUserData(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error {
			return errors.Join(
				tx.SetAccountData(1, AccountData{Room: 0, Type: "a", Content: "1"}),
				tx.SetAccountData(1, AccountData{Room: 5, Type: "a", Content: "2"}),
				tx.SetAccountData(1, AccountData{Room: 0, Type: "a", Content: "3"}),
				tx.SetReceipt(Receipt{Room: 5, User: 1, Kind: "m.read", EventID: "$e", Event: 4, TS: 6}),
				tx.SetProfile(1, Field{"displayname", `"A"`}), tx.SetProfile(1, Field{"gone", `1`}), tx.SetProfile(1, Field{"gone", ""}),
				tx.SetCursor("irc", Cursor{1, 2, 3}), tx.SetCursor("irc", Cursor{4, 5, 6}),
				tx.SetMeta("k", "v"), tx.SetMeta("k", "w"))
		})
		data, err := f.AccountDataAfter(ctx, 1, 1, 10)
		if err != nil || !slices.Equal(data, []AccountData{{5, "a", "2", 2}, {0, "a", "3", 3}}) {
			t.Errorf("account data: %v, %v", data, err)
		}
		receipts, err := f.ReceiptsAfter(ctx, 5, 3, 4)
		if err != nil || !slices.Equal(receipts, []Receipt{{5, 1, "m.read", "", "$e", 4, 6, 4}}) {
			t.Errorf("receipts: %v, %v", receipts, err)
		}
		if fields, err := f.Profile(ctx, 1); err != nil || !slices.Equal(fields, []Field{{"displayname", `"A"`}}) {
			t.Errorf("profile: %v, %v", fields, err)
		}
		if c, err := f.Cursor(ctx, "irc"); err != nil || c != (Cursor{4, 5, 6}) {
			t.Errorf("cursor: %v, %v", c, err)
		}
		if v, err := f.Meta(ctx, "k"); err != nil || v != "w" {
			t.Errorf("meta: %q, %v", v, err)
		}
		var ids []int64
		f.write(func(tx *Tx) error {
			ids = nil
			for _, body := range []string{"x", "y", "x"} {
				id, err := tx.EnsureFilter(1, []byte(body), body)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		})
		if ids[0] == ids[1] || ids[0] != ids[2] {
			t.Errorf("filters: %v", ids)
		}
		if body, err := f.Filter(ctx, 1, ids[1]); err != nil || body != "y" {
			t.Errorf("filter: %q, %v", body, err)
		}
	})
}

func TestAliasesAndDirectory(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error {
			for i, room := range []int64{1, 2} {
				if ok, err := tx.AddAlias(Alias{"#a:x", room, 3}, 1); err != nil || ok != (i == 0) {
					t.Errorf("room %d: %v, %v", room, ok, err)
				}
			}
			return errors.Join(tx.SetPublic(1, true), tx.SetPublic(1, true), tx.SetPublic(2, true), tx.SetPublic(2, false))
		})
		if a, err := f.Alias(ctx, "#a:x"); err != nil || a != (Alias{"#a:x", 1, 3}) {
			t.Errorf("%v, %v", a, err)
		}
		if rooms, err := f.PublicRooms(ctx); err != nil || !slices.Equal(rooms, []int64{1}) {
			t.Errorf("%v, %v", rooms, err)
		}
		f.write(func(tx *Tx) error { return tx.DeleteAlias("#a:x") })
		if aliases, err := f.AliasesOf(ctx, 1); err != nil || len(aliases) != 0 {
			t.Errorf("%v, %v", aliases, err)
		}
	})
}

func TestMediaReservations(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error {
			for i := range 3 {
				if err := tx.AddMedia(Media{Origin: "x", ID: fmt.Sprint(i), Owner: 1, ExpiresTS: int64(100 * (i + 1))}); err != nil {
					return err
				}
			}
			n, err := tx.ReservedMedia(1, 100)
			if n != 2 {
				t.Errorf("%d reservations", n)
			}
			return err
		})
		want := Media{Origin: "x", ID: "2", Hash: []byte("h"), Type: "t", Name: "n", Size: 3, Owner: 1}
		for i, ok := range []bool{true, false} {
			f.write(func(tx *Tx) error {
				got, err := tx.FillMedia(want, 250)
				if got != ok {
					t.Errorf("filling, time %d: %v", i, got)
				}
				return err
			})
		}
		f.write(func(tx *Tx) error {
			ok, err := tx.FillMedia(Media{Origin: "x", ID: "1"}, 250)
			if ok {
				t.Error("a reservation that had run out was filled")
			}
			return err
		})
		got, err := f.Media(ctx, "x", "2")
		if err != nil || !bytes.Equal(got.Hash, want.Hash) || got.Name != "n" || got.ExpiresTS != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := f.Media(ctx, "x", "0"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a reservation that had run out: %v", err)
		}
	})
}
