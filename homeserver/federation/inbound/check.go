package inbound

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// checker makes the checks on receipt of a PDU that need no network but for keys: specification,
// server-server API, "Checks performed on receipt of a PDU". It is safe for concurrent use.
type checker struct {
	store *store.Store
	keys  Keys
}

// verify is checks 2 and 3: "Passes signature checks, otherwise it is dropped"; "Passes hash checks,
// otherwise it is redacted before being processed further". Check 1, that it is a valid event, is
// parsePDU. An error for which errors.Is(err, keyring.ErrUnavailable) may be otherwise later.
func (k checker) verify(ctx context.Context, e *event.Event) (*event.Event, error) {
	if !byThirdParty(e) {
		if err := k.keys.VerifyEvent(ctx, e.Version, e.PDU, store.ServerOf(string(e.Sender))); err != nil {
			return nil, err
		}
	}
	return checkHash(e), nil
}

// lookup finds events that aren't stored yet; nil if there is none.
type lookup func(id string) *event.Event

// find finds an event among those under way or in the store; nil if it isn't known.
func (k checker) find(ctx context.Context, id string, extra lookup) (*event.Event, error) {
	if extra != nil {
		if e := extra(id); e != nil {
			return e, nil
		}
	}
	e, err := k.store.EventByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return e, err
}

// errUnknownAuth: an event's auth events aren't all here.
var errUnknownAuth = errors.New("auth events of the event are not known")

// byAuth is check 4: "Passes authorisation rules based on the event's auth events, otherwise it is
// rejected." reject is why it is; err is anything else that happened.
func (k checker) byAuth(ctx context.Context, e *event.Event, extra lookup) (reject, err error) {
	var failed error
	get := func(ids []id.EventID) ([]*pdu.PDU, error) {
		out := make([]*pdu.PDU, len(ids))
		for i, id := range ids {
			x, err := k.find(ctx, string(id), extra)
			if err != nil {
				failed = err
				return nil, err
			}
			if x == nil {
				failed = fmt.Errorf("%w: %s", errUnknownAuth, id)
				return nil, failed
			}
			out[i] = authPDU(x)
			if x.InRoom != e.InRoom {
				return nil, fmt.Errorf("the auth event %s is of another room", id)
			}
		}
		return out, nil
	}
	reject = authrules.Authorize(e.Version, e.PDU, nil, get, k.keyOf(ctx, &failed))
	if failed != nil {
		return nil, failed
	}
	return reject, nil
}

// authPDU is an event as the rules look at it: whether it was rejected is marked in it.
func authPDU(e *event.Event) *pdu.PDU {
	if !e.Has(event.Rejected) {
		return e.PDU
	}
	p := *e.PDU
	p.InternalMeta.Rejected = true
	return &p
}

// keyOf gives the rules keys. That one can't be had just now is no reason to reject.
func (k checker) keyOf(ctx context.Context, failed *error) pdu.GetKeyFunc {
	get := k.keys.GetKey(ctx)
	return func(server string, keyID id.KeyID, at time.Time) (id.SigningKey, time.Time, error) {
		key, until, err := get(server, keyID, at)
		if errors.Is(err, keyring.ErrUnavailable) {
			*failed = err
		}
		return key, until, err
	}
}

// byState is check 5: "Passes authorisation rules based on the state before the event, otherwise it
// is rejected."
func (k checker) byState(ctx context.Context, e *event.Event, before statetree.Ref) (reject, err error) {
	if e.Type == "m.room.create" && e.StateKey != nil {
		return nil, nil // it has no state before it, and check 4 has looked at it
	}
	auth := []*pdu.PDU{}
	for _, key := range e.AuthEventSelection(e.Version) {
		x, err := k.store.StateEvent(ctx, before, key.Type, key.StateKey)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		auth = append(auth, authPDU(x))
	}
	var failed error
	create := func(ids []id.EventID) ([]*pdu.PDU, error) {
		x, err := k.store.StateEvent(ctx, before, "m.room.create", "")
		if err != nil {
			failed = err
			return nil, err
		}
		for _, want := range ids {
			if string(want) != x.ID {
				return nil, eventauth.ErrCreateEventNotFound
			}
		}
		return []*pdu.PDU{authPDU(x)}, nil
	}
	reject = authrules.Authorize(e.Version, e.PDU, auth, create, k.keyOf(ctx, &failed))
	if errors.Is(failed, store.ErrNotFound) {
		return eventauth.ErrCreateEventNotFound, nil
	}
	if failed != nil {
		return nil, failed
	}
	return reject, nil
}
