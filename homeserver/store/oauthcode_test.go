package store

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

func TestOAuthCodes(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		add := func(c OAuthCode, now int64, keep int) (ok bool) {
			t.Helper()
			f.write(func(tx *Tx) (err error) {
				ok, err = tx.AddOAuthCode(c, now, keep)
				return err
			})
			return ok
		}
		code := func(sum, userCode string, expires int64) OAuthCode {
			return OAuthCode{Sum: []byte(sum), Kind: "device", UserCode: userCode, Client: "c", Redirect: "r", Challenge: "h", Device: "D", Scope: "s", State: CodeWaiting, ExpiresTS: expires}
		}
		one := code("one", "ABCD", 100)
		if !add(one, 1, 10) || add(code("two", "ABCD", 100), 1, 10) {
			t.Error("a user code was given to two devices")
		}
		if got, err := f.OAuthCodeOf(ctx, "ABCD"); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := f.OAuthCodeOf(ctx, ""); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		move := func(from, to OAuthCodeState) (ok bool) {
			t.Helper()
			one.State, one.User, one.Given = to, 7, 8
			f.write(func(tx *Tx) (err error) {
				ok, err = tx.MoveOAuthCode(from, one)
				return err
			})
			return ok
		}
		if !move(CodeWaiting, CodeAllowed) || move(CodeWaiting, CodeDenied) || !move(CodeAllowed, CodeUsed) {
			t.Error("the states are wrong")
		}
		if got, err := f.OAuthCode(ctx, one.Sum); err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("%+v, %v", got, err)
		}
		// Those of no user code don't hinder each other; the oldest make room, and so do the expired.
		for i := range 5 {
			if !add(code(fmt.Sprint("more", i), "", int64(200+i)), 1, 3) {
				t.Error("not added")
			}
		}
		for sum, there := range map[string]bool{"one": false, "more0": false, "more1": false, "more2": true, "more4": true} {
			if _, err := f.OAuthCode(ctx, []byte(sum)); errors.Is(err, ErrNotFound) == there {
				t.Errorf("%s: %v", sum, err)
			}
		}
		add(code("last", "", 300), 204, 10)
		if _, err := f.OAuthCode(ctx, []byte("more3")); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	})
}
