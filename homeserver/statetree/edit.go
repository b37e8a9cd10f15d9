package statetree

import (
	"context"
	"fmt"
	"slices"
)

// Edit is a change of one tree in the making. It is used by one goroutine.
type Edit struct {
	f    *Forest
	root *draft
}

// draft is a node of the new version: either an untouched stored node or a changed copy.
type draft struct {
	ref  Ref   // the stored node, when n is nil
	n    *node // the changed copy; its children are in kids
	kids []*draft
}

// Edit starts a change of the tree at root.
func (f *Forest) Edit(root Ref) *Edit {
	return &Edit{f: f, root: &draft{ref: root}}
}

// Put sets one key. Setting the value that is already there changes nothing.
func (e *Edit) Put(ctx context.Context, key, value int64) error {
	_, err := e.put(ctx, e.root, 0, mix(key), key, value)
	return err
}

func (e *Edit) put(ctx context.Context, d *draft, depth int, hash uint64, key, value int64) (changed bool, err error) {
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
		if ok && n.vals[i] == value {
			return false, nil
		}
		c := &node{keys: slices.Clone(n.keys), vals: slices.Clone(n.vals)}
		if ok {
			c.vals[i] = value
		} else {
			c.keys, c.vals = slices.Insert(c.keys, i, key), slices.Insert(c.vals, i, value)
		}
		*d = *split(c, depth)
		return true, nil
	}
	i, ok := n.child(digit(hash, depth))
	if !ok {
		e.open(d, n)
		d.n.bitmap |= 1 << digit(hash, depth)
		leaf := &draft{n: &node{keys: []int64{key}, vals: []int64{value}}}
		d.kids = slices.Insert(d.kids, i, leaf)
		return true, nil
	}
	// Try the child first: an unchanged child leaves this node unchanged too.
	kid := &draft{}
	if d.n != nil {
		kid = d.kids[i]
	} else {
		kid.ref = n.children[i]
	}
	changed, err = e.put(ctx, kid, depth+1, hash, key, value)
	if err != nil || !changed {
		return false, err
	}
	e.open(d, n)
	d.kids[i] = kid
	return true, nil
}

// open makes a draft of a stored branch changeable.
func (e *Edit) open(d *draft, n *node) {
	if d.n != nil {
		return
	}
	d.n = &node{bitmap: n.bitmap}
	d.kids = make([]*draft, len(n.children), len(n.children)+1)
	for i, c := range n.children {
		d.kids[i] = &draft{ref: c}
	}
	d.ref = 0
}

// split turns a leaf that has grown too large into a branch.
func split(n *node, depth int) *draft {
	if len(n.keys) <= leafMax {
		return &draft{n: n}
	}
	var parts [1 << radixBits]*node
	for i, k := range n.keys {
		d := digit(mix(k), depth)
		if parts[d] == nil {
			parts[d] = &node{}
		}
		parts[d].keys = append(parts[d].keys, k)
		parts[d].vals = append(parts[d].vals, n.vals[i])
	}
	b := &draft{n: &node{}}
	for d, p := range parts {
		if p != nil {
			b.n.bitmap |= 1 << d
			b.kids = append(b.kids, split(p, depth+1))
		}
	}
	return b
}

// Finish closes the change. It returns the new root and the packs to store; no packs when
// nothing changed. The new tree can be read and built upon at once; call Stored when the packs
// are durable, or Dropped when they are not going to be.
func (e *Edit) Finish() (root Ref, packs []Pack) {
	w := &packWriter{f: e.f}
	root = w.write(e.root)
	w.flush()
	return root, w.packs
}

// packWriter writes drafts bottom-up, so that children have names before their parents.
type packWriter struct {
	f     *Forest
	id    int64
	nodes []*node
	packs []Pack
}

func (w *packWriter) write(d *draft) Ref {
	if d.n == nil {
		return d.ref
	}
	if !d.n.leaf() {
		d.n.children = make([]Ref, len(d.kids))
		for i, k := range d.kids {
			d.n.children[i] = w.write(k)
		}
	} else if len(d.n.keys) == 0 {
		return 0
	}
	if w.id == 0 {
		w.id = w.f.next()
	}
	ref := makeRef(w.id, len(w.nodes))
	w.nodes = append(w.nodes, d.n)
	if len(w.nodes) > slotMask {
		w.flush()
	}
	return ref
}

func (w *packWriter) flush() {
	if w.id == 0 {
		return
	}
	w.f.mu.Lock()
	w.f.pending[w.id] = w.nodes
	w.f.mu.Unlock()
	w.packs = append(w.packs, Pack{ID: w.id, Data: encodePack(w.nodes, w.id)})
	w.id, w.nodes = 0, nil
}

// Stored tells that packs are durable: from now on they may be forgotten and read back.
func (f *Forest) Stored(packs []Pack) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range packs {
		if nodes, ok := f.pending[p.ID]; ok {
			f.cache.Add(p.ID, nodes)
			delete(f.pending, p.ID)
		}
	}
}

// Dropped tells that packs will never be stored.
func (f *Forest) Dropped(packs []Pack) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range packs {
		delete(f.pending, p.ID)
	}
}
