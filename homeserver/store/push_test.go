package store

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestUnreadMemos(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx, r := t.Context(), newTestRoom(f, "!r:x")
		if _, err := f.UnreadMemo(ctx, 1, r.name.NID); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		for _, memo := range []string{"one", "two"} {
			f.write(func(tx *Tx) error { return tx.SetUnreadMemo(1, r.name.NID, []byte(memo)) })
		}
		if got, err := f.UnreadMemo(ctx, 1, r.name.NID); err != nil || string(got) != "two" {
			t.Errorf("%s, %v", got, err)
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetMembership(Membership{Room: r.name.NID, User: 1, Membership: "join", Event: 1, Pos: 1}),
				tx.SetMembership(Membership{Room: 99, User: 1, Membership: "join", Event: 1, Pos: 1}))
		})
		if got, err := f.SomeMembers(ctx, r.name.NID, 2); err != nil || !slices.Equal(got, []int64{1}) {
			t.Errorf("members: %v, %v", got, err)
		}
		if got, err := f.SomeMembers(ctx, r.name.NID, 1); err != nil || len(got) != 0 {
			t.Errorf("members but one: %v, %v", got, err)
		}
		var places []EventPlace
		for i := range 5 {
			e := r.add(fmt.Sprint(i), nil)
			places = append(places, EventPlace{e.NID, e.Pos})
		}
		slices.Reverse(places)
		if got, err := f.PlacesBack(ctx, r.name.NID, places[4].Pos, places[1].Pos, 2); err != nil || !slices.Equal(got, places[1:3]) {
			t.Errorf("%v, %v; want %v", got, err, places[1:3])
		}
		if got, err := f.NthPlaceBack(ctx, r.name.NID, 0, places[0].Pos, 2); err != nil || got != places[2].Pos {
			t.Errorf("%v, %v; want %v", got, err, places[2])
		}
		if got, err := f.NthPlaceBack(ctx, r.name.NID, 0, places[0].Pos, 5); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := f.RoomsWithNews(ctx, 1, places[1].Pos, places[0].Pos); err != nil || !slices.Equal(got, []int64{r.name.NID}) {
			t.Errorf("%v, %v", got, err)
		}
		if got, err := f.RoomsWithNews(ctx, 1, places[0].Pos, 1<<40); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
		f.write(func(tx *Tx) error { return tx.Forget(r.name.NID, 1) })
		if _, err := f.UnreadMemo(ctx, 1, r.name.NID); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

func TestPushers(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error { _, err := tx.Log(Entry{Kind: KindProfile}); return err })
		p := Pusher{User: 1, AppID: "a", Pushkey: "k", Kind: "http", Device: 5, JSON: "{}", ChangedTS: 7}
		other := Pusher{User: 2, AppID: "a", Pushkey: "k", Kind: "email", JSON: "{}"}
		f.write(func(tx *Tx) error { return errors.Join(tx.SetPusher(p), tx.SetPusher(other)) })
		f.write(func(tx *Tx) error {
			_, err := tx.Log(Entry{Kind: KindProfile})
			p.JSON = `{"x":1}`
			return errors.Join(err, tx.SetPusher(p), tx.PusherMailed(p, 8, 9))
		})
		p.Pos, p.SentTS, p.ThrottleMS = 1, 8, 9
		if got, err := f.PushersOf(ctx, 1); err != nil || !slices.Equal(got, []Pusher{p}) {
			t.Errorf("%+v, %v; want %+v", got, err, p)
		}
		for _, pos := range []int64{10, 4} {
			f.write(func(tx *Tx) error { return tx.PusherServed(p, pos) })
		}
		if got, err := f.PushersOf(ctx, 1); err != nil || got[0].Pos != 10 {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := f.PusherUsers(ctx); err != nil || !slices.Equal(got, []int64{1, 2}) {
			t.Errorf("%v, %v", got, err)
		}
		f.write(func(tx *Tx) error {
			users, err := tx.DeleteOtherPushers(1, "a", "k")
			if !slices.Equal(users, []int64{2}) {
				t.Errorf("others: %v", users)
			}
			return err
		})
		f.write(func(tx *Tx) error { return tx.DeleteDevice(Device{NID: 5, User: 1, ID: "D"}) })
		if got, err := f.PusherUsers(ctx); err != nil || len(got) != 0 {
			t.Errorf("%v, %v", got, err)
		}
		f.write(func(tx *Tx) error { return errors.Join(tx.SetPusher(other), tx.Deactivate(2, 1)) })
		if got, err := f.PusherUsers(ctx); err != nil || len(got) != 0 {
			t.Errorf("of a closed account: %v, %v", got, err)
		}
	})
}

func TestBackups(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for want := int64(1); want < 3; want++ {
			f.write(func(tx *Tx) error {
				v, live, err := tx.AddBackup(1, "alg", "{}")
				if v != want || live != want-1 {
					t.Errorf("version %d, %d live; want %d", v, live, want)
				}
				return err
			})
		}
		var keys []RoomKey
		for _, room := range []string{"!a", "!b"} {
			for _, session := range []string{"s", "t", "u"} {
				k := RoomKey{RoomID: room, SessionID: session, FirstIndex: 3, Forwarded: 4, Verified: room == "!b", JSON: `{"r":1}`}
				keys = append(keys, k)
				f.write(func(tx *Tx) error { return errors.Join(tx.SetRoomKey(1, 2, k), tx.BackupChanged(1, 2, 1)) })
			}
		}
		if b, err := f.CurrentBackup(ctx, 1); err != nil || b != (Backup{Version: 2, Algorithm: "alg", AuthData: "{}", ETag: 6, Count: 6}) {
			t.Errorf("%+v, %v", b, err)
		}
		if k, err := f.RoomKey(ctx, 1, 2, "!b", "t"); err != nil || k != keys[4] {
			t.Errorf("%+v, %v", k, err)
		}
		var all []string
		for room, session := "", ""; ; {
			page, err := f.RoomKeysAfter(ctx, 1, 2, room, session, 4)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range page {
				room, session = k.RoomID, k.SessionID
				all = append(all, room+session)
			}
			if len(page) < 4 {
				break
			}
		}
		if got := strings.Join(all, " "); got != "!as !at !au !bs !bt !bu" {
			t.Errorf("pages: %s", got)
		}
		if page, err := f.RoomKeysOf(ctx, 1, 2, "!a"); err != nil || len(page) != 3 {
			t.Errorf("%v, %v", page, err)
		}
		for _, c := range []struct {
			room, session string
			want          int64
		}{{"!a", "s", 1}, {"!a", "s", 0}, {"!a", "", 2}, {"", "", 3}} {
			f.write(func(tx *Tx) error {
				n, err := tx.DeleteRoomKeys(1, 2, c.room, c.session)
				if n != c.want {
					t.Errorf("%+v: %d deleted", c, n)
				}
				return err
			})
		}
		f.write(func(tx *Tx) error { return errors.Join(tx.SetBackupAuth(1, 1, `{"x":1}`), tx.DeleteBackup(1, 2)) })
		if b, err := f.CurrentBackup(ctx, 1); err != nil || b.Version != 1 || b.AuthData != `{"x":1}` {
			t.Errorf("%+v, %v", b, err)
		}
		if b, err := f.Backup(ctx, 1, 2); err != nil || !b.Deleted {
			t.Errorf("%+v, %v", b, err)
		}
	})
}

func TestDehydrated(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for _, id := range []string{"ONE", "TWO", "TWO"} {
			f.write(func(tx *Tx) error {
				_, _, err := tx.EnsureDevice(Device{User: 1, ID: id})
				return errors.Join(err, tx.SetDehydrated(1, Dehydrated{id, "{}"}))
			})
		}
		if d, err := f.Dehydrated(ctx, 1); err != nil || d != (Dehydrated{"TWO", "{}"}) {
			t.Errorf("%+v, %v", d, err)
		}
		devices, err := f.DevicesOf(ctx, 1)
		if err != nil || len(devices) != 1 {
			t.Fatalf("%+v, %v", devices, err)
		}
		f.write(func(tx *Tx) error { return tx.DeleteDevice(devices[0]) })
		if _, err := f.Dehydrated(ctx, 1); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestToDeviceBound: of what waits for a device that does not come, the oldest goes.
func TestToDeviceBound(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.toDeviceMax = 20
		a, b := DeviceName{1, "A"}, DeviceName{1, "B"}
		for i := range 50 {
			f.write(func(tx *Tx) error {
				return errors.Join(tx.AddToDevice(a, 0, ToDevice{Content: fmt.Sprintf(`{"n":"ä%d"}`, i)}), tx.AddToDevice(b, 0, ToDevice{Content: "{}"}))
			})
			if i%10 == 9 {
				// The other device comes for its messages.
				f.write(func(tx *Tx) error { return tx.DeleteToDevice(b, tx.Position()) })
			}
		}
		got, err := f.ToDeviceAfter(ctx, a, 0, 1<<40, 100)
		if err != nil || len(got) < 17 || len(got) > 20 || got[len(got)-1].Content != `{"n":"ä49"}` {
			t.Fatalf("%d messages, %v", len(got), err)
		}
		for i := 1; i < len(got); i++ {
			if got[i].Pos != got[i-1].Pos+2 {
				t.Errorf("a hole before %d", got[i].Pos)
			}
		}
		if n := f.ToDeviceDropped(); n != int64(50-len(got)) {
			t.Errorf("%d dropped, %d left", n, len(got))
		}
		size := func(d DeviceName) (n [2]int64) {
			t.Helper()
			db := f.read
			err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT messages, bytes FROM to_device_size WHERE user_nid = 1 AND device_id = '%s'", d.ID)).Scan(&n[0], &n[1])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		chars := 0
		for _, m := range got {
			chars += len([]rune(m.Content))
		}
		if have := [][2]int64{size(a), size(b)}; !reflect.DeepEqual(have, [][2]int64{{int64(len(got)), int64(chars)}, {0, 0}}) {
			t.Errorf("counted %v; there are %d of %d characters", have, len(got), chars)
		}
	})
}
