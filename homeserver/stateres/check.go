package stateres

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
)

// current looks a key up in what is resolved so far, laid over what the checks started from; 0 if
// there is nothing.
func (x *run) current(ctx context.Context, key int64) (int64, error) {
	if nid, ok := x.resolved[key]; ok || x.fromEmpty || key == 0 {
		return nid, nil
	}
	return x.unconflicted(ctx, key)
}

// check is the iterative auth checks algorithm: it "constructs a new room state by iterating
// through the event list and applying the state event to the room state if the state event is
// allowed by the authorisation rules".
func (x *run) check(ctx context.Context, nids []int64) error {
	for _, nid := range nids {
		if err := ctx.Err(); err != nil {
			return err
		}
		e := x.events[nid]
		if !e.IsState() {
			continue // in an auth chain, but rule 3.2 refuses what cites it
		}
		auth, err := x.authEvents(ctx, nid, e)
		if err != nil {
			return err
		}
		if x.allowed(e, auth) {
			x.resolved[e.Key] = nid
		}
	}
	return nil
}

// authEvents collects what an event is checked against. "If a (event_type, state_key) key that is
// required for checking the authorisation rules is not present in the state, then the appropriate
// state event from the event's auth_events is used if the auth event is not rejected."
func (x *run) authEvents(ctx context.Context, nid int64, e *event.Event) ([]*pdu.PDU, error) {
	auth := make([]*pdu.PDU, 0, 6)
	for _, want := range e.AuthEventSelection(x.fork.Version) {
		key, err := x.key(ctx, want.Type, want.StateKey)
		if err != nil {
			return nil, err
		}
		if key == 0 {
			continue
		}
		at, err := x.current(ctx, key)
		if err != nil {
			return nil, err
		}
		if at == 0 {
			if at, err = x.ownAuth(ctx, nid, key); err != nil {
				return nil, err
			}
		}
		if at == 0 {
			continue
		}
		a, err := x.event(ctx, at)
		if err != nil {
			return nil, err
		}
		auth = append(auth, a.PDU)
	}
	return auth, nil
}

// ownAuth finds a key among an event's own auth events.
func (x *run) ownAuth(ctx context.Context, nid, key int64) (int64, error) {
	l, err := x.link(ctx, nid)
	if err != nil {
		return 0, err
	}
	for _, a := range l.Auth {
		la, err := x.link(ctx, a)
		if err != nil {
			return 0, err
		}
		if la.Key == key && !la.Rejected {
			return a, nil
		}
	}
	return 0, nil
}

func (x *run) allowed(e *event.Event, auth []*pdu.PDU) bool {
	p, getKey, err := x.vouched(e)
	if err != nil {
		return false
	}
	create := func(ids []id.EventID) ([]*pdu.PDU, error) {
		if len(ids) != 1 || string(ids[0]) != x.fork.Create.ID {
			return nil, fmt.Errorf("the room was not made by %v", ids)
		}
		return []*pdu.PDU{x.fork.Create.PDU}, nil
	}
	return authrules.Authorize(x.fork.Version, p, auth, create, getKey) == nil
}

// voucher is a key of our own, of this resolution alone.
type voucher struct {
	private ed25519.PrivateKey
	public  id.SigningKey
}

const voucherID = id.KeyID("ed25519:resolved")

// vouched prepares an event for rule 5.2, "If the event is not validly signed by the homeserver of
// the user ID denoted by [join_authorised_via_users_server], reject". That was decided when the
// event was received, doesn't depend on the state, and must not depend on whether a key can be had
// now: servers would come to different results. So the rules see a copy of the event that is
// signed by a key of ours in that server's name.
func (x *run) vouched(e *event.Event) (*pdu.PDU, pdu.GetKeyFunc, error) {
	via := id.UserID(gjson.GetBytes(e.Content, "join_authorised_via_users_server").Str)
	if e.Type != "m.room.member" || via == "" {
		return e.PDU, noKey, nil
	}
	if x.forged == nil {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return nil, nil, err
		}
		x.forged = &voucher{private, id.SigningKey(base64.RawStdEncoding.EncodeToString(public))}
	}
	p := e.PDU.Clone()
	p.Signatures = nil
	if err := p.Sign(x.fork.Version, via.Homeserver(), voucherID, x.forged.private); err != nil {
		return nil, nil, err
	}
	return p, func(string, id.KeyID, time.Time) (id.SigningKey, time.Time, error) {
		return x.forged.public, time.UnixMilli(e.OriginServerTS).Add(time.Hour), nil
	}, nil
}

func noKey(string, id.KeyID, time.Time) (id.SigningKey, time.Time, error) {
	return "", time.Time{}, errors.New("no keys are needed")
}

func idOf(e *event.Event) id.EventID { return id.EventID(e.ID) }
