package room

import "github.com/landbridge-im/landbridge/homeserver/event"

// recentMax is how many requests an actor remembers.
const recentMax = 1024

// recentTxns remembers the numbers of the newest durable events of a room that came with a transaction id. The events
// themselves would keep all that was said lately in memory, in each room.
type recentTxns struct {
	byTxn map[txnName]int64
	order []made // a ring
	next  int
	// since is the log position after which everything is remembered.
	since int64
}

type txnName struct {
	scope int64
	txn   string
}

// made is the place in the log of an event that a request made.
type made struct {
	by  txnName
	pos int64
}

func (r *recentTxns) add(e *event.Event) {
	if e.TxnScope == 0 {
		return
	}
	if r.byTxn == nil {
		r.byTxn = map[txnName]int64{}
	}
	m := made{by: txnName{e.TxnScope, e.Txn}, pos: e.Pos}
	if len(r.order) < recentMax {
		r.order = append(r.order, m)
	} else {
		old := r.order[r.next]
		delete(r.byTxn, old.by)
		r.since = old.pos
		r.order[r.next] = m
		r.next = (r.next + 1) % recentMax
	}
	r.byTxn[m.by] = e.NID
}

// find returns the number of the event that a request made, or 0. sure is false when it may have made one that is not
// remembered: one that became durable after the given log position, until which the store has
// been asked.
func (r *recentTxns) find(scope int64, txn string, asked int64) (nid int64, sure bool) {
	nid = r.byTxn[txnName{scope, txn}]
	return nid, nid != 0 || asked >= r.since
}
