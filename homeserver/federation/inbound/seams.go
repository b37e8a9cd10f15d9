package inbound

import (
	"context"
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/room"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Rooms takes events in; *room.Manager does.
type Rooms interface {
	NameRoom(ctx context.Context, roomID string, v event.Version) (store.RoomName, error)
	Number(ctx context.Context, room int64, e *event.Event) (known bool, err error)
	StateBefore(ctx context.Context, room int64, prev []int64, more ...statetree.Ref) (statetree.Ref, []statetree.Pack, error)
	StateTree(ctx context.Context, events []int64) (statetree.Ref, []statetree.Pack, error)
	StateClaimed(ctx context.Context, room int64, root statetree.Ref, auth []int64) (statetree.Ref, []statetree.Pack, error)
	Receive(ctx context.Context, room int64, list []room.Received) ([]room.Outcome, error)
	Outliers(ctx context.Context, room int64, list []room.Received) error
	ReceiveMembership(ctx context.Context, room int64, r room.Received) (*event.Event, error)
	Prepare(ctx context.Context, room int64, p room.Proposal) (event.Proto, error)
	Send(ctx context.Context, room int64, p room.Proposal) (*event.Event, error)
	Vouch(ctx context.Context, room int64, e *event.Event) error
	Adopt(ctx context.Context, room int64, r room.Received) (*event.Event, room.Snapshot, error)
}

var _ Rooms = (*room.Manager)(nil)

// Remote asks other servers for events; *fclient.Client does.
type Remote interface {
	Event(ctx context.Context, server, eventID string) (jsontext.Value, error)
	EventAuth(ctx context.Context, server, room, eventID string, each fclient.Each) error
	StateIDs(ctx context.Context, server, room, eventID string) (state, auth []string, err error)
	State(ctx context.Context, server, room, eventID string, each fclient.Each) error
	Backfill(ctx context.Context, server, room string, from []string, limit int) ([]jsontext.Value, error)
	TimestampToEvent(ctx context.Context, server, room string, ts int64, dir string) (eventID string, eventTS int64, err error)
	ExchangeThirdPartyInvite(ctx context.Context, server, room string, invite jsontext.Value) error
	MissingEvents(ctx context.Context, server, room string, g fclient.Gap) ([]jsontext.Value, error)
}

var _ Remote = (*fclient.Client)(nil)

// Policy knows what rooms' policy servers want; *policy.Policy does.
type Policy interface {
	Check(ctx context.Context, room int64, e *event.Event) error
}
