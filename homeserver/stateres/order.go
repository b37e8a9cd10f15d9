package stateres

import (
	"cmp"
	"container/heap"
	"context"
	"math"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
)

// sortByPower sorts by the reverse topological power ordering: "the lexicographically smallest
// topological ordering based on the DAG formed by auth events [...] found by sorting the events
// using Kahn's algorithm for topological sorting, and at each step selecting, among all the
// candidate vertices, the smallest vertex using the above comparison relation."
func (x *run) sortByPower(ctx context.Context, nids []int64) ([]int64, error) {
	h := &powerHeap{}
	waits := make(map[int64]int, len(nids))     // how many auth events have yet to come
	cited := make(map[int64][]int64, len(nids)) // by auth event
	power := make(map[int64]int64, len(nids))
	for _, nid := range nids {
		waits[nid] = 0
	}
	for _, nid := range nids {
		level, err := x.levelAt(ctx, nid)
		if err != nil {
			return nil, err
		}
		power[nid] = level
		for _, a := range x.links[nid].Auth {
			if _, ok := waits[a]; ok {
				waits[nid]++
				cited[a] = append(cited[a], nid)
			}
		}
	}
	add := func(nid int64) {
		heap.Push(h, ranked{nid: nid, rank: power[nid], e: x.events[nid]})
	}
	for _, nid := range nids {
		if waits[nid] == 0 {
			add(nid)
		}
	}
	out := make([]int64, 0, len(nids))
	for h.Len() > 0 {
		nid := heap.Pop(h).(ranked).nid
		out = append(out, nid)
		for _, c := range cited[nid] {
			if waits[c]--; waits[c] == 0 {
				add(c)
			}
		}
	}
	return out, nil
}

// ranked is an event with what it is sorted by first, greater ranks first.
type ranked struct {
	nid, rank int64
	e         *event.Event
}

// compare orders by rank, then "x's origin_server_ts is less than y's", then "x's event_id is less
// than y's event_id".
func (a ranked) compare(b ranked) int {
	return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.e.OriginServerTS, b.e.OriginServerTS), cmp.Compare(a.e.ID, b.e.ID))
}

type powerHeap struct{ list []ranked }

func (h *powerHeap) Len() int           { return len(h.list) }
func (h *powerHeap) Less(i, j int) bool { return h.list[i].compare(h.list[j]) < 0 }
func (h *powerHeap) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *powerHeap) Push(v any)         { h.list = append(h.list, v.(ranked)) }
func (h *powerHeap) Pop() any {
	last := len(h.list) - 1
	v := h.list[last]
	h.list = h.list[:last]
	return v
}

// sortByMainline sorts by the mainline ordering based on the power levels that are resolved by now.
func (x *run) sortByMainline(ctx context.Context, nids []int64) ([]int64, error) {
	if len(nids) == 0 {
		return nil, nil
	}
	// "The mainline of P_0 is the list of events [P_0, P_1, ..., P_n]", each the power levels event
	// in the auth events of the one before.
	p, err := x.current(ctx, x.powerKey)
	if err != nil {
		return nil, err
	}
	position := map[int64]int64{}
	for i := int64(0); p != 0; i++ {
		position[p] = i
		if p, err = x.powerBelow(ctx, p); err != nil {
			return nil, err
		}
	}
	list := make([]ranked, len(nids))
	for i, nid := range nids {
		at, err := x.mainlinePosition(ctx, nid, position)
		if err != nil {
			return nil, err
		}
		list[i] = ranked{nid: nid, rank: at, e: x.events[nid]}
	}
	// "x < y if the mainline position of x is greater than the mainline position of y".
	slices.SortFunc(list, ranked.compare)
	out := make([]int64, len(list))
	for i, r := range list {
		out[i] = r.nid
	}
	return out, nil
}

// mainlinePosition finds "the smallest index j ≥ 1 for which e_j belongs to the mainline of P", and
// the index there; "otherwise set i = ∞". What is found on the way is remembered in position.
func (x *run) mainlinePosition(ctx context.Context, nid int64, position map[int64]int64) (int64, error) {
	at := int64(math.MaxInt64)
	var way []int64
	for {
		var err error
		if nid, err = x.powerBelow(ctx, nid); err != nil {
			return 0, err
		}
		if nid == 0 {
			break
		}
		if i, ok := position[nid]; ok {
			at = i
			break
		}
		way = append(way, nid)
	}
	for _, w := range way {
		position[w] = at
	}
	return at, nil
}
