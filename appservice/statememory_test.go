package appservice

import (
	"context"
	"errors"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// An echo of what the bridge did itself may come when it has done something else
// since.
func TestLateEchoes(t *testing.T) {
	t.Parallel()
	const (
		room  = id.RoomID("!room:test")
		ghost = id.UserID("@irc_bob:test")
		anna  = id.UserID("@anna:test")
	)
	member := func(user id.UserID, to event.Membership) *event.Event {
		key := string(user)
		return &event.Event{Type: event.StateMember, RoomID: room, Sender: user, StateKey: &key,
			Content: event.Content{Parsed: &event.MemberEventContent{Membership: to}}}
	}
	for _, c := range []struct {
		name string
		user id.UserID
		// before is what is remembered, and meanwhile what the portal does before
		// it gives its turn.
		before, meanwhile, echo, truth event.Membership
		unreachable                    bool
		want                           event.Membership
		asked                          bool
	}{
		{name: "a join that is over", user: ghost, before: "leave", echo: "join", truth: "leave", want: "leave", asked: true},
		{name: "a leave that is over", user: ghost, before: "join", echo: "leave", truth: "join", want: "join", asked: true},
		{name: "a join that a crash kept from being remembered", user: ghost, before: "leave", echo: "join", truth: "join", want: "join", asked: true},
		{name: "as remembered", user: ghost, before: "join", echo: "join", truth: "leave", want: "join"},
		{name: "over before its turn", user: ghost, before: "invite", meanwhile: "leave", echo: "join", truth: "leave", want: "leave", asked: true},
		{name: "nobody to ask", user: ghost, before: "leave", echo: "join", unreachable: true, want: "join", asked: true},
		{name: "somebody else", user: anna, before: "leave", echo: "join", truth: "leave", want: "join"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			store := mautrix.NewMemoryStateStore()
			set := func(to event.Membership) {
				if err := store.SetMembership(ctx, room, c.user, to); err != nil {
					t.Error(err)
				}
			}
			set(c.before)
			asked := false
			m := stateMemory{store: store, own: func(user id.UserID) bool { return user == ghost },
				ask: func(ctx context.Context, _ id.RoomID, _ event.Type, key string) error {
					asked = true
					if c.unreachable {
						return errors.New("no answer")
					}
					return store.SetMembership(ctx, room, id.UserID(key), c.truth)
				},
				turn: func(_ context.Context, _ id.RoomID, f func()) {
					if c.meanwhile != "" {
						set(c.meanwhile)
					}
					f()
				}}
			m.update(ctx, member(c.user, c.echo))
			if got, err := store.GetMember(ctx, room, c.user); err != nil || got.Membership != c.want {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
			if asked != c.asked {
				t.Errorf("asked: %v", asked)
			}
		})
	}
}

// Power levels that the bridge has set are asked for, not believed.
func TestLatePowerLevels(t *testing.T) {
	t.Parallel()
	const room = id.RoomID("!room:test")
	store := mautrix.NewMemoryStateStore()
	now := &event.PowerLevelsEventContent{UsersDefault: 2}
	m := stateMemory{store: store, own: func(id.UserID) bool { return true },
		ask: func(ctx context.Context, room id.RoomID, _ event.Type, _ string) error {
			return store.SetPowerLevels(ctx, room, now)
		},
		turn: func(_ context.Context, _ id.RoomID, f func()) { f() }}
	key := ""
	m.update(t.Context(), &event.Event{Type: event.StatePowerLevels, RoomID: room, Sender: "@bot:test", StateKey: &key,
		Content: event.Content{Parsed: &event.PowerLevelsEventContent{UsersDefault: 1}}})
	if got, err := store.GetPowerLevels(t.Context(), room); err != nil || got.UsersDefault != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}
