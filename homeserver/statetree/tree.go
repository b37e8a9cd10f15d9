package statetree

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Loader reads packs that have been stored.
type Loader interface {
	// StatePack returns the bytes of a stored pack.
	StatePack(ctx context.Context, pack int64) ([]byte, error)
}

// Pack is what a change adds: it must be stored, under its id, before or with anything that
// refers to the new root.
type Pack struct {
	ID   int64
	Data []byte
}

// Forest gives access to every tree of one store. It is safe for concurrent use.
type Forest struct {
	loader Loader
	next   func() int64
	cache  *lru.Cache[int64, []*node]

	mu sync.RWMutex
	// pending holds packs that are made but not yet stored, so that the next change can build
	// on them. It is bounded by the changes in flight.
	pending map[int64][]*node
}

// NewForest makes a forest over stored packs. next allots pack ids, each once, positive and
// below 2^51; cachePacks bounds the decoded packs kept in memory.
func NewForest(loader Loader, next func() int64, cachePacks int) (*Forest, error) {
	cache, err := lru.New[int64, []*node](cachePacks)
	if err != nil {
		return nil, fmt.Errorf("making the state cache: %w", err)
	}
	return &Forest{loader: loader, next: next, cache: cache, pending: map[int64][]*node{}}, nil
}

func (f *Forest) node(ctx context.Context, ref Ref) (*node, error) {
	pack := ref.pack()
	nodes, ok := f.cache.Get(pack)
	if !ok {
		f.mu.RLock()
		nodes, ok = f.pending[pack]
		f.mu.RUnlock()
	}
	if !ok {
		data, err := f.loader.StatePack(ctx, pack)
		if err != nil {
			return nil, fmt.Errorf("reading state pack %d: %w", pack, err)
		}
		if nodes, err = decodePack(data, pack); err != nil {
			return nil, err
		}
		f.cache.Add(pack, nodes)
	}
	if ref.slot() >= len(nodes) {
		return nil, fmt.Errorf("%w: pack %d has no slot %d", ErrCorrupt, pack, ref.slot())
	}
	return nodes[ref.slot()], nil
}

// Get looks one key up.
func (f *Forest) Get(ctx context.Context, root Ref, key int64) (value int64, ok bool, err error) {
	hash := mix(key)
	for depth := 0; root != 0; depth++ {
		if depth > maxDepth {
			return 0, false, fmt.Errorf("%w: too deep", ErrCorrupt)
		}
		n, err := f.node(ctx, root)
		if err != nil {
			return 0, false, err
		}
		if n.leaf() {
			if i, ok := n.find(key); ok {
				return n.vals[i], true, nil
			}
			return 0, false, nil
		}
		i, ok := n.child(digit(hash, depth))
		if !ok {
			return 0, false, nil
		}
		root = n.children[i]
	}
	return 0, false, nil
}

// Walk calls fn for every entry, in no particular order, until fn returns false.
func (f *Forest) Walk(ctx context.Context, root Ref, fn func(key, value int64) bool) error {
	_, err := f.walk(ctx, root, 0, fn)
	return err
}

func (f *Forest) walk(ctx context.Context, root Ref, depth int, fn func(key, value int64) bool) (more bool, err error) {
	if root == 0 {
		return true, nil
	}
	if depth > maxDepth {
		return false, fmt.Errorf("%w: too deep", ErrCorrupt)
	}
	n, err := f.node(ctx, root)
	if err != nil {
		return false, err
	}
	for i, k := range n.keys {
		if !fn(k, n.vals[i]) {
			return false, nil
		}
	}
	for _, c := range n.children {
		if more, err := f.walk(ctx, c, depth+1, fn); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// Change is one difference between two trees. A value of 0 with its Has flag false means that
// the key is absent on that side.
type Change struct {
	Key          int64
	Old, New     int64
	InOld, InNew bool
}

// Diff calls fn for every key whose value differs between two trees. Subtrees that both share
// are skipped unread.
func (f *Forest) Diff(ctx context.Context, from, to Ref, fn func(Change)) error {
	return f.diff(ctx, from, to, 0, fn)
}

func (f *Forest) diff(ctx context.Context, from, to Ref, depth int, fn func(Change)) error {
	if from == to {
		return nil
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: too deep", ErrCorrupt)
	}
	a, err := f.nodeOrEmpty(ctx, from)
	if err != nil {
		return err
	}
	b, err := f.nodeOrEmpty(ctx, to)
	if err != nil {
		return err
	}
	if !a.leaf() && !b.leaf() {
		for d := range uint(1 << radixBits) {
			var ca, cb Ref
			if i, ok := a.child(d); ok {
				ca = a.children[i]
			}
			if i, ok := b.child(d); ok {
				cb = b.children[i]
			}
			if err := f.diff(ctx, ca, cb, depth+1, fn); err != nil {
				return err
			}
		}
		return nil
	}
	return f.diffEntries(ctx, from, to, depth, fn)
}

// diffEntries compares by listing, for when one side at least is a leaf.
func (f *Forest) diffEntries(ctx context.Context, from, to Ref, depth int, fn func(Change)) error {
	old := map[int64]int64{}
	if _, err := f.walk(ctx, from, depth, func(k, v int64) bool { old[k] = v; return true }); err != nil {
		return err
	}
	if _, err := f.walk(ctx, to, depth, func(k, v int64) bool {
		was, ok := old[k]
		delete(old, k)
		if !ok || was != v {
			fn(Change{Key: k, Old: was, New: v, InOld: ok, InNew: true})
		}
		return true
	}); err != nil {
		return err
	}
	for k, v := range old {
		fn(Change{Key: k, Old: v, InOld: true})
	}
	return nil
}

var emptyNode = &node{}

func (f *Forest) nodeOrEmpty(ctx context.Context, ref Ref) (*node, error) {
	if ref == 0 {
		return emptyNode, nil
	}
	return f.node(ctx, ref)
}
