package joins

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// inviteTries is how often an invitation is made anew because the room went on meanwhile.
const inviteTries = 3

// Invite invites another server's user into a room of ours. The invitation becomes part of the room
// once the other server has signed it: specification, "Inviting to a room".
func (j *Joins) Invite(ctx context.Context, name store.RoomName, p room.Proposal) (*event.Event, error) {
	server := serverOf(*p.StateKey)
	for try := 1; ; try++ {
		proto, err := j.o.Rooms.Prepare(ctx, name.NID, p)
		if err != nil {
			return nil, err
		}
		e, err := event.Build(proto, j.o.Signer)
		if err != nil {
			return nil, err
		}
		e.InRoom = name.ID
		if err := j.o.Policy.Check(ctx, name.NID, e); err != nil {
			return nil, err
		}
		if err := j.sendInvite(fclient.Urgent(ctx), server, name, e); err != nil {
			return nil, err
		}
		out, err := j.adopt(ctx, name, e)
		if errors.Is(err, store.ErrStale) && try < inviteTries {
			continue
		}
		return out, err
	}
}

// sendInvite lets the other server sign an invitation.
func (j *Joins) sendInvite(ctx context.Context, server string, name store.RoomName, e *event.Event) error {
	raw, err := e.JSON()
	if err != nil {
		return err
	}
	state, err := j.strippedState(ctx, name, e)
	if err != nil {
		return err
	}
	signed, err := j.o.Remote.SendInvite(ctx, server, name.ID, e.ID, fclient.Invite{Version: string(name.Version), Event: raw, State: state})
	var answered *fclient.Error
	if errors.As(err, &answered) && (answered.Status == 404 || answered.Status == 400) && answered.Code == "M_UNRECOGNIZED" {
		signed, err = j.o.Remote.SendInviteV1(ctx, server, name.ID, e.ID, raw)
	}
	switch {
	case err == nil:
	case errors.As(err, &answered) && answered.Code == "M_INCOMPATIBLE_ROOM_VERSION":
		return mxerror.New(400, "M_UNSUPPORTED_ROOM_VERSION", "The invited user's server does not speak version %s of rooms.", string(name.Version)).Because(err)
	case errors.As(err, &answered) && answered.Code == "M_INVITE_BLOCKED":
		return mxerror.New(403, "M_INVITE_BLOCKED", "%s does not want this invitation.", *e.StateKey).Because(err)
	case errors.As(err, &answered) && answered.Status == 403:
		return mxerror.Forbidden("%s", clip(answered.Message, "The invited user's server does not take the invitation.")).Because(err)
	case errors.As(err, &answered) && answered.Status == 404:
		return mxerror.NotFound("%s", clip(answered.Message, "The invited user's server does not know the user.")).Because(err)
	default:
		return mxerror.New(502, "M_UNKNOWN", "The invited user's server could not be reached, or did not take the invitation.").Because(err)
	}
	switch err := merge(e, signed, name.ID); {
	case errors.Is(err, errMalformed):
		return mxerror.BadJSON("The invited user's server answered with what is no event.").Because(err)
	case err != nil:
		return mxerror.New(502, "M_UNKNOWN", "The invited user's server answered with something else than the invitation.").Because(err)
	}
	if err := j.o.Keys.VerifyEvent(ctx, e.Version, e.PDU, server); err != nil {
		return mxerror.New(502, "M_UNKNOWN", "The invited user's server did not sign the invitation.").Because(err)
	}
	return nil
}

// strippedState is what the invited user is told of the room: "invite_room_state: ... each event is a
// full event (PDU) as per the room version's format" since version 1.16, which older servers take as
// stripped ones.
func (j *Joins) strippedState(ctx context.Context, name store.RoomName, e *event.Event) ([]jsontext.Value, error) {
	row, err := j.o.Store.LoadRoom(ctx, name.NID)
	if err != nil {
		return nil, err
	}
	own := *e
	own.Root = row.Root
	events, err := sync.StrippedState(ctx, j.o.Store, &own)
	if err != nil {
		return nil, fmt.Errorf("reading what an invited user is told: %w", err)
	}
	out := []jsontext.Value{}
	for _, x := range events[:len(events)-1] { // the last is the invitation
		raw, err := x.JSON()
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	return out, nil
}

// adopt takes a signed event in.
func (j *Joins) adopt(ctx context.Context, name store.RoomName, e *event.Event) (*event.Event, error) {
	ctx = context.WithoutCancel(ctx)
	r := room.Received{Event: e}
	for _, list := range []struct {
		ids []string
		out *[]int64
	}{{ids(e.PrevEvents), &r.Prev}, {ids(e.AuthEvents), &r.Auth}} {
		for _, id := range list.ids {
			nid, err := j.o.Store.EventNID(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("finding %s: %w", id, err)
			}
			*list.out = append(*list.out, nid)
		}
	}
	prev, err := j.o.Store.Events(ctx, r.Prev)
	if err != nil {
		return nil, err
	}
	r.Partial = slices.ContainsFunc(prev, func(p *event.Event) bool { return p.Has(event.Partial) })
	if _, err := j.o.Rooms.Number(ctx, name.NID, e); err != nil {
		return nil, err
	}
	if r.Before, r.Packs, err = j.o.Rooms.StateBefore(ctx, name.NID, r.Prev); err != nil {
		return nil, err
	}
	out, _, err := j.o.Rooms.Adopt(ctx, name.NID, r)
	return out, err
}

func ids[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, x := range in {
		out[i] = string(x)
	}
	return out
}
