package store

import (
	"fmt"
	"testing"
)

func TestConsole(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var first int64
		write := func(fn func(*Tx) error) {
			t.Helper()
			if err := f.Write(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		for n := range 5 {
			nid, err := f.NameUser(ctx, fmt.Sprintf("@u%d:x", n))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				first = nid
			}
			service := ""
			if n == 3 {
				service = "irc"
			}
			write(func(tx *Tx) error {
				_, err := tx.AddAccount(Account{User: nid, Kind: "user", Service: service, CreatedTS: int64(n), Admin: n == 1})
				return err
			})
			write(func(tx *Tx) error {
				return tx.AddAudit(Audit{TS: int64(n), Who: "@a:x", Did: "lock", To: fmt.Sprint(n), More: "more"})
			})
		}
		ids := func(list []ListedAccount, err error) (out string) {
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range list {
				out += a.ID[1:3] + " "
				if a.Admin != (a.ID == "@u1:x") {
					t.Errorf("%+v", a)
				}
			}
			return out
		}
		for _, test := range []struct{ got, want string }{
			{ids(f.NewestAccounts(ctx, 0, false, 10)), "u4 u2 u1 u0 "},
			{ids(f.NewestAccounts(ctx, 0, true, 2)), "u4 u3 "},
			{ids(f.NewestAccounts(ctx, first+3, true, 10)), "u2 u1 u0 "},
			{ids(f.AccountsNamed(ctx, "@u", "", 10)), "u0 u1 u2 u3 u4 "},
			{ids(f.AccountsNamed(ctx, "@u", "@u2:x", 10)), "u3 u4 "},
			{ids(f.AccountsNamed(ctx, "@u1", "", 10)), "u1 "},
			{ids(f.AccountsNamed(ctx, "@v", "", 10)), ""},
		} {
			if test.got != test.want {
				t.Errorf("got %q, want %q", test.got, test.want)
			}
		}
		audits, err := f.Audits(ctx, 0, 2)
		if err != nil || len(audits) != 2 || audits[0].To != "4" || audits[0].More != "more" {
			t.Fatalf("%+v %v", audits, err)
		}
		if audits, err = f.Audits(ctx, audits[1].NID, 10); err != nil || len(audits) != 3 || audits[2].To != "0" {
			t.Errorf("%+v %v", audits, err)
		}
		write(func(tx *Tx) error {
			return tx.AddSamples(60, []Sample{{"a", 60, 1}, {"a", 120, 3}, {"b", 60, 0.5}}, 0)
		})
		write(func(tx *Tx) error { return tx.AddSamples(60, []Sample{{"a", 180, 8}}, 100) })
		samples, err := f.Samples(ctx, 60, 0, 1)
		if err != nil || fmt.Sprint(samples) != "[{a 120 3} {a 180 8}]" {
			t.Errorf("%v %v", samples, err)
		}
		if thinned, err := f.Samples(ctx, 60, 0, 100); err != nil || fmt.Sprint(thinned) != "[{a 120 8}]" {
			t.Errorf("%v %v", thinned, err)
		}
		if mean, err := f.MeanSamples(ctx, 60, 100, 170); err != nil || fmt.Sprint(mean) != "[{a 100 3}]" {
			t.Errorf("%v %v", mean, err)
		}
		totals, err := f.Totals(ctx)
		if err != nil || totals.People != 4 || totals.Accounts != 5 {
			t.Errorf("%+v %v", totals, err)
		}
		if rooms, err := f.NewestRooms(ctx, 0, 5); err != nil || len(rooms) != 0 {
			t.Errorf("%v %v", rooms, err)
		}
		if rooms, err := f.RoomsWithAlias(ctx, "50%_", 5); err != nil || len(rooms) != 0 {
			t.Errorf("%v %v", rooms, err)
		}
	})
}
