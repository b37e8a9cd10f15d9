package registration

import "slices"

// trie finds the values stored under prefixes of a string, and those stored under strings
// that it is a prefix of. Build it with add, then it may be read concurrently.
type trie struct {
	nodes []trieNode // nodes[0] is the root, once something is added
}

type trieNode struct {
	edges  []trieEdge // sorted by byte
	values []int
}

type trieEdge struct {
	char byte
	node int
}

func (t *trie) add(prefix string, value int) {
	if len(t.nodes) == 0 {
		t.nodes = append(t.nodes, trieNode{})
	}
	at := 0
	for i := range len(prefix) {
		edges := t.nodes[at].edges
		pos, ok := slices.BinarySearchFunc(edges, prefix[i], func(e trieEdge, c byte) int { return int(e.char) - int(c) })
		if !ok {
			t.nodes = append(t.nodes, trieNode{})
			t.nodes[at].edges = slices.Insert(edges, pos, trieEdge{prefix[i], len(t.nodes) - 1})
		}
		at = t.nodes[at].edges[pos].node
	}
	t.nodes[at].values = append(t.nodes[at].values, value)
}

// prefixes calls f with each value stored under a prefix of s.
func (t *trie) prefixes(s string, f func(value int)) {
	t.walk(s, f)
}

// walk goes as far along s as it can, calling f with the values on the way, and returns
// the node reached at the end of s, or -1.
func (t *trie) walk(s string, f func(value int)) int {
	if len(t.nodes) == 0 {
		return -1
	}
	at := 0
	for i := 0; ; i++ {
		n := &t.nodes[at]
		for _, v := range n.values {
			f(v)
		}
		if i == len(s) {
			return at
		}
		at = n.next(s[i])
		if at < 0 {
			return -1
		}
	}
}

// related calls f with each value stored under a prefix of s or under a string that s is
// a prefix of.
func (t *trie) related(s string, f func(value int)) {
	end := t.walk(s, f)
	if end < 0 {
		return
	}
	var below func(node int)
	below = func(node int) {
		for _, e := range t.nodes[node].edges {
			for _, v := range t.nodes[e.node].values {
				f(v)
			}
			below(e.node)
		}
	}
	below(end)
}

func (n *trieNode) next(c byte) int {
	edges := n.edges
	if len(edges) <= 8 {
		for _, e := range edges {
			if e.char == c {
				return e.node
			}
		}
		return -1
	}
	lo, hi := 0, len(edges)
	for lo < hi {
		mid := (lo + hi) / 2
		switch e := edges[mid]; {
		case e.char == c:
			return e.node
		case e.char < c:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return -1
}
