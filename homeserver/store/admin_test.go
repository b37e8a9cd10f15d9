package store

import (
	"errors"
	"testing"
)

func TestAdminQueries(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var users []int64
		for _, id := range []string{"@b:x", "@a:x", "@c%:x"} {
			nid, err := f.NameUser(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			users = append(users, nid)
			f.write(func(tx *Tx) error {
				_, err := tx.AddAccount(Account{User: nid, Kind: "user", CreatedTS: nid})
				return errors.Join(err, tx.SetProfile(nid, Field{"displayname", `"Name ` + id + `"`}))
			})
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetUserType(users[0], "bot"), tx.SetShadowBanned(users[0], true), tx.SetRate(users[0], 0, 0), tx.SetKeysUntil(users[0], 7),
				tx.SetMembership(Membership{Room: 5, User: users[0], Membership: "join", Event: 1, Pos: 1}),
				tx.AddMedia(Media{Origin: "x", ID: "m", Owner: users[1], Size: 9, CreatedTS: 3}), tx.SetBackoff("y", Backoff{1, 2, 3}))
		})
		names := func(q UserQuery) (out string) {
			q.Guests, q.Limit = true, 10
			list, total, err := f.Users(ctx, q)
			if err != nil || int(total) != len(list) {
				t.Errorf("%+v: %v, %v", q, total, err)
			}
			for _, a := range list {
				out += a.ID
			}
			return out
		}
		for _, order := range []string{"name", "is_guest", "admin", "user_type", "deactivated", "shadow_banned", "displayname", "avatar_url", "creation_ts", "last_seen_ts", "locked"} {
			if got := names(UserQuery{OrderBy: order}); len(got) != len("@a:x@b:x@c%:x") {
				t.Errorf("%s: %s", order, got)
			}
		}
		no := false
		for _, test := range []struct {
			q    UserQuery
			want string
		}{
			{UserQuery{OrderBy: "name"}, "@a:x@b:x@c%:x"}, {UserQuery{OrderBy: "name", Back: true}, "@c%:x@b:x@a:x"}, {UserQuery{ID: "c%"}, "@c%:x"},
			{UserQuery{Name: "NAME @A"}, "@a:x"}, {UserQuery{NotTypes: []string{""}}, "@b:x"}, {UserQuery{NotTypes: []string{"bot"}}, "@a:x@c%:x"},
			{UserQuery{OrderBy: "creation_ts", Deactivated: &no, Admins: &no}, "@b:x@a:x@c%:x"},
		} {
			if got := names(test.q); got != test.want {
				t.Errorf("%+v: %s", test.q, got)
			}
		}
		if a, err := f.Account(ctx, users[0]); err != nil || a.Type != "bot" || !a.ShadowBanned || a.RateMilli != 0 || a.KeysUntilTS != 7 {
			t.Errorf("%+v, %v", a, err)
		}
		if list, err := f.MediaByUsers(ctx, 0, 10, "name"); err != nil || len(list) != 1 || list[0].Bytes != 9 {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := f.LocalMembers(ctx, 5, 0, 10); err != nil || len(list) != 1 || list[0].ID != "@b:x" {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := f.Backoffs(ctx); err != nil || len(list) != 1 || list[0].Server != "y" {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := f.Peers(ctx, "x", "", "", true, 10); err != nil || len(list) != 1 || list[0].Server != "y" || list[0].Failures == 0 {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := f.Peers(ctx, "y", "", "", false, 10); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		if _, failing, err := f.PeerCounts(ctx, "x"); err != nil || failing != 1 {
			t.Errorf("%d, %v", failing, err)
		}
		if _, err := f.LargestRooms(ctx, 3); err != nil {
			t.Error(err)
		}
		if _, err := f.MediaShown(ctx, MediaName{"x", "m"}); err != nil {
			t.Error(err)
		}
		for _, count := range []func() (int64, error){
			func() (int64, error) { return f.LocalJoined(ctx, 5) }, func() (int64, error) { return f.LocalRemember(ctx, 5) },
		} {
			if n, err := count(); err != nil || n != 1 {
				t.Errorf("%d, %v", n, err)
			}
		}
		if _, err := f.LocalDevices(ctx, 5); err != nil {
			t.Error(err)
		}
		// A room is blocked, and removed.
		f.write(func(tx *Tx) error {
			return errors.Join(tx.BlockRoom("!r", "@a:x", 1, true), tx.SetTask(Task{ID: "k", Kind: "delete", RoomID: "!r", Room: 5, State: TaskActive}))
		})
		if by, err := f.RoomBlocked(ctx, "!r"); err != nil || by != "@a:x" {
			t.Errorf("%s, %v", by, err)
		}
		if list, err := f.ActiveTasks(ctx); err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
		f.write(func(tx *Tx) error { return tx.HideRoom(RoomName{NID: 5, ID: "!r"}) })
		if _, err := f.Membership(ctx, 5, users[0]); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if list, err := f.EventsToPurge(ctx, 5, 10); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		if list, err := f.MessagesToPurge(ctx, 5, Beginning, 9, 10); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		f.write(func(tx *Tx) error { return tx.DropEvents([]Purged{{NID: 1, Pos: 1, Root: 1 << 12}}, true) })
	})
}
