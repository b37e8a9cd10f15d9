package statetree

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// memory keeps packs in a map and hands out ids.
type memory struct {
	packs map[int64][]byte
	last  int64
	bytes int
}

func newMemory() *memory { return &memory{packs: map[int64][]byte{}} }

func (m *memory) StatePack(_ context.Context, id int64) ([]byte, error) {
	if p, ok := m.packs[id]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("no pack %d", id)
}

func (m *memory) next() int64 { m.last++; return m.last }

func (m *memory) store(f *Forest, packs []Pack) {
	for _, p := range packs {
		m.packs[p.ID] = p.Data
		m.bytes += len(p.Data)
	}
	f.Stored(packs)
}

func newForest(t testing.TB, m *memory, cache int) *Forest {
	t.Helper()
	f, err := NewForest(m, m.next, cache)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t testing.TB, f *Forest, m *memory, root Ref, kv map[int64]int64) Ref {
	t.Helper()
	e := f.Edit(root)
	for k, v := range kv {
		if err := e.Put(t.Context(), k, v); err != nil {
			t.Fatal(err)
		}
	}
	root, packs := e.Finish()
	m.store(f, packs)
	return root
}

func entries(t testing.TB, f *Forest, root Ref) map[int64]int64 {
	t.Helper()
	got := map[int64]int64{}
	if err := f.Walk(t.Context(), root, func(k, v int64) bool {
		if _, dup := got[k]; dup {
			t.Fatalf("key %d twice", k)
		}
		got[k] = v
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAgainstMap makes random histories and checks every version against a plain map, read
// back through a forest with a cold and tiny cache.
func TestAgainstMap(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 24, 25, 700, 20000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(1, uint64(size)))
			m := newMemory()
			f := newForest(t, m, 64)
			type version struct {
				root Ref
				want map[int64]int64
			}
			cur := version{want: map[int64]int64{}}
			var old []version
			for len(cur.want) < size {
				change := map[int64]int64{}
				for range 1 + rng.IntN(max(1, size/10)) {
					change[rng.Int64N(int64(size)*2)+1] = rng.Int64N(1 << 40)
				}
				old = append(old, version{cur.root, maps.Clone(cur.want)})
				maps.Copy(cur.want, change)
				cur.root = put(t, f, m, cur.root, change)
			}
			old = append(old, cur)
			cold := newForest(t, m, 2)
			for i, v := range old {
				if got := entries(t, cold, v.root); !maps.Equal(got, v.want) {
					t.Fatalf("version %d: %d entries, want %d", i, len(got), len(v.want))
				}
				for k, want := range v.want {
					got, ok, err := f.Get(t.Context(), v.root, k)
					if err != nil || !ok || got != want {
						t.Fatalf("Get(%d) = %d, %v, %v; want %d", k, got, ok, err, want)
					}
					break
				}
				if _, ok, _ := f.Get(t.Context(), v.root, 1<<50); ok {
					t.Fatal("found a key that is not there")
				}
				if i > 0 {
					checkDiff(t, f, old[i-1].root, v.root, old[i-1].want, v.want)
					checkDiff(t, f, v.root, old[i-1].root, v.want, old[i-1].want)
				}
			}
		})
	}
}

func checkDiff(t *testing.T, f *Forest, a, b Ref, from, to map[int64]int64) {
	t.Helper()
	got := map[int64]Change{}
	if err := f.Diff(t.Context(), a, b, func(c Change) { got[c.Key] = c }); err != nil {
		t.Fatal(err)
	}
	want := map[int64]Change{}
	for k, v := range to {
		if was, ok := from[k]; !ok || was != v {
			want[k] = Change{Key: k, Old: was, New: v, InOld: ok, InNew: true}
		}
	}
	for k, v := range from {
		if _, ok := to[k]; !ok {
			want[k] = Change{Key: k, Old: v, InOld: true}
		}
	}
	if !maps.Equal(got, want) {
		t.Fatalf("diff = %v, want %v", got, want)
	}
}

func TestShapeDependsOnKeysOnly(t *testing.T) {
	t.Parallel()
	kv := map[int64]int64{}
	for i := range int64(3000) {
		kv[i+1] = i * 7
	}
	m1, m2 := newMemory(), newMemory()
	f1, f2 := newForest(t, m1, 10000), newForest(t, m2, 10000)
	all := put(t, f1, m1, 0, kv)
	var one Ref
	for k, v := range kv {
		one = put(t, f2, m2, one, map[int64]int64{k: v})
	}
	var shape func(f *Forest, r Ref) string
	shape = func(f *Forest, r Ref) string {
		n, err := f.node(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		s := fmt.Sprintf("%x%v%v(", n.bitmap, n.keys, n.vals)
		for _, c := range n.children {
			s += shape(f, c)
		}
		return s + ")"
	}
	if shape(f1, all) != shape(f2, one) {
		t.Fatal("the same entries gave two shapes")
	}
}

func TestUnchangedPutWritesNothing(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := newForest(t, m, 100)
	kv := map[int64]int64{}
	for i := range int64(100) {
		kv[i+1] = i
	}
	root := put(t, f, m, 0, kv)
	e := f.Edit(root)
	for k, v := range kv {
		if err := e.Put(t.Context(), k, v); err != nil {
			t.Fatal(err)
		}
	}
	if again, packs := e.Finish(); again != root || len(packs) != 0 {
		t.Fatalf("root %d -> %d with %d packs", root, again, len(packs))
	}
}

func TestPendingCanBeBuiltUpon(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := newForest(t, m, 1)
	e := f.Edit(0)
	e.Put(t.Context(), 1, 10)
	r1, p1 := e.Finish()
	e = f.Edit(r1)
	e.Put(t.Context(), 2, 20)
	r2, p2 := e.Finish()
	if v, ok, err := f.Get(t.Context(), r2, 1); v != 10 || !ok || err != nil {
		t.Fatal(v, ok, err)
	}
	f.Dropped(p2)
	m.store(f, p1)
	if _, _, err := f.Get(t.Context(), r2, 1); err == nil {
		t.Fatal("a dropped change can still be read")
	}
	if len(f.pending) != 0 {
		t.Fatalf("%d packs left pending", len(f.pending))
	}
}

func FuzzDecodePack(f *testing.F) {
	f.Add(encodePack([]*node{{keys: []int64{1, 5}, vals: []int64{-3, 9}}, {bitmap: 5, children: []Ref{makeRef(1, 0), 99}}}, 1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, err := decodePack(data, 1)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodePack(encodePack(nodes, 1), 1)
		if err != nil || len(again) != len(nodes) {
			t.Fatalf("round trip: %v", err)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int64{1000, 10000, 100000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			m := newMemory()
			f := newForest(b, m, 1<<16)
			kv := map[int64]int64{}
			for i := range size {
				kv[i+1] = i * 3
			}
			root := put(b, f, m, 0, kv)
			m.bytes = 0
			i := int64(0)
			for b.Loop() {
				i++
				root = put(b, f, m, root, map[int64]int64{i%size + 1: 1<<30 + i})
			}
			b.ReportMetric(float64(m.bytes)/float64(i), "bytes/change")
		})
	}
}
