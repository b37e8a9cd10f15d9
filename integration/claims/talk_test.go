package claims_test

import (
	"context"
	"testing"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/app/apptest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// speaker is somebody of the network, who can do more there than line chat knows.
type speaker struct {
	t     *testing.T
	login *bridgev2.UserLogin
	nick  string
}

func newSpeaker(t *testing.T, mod *spy, nick string) *speaker {
	t.Helper()
	login, err := mod.bridge().GetExistingUserLoginByID(t.Context(), "community")
	if err != nil || login == nil {
		t.Fatalf("no login: %v", err)
	}
	return &speaker{t: t, login: login, nick: nick}
}

func (s *speaker) meta(typ bridgev2.RemoteEventType) simplevent.EventMeta {
	return simplevent.EventMeta{Type: typ, PortalKey: networkid.PortalKey{ID: "town"}, Sender: bridgev2.EventSender{Sender: networkid.UserID(s.nick)}, Timestamp: time.Now()}
}

func text(body string) *event.MessageEventContent {
	return &event.MessageEventContent{MsgType: event.MsgText, Body: body}
}

func (s *speaker) say(name, body string) {
	s.login.QueueRemoteEvent(&simplevent.PreConvertedMessage{EventMeta: s.meta(bridgev2.RemoteEventMessage), ID: networkid.MessageID(name),
		Data: &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{Type: event.EventMessage, Content: text(body)}}}})
}

func (s *speaker) edit(name, body string) {
	s.login.QueueRemoteEvent(&simplevent.Message[string]{EventMeta: s.meta(bridgev2.RemoteEventEdit), TargetMessage: networkid.MessageID(name), Data: body,
		ConvertEditFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, existing []*database.Message, body string) (*bridgev2.ConvertedEdit, error) {
			return &bridgev2.ConvertedEdit{ModifiedParts: []*bridgev2.ConvertedEditPart{{Part: existing[0], Type: event.EventMessage, Content: text(body)}}}, nil
		}})
}

func (s *speaker) react(name, emoji string) {
	s.login.QueueRemoteEvent(&simplevent.Reaction{EventMeta: s.meta(bridgev2.RemoteEventReaction), TargetMessage: networkid.MessageID(name), Emoji: emoji, EmojiID: networkid.EmojiID(emoji)})
}

func (s *speaker) unreact(name, emoji string) {
	s.login.QueueRemoteEvent(&simplevent.Reaction{EventMeta: s.meta(bridgev2.RemoteEventReactionRemove), TargetMessage: networkid.MessageID(name), EmojiID: networkid.EmojiID(emoji)})
}

func (s *speaker) remove(name string) {
	s.login.QueueRemoteEvent(&simplevent.MessageRemove{EventMeta: s.meta(bridgev2.RemoteEventMessageRemove), TargetMessage: networkid.MessageID(name)})
}

// TestAllThatIsSaid: not only messages but edits, reactions and removals on the network are those of the account, also
// of what the ghost said before; and of what the account said, when the tie is gone. What was said stays as it was.
func TestAllThatIsSaid(t *testing.T) {
	t.Parallel()
	s, n, mod := start(t, "[town]")
	alice, bob := s.Person("alice"), s.Person("robert")
	town := alice.Enter("#lines_town:" + apptest.Domain)
	b := newSpeaker(t, mod, "bob")
	sees := func(what string, match func(e bridgetest.Event) bool) bridgetest.Event {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		e, _, err := alice.Await(ctx, 0, town, what, match)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	edited := func(body, by string) {
		t.Helper()
		e := sees("the edit "+body, func(e bridgetest.Event) bool { return e.Body() == "* "+body })
		if e.Sender != by {
			t.Errorf("%q is an edit by %s, not %s", body, e.Sender, by)
		}
	}
	reacted := func(key string) bridgetest.Event {
		t.Helper()
		return sees("the reaction "+key, func(e bridgetest.Event) bool {
			return e.Type == "m.reaction" && containsText(e, `"key":"`+key)
		})
	}
	removed := func(what string) bridgetest.Event {
		t.Helper()
		return sees("the removal of "+what, func(e bridgetest.Event) bool {
			return e.Type == "m.room.redaction" && (e.Redacts == what || e.Field("redacts") == what)
		})
	}

	b.say("m1", "as a ghost")
	old := alice.Hears(town, ghost, "as a ghost")
	b.react("m1", "A")
	if r := reacted("A"); r.Sender != ghost {
		t.Errorf("the ghost's reaction is by %s", r.Sender)
	}
	code, err := mod.links.Ask(t.Context(), id.UserID(bob.UserID))
	if err != nil {
		t.Fatal(err)
	}
	n.Say("@bridge", "bob", "link "+code)
	n.Hears("@bob bridge You are " + bob.UserID + " now.")
	eventually(t, "in the room", func() bool {
		members, err := alice.Members(t.Context(), town)
		_, there := members[bob.UserID]
		return err == nil && there
	})

	b.say("m2", "as an account")
	own := alice.Hears(town, bob.UserID, "as an account")
	b.edit("m2", "as an account, edited")
	edited("as an account, edited", bob.UserID)
	b.react("m2", "B")
	reaction := reacted("B")
	if reaction.Sender != bob.UserID {
		t.Errorf("the reaction is by %s", reaction.Sender)
	}
	b.unreact("m2", "B")
	removed(reaction.ID)
	// Only who said something can edit it: for others the edit would not count.
	b.edit("m1", "as a ghost, edited")
	edited("as a ghost, edited", ghost)
	b.say("m3", "to be removed")
	gone := alice.Hears(town, bob.UserID, "to be removed")
	b.remove("m3")
	removed(gone.ID)

	n.Say("@bridge", "bob", "unlink")
	n.Hears("@bob bridge You have no account")
	b.say("m4", "a ghost again")
	alice.Hears(town, ghost, "a ghost again")
	b.react("m4", "C")
	if r := reacted("C"); r.Sender != ghost {
		t.Errorf("a reaction after the tie is by %s", r.Sender)
	}
	b.remove("m2")
	removed(own.ID)
	b.remove("m1")
	removed(old.ID)
}
