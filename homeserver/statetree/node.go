package statetree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"sort"
)

// Ref names a node: pack id shifted left by slotBits, or'ed with the slot. The zero Ref is the
// empty tree.
type Ref int64

const (
	slotBits = 12
	slotMask = 1<<slotBits - 1

	radixBits = 5
	radixMask = 1<<radixBits - 1
	leafMax   = 24
	// maxDepth is where the 64-bit hash has no bits left. Keys that collide on the whole hash
	// can't exist, because the mixer is a bijection; the bound stops a damaged tree.
	maxDepth = 13
)

// ErrCorrupt reports a pack or a tree whose bytes do not make sense.
var ErrCorrupt = errors.New("state tree is damaged")

func makeRef(pack int64, slot int) Ref { return Ref(pack<<slotBits | int64(slot)) }

func (r Ref) pack() int64 { return int64(r) >> slotBits }

// Pack is the pack that holds the node.
func (r Ref) Pack() int64 { return r.pack() }

func (r Ref) slot() int { return int(r) & slotMask }

// node is immutable once it is in a cache or a pack. Exactly one of the two forms is in use.
type node struct {
	// branch
	bitmap   uint32
	children []Ref
	// leaf, sorted by key
	keys, vals []int64
}

func (n *node) leaf() bool { return n.bitmap == 0 }

// mix spreads small consecutive ids over 64 bits (the finaliser of SplitMix64, a bijection).
func mix(k int64) uint64 {
	x := uint64(k) + 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

func digit(hash uint64, depth int) uint { return uint(hash>>(depth*radixBits)) & radixMask }

// child finds the child for a digit and the index where it is or would be.
func (n *node) child(d uint) (idx int, ok bool) {
	bit := uint32(1) << d
	return bits.OnesCount32(n.bitmap & (bit - 1)), n.bitmap&bit != 0
}

func (n *node) find(key int64) (idx int, ok bool) {
	idx = sort.Search(len(n.keys), func(i int) bool { return n.keys[i] >= key })
	return idx, idx < len(n.keys) && n.keys[idx] == key
}

// Encoding of a node: first the branch bitmap (0 for a leaf) as a uvarint. Branch: for each
// child a uvarint whose low bit says whether it is a slot of the same pack (1) or a whole Ref
// (0). Leaf: the number of entries, then key deltas and values as uvarint and varint.

func (n *node) encode(buf []byte, pack int64) []byte {
	buf = binary.AppendUvarint(buf, uint64(n.bitmap))
	if !n.leaf() {
		for _, c := range n.children {
			if c.pack() == pack {
				buf = binary.AppendUvarint(buf, uint64(c.slot())<<1|1)
			} else {
				buf = binary.AppendUvarint(buf, uint64(c)<<1)
			}
		}
		return buf
	}
	buf = binary.AppendUvarint(buf, uint64(len(n.keys)))
	prev := int64(0)
	for i, k := range n.keys {
		buf = binary.AppendUvarint(buf, uint64(k-prev))
		buf = binary.AppendVarint(buf, n.vals[i])
		prev = k
	}
	return buf
}

// reader takes varints off a pack and remembers the first failure.
type reader struct {
	buf []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf)
	if n <= 0 {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.buf)
	if n <= 0 {
		r.bad, r.buf = true, nil
		return 0
	}
	r.buf = r.buf[n:]
	return v
}

func decodeNode(r *reader, pack int64) (*node, error) {
	bitmap := r.uvarint()
	if bitmap > 1<<32-1 {
		return nil, fmt.Errorf("%w: pack %d: branch bitmap out of range", ErrCorrupt, pack)
	}
	n := &node{bitmap: uint32(bitmap)}
	if !n.leaf() {
		n.children = make([]Ref, bits.OnesCount32(n.bitmap))
		for i := range n.children {
			v := r.uvarint()
			if v&1 == 1 {
				n.children[i] = makeRef(pack, int(v>>1))
			} else {
				n.children[i] = Ref(v >> 1)
			}
		}
	} else {
		count := r.uvarint()
		// Each entry takes two bytes at least: a count beyond that is damage, and must not
		// make us allocate.
		if count > uint64(len(r.buf)/2) {
			return nil, fmt.Errorf("%w: pack %d: leaf of %d entries in %d bytes", ErrCorrupt, pack, count, len(r.buf))
		}
		n.keys, n.vals = make([]int64, count), make([]int64, count)
		prev := int64(0)
		for i := range n.keys {
			prev += int64(r.uvarint())
			n.keys[i], n.vals[i] = prev, r.varint()
		}
	}
	if r.bad {
		return nil, fmt.Errorf("%w: pack %d ends early", ErrCorrupt, pack)
	}
	return n, nil
}

// encodePack is the number of nodes followed by the nodes.
func encodePack(nodes []*node, pack int64) []byte {
	buf := binary.AppendUvarint(make([]byte, 0, 256), uint64(len(nodes)))
	for _, n := range nodes {
		buf = n.encode(buf, pack)
	}
	return buf
}

func decodePack(data []byte, pack int64) ([]*node, error) {
	r := &reader{buf: data}
	count := r.uvarint()
	if r.bad || count > slotMask+1 || count > uint64(len(data)) {
		return nil, fmt.Errorf("%w: pack %d: bad node count", ErrCorrupt, pack)
	}
	nodes := make([]*node, count)
	for i := range nodes {
		n, err := decodeNode(r, pack)
		if err != nil {
			return nil, err
		}
		nodes[i] = n
	}
	if len(r.buf) != 0 {
		return nil, fmt.Errorf("%w: pack %d: %d bytes left over", ErrCorrupt, pack, len(r.buf))
	}
	return nodes, nil
}
