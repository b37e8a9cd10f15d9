package stateres

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"
)

// seen is what the sweep knows of an event: which states have it in their full auth chain, and,
// for the conflicted subgraph, whether a conflicted event is above it.
type seen struct {
	states uint64
	below  bool
}

// sweep goes through auth chains from the greatest number down.
type sweep struct {
	x *run
	// all is the mask of all the states, and bottom the smallest number of a conflicted event.
	all    uint64
	bottom int64
	marks  map[int64]seen
	queue  maxHeap
	// open counts the events in the queue below which the states may still differ.
	open int
	// agreed are the events of the unconflicted state, greatest first, not yet reached.
	agreed []int64
}

// fullConflictedSet is "the union of the conflicted state set, [2.1: the conflicted state
// subgraph,] and the auth difference", without order.
func (x *run) fullConflictedSet(ctx context.Context) ([]int64, error) {
	s := &sweep{x: x, all: 1<<len(x.roots) - 1, bottom: 1<<63 - 1, marks: map[int64]seen{}}
	conflicted := map[int64]bool{}
	for _, vals := range x.conflicted {
		for i, nid := range vals {
			if nid != 0 {
				conflicted[nid] = true
				s.bottom = min(s.bottom, nid)
				s.mark(nid, seen{states: 1 << i, below: x.subgraph})
			}
		}
	}
	if err := x.Trees.Walk(ctx, x.roots[0], func(key, nid int64) bool {
		if _, ok := x.conflicted[key]; !ok {
			s.agreed = append(s.agreed, nid)
		}
		return true
	}); err != nil {
		return nil, err
	}
	slices.SortFunc(s.agreed, func(a, b int64) int { return cmp.Compare(b, a) })
	order, err := s.run(ctx)
	if err != nil {
		return nil, err
	}
	// "Starting from an event in the conflicted state set and following auth_events edges may lead
	// to another event in the conflicted state set. The union of all such paths between any pair of
	// events in the conflicted state set (including endpoints) forms [...] the conflicted state
	// subgraph": whatever is both below one and above one.
	above := map[int64]bool{}
	if x.subgraph {
		for _, nid := range slices.Backward(order) {
			up := conflicted[nid]
			for _, a := range x.links[nid].Auth {
				up = up || conflicted[a] || above[a]
			}
			if up {
				above[nid] = true
			}
		}
	}
	var full []int64
	for nid, m := range s.marks {
		// "If C_i is the full auth chain of S_i, then the auth difference is ∪C_i − ∩C_i."
		if conflicted[nid] || m.states != s.all || m.below && above[nid] {
			full = append(full, nid)
		}
	}
	if len(full) > x.Limits.Conflicted {
		return nil, fmt.Errorf("%w: %d events in conflict", ErrTooCostly, len(full))
	}
	// The sweep may have ended above the lowest ones.
	missing := slices.DeleteFunc(slices.Clone(full), func(nid int64) bool { _, ok := x.links[nid]; return ok })
	for chunk := range slices.Chunk(missing, batchSize) {
		if err := x.loadLinks(ctx, chunk); err != nil {
			return nil, err
		}
	}
	return full, nil
}

// isOpen tells whether what is below an event has to be looked at: not all states have it in
// their chains, or it may lie between conflicted events.
func (s *sweep) isOpen(nid int64, m seen) bool {
	return m.states != s.all || m.below && nid > s.bottom
}

func (s *sweep) mark(nid int64, m seen) {
	was, known := s.marks[nid]
	now := seen{was.states | m.states, was.below || m.below}
	s.marks[nid] = now
	if !known {
		heap.Push(&s.queue, nid)
	} else if s.isOpen(nid, was) {
		s.open--
	}
	if s.isOpen(nid, now) {
		s.open++
	}
}

// run sweeps until the states agree, and returns the events that it passed, greatest first.
func (s *sweep) run(ctx context.Context) (order []int64, err error) {
	for s.open > 0 {
		// What the states have in common cuts off what is in the auth chains of all of them.
		top := s.queue.nids[0]
		if len(s.agreed) > 0 && s.agreed[0] >= top {
			if err := s.agree(ctx, top); err != nil {
				return nil, err
			}
			continue
		}
		nid := heap.Pop(&s.queue).(int64)
		m := s.marks[nid]
		if s.isOpen(nid, m) {
			s.open--
		}
		if _, ok := s.x.links[nid]; !ok {
			if err := s.prefetch(ctx, nid); err != nil {
				return nil, err
			}
		}
		order = append(order, nid)
		for _, a := range s.x.links[nid].Auth {
			s.mark(a, m)
		}
	}
	return order, nil
}

// agree marks the events of the unconflicted state from top up.
func (s *sweep) agree(ctx context.Context, top int64) error {
	n := 0
	for n < len(s.agreed) && s.agreed[n] >= top && n < batchSize {
		n++
	}
	for _, nid := range s.agreed[:n] {
		s.mark(nid, seen{states: s.all})
	}
	s.agreed = s.agreed[n:]
	return ctx.Err()
}

// batchSize is how many links are asked for at once.
const batchSize = 256

// prefetch reads the links of an event together with those of others that will be needed soon.
func (s *sweep) prefetch(ctx context.Context, nid int64) error {
	batch := []int64{nid}
	for _, q := range s.queue.nids {
		if len(batch) == batchSize {
			break
		}
		if _, ok := s.x.links[q]; !ok {
			batch = append(batch, q)
		}
	}
	return s.x.loadLinks(ctx, batch)
}

// maxHeap is a heap of numbers, the greatest on top.
type maxHeap struct{ nids []int64 }

func (h *maxHeap) Len() int           { return len(h.nids) }
func (h *maxHeap) Less(i, j int) bool { return h.nids[i] > h.nids[j] }
func (h *maxHeap) Swap(i, j int)      { h.nids[i], h.nids[j] = h.nids[j], h.nids[i] }
func (h *maxHeap) Push(v any)         { h.nids = append(h.nids, v.(int64)) }
func (h *maxHeap) Pop() any {
	last := len(h.nids) - 1
	v := h.nids[last]
	h.nids = h.nids[:last]
	return v
}
