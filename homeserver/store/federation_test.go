package store

import (
	"errors"
	"reflect"
	"testing"
)

func TestServerKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		if _, err := f.ServerKeys(ctx, "a"); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		old, fresh := ServerKey{"ed25519:1", []byte{1}, 10, false, nil}, ServerKey{"ed25519:2", []byte{2}, 20, false, nil}
		f.write(func(tx *Tx) error {
			return errors.Join(
				tx.SetServerKeys(ServerKeys{"a", []byte(`{"x":1}`), 5, []ServerKey{old}}),
				tx.SetServerKeys(ServerKeys{"b", []byte(`{}`), 5, []ServerKey{old}}))
		})
		old.Expired, old.ValidUntilTS, old.Response = true, 15, []byte(`{"x":2}`)
		f.write(func(tx *Tx) error {
			return errors.Join(
				tx.SetServerKeys(ServerKeys{"a", []byte(`{"x":2}`), 6, []ServerKey{fresh}}),
				tx.SetServerKeys(ServerKeys{"a", []byte(`{"x":3}`), 7, []ServerKey{old}}))
		})
		want := ServerKeys{"a", []byte(`{"x":3}`), 7, []ServerKey{old, fresh}}
		if got, err := f.ServerKeys(ctx, "a"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestBackoff(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		for _, want := range []Backoff{{}, {1, 2, 3}, {2, 2, 9}, {}} {
			f.write(func(tx *Tx) error { return tx.SetBackoff("a", want) })
			if got, err := f.Backoff(ctx, "a"); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
	})
}
