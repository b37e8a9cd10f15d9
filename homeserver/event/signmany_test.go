package event

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"testing"
)

// TestSignMany holds signatures that are made together against those that are made each by itself.
func TestSignMany(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 80} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		var list [][]byte
		for i := range n {
			m := make([]byte, i*7)
			rand.Read(m)
			list = append(list, m)
		}
		got, err := signMany(key, list)
		if err != nil || len(got) != n {
			t.Fatalf("%d signatures for %d, %v", len(got), n, err)
		}
		for i, m := range list {
			if want := ed25519.Sign(key, m); !bytes.Equal(got[i][:], want) {
				t.Errorf("message %d of %d: %x instead of %x", i, n, got[i], want)
			}
		}
	}
	if _, err := signMany(nil, nil); err == nil {
		t.Error("there is a signature without a key")
	}
}

// BenchmarkSign tells what a signature costs, by itself and with 79 others.
func BenchmarkSign(b *testing.B) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 600)
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			ed25519.Sign(key, text)
		}
	})
	b.Run("80", func(b *testing.B) {
		list := make([][]byte, 80)
		for i := range list {
			list[i] = text
		}
		for i := 0; i < b.N; i += len(list) {
			if _, err := signMany(key, list); err != nil {
				b.Fatal(err)
			}
		}
	})
}
