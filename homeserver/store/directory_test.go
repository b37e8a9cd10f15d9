package store

import (
	"slices"
	"testing"
)

func TestDirectory(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		nids := map[string]int64{}
		set := func(user, value string) {
			f.write(func(tx *Tx) error { return tx.SetProfile(nids[user], Field{Name: "displayname", Value: value}) })
		}
		for _, user := range []string{"anna", "annabel", "ben", "zoe"} {
			f.write(func(tx *Tx) (err error) {
				if nids[user], err = tx.NameUser("@" + user + ":test"); err == nil {
					_, err = tx.AddAccount(Account{User: nids[user], Kind: "user"})
				}
				return err
			})
		}
		set("ben", `"Äñña Ωmega"`)
		set("zoe", `"東京"`)
		find := func(prefix string, after DirectoryPlace, limit int) (users []string, last DirectoryPlace) {
			t.Helper()
			places, err := f.DirectoryScan(ctx, prefix, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range places {
				for name, nid := range nids {
					if nid == p.User {
						users = append(users, name)
					}
				}
				last = p
			}
			return users, last
		}
		want := func(prefix string, users ...string) {
			t.Helper()
			if got, _ := find(prefix, DirectoryPlace{}, 10); !slices.Equal(got, users) {
				t.Errorf("%q: got %v, want %v", prefix, got, users)
			}
		}
		want("anna", "anna", "ben", "annabel")
		want("annab", "annabel")
		want("ω", "ben")
		want("東", "zoe")
		want("京", "zoe")
		want("x")
		first, last := find("anna", DirectoryPlace{}, 2)
		rest, _ := find("anna", last, 2)
		if all := append(first, rest...); !slices.Equal(all, []string{"anna", "ben", "annabel"}) {
			t.Errorf("in pages: %v", all)
		}
		set("ben", "")
		want("anna", "anna", "annabel")
		want("ben", "ben")
		set("ben", `5`)
		want("ben", "ben")
		f.write(func(tx *Tx) error { return tx.Deactivate(nids["ben"], 1) })
		want("ben")
		if got, err := f.AccountsAfter(ctx, nids["anna"], 10); err != nil || !slices.Equal(got, []int64{nids["annabel"], nids["zoe"]}) {
			t.Errorf("accounts %v, %v", got, err)
		}
		if id, name, err := f.Person(ctx, nids["zoe"]); id != "@zoe:test" || name != "東京" || err != nil {
			t.Errorf("%s %s %v", id, name, err)
		}
	})
}
