package store

import (
	"errors"
	"slices"
	"testing"
)

func TestThreePIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		p := ThreePID{Medium: "email", Address: "a@b.c", User: 1, ValidatedTS: 10, AddedTS: 20}
		add := func(p ThreePID) (ok bool) {
			f.write(func(tx *Tx) (err error) { ok, err = tx.AddThreePID(p); return err })
			return ok
		}
		if !add(p) {
			t.Error("a fresh address was refused")
		}
		other, again := p, p
		other.User, again.ValidatedTS, again.AddedTS = 2, 30, 40
		if add(other) || !add(again) {
			t.Error("who has an address keeps it")
		}
		p.ValidatedTS = 30
		if got, err := f.ThreePID(ctx, "email", "a@b.c"); err != nil || got != p {
			t.Errorf("%+v, %v", got, err)
		}
		if got, err := f.ThreePIDsOf(ctx, 1); err != nil || !slices.Equal(got, []ThreePID{p}) {
			t.Errorf("%+v, %v", got, err)
		}
		var mine, again2 bool
		f.write(func(tx *Tx) (err error) {
			if mine, err = tx.DeleteThreePID(2, "email", "a@b.c"); err == nil {
				again2, err = tx.DeleteThreePID(1, "email", "a@b.c")
			}
			return err
		})
		if mine || !again2 {
			t.Errorf("deleted somebody else's: %t, one's own: %t", mine, again2)
		}
	})
}

func TestThreePIDSessions(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ensure := func(p ThreePIDSession, now int64) (out ThreePIDSession, send bool) {
			t.Helper()
			f.write(func(tx *Tx) (err error) { out, send, err = tx.EnsureThreePIDSession(p, now); return err })
			return out, send
		}
		p := ThreePIDSession{ID: "s", Medium: "email", Address: "a@b.c", Purpose: "add", Secret: []byte{1}, Token: []byte{2}, Attempt: 1, ExpiresTS: 100}
		if got, send := ensure(p, 1); !send || got.ID != "s" {
			t.Errorf("%+v, %t", got, send)
		}
		p.ID, p.Token = "other", []byte{3}
		if got, send := ensure(p, 1); send || got.ID != "s" || got.Token[0] != 2 {
			t.Errorf("the same attempt: %+v, %t", got, send)
		}
		f.write(func(tx *Tx) error { return tx.CountThreePIDTry("s") })
		p.Attempt = 2
		if got, send := ensure(p, 1); !send || got.ID != "s" || got.Token[0] != 3 || got.Tries != 0 {
			t.Errorf("the next attempt: %+v, %t", got, send)
		}
		f.write(func(tx *Tx) error { return tx.ValidateThreePID("s", 50) })
		if got, err := f.ThreePIDSession(ctx, "s"); err != nil || got.ValidatedTS != 50 || got.Attempt != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		p.Purpose, p.ID = "register", "r"
		if got, send := ensure(p, 101); !send || got.ID != "r" {
			t.Errorf("another purpose: %+v, %t", got, send)
		}
		if _, err := f.ThreePIDSession(ctx, "s"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an expired session: %v", err)
		}
	})
}

func TestTokensSettle(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		token := func(hash byte, kind string, parent []byte) Token {
			return Token{Hash: []byte{hash}, Kind: kind, User: 1, Device: 2, CreatedTS: 1, Parent: parent}
		}
		add := func(all ...Token) {
			f.write(func(tx *Tx) error {
				for _, k := range all {
					if err := tx.AddToken(k); err != nil {
						return err
					}
				}
				return nil
			})
		}
		get := func(hash byte) string {
			k, err := f.Token(ctx, []byte{hash})
			if errors.Is(err, ErrNotFound) {
				return "none"
			}
			if err != nil {
				t.Fatal(err)
			}
			out := k.Kind
			if k.ExpiresTS != 0 {
				out += " expires"
			}
			if k.Parent != nil {
				out += " unused"
			}
			return out
		}
		check := func(what string, want ...string) {
			t.Helper()
			var got []string
			for i := range want {
				got = append(got, get(byte(i+1)))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		add(token(1, "access", nil), token(2, "refresh", nil), token(3, "access", []byte{2}), token(4, "refresh", []byte{2}))
		other := token(9, "access", nil)
		other.Device = 3
		add(other)
		check("after a refresh", "access", "refresh", "access unused", "refresh unused")
		f.write(func(tx *Tx) error { return tx.DeleteTokenChildren(token(2, "", nil)) })
		check("before another", "access", "refresh", "none", "none")
		add(token(3, "access", []byte{2}), token(4, "refresh", []byte{2}))
		f.write(func(tx *Tx) error { return tx.SettleToken(token(3, "access", []byte{2}), 50) })
		check("after the first use", "access expires", "spent expires", "access", "refresh")
		add(token(5, "access", []byte{4}), token(6, "refresh", []byte{4}))
		f.write(func(tx *Tx) error { return tx.SettleToken(token(6, "refresh", []byte{4}), 60) })
		check("after the next", "access expires", "none", "access expires", "spent expires", "access", "refresh")
		f.write(func(tx *Tx) error { return tx.DeleteExpiredTokens(1, 2, 55) })
		check("after a while", "none", "none", "access expires", "spent expires", "access", "refresh")
		if get(9) != "access" {
			t.Errorf("another device's token: %q", get(9))
		}
		login := Token{Hash: []byte{7}, Kind: "login", User: 1, ExpiresTS: 70}
		add(login)
		f.write(func(tx *Tx) error { return tx.DeleteOldTokens(70) })
		check("at its end", "none", "none", "access expires", "spent expires", "access", "refresh", "login expires")
		f.write(func(tx *Tx) error { return tx.DeleteOldTokens(71) })
		check("after its end", "none", "none", "access expires", "spent expires", "access", "refresh", "none")
	})
}

func TestErasedAccounts(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.write(func(tx *Tx) error {
			for u := int64(1); u <= 3; u++ {
				if _, err := tx.AddAccount(Account{User: u, Kind: "user"}); err != nil {
					return err
				}
				if err := tx.SetProfile(u, Field{"displayname", `"x"`}); err != nil {
					return err
				}
			}
			if _, err := tx.LinkSSO("p", "s", 2, 1); err != nil {
				return err
			}
			if err := tx.AcceptPolicy(2, "tos", "1", 1); err != nil {
				return err
			}
			if err := tx.SetLocked(3, true); err != nil {
				return err
			}
			return tx.SetSuspended(3, true)
		})
		if user, err := f.SSOUser(ctx, "p", "s"); err != nil || user != 2 {
			t.Errorf("%d, %v", user, err)
		}
		f.write(func(tx *Tx) error {
			if err := tx.Erase(2); err != nil {
				return err
			}
			return tx.ForgetUser(2)
		})
		for range 2 {
			if f.ErasedAt(2) == 0 || f.ErasedAt(1) != 0 {
				t.Errorf("erased at %d, %d", f.ErasedAt(2), f.ErasedAt(1))
			}
			f.reopen()
		}
		if p, err := f.Profile(ctx, 2); err != nil || len(p) != 0 {
			t.Errorf("%v, %v", p, err)
		}
		if _, err := f.SSOUser(ctx, "p", "s"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		if a, err := f.Account(ctx, 3); err != nil || !a.Locked || !a.Suspended || a.ErasedPos != 0 {
			t.Errorf("%+v, %v", a, err)
		}
		// A write that is undone erases nobody.
		if err := f.Write(ctx, func(tx *Tx) error {
			if err := tx.Erase(1); err != nil {
				return err
			}
			return Refuse(errors.New("no"))
		}); err == nil || f.ErasedAt(1) != 0 {
			t.Errorf("%v, %d", err, f.ErasedAt(1))
		}
	})
}
