package store

import (
	"errors"
	"slices"
	"testing"
)

// TestReceiptsFor: a server is told of the public receipts of this server's users since it came into a room.
func TestReceiptsFor(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		here, gone, there := f.user("@here:us"), f.user("@gone:us"), f.user("@there:far")
		var server int64
		f.write(func(tx *Tx) (err error) {
			for user, m := range map[int64]string{here: "join", gone: "leave", there: "join"} {
				if err := tx.SetMembership(Membership{Room: 3, User: user, Membership: m, Event: 1, Pos: 1}); err != nil {
					return err
				}
			}
			for _, user := range []int64{here, gone} {
				if _, err := tx.AddAccount(Account{User: user}); err != nil {
					return err
				}
			}
			if server, err = tx.NameServer("far"); err != nil {
				return err
			}
			return errors.Join(tx.MoveMembers(3, "far", 1, 1), tx.SetReceipt(Receipt{Room: 3, User: there, Kind: "m.read", EventID: "$theirs"}),
				tx.SetReceipt(Receipt{Room: 3, User: gone, Kind: "m.read", EventID: "$gone"}),
				tx.SetReceipt(Receipt{Room: 3, User: here, Kind: "m.read.private", EventID: "$secret"}),
				tx.SetReceipt(Receipt{Room: 4, User: here, Kind: "m.read", EventID: "$elsewhere"}))
		})
		ids := func(after int64, limit int) (out []string) {
			t.Helper()
			list, err := f.ReceiptsFor(ctx, server, after, f.Position(), limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range list {
				out = append(out, r.EventID)
			}
			return out
		}
		behind := func() bool {
			t.Helper()
			all, err := f.ServersBehind(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return slices.Contains(all, server)
		}
		if got := ids(0, 10); got != nil || behind() {
			t.Errorf("receipts %v that are not for it, behind %v", got, behind())
		}
		f.write(func(tx *Tx) error {
			return errors.Join(tx.SetReceipt(Receipt{Room: 3, User: here, Kind: "m.read", EventID: "$a"}),
				tx.SetReceipt(Receipt{Room: 3, User: here, Kind: "m.read", Thread: "$t", EventID: "$b"}))
		})
		if got := ids(0, 10); !slices.Equal(got, []string{"$a", "$b"}) || !behind() {
			t.Errorf("receipts %v, behind %v", got, behind())
		}
		if got := ids(0, 1); !slices.Equal(got, []string{"$a"}) {
			t.Errorf("one receipt %v", got)
		}
		f.write(func(tx *Tx) error {
			return tx.SetDestination(Destination{Server: server, Cursor: f.Position(), Txn: 1})
		})
		if got := ids(f.Position(), 10); got != nil || behind() {
			t.Errorf("receipts %v after all were taken, behind %v", got, behind())
		}
	})
}
