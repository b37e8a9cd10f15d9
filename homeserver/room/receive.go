package room

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

var errNotYet = errors.New("not yet")

// NameRoom finds the row of a room, or makes one of a room that nobody of this server is in.
func (m *Manager) NameRoom(ctx context.Context, roomID string, v event.Version) (store.RoomName, error) {
	return store.RoomName{}, errNotYet
}

// Number gives a received event its numbers: its own, greater than those of all events that were
// numbered before, and those of its room, its sender and its state key. An event that is known
// already gets the number that it has, and known is true. Auth events are numbered, and stored,
// before the events that cite them.
func (m *Manager) Number(ctx context.Context, room int64, e *event.Event) (known bool, err error) {
	return false, errNotYet
}

// StateBefore computes the state before an event from the states after its previous events and other
// states, e.g. one that another server tells for a previous event that isn't here. It may be called
// at any time, outside the room's turn. The packs are what has to be stored with the event.
func (m *Manager) StateBefore(ctx context.Context, room int64, prev []int64, more ...statetree.Ref) (statetree.Ref, []statetree.Pack, error) {
	return 0, nil, errNotYet
}

// StateTree makes a state out of events, which Outliers has stored.
func (m *Manager) StateTree(ctx context.Context, events []int64) (statetree.Ref, []statetree.Pack, error) {
	return 0, nil, errNotYet
}

// Receive takes events of other servers in, in this order, in one turn, all or none. Soft failure
// (check 6) is decided here. If it fails with store.ErrStale, Before and Packs have to be made anew.
func (m *Manager) Receive(ctx context.Context, room int64, list []Received) ([]Outcome, error) {
	return nil, errNotYet
}

// Outliers stores events without a place in the graph: auth chains, state before a join. Auth events
// come before what cites them. Events that are known are left as they are.
func (m *Manager) Outliers(ctx context.Context, room int64, list []Received) error {
	return errNotYet
}

// ReceiveMembership takes in the invitation, or the end of an invitation or a knock, of a user of this
// server in a room that this server is not in: the event becomes an outlier that is news to the user.
func (m *Manager) ReceiveMembership(ctx context.Context, room int64, r Received) (*event.Event, error) {
	return nil, errNotYet
}

// Found makes a room out of a join by way of another server.
func (m *Manager) Found(ctx context.Context, f Foundation) (store.RoomName, error) {
	return store.RoomName{}, errNotYet
}

// Prepare makes the event that a proposal of another server's user would become, for that server to
// sign. What the rules refuse fails with an mxerror.
func (m *Manager) Prepare(ctx context.Context, room int64, p Proposal) (event.Proto, error) {
	return event.Proto{}, errNotYet
}

// Adopt takes the signed event of a send_join, send_leave or send_knock in, with our signature
// where the join was vouched for by a user of this server. Before, Packs and Reject are as for
// Receive. What is refused, softly too, fails with an mxerror and isn't kept.
func (m *Manager) Adopt(ctx context.Context, room int64, r Received) (*event.Event, Snapshot, error) {
	return nil, Snapshot{}, errNotYet
}
