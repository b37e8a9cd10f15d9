package room

import "github.com/landbridge-im/landbridge/homeserver/event"

// recentMax is how many requests an actor remembers.
const recentMax = 1024

// recentTxns remembers the newest durable events of a room that came with a transaction id.
type recentTxns struct {
	byTxn map[txnName]*event.Event
	order []*event.Event // a ring
	next  int
	// since is the log position after which everything is remembered.
	since int64
}

type txnName struct {
	scope int64
	txn   string
}

func (r *recentTxns) add(e *event.Event) {
	if e.TxnScope == 0 {
		return
	}
	if r.byTxn == nil {
		r.byTxn = map[txnName]*event.Event{}
	}
	if len(r.order) < recentMax {
		r.order = append(r.order, e)
	} else {
		old := r.order[r.next]
		delete(r.byTxn, txnName{old.TxnScope, old.Txn})
		r.since = old.Pos
		r.order[r.next] = e
		r.next = (r.next + 1) % recentMax
	}
	r.byTxn[txnName{e.TxnScope, e.Txn}] = e
}

// find finds the event that a request made. sure is false when it may have made one that is not
// remembered: one that became durable after the given log position, until which the store has
// been asked.
func (r *recentTxns) find(scope int64, txn string, asked int64) (e *event.Event, sure bool) {
	e = r.byTxn[txnName{scope, txn}]
	return e, e != nil || asked >= r.since
}
