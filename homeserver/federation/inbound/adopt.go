package inbound

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/keyring"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// invalid is 400 M_INVALID_PARAM, which the specification has for membership events that are not
// what they should be.
func invalid(format string, args ...any) *mxerror.Error { return mxerror.InvalidParam(format, args...) }

// unsigned is for events that aren't the origin's to send: "A specific error code is not mandated". What
// other servers have always answered is 403 M_FORBIDDEN.
func unsigned(format string, args ...any) *mxerror.Error { return mxerror.Forbidden(format, args...) }

// membershipEvent reads and verifies the membership event of a request's body: "The receiving server
// MUST apply certain validation before accepting the event."
func (a *API) membershipEvent(c *call, raw jsontext.Value, roomID string, v event.Version, membership string) (*event.Event, error) {
	if len(raw) == 0 || !raw.IsValid() {
		return nil, mxerror.NotJSON("The body is not valid JSON.")
	}
	if kind := raw.Kind(); kind != '{' {
		return nil, mxerror.BadJSON("The body is not an event.")
	}
	e, err := parsePDU(raw, roomID, v)
	switch {
	case errors.Is(err, errCanonical):
		return nil, mxerror.BadJSON("The event is not acceptable: %s.", err)
	case errors.Is(err, errNoHash):
		return nil, unsigned("The event is not acceptable: %s.", err)
	case err != nil:
		return nil, invalid("The event is not acceptable: %s.", err)
	case e.ID != c.params[1]:
		return nil, invalid("The event's id is not that of the path.")
	case e.Type != "m.room.member" || e.StateKey == nil:
		return nil, invalid("The event is not an m.room.member.")
	case e.Membership() != membership:
		return nil, invalid("The event's membership is not %s.", membership)
	case store.ServerOf(string(e.Sender)) != c.origin:
		return nil, unsigned("The event's sender is not a user of %s.", c.origin)
	case membership != "invite" && *e.StateKey != string(e.Sender):
		return nil, invalid("The event's state_key is not its sender.")
	}
	if err := a.o.Keys.VerifyEvent(c.ctx, v, e.PDU, c.origin); errors.Is(err, keyring.ErrUnavailable) {
		return nil, mxerror.New(http.StatusBadGateway, "M_UNKNOWN", "The keys of %s can't be had just now.", c.origin).Because(err)
	} else if err != nil {
		return nil, unsigned("The event's signature could not be verified.").Because(err)
	}
	if !e.VerifyContentHash() {
		return nil, invalid("The event's content hash is wrong.")
	}
	return e, nil
}

// adopt takes a signed membership event in.
func (a *API) adopt(c *call, membership string) (*event.Event, room.Snapshot, error) {
	var none room.Snapshot
	if err := a.resident(c); err != nil {
		return nil, none, err
	}
	e, err := a.membershipEvent(c, c.raw, c.room.ID, c.room.Version, membership)
	if err != nil {
		return nil, none, err
	}
	// "The resident server which owns the provided user ID must have a valid signature on the event.
	// If the resident server is receiving the /send_join request, the signature must be added before
	// sending or persisting the event to other servers."
	if err := a.o.Rooms.Vouch(c.ctx, c.room.NID, e); err != nil {
		return nil, none, err
	}
	// Somebody who comes in can't know of the policy server.
	if err := a.o.Policy.Check(c.ctx, c.room.NID, e); err != nil {
		return nil, none, err
	}
	for pass := 1; ; pass++ {
		r, err := a.intake.assemble(c.ctx, c.room, e, nil, nil)
		if errors.Is(err, errNever) || errors.Is(err, errUnknownAuth) || errors.Is(err, room.ErrNoState) {
			return nil, none, invalid("The event cites events that this server does not know.").Because(err)
		} else if err != nil {
			return nil, none, err
		}
		out, snap, err := a.o.Rooms.Adopt(c.ctx, c.room.NID, r)
		if !errors.Is(err, store.ErrStale) || pass == stalePasses {
			return out, snap, err
		}
	}
}

// resident refuses requests about rooms that this server is not, or not wholly, in.
func (a *API) resident(c *call) error {
	in, err := a.o.Store.ServerInRoom(c.ctx, c.room.NID, a.o.Server)
	if err != nil {
		return err
	}
	if !in {
		return mxerror.NotFound("This server is not in the room %s.", clip(c.room.ID))
	}
	// MSC3902: a server that knows part of a room's state alone can't tell who may come in. Most rooms are
	// complete in a moment.
	ctx, cancel := context.WithTimeout(c.ctx, momentWait)
	defer cancel()
	if err := a.o.Store.WaitComplete(ctx, c.room.NID); err != nil {
		return mxerror.NotFound("This server does not know all of the state of the room %s yet.", clip(c.room.ID)).Because(err)
	}
	return nil
}

// momentWait is how long who wants to come in waits for a room to be completed.
const momentWait = 2 * time.Second

// sendJoinV2 is PUT /v2/send_join/{roomId}/{eventId}.
func (a *API) sendJoinV2(c *call) error {
	return a.sendJoin(c, func(fill func(*writer) error) error { return a.stream(c, fill) })
}

// sendJoinV1 is PUT /v1/send_join/{roomId}/{eventId}, whose answer is [200, {...}].
func (a *API) sendJoinV1(c *call) error {
	c.query.Del("omit_members")
	return a.sendJoin(c, func(fill func(*writer) error) error { return a.streamV1(c, fill) })
}

func (a *API) sendJoin(c *call, answer func(func(*writer) error) error) error {
	omit, err := c.truth("omit_members")
	if err != nil {
		return err
	}
	e, snap, err := a.adopt(c, "join")
	if err != nil {
		return err
	}
	state, err := walk(c.ctx, a.o.Store, snap.Before)
	if err != nil {
		return err
	}
	if omit {
		if state, err = a.withoutMembers(c, snap.Before, state, string(e.Sender)); err != nil {
			return err
		}
	}
	rest := append(slices.Clone(state), e.NID)
	var chain []int64
	if omit {
		// "redundant events are omitted from auth_chain"
		chain, err = chainOf(c.ctx, a.o.Store, rest, state)
	} else {
		chain, err = chainOf(c.ctx, a.o.Store, rest)
	}
	if err != nil {
		return err
	}
	raw, err := encodePDU(e)
	if err != nil {
		return err
	}
	return answer(func(w *writer) error {
		w.value("origin", a.o.Server)
		w.value("members_omitted", omit)
		if omit {
			// "A list of the servers active in the room (ie, those with joined members) before the join."
			w.value("servers_in_room", snap.Servers)
		}
		w.name("event")
		w.bytes(raw)
		w.list("state", state, w.pdu)
		w.list("auth_chain", chain, w.pdu)
		return nil
	})
}

// withoutMembers leaves memberships out of a state: but for those of the heroes, where the room has
// no name of its own.
func (a *API) withoutMembers(c *call, view store.StateView, state []int64, user string) ([]int64, error) {
	s := a.o.Store
	keep := map[string]bool{}
	named := false
	for typ, field := range map[string]string{"m.room.name": "name", "m.room.canonical_alias": "alias"} {
		e, err := s.StateOf(c.ctx, view, typ, "")
		if err == nil {
			named = named || e.ContentString(field) != ""
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	if !named {
		heroes, err := s.FirstMembers(c.ctx, c.room.NID, store.HeroesMax+1)
		if err != nil {
			return nil, err
		}
		for _, nid := range heroes {
			id, err := s.UserID(c.ctx, nid)
			if err != nil {
				return nil, err
			}
			if id != user && len(keep) < store.HeroesMax {
				keep[id] = true
			}
		}
	}
	var out []int64
	for chunk := range slices.Chunk(state, listStep) {
		links, err := s.Links(c.ctx, chunk)
		if err != nil {
			return nil, err
		}
		for i, l := range links {
			k, err := s.StateKey(c.ctx, l.Key)
			if err != nil {
				return nil, err
			}
			if k.Type != "m.room.member" || keep[k.Key] {
				out = append(out, chunk[i])
			}
		}
	}
	return out, nil
}

// streamV1 is stream in the form of version 1: [200, {...}].
func (a *API) streamV1(c *call, fill func(*writer) error) error {
	return a.streamAround(c, "[200,", fill, "]")
}

// sendLeave is PUT /v2/send_leave/{roomId}/{eventId}.
func (a *API) sendLeave(c *call) (any, error) {
	_, _, err := a.adopt(c, "leave")
	return object{}, err
}

// sendLeaveV1 is PUT /v1/send_leave/{roomId}/{eventId}.
func (a *API) sendLeaveV1(c *call) (any, error) {
	out, err := a.sendLeave(c)
	return []any{http.StatusOK, out}, err
}

// sendKnock is PUT /send_knock/{roomId}/{eventId}: "State events providing public room metadata",
// in the format of the room version.
func (a *API) sendKnock(c *call) (any, error) {
	e, _, err := a.adopt(c, "knock")
	if err != nil {
		return nil, err
	}
	state, err := sync.StrippedState(c.ctx, a.o.Store, e)
	if err != nil {
		return nil, err
	}
	list := []jsontext.Value{}
	for _, x := range state {
		if x.NID == e.NID {
			continue
		}
		raw, err := encodePDU(x)
		if err != nil {
			return nil, err
		}
		list = append(list, raw)
	}
	return object{"knock_room_state": list}, nil
}

// speaks tells whether a server that lists versions can be in a room.
func speaks(c *call) error {
	versions := c.query["ver"]
	if len(versions) == 0 {
		versions = []string{"1"} // "Defaults to [1]."
	}
	if slices.Contains(versions, string(c.room.Version)) {
		return nil
	}
	return mxerror.New(http.StatusBadRequest, "M_INCOMPATIBLE_ROOM_VERSION",
		"Your homeserver does not support version %s, which is the room's.", c.room.Version).With("room_version", string(c.room.Version))
}

// template makes an event for a user of another server to sign.
func (a *API) template(c *call, membership string) (any, error) {
	user := c.params[1]
	if !validUser(user) || len(user) > event.MaxFieldSize {
		return nil, invalid("%s is not a user id.", clip(user))
	}
	if store.ServerOf(user) != c.origin {
		return nil, mxerror.Forbidden("%s is not a user of %s.", clip(user), c.origin)
	}
	if err := a.resident(c); err != nil {
		return nil, err
	}
	if membership != "leave" {
		if err := speaks(c); err != nil {
			return nil, err
		}
	}
	content := jsontext.Value(`{"membership":"` + membership + `"}`)
	p, err := a.o.Rooms.Prepare(c.ctx, c.room.NID, room.Proposal{Sender: user, Type: "m.room.member", StateKey: &user, Content: content})
	if err != nil {
		return nil, err
	}
	tmpl := object{"type": p.Type, "sender": p.Sender, "state_key": user, "room_id": c.room.ID, "content": jsontext.Value(p.Content),
		"depth": p.Depth, "origin": a.o.Server, "origin_server_ts": p.TS, "prev_events": orEmpty(p.Prev), "auth_events": orEmpty(p.Auth)}
	return object{"room_version": string(c.room.Version), "event": tmpl}, nil
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// makeJoin is GET /make_join/{roomId}/{userId}.
func (a *API) makeJoin(c *call) (any, error) { return a.template(c, "join") }

// makeLeave is GET /make_leave/{roomId}/{userId}.
func (a *API) makeLeave(c *call) (any, error) { return a.template(c, "leave") }

// makeKnock is GET /make_knock/{roomId}/{userId}.
func (a *API) makeKnock(c *call) (any, error) { return a.template(c, "knock") }
