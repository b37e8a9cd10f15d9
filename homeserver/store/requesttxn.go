package store

// RememberRequest records that a request which is no event is having its effect; false if it
// has had it already. scope is the device that made it; txn names the endpoint and the client's
// transaction id, see event.TxnKey.
func (t *Tx) RememberRequest(scope int64, txn string, nowMS int64) (bool, error) {
	n, err := t.execCount("request_txn_put", scope, txn, nowMS)
	return n == 1, err
}

// ForgetRequests forgets the requests from before a time: nobody repeats them any more.
func (t *Tx) ForgetRequests(beforeMS int64) error { return t.exec("request_txn_old", beforeMS) }
