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
// unnecessary. So an echo that does not agree with the memory is not believed:
// the homeserver is asked, in a turn of the room's portal, where the bridge does
// nothing else to the room meanwhile.
type stateMemory struct {
	store mautrix.StateStore
	// own reports whether a user is the bridge's.
	own func(id.UserID) bool
	// ask reads an entry of a room's state into store.
	ask func(ctx context.Context, room id.RoomID, kind event.Type, key string) error
	// turn calls f when the portal of the room has handled what came before; if
	// there is none, or it ends, at once or never.
	turn func(ctx context.Context, room id.RoomID, f func())
}

// update takes over what a state event says.
func (m *stateMemory) update(ctx context.Context, evt *event.Event) {
	if !m.echo(evt) {
		mautrix.UpdateStateStore(ctx, m.store, evt)
		return
	}
	if m.agrees(ctx, evt) {
		return
	}
	m.turn(ctx, evt.RoomID, func() {
		if m.ask(ctx, evt.RoomID, evt.Type, evt.GetStateKey()) != nil {
			mautrix.UpdateStateStore(ctx, m.store, evt)
		}
	})
}

// echo reports whether an event may be older than the memory.
func (m *stateMemory) echo(evt *event.Event) bool {
	switch evt.Type {
	case event.StateMember:
		return m.own(id.UserID(evt.GetStateKey()))
	case event.StatePowerLevels:
		return m.own(evt.Sender)
	}
	return false
}

// agrees reports whether an echo says what is remembered.
func (m *stateMemory) agrees(ctx context.Context, evt *event.Event) bool {
	content, ok := evt.Content.Parsed.(*event.MemberEventContent)
	if !ok {
		return false
	}
	known, err := m.store.TryGetMember(ctx, evt.RoomID, id.UserID(evt.GetStateKey()))
	return err == nil && known != nil && known.Membership == content.Membership &&
		known.Displayname == content.Displayname && known.AvatarURL == content.AvatarURL
}
