package appservice

import (
	"context"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// stateMemory is what a bridge remembers of the state of rooms, kept up to date
// with the events that the homeserver delivers.
//
// What the bridge does itself it remembers at once, and the event comes back
// later: a ghost that has joined and left again is then told that it has joined.
// Taking that for the news would make the next join of that ghost be left out as
// unnecessary. So the homeserver is asked when an echo does not agree with the
// memory. The answer, too, may be overtaken by what the bridge does meanwhile;
// then the echo of that disagrees, and corrects it.
type stateMemory struct {
	store mautrix.StateStore
	// own reports whether a user is the bridge's.
	own func(id.UserID) bool
	// ask reads an entry of a room's state into store.
	ask func(ctx context.Context, room id.RoomID, kind event.Type, key string) error
}

// update takes over what a state event says.
func (m *stateMemory) update(ctx context.Context, evt *event.Event) {
	if m.doubtful(ctx, evt) && m.ask(ctx, evt.RoomID, evt.Type, evt.GetStateKey()) == nil {
		return
	}
	mautrix.UpdateStateStore(ctx, m.store, evt)
}

// doubtful reports whether an event may be older than the memory.
func (m *stateMemory) doubtful(ctx context.Context, evt *event.Event) bool {
	switch evt.Type {
	case event.StateMember:
		user := id.UserID(evt.GetStateKey())
		content, ok := evt.Content.Parsed.(*event.MemberEventContent)
		if !ok || !m.own(user) {
			return false
		}
		known, err := m.store.TryGetMember(ctx, evt.RoomID, user)
		return err == nil && known != nil && known.Membership != content.Membership
	case event.StatePowerLevels:
		return m.own(evt.Sender)
	}
	return false
}
