package appservices

import (
	"sort"
	"sync"
)

// newsMax bounds the rooms, or users, of which news are remembered. Beyond it the oldest are forgotten, and those who
// have not been told by then are not.
const newsMax = 200_000

// news remembers where something has changed that is not in the log: who types in a room, how a user is there. It is one for all
// services, each of which remembers up to where it was told, so that one that is away costs nothing. What changed twice is told
// once. It is safe for concurrent use.
type news struct {
	mu  sync.Mutex
	seq int64
	at  map[int64]int64 // the newest of each
	log []newsItem      // in order; those that at does not confirm are outdated
}

type newsItem struct{ seq, nid int64 }

// note adds one.
func (n *news) note(nid int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.at == nil {
		n.at = map[int64]int64{}
	}
	n.seq++
	n.at[nid] = n.seq
	n.log = append(n.log, newsItem{n.seq, nid})
	if len(n.log) <= 2*len(n.at)+1000 && len(n.at) <= newsMax {
		return
	}
	kept := make([]newsItem, 0, len(n.at))
	for _, it := range n.log {
		if n.at[it.nid] == it.seq {
			kept = append(kept, it)
		}
	}
	if len(kept) > newsMax {
		for _, it := range kept[:len(kept)/2] {
			delete(n.at, it.nid)
		}
		kept = kept[len(kept)/2:]
	}
	n.log = kept
}

// last is the position of the newest.
func (n *news) last() int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seq
}

// after gives up to limit of what has changed since a position, oldest first, and the position up to which that is all.
func (n *news) after(pos int64, limit int) (nids []int64, upto int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := sort.Search(len(n.log), func(i int) bool { return n.log[i].seq > pos })
	for ; i < len(n.log); i++ {
		it := n.log[i]
		if n.at[it.nid] != it.seq {
			continue
		}
		if len(nids) == limit {
			return nids, pos
		}
		nids, pos = append(nids, it.nid), it.seq
	}
	return nids, n.seq
}
