package room

import (
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Received is an event of another server. Its signatures and its content hash have been checked.
type Received struct {
	// Event is the event, pruned if its content hash was wrong, and numbered by Manager.Number.
	Event *event.Event
	// Raw is its canonical JSON without unsigned; nil means that Event is to be encoded.
	Raw []byte
	// Prev and Auth are the numbers of its previous and auth events that are here. Auth must be
	// complete.
	Prev, Auth []int64
	// Before is the state before the event, with the packs that making it added; see
	// Manager.StateBefore. Not used for outliers.
	Before statetree.Ref
	Packs  []statetree.Pack
	// Reject is why the rules refuse the event: specification, server-server API, "Checks performed
	// on receipt of a PDU", check 4 (ByAuth) or 5; nil if both allow it.
	Reject error
	ByAuth bool
	// SoftFail is why the event is not to be shown to clients although the rules allow it, e.g.
	// because a policy server refuses it. Check 6 is made by Receive.
	SoftFail error
	// Partial tells that Before isn't complete, because that after one of Prev isn't.
	Partial bool
	// Missing are the ids of previous events that stay unknown.
	Missing []string
	// Past events were fetched to fill the history: they come before all others in the timeline, in
	// the order given, and change neither the room's end nor its current state.
	Past bool
	// Depth is where a past event stands.
	Depth int64
	// Done is written with the event; may be nil.
	Done func(*store.Tx) error
	// Stripped is a JSON array of what is told of the room with an invitation, a knock or their
	// end, for rooms that this server is not in; see Manager.ReceiveMembership.
	Stripped []byte
}

// Outcome is what became of a received event.
type Outcome struct {
	// Event is the event as it is stored.
	Event *event.Event
	// Known tells that it had been received before.
	Known bool
	// Rejected and SoftFailed are why the event takes no part; at most one of them is set.
	Rejected, SoftFailed error
}

// Foundation is what a room is made of that a user of this server has joined by way of another.
type Foundation struct {
	// Room is the room, from Manager.NameRoom.
	Room store.RoomName
	// Join is the join as it was sent. Before and Packs are not used: State says what they are.
	Join Received
	// State are the numbers of the events of the state before the join, as stored by Outliers.
	State []int64
	// Partial tells that memberships were left out of State; Via is the server that was joined
	// by, and Servers are those in the room.
	Partial bool
	Via     string
	Servers []string
}

// Snapshot is what a server that joins is told.
type Snapshot struct {
	// Before is the state before its event.
	Before store.StateView
	// Servers are the servers that had members in the room before its event.
	Servers []string
}
