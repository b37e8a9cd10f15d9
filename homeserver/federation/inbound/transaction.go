package inbound

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// txnMax bounds a transaction's id, and txnsKept is for how long its answer is kept, in milliseconds.
const (
	txnMax   = 255
	txnsKept = 24 * 60 * 60 * 1000
)

// incoming is a transaction of another server.
type incoming struct {
	Origin string
	PDUs   []jsontext.Value
	EDUs   []edu
}

// edu is an ephemeral message between servers.
type edu struct {
	Type    string         `json:"edu_type"`
	Content jsontext.Value `json:"content"`
}

// parseTransaction reads the body of PUT /send/{txnId}. What is in its events is not looked at.
// "Transactions ... can have at most 50 PDUs and 100 EDUs".
func parseTransaction(raw []byte) (t incoming, err error) {
	var q struct {
		Origin string           `json:"origin"`
		TS     jsontext.Value   `json:"origin_server_ts"`
		PDUs   []jsontext.Value `json:"pdus"`
		EDUs   []jsontext.Value `json:"edus"`
	}
	if err := json.Unmarshal(raw, &q); err != nil {
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			return t, mxerror.NotJSON("The body is not valid JSON.").Because(err)
		}
		return t, mxerror.BadJSON("The body is not a transaction.").Because(err)
	}
	if q.PDUs == nil {
		return t, mxerror.BadJSON("The transaction has no pdus.")
	}
	if len(q.PDUs) > fclient.MaxPDUs {
		return t, mxerror.BadJSON("The transaction has %d PDUs; at most %d are allowed.", len(q.PDUs), fclient.MaxPDUs)
	}
	if len(q.EDUs) > fclient.MaxEDUs {
		return t, mxerror.BadJSON("The transaction has %d EDUs; at most %d are allowed.", len(q.EDUs), fclient.MaxEDUs)
	}
	t.Origin, t.PDUs = q.Origin, q.PDUs
	for _, raw := range q.EDUs {
		var e edu
		// One that makes no sense must not keep the others from being heard.
		if json.Unmarshal(raw, &e) == nil && e.Type != "" && e.Content.Kind() == '{' {
			t.EDUs = append(t.EDUs, e)
		}
	}
	return t, nil
}

// send is PUT /send/{txnId}. When it is answered the events are durable here; what becomes of them is
// found out in the lanes of their rooms.
func (a *API) send(c *call) (any, error) {
	txn := c.params[0]
	if txn == "" || len(txn) > txnMax {
		return nil, invalid("A transaction's id must have 1 to %d bytes.", txnMax)
	}
	t, err := parseTransaction(c.raw)
	if err != nil {
		return nil, err
	}
	if t.Origin != "" && t.Origin != c.origin {
		return nil, mxerror.Forbidden("The transaction is of %s, and the request of %s.", clip(t.Origin), c.origin)
	}
	have, err := a.o.Store.ReceivedTxn(c.ctx, c.origin, txn)
	if err == nil {
		return jsontext.Value(have), nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	offered, err := a.intake.examine(c.ctx, c.origin, t.PDUs)
	if err != nil {
		return nil, err
	}
	stage := offered.stage
	if len(t.EDUs) > 0 && len(offered.staged) > 0 {
		// What the messages are about may be among the events.
		if err := a.o.Store.Write(c.ctx, stage); err != nil {
			return nil, err
		}
		a.intake.begin(offered)
		offered.fresh, stage = nil, func(*store.Tx) error { return nil }
	}
	results := map[string]object{}
	for id, why := range offered.results {
		if results[id] = (object{}); why != "" {
			results[id] = object{"error": why}
		}
	}
	for _, e := range t.EDUs {
		if err := a.notices.take(c.ctx, c.origin, e); err != nil {
			a.o.Log.DebugContext(c.ctx, "an EDU was dropped", "origin", c.origin, "type", clip(e.Type), "err", err)
		}
	}
	answer, err := json.Marshal(object{"pdus": results}, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encoding the answer to a transaction: %w", err)
	}
	now := a.o.Now().UnixMilli()
	err = a.o.Store.Write(c.ctx, func(tx *store.Tx) error {
		if err := stage(tx); err != nil {
			return err
		}
		if a.notices.due(now) {
			if err := tx.ForgetReceivedTxns(now - txnsKept); err != nil {
				return err
			}
		}
		return tx.SetReceivedTxn(c.origin, txn, now, answer)
	})
	if err != nil {
		return nil, err
	}
	a.intake.begin(offered)
	return jsontext.Value(answer), nil
}
