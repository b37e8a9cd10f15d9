package event

import "strings"

const txnSep = "\x1f"

// TxnKey is how a request is remembered: specification, "Transaction identifiers": "The scope
// of a transaction ID is for a single device, and a single HTTP endpoint." The device is the
// scope kept beside it, the endpoint (less the room, which the event has) is here.
func TxnKey(endpoint, txnID string) string { return endpoint + txnSep + txnID }

// TxnID is the client's own transaction id out of a key.
func TxnID(key string) string {
	if i := strings.LastIndex(key, txnSep); i >= 0 {
		return key[i+1:]
	}
	return ""
}
