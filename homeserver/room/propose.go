package room

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tidwall/gjson"
	"maunium.net/go/mautrix/crypto/canonicaljson"
	"maunium.net/go/mautrix/federation/eventauth"
	"maunium.net/go/mautrix/federation/pdu"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/homeserver/authrules"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// propose makes an event out of a proposal and hangs it at the end of the room, or answers with
// the event that is there already: for a retry, or for state that would not change.
func (a *actor) propose(ctx context.Context, b *batch, p Proposal) (*event.Event, error) {
	if e, from := a.earlier(p); e != nil {
		b.after = from
		return e, nil
	}
	if p.TxnScope != 0 {
		// The request may have been answered between the look at the store and our turn.
		nid, sure := a.recent.find(p.TxnScope, p.Txn, p.asked)
		if nid != 0 {
			return a.event(ctx, nid)
		}
		if !sure {
			e, err := a.m.o.Store.EventByTxn(ctx, p.TxnScope, p.Txn, a.nid)
			if !errors.Is(err, store.ErrNotFound) {
				return e, err
			}
		}
	}
	if a.room.ID == "" {
		return nil, mxerror.NotFound("There is no such room.")
	}
	if len(a.tips) == 0 {
		return nil, mxerror.Forbidden("You are not in this room.")
	}
	replaces, same, err := a.replaced(ctx, p)
	if err != nil {
		return nil, err
	}
	if same {
		if b.after == nil {
			b.after = a.flight(replaces)
		}
		return replaces, nil
	}
	if err := a.checkRelation(ctx, b, p); err != nil {
		return nil, err
	}
	if p.Type == "m.room.member" && p.StateKey != nil {
		if p, err = a.authoriseJoin(ctx, p); err != nil {
			return nil, err
		}
	}
	e, err := a.make(ctx, b, p)
	if err != nil {
		return nil, err
	}
	if replaces != nil {
		e.Replaces = replaces.NID
	}
	if p.imported {
		e.Flags |= event.Imported
	}
	if err := a.askFirst(ctx, e); err != nil {
		return nil, err
	}
	if p.Type == "m.room.redaction" && p.StateKey == nil {
		if err := a.redact(ctx, b, e, p.ByAdmin); err != nil {
			return nil, err
		}
	}
	return e, a.append(ctx, b, e)
}

// earlier finds the event of a retry among those that are not durable yet.
func (a *actor) earlier(p Proposal) (*event.Event, *batch) {
	if p.TxnScope == 0 {
		return nil, nil
	}
	for _, f := range a.flying {
		for _, e := range f.events {
			if e.TxnScope == p.TxnScope && e.Txn == p.Txn {
				return e, f
			}
		}
	}
	return nil, nil
}

// flight is the batch in flight that an event belongs to, or nil.
func (a *actor) flight(e *event.Event) *batch {
	for _, f := range a.flying {
		for _, x := range f.events {
			if x == e {
				return f
			}
		}
	}
	return nil
}

// replaced finds the state that a proposal would replace, and whether it says just the same:
// the same content by the same sender makes no new event.
func (a *actor) replaced(ctx context.Context, p Proposal) (e *event.Event, same bool, err error) {
	if p.StateKey == nil {
		return nil, false, nil
	}
	e, err = a.state(ctx, p.Type, *p.StateKey)
	if err != nil || e == nil || string(e.Sender) != p.Sender || e.Has(event.Redacted) {
		return e, false, err
	}
	have, want := jsontext.Value(bytes.Clone(e.Content)), jsontext.Value(bytes.Clone(p.Content))
	if canonicaljson.Canonicalize(&have) != nil || canonicaljson.Canonicalize(&want) != nil {
		return e, false, nil // making the event will say what is wrong with it
	}
	return e, bytes.Equal(have, want), nil
}

// proto fills in where an event for the end of the room hangs.
func (a *actor) proto(ctx context.Context, b *batch, p Proposal) (proto event.Proto, prev, auth []*event.Event, err error) {
	proto = event.Proto{
		Version: a.room.Version, RoomID: a.room.ID, Type: p.Type, Sender: p.Sender, StateKey: p.StateKey,
		Content: p.Content, Redacts: p.Redacts, TS: p.TS,
	}
	if proto.TS == 0 {
		proto.TS = a.m.o.Now().UnixMilli()
	}
	prev, before, err := a.cite(ctx, b)
	if err != nil {
		return proto, nil, nil, err
	}
	for _, t := range prev {
		proto.Prev = append(proto.Prev, t.ID)
		proto.Depth = max(proto.Depth, min(t.Depth+1, maxDepth))
	}
	if auth, err = a.authOver(ctx, proto, before); err != nil {
		return proto, nil, nil, err
	}
	for _, e := range auth {
		proto.Auth = append(proto.Auth, e.ID)
	}
	return proto, prev, auth, nil
}

// make builds, checks and signs an event for the end of the room.
func (a *actor) make(ctx context.Context, b *batch, p Proposal) (*event.Event, error) {
	proto, prev, auth, err := a.proto(ctx, b, p)
	if err != nil {
		return nil, err
	}
	// What is plainly forbidden need not be signed first; what passes here and is more than a
	// plain message is checked by the full rules below.
	plain, err := a.checkPlain(ctx, proto)
	if err != nil {
		return nil, err
	}
	var e *event.Event
	if plain && p.imported { // of which there are many
		e, err = b.drafts.Build(proto)
	} else {
		e, err = event.Build(proto, a.m.o.Signer)
	}
	if err != nil {
		return nil, err
	}
	if !plain {
		if err := a.authorise(e, auth); err != nil {
			return nil, err
		}
	}
	e.Prev, e.Auth = numbers(prev), numbers(auth)
	return a.number(ctx, e, p)
}

// number gives an event its place in the store.
func (a *actor) number(ctx context.Context, e *event.Event, p Proposal) (_ *event.Event, err error) {
	s := a.m.o.Store
	if e.Author, err = s.NameUser(ctx, string(e.Sender)); err != nil {
		return nil, fmt.Errorf("naming the sender: %w", err)
	}
	if e.IsState() {
		if e.Key, err = s.NameStateKey(ctx, store.StateKey{Type: e.Type, Key: *e.StateKey}); err != nil {
			return nil, fmt.Errorf("naming the state key: %w", err)
		}
	}
	e.NID, e.Room = s.NextEvent(), a.nid
	e.TxnScope, e.Txn = p.TxnScope, p.Txn
	return e, nil
}

// maxDepth is the greatest depth that an event can name: 2^53-1.
const maxDepth = 1<<53 - 1

// numbers are those of events; never nil.
func numbers(events []*event.Event) []int64 {
	out := make([]int64, len(events))
	for i, e := range events {
		out[i] = e.NID
	}
	return out
}

// authOver is authEvents out of a state.
func (a *actor) authOver(ctx context.Context, p event.Proto, root statetree.Ref) ([]*event.Event, error) {
	if root == a.room.Root {
		return a.authEvents(ctx, p)
	}
	shape := pdu.PDU{Type: p.Type, Sender: id.UserID(p.Sender), StateKey: p.StateKey, Content: p.Content}
	var auth []*event.Event
	for _, k := range shape.AuthEventSelection(p.Version) {
		nid, err := a.m.o.Store.StateKeyNID(ctx, store.StateKey{Type: k.Type, Key: k.StateKey})
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		at, ok, err := a.m.o.Store.State().Get(ctx, root, nid)
		if err != nil {
			return nil, err
		} else if !ok {
			continue
		}
		e, err := a.event(ctx, at)
		if err != nil {
			return nil, err
		}
		auth = append(auth, e)
	}
	return auth, nil
}

// authEvents selects what the event's authorisation rests on: specification, server-server API,
// "Auth events selection".
func (a *actor) authEvents(ctx context.Context, p event.Proto) ([]*event.Event, error) {
	shape := pdu.PDU{Type: p.Type, Sender: id.UserID(p.Sender), StateKey: p.StateKey, Content: p.Content}
	var auth []*event.Event
	for _, k := range shape.AuthEventSelection(p.Version) {
		e, err := a.state(ctx, k.Type, k.StateKey)
		if err != nil {
			return nil, err
		}
		if e != nil {
			auth = append(auth, e)
		}
	}
	return auth, nil
}

// checkPlain decides the ordinary message: not a state event, by a local member. It is rules 6
// ("If the sender's current membership state is not join, reject") and 8 ("If the event type's
// required power level is greater than the sender's power level, reject") with the power levels
// already parsed; rules 4 and 9 can't concern it. plain is false for everything else.
func (a *actor) checkPlain(ctx context.Context, p event.Proto) (plain bool, err error) {
	if p.StateKey != nil {
		return false, nil
	}
	member, err := a.state(ctx, "m.room.member", p.Sender)
	if err != nil {
		return false, err
	}
	if member == nil || member.Membership() != "join" {
		return false, mxerror.Forbidden("You are not in this room.")
	}
	power, err := a.levels(ctx)
	if err != nil {
		return false, err
	}
	if need, have := power.Event(p.Type, false), power.User(p.Sender); have < need {
		return false, mxerror.Forbidden("Sending %s needs power level %d in this room, and you have %d.", p.Type, need, have)
	}
	create, err := a.state(ctx, "m.room.create", "")
	if err != nil || create == nil {
		return false, err
	}
	// Where the room is closed to other servers, let the full rules look at who made it.
	return !gjson.GetBytes(create.Content, `m\.federate`).Exists(), nil
}

// authorise applies the authorisation rules of the room's version to an event, over the given
// state.
func (a *actor) authorise(e *event.Event, auth []*event.Event) error {
	pdus := make([]*pdu.PDU, len(auth))
	for i, x := range auth {
		pdus[i] = x.PDU
	}
	err := authrules.Authorize(e.Version, e.PDU, pdus, a.createOnly, a.ownKey)
	if err == nil {
		return nil
	}
	return forbidden(err)
}

// createOnly gives the rules the create event that a version 12 room is named after.
func (a *actor) createOnly(ids []id.EventID) ([]*pdu.PDU, error) {
	create := a.current[store.StateKey{Type: "m.room.create"}]
	if create == nil {
		var err error
		if create, err = a.state(context.Background(), "m.room.create", ""); err != nil || create == nil {
			return nil, err
		}
	}
	for _, want := range ids {
		if string(want) != create.ID {
			return nil, fmt.Errorf("unexpected look-up of %s", want)
		}
	}
	return []*pdu.PDU{create.PDU}, nil
}

// ownKey verifies this server's own signatures, which is all that local events have.
func (a *actor) ownKey(server string, keyID id.KeyID, _ time.Time) (id.SigningKey, time.Time, error) {
	s := a.m.o.Signer
	if server != s.Server || string(keyID) != s.KeyID {
		return "", time.Time{}, nil
	}
	public := s.Key.Public().(ed25519.PublicKey)
	return id.SigningKey(base64.RawStdEncoding.EncodeToString(public)), a.m.o.Now().Add(time.Hour), nil
}

// forbidden puts a failed rule into words for the client; the rule's number goes to the log.
func forbidden(err error) error {
	for _, malformed := range [...]error{eventauth.ErrTopLevelPLNotInteger, eventauth.ErrPLNotInteger, eventauth.ErrInvalidUserIDInPL, eventauth.ErrUserPLNotInteger} {
		if errors.Is(err, malformed) {
			// Not a matter of permission: nobody could send this.
			return mxerror.BadJSON("The power levels are not valid: %s.", strings.TrimSpace(err.Error())).Because(err)
		}
	}
	var fail eventauth.AuthFailError
	if errors.As(err, &fail) && fail.Message != "" {
		return mxerror.Forbidden("Not allowed in this room: %s.", fail.Message).Because(err)
	}
	return mxerror.Forbidden("Not allowed in this room.").Because(err)
}
