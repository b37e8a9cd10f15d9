package store

import (
	"errors"
	"fmt"
	"testing"
)

func TestOAuthClients(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		put := func(id string, ts int64) (fresh bool) {
			t.Helper()
			f.write(func(tx *Tx) (err error) {
				fresh, err = tx.PutOAuthClient(OAuthClient{ID: id, Metadata: `{"a":1}`, UsedTS: ts})
				return err
			})
			return fresh
		}
		if !put("one", 10) || put("one", 20) {
			t.Error("whether a client is new is told wrongly")
		}
		if c, err := f.OAuthClient(ctx, "one"); err != nil || c != (OAuthClient{"one", `{"a":1}`, 10, 20}) {
			t.Errorf("%+v, %v", c, err)
		}
		if _, err := f.OAuthClient(ctx, "none"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		// A device keeps its client; the others go by age and number.
		user, device := f.user("@a:x"), Device{}
		f.write(func(tx *Tx) (err error) {
			if device, _, err = tx.EnsureDevice(Device{User: user, ID: "D", CreatedTS: 1}); err != nil {
				return err
			}
			return tx.PutOAuthSession(OAuthSession{Device: device.NID, Client: "one", Scope: "s", GrantedTS: 5})
		})
		for i := range 5 {
			put(fmt.Sprint("more", i), int64(100+i))
		}
		left := func() (n int) {
			t.Helper()
			for _, id := range []string{"one", "more0", "more1", "more2", "more3", "more4"} {
				if _, err := f.OAuthClient(ctx, id); err == nil {
					n++
				}
			}
			return n
		}
		for _, c := range []struct {
			before     int64
			keep, left int
		}{{0, 100, 6}, {102, 100, 4}, {0, 1, 3}, {0, 0, 2}, {1000, 100, 1}} {
			f.write(func(tx *Tx) error { return tx.TrimOAuthClients(c.before, c.keep) })
			if got := left(); got != c.left {
				t.Errorf("before %d, keeping %d: %d are left, not %d", c.before, c.keep, got, c.left)
			}
		}
		if s, err := f.OAuthSession(ctx, device.NID); err != nil || s != (OAuthSession{device.NID, "one", "s", 5}) {
			t.Errorf("%+v, %v", s, err)
		}
		if all, err := f.OAuthSessionsOf(ctx, user); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		f.write(func(tx *Tx) error { return tx.DeleteDevice(device) })
		if _, err := f.OAuthSession(ctx, device.NID); !errors.Is(err, ErrNotFound) {
			t.Error("the session outlives its device")
		}
		f.write(func(tx *Tx) error { return tx.TrimOAuthClients(1000, 100) })
		if left() != 0 {
			t.Error("a client without devices stays")
		}
	})
}
