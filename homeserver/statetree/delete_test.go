package statetree

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// shape writes a tree down as its nodes are, whatever their names.
func shape(t testing.TB, f *Forest, root Ref) (out []any) {
	t.Helper()
	if root == 0 {
		return nil
	}
	n, err := f.node(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, n.bitmap)
	for i := range n.keys {
		out = append(out, n.keys[i], n.vals[i])
	}
	for _, c := range n.children {
		out = append(out, shape(t, f, c)...)
	}
	return out
}

// TestDelete puts and removes at random, and compares with a map, and the shape with that of a
// tree that never had more.
func TestDelete(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	m := newMemory()
	f := newForest(t, m, 1000)
	want := map[int64]int64{}
	var root Ref
	for round := range 300 {
		e := f.Edit(root)
		for range rng.IntN(60) {
			k := rng.Int64N(400)
			if rng.IntN(5) < 2+round/100 {
				delete(want, k)
				if err := e.Delete(t.Context(), k); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want[k] = rng.Int64N(1000)
			if err := e.Put(t.Context(), k, want[k]); err != nil {
				t.Fatal(err)
			}
		}
		var packs []Pack
		root, packs = e.Finish()
		m.store(f, packs)
		if got := entries(t, f, root); !maps.Equal(got, want) {
			t.Fatalf("round %d: %v, want %v", round, got, want)
		}
		fresh := put(t, f, m, 0, want)
		a, b := shape(t, f, root), shape(t, f, fresh)
		if len(a) != len(b) {
			t.Fatalf("round %d: the shape depends on the past", round)
		}
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("round %d: the shape depends on the past", round)
			}
		}
	}
	e := f.Edit(root)
	for k := range want {
		if err := e.Delete(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	if root, _ := e.Finish(); root != 0 {
		t.Errorf("a tree without entries is %d", root)
	}
}
