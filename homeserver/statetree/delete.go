package statetree

import (
	"context"
	"fmt"
	"slices"
)

// Delete removes one key. Removing what isn't there changes nothing.
func (e *Edit) Delete(ctx context.Context, key int64) error {
	_, err := e.delete(ctx, e.root, 0, mix(key), key)
	return err
}

func (e *Edit) delete(ctx context.Context, d *draft, depth int, hash uint64, key int64) (changed bool, err error) {
	if depth > maxDepth {
		return false, fmt.Errorf("%w: too deep", ErrCorrupt)
	}
	n := d.n
	if n == nil {
		if n, err = e.f.nodeOrEmpty(ctx, d.ref); err != nil {
			return false, err
		}
	}
	if n.leaf() {
		i, ok := n.find(key)
		if !ok {
			return false, nil
		}
		*d = draft{n: &node{keys: slices.Delete(slices.Clone(n.keys), i, i+1), vals: slices.Delete(slices.Clone(n.vals), i, i+1)}}
		return true, nil
	}
	i, ok := n.child(digit(hash, depth))
	if !ok {
		return false, nil
	}
	kid := &draft{}
	if d.n != nil {
		kid = d.kids[i]
	} else {
		kid.ref = n.children[i]
	}
	if changed, err = e.delete(ctx, kid, depth+1, hash, key); err != nil || !changed {
		return false, err
	}
	e.open(d, n)
	d.kids[i] = kid
	if kid.n != nil && kid.n.leaf() && len(kid.n.keys) == 0 {
		d.n.bitmap &^= 1 << digit(hash, depth)
		d.kids = slices.Delete(d.kids, i, i+1)
	}
	return true, e.join(ctx, d)
}

// join turns a branch back into a leaf when its entries fit into one: the shape depends on the
// set of keys alone.
func (e *Edit) join(ctx context.Context, d *draft) error {
	all := &node{}
	for _, kid := range d.kids {
		n := kid.n
		if n == nil {
			var err error
			if n, err = e.f.nodeOrEmpty(ctx, kid.ref); err != nil {
				return err
			}
		}
		if !n.leaf() || len(all.keys)+len(n.keys) > leafMax {
			return nil
		}
		all.keys, all.vals = append(all.keys, n.keys...), append(all.vals, n.vals...)
	}
	leaf := &node{}
	order := make([]int, len(all.keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if all.keys[a] < all.keys[b] {
			return -1
		}
		return 1
	})
	for _, i := range order {
		leaf.keys, leaf.vals = append(leaf.keys, all.keys[i]), append(leaf.vals, all.vals[i])
	}
	*d = draft{n: leaf}
	return nil
}
