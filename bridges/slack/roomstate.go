package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// Who may change a room's name, topic, pins and members is decided by the homeserver, by power levels, before the
// bridge hears of it. What Slack does not let the bot do is taken back in the room.

// marks are put behind a channel's name to show what Slack's clients show by a sign.
const (
	markArchived = " (archived)"
	markShared   = " (Slack Connect)"
)

// maxChannelName is how long Slack lets a name be.
const maxChannelName = 80

var errNoName = errors.New("a channel's name must have letters or digits")

var (
	_ bridgev2.RoomNameHandlingNetworkAPI  = (*workspace)(nil)
	_ bridgev2.RoomTopicHandlingNetworkAPI = (*workspace)(nil)
)

// HandleMatrixRoomName implements bridgev2.RoomNameHandlingNetworkAPI.
func (w *workspace) HandleMatrixRoomName(ctx context.Context, msg *bridgev2.MatrixRoomName) (bool, error) {
	a, err := w.action(msg.Portal, msg.Event, doName)
	if err != nil {
		return false, refusal(err)
	}
	a.Text = msg.Content.Name
	if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
		return false, refusal(err)
	}
	msg.Portal.Name, msg.Portal.NameSet = msg.Content.Name, true
	return true, nil
}

// HandleMatrixRoomTopic implements bridgev2.RoomTopicHandlingNetworkAPI.
func (w *workspace) HandleMatrixRoomTopic(ctx context.Context, msg *bridgev2.MatrixRoomTopic) (bool, error) {
	a, err := w.action(msg.Portal, msg.Event, doTopic)
	if err != nil {
		return false, refusal(err)
	}
	a.Text = msg.Content.Topic
	if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
		return false, refusal(err)
	}
	msg.Portal.Topic, msg.Portal.TopicSet = msg.Content.Topic, true
	return true, nil
}

// channelName makes a name of what Slack takes for one: "Channel names may only contain lowercase letters, numbers,
// hyphens, underscores".
func channelName(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSpace(name), markArchived), markShared)
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "#")) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			b.WriteRune(r)
		case unicode.IsSpace(r) || r == '.' || r == '/':
			b.WriteByte('-')
		}
	}
	if runes := []rune(b.String()); len(runes) > maxChannelName {
		return string(runes[:maxChannelName])
	}
	return b.String()
}

// rename renames a channel.
func (w *workspace) rename(ctx context.Context, a *action) error {
	name := channelName(a.Text)
	if name == "" {
		return errNoName
	}
	if _, err := w.api.slack().RenameConversationContext(ctx, a.Channel, name); err != nil {
		return fmt.Errorf("conversations.rename: %w", err)
	}
	return nil
}

// setTopic sets a channel's topic to that of its room, less what the room's topic has of other things.
func (w *workspace) setTopic(ctx context.Context, a *action) error {
	ch, err := w.channel(ctx, a.Channel)
	if err != nil {
		return err
	}
	topic := a.Text
	for _, more := range []string{w.bookmarkLines(a.Channel), format.Plain(format.Mrkdwn(ch.Purpose.Value))} {
		if more != "" && strings.HasSuffix(topic, more) {
			topic = strings.TrimSuffix(topic, more)
			topic = strings.TrimSuffix(topic, "\n")
		}
	}
	if topic == format.Plain(format.Mrkdwn(ch.Topic.Value)) {
		return nil
	}
	if _, err := w.api.slack().SetTopicOfConversationContext(ctx, a.Channel, topic); err != nil {
		return fmt.Errorf("conversations.setTopic: %w", err)
	}
	return nil
}

// pinChange is a message that was pinned or is no more.
type pinChange struct {
	Event id.EventID `json:"event"`
	On    bool       `json:"on"`
}

// pin pins messages in Slack, or takes pins away. Messages that Slack does not have are passed over.
func (w *workspace) pin(ctx context.Context, a *action) error {
	for _, p := range a.Pins {
		row, err := w.target(ctx, p.Event)
		if err != nil {
			return err
		}
		if row == nil || tsOf(row.ID) == "" {
			continue
		}
		item := slackgo.NewRefToMessage(a.Channel, tsOf(row.ID))
		call := w.api.slack().RemovePinContext
		if p.On {
			call = w.api.slack().AddPinContext
		}
		switch err := call(ctx, a.Channel, item); code(err) {
		case "already_pinned", "no_pin", "not_pinned", "message_not_found":
		default:
			if err != nil {
				return fmt.Errorf("pin: %w", err)
			}
		}
	}
	return nil
}

// invite takes somebody into a channel, or out of it.
func (w *workspace) invite(ctx context.Context, a *action) error {
	var err error
	if a.Kind == doInvite {
		_, err = w.api.slack().InviteUsersToConversationContext(ctx, a.Channel, a.User)
	} else {
		err = w.api.slack().KickUserFromConversationContext(ctx, a.Channel, a.User)
	}
	switch code(err) {
	case "already_in_channel", "not_in_channel_user":
		return nil
	case "not_in_channel":
		if a.Kind == doKick {
			return nil // not the bot, which could not say so: whom it is about
		}
	}
	if err != nil {
		return fmt.Errorf("%s somebody: %w", a.Kind, err)
	}
	return nil
}

// settleState has a room be as its channel is after a change from Matrix: with the name that Slack has made of it, or as
// before if Slack has refused.
func (w *workspace) settleState(ctx context.Context, a *action, failed bool) {
	switch a.Kind {
	case doName, doTopic:
		if !w.outbox.more(a.Channel, a.Kind) {
			w.refresh(ctx, nil, a.Channel, "", "")
		}
	case doPins:
		if failed && !w.outbox.more(a.Channel, a.Kind) {
			w.onPins(ctx, nil, a.Channel)
		}
	case doInvite, doKick:
		if failed {
			membership := event.MembershipLeave
			if a.Kind == doKick {
				membership = event.MembershipJoin
			}
			w.changeMember(nil, a.Channel, "", w.member(ctx, a.User, membership))
		}
	}
}

// relayState has the memberships of ghosts and the pinned messages that people of Matrix change taken to Slack. The
// framework does not know the latter, and reports the former as failed for who is not logged in.
func (b *Bridge) relayState() {
	intent, ok := b.br.Bot.(*matrix.ASIntent)
	if !ok {
		b.log.Error("pins and members do not go to Slack: the Matrix connector is not known")
		return
	}
	queue := func(ctx context.Context, evt *event.Event, make func(*workspace, *action) bool) {
		if evt.Sender == b.br.Bot.GetMXID() || b.br.IsGhostMXID(evt.Sender) {
			return
		}
		portal, err := b.br.GetPortalByMXID(ctx, evt.RoomID)
		if err != nil || portal == nil || portal.Relay == nil {
			return
		}
		w, ok := portal.Relay.Client.(*workspace)
		if !ok {
			return
		}
		a, err := w.action(portal, evt, "")
		if err != nil || !make(w, a) {
			return
		}
		if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
			w.log.Error("a change of a room does not go to Slack", "kind", a.Kind, "event_id", evt.ID, "error", err)
		}
	}
	intent.Connector.EventProcessor.PrependHandler(event.StatePinnedEvents, func(ctx context.Context, evt *event.Event) {
		queue(ctx, evt, func(_ *workspace, a *action) bool {
			a.Kind, a.Pins = doPins, pinChanges(evt)
			return len(a.Pins) > 0
		})
	})
	intent.Connector.EventProcessor.PrependHandler(event.StateMember, func(ctx context.Context, evt *event.Event) {
		ghost, ok := b.br.Matrix.ParseGhostMXID(id.UserID(evt.GetStateKey()))
		if !ok {
			queue(ctx, evt, func(w *workspace, a *action) bool { return w.personMoves(evt, a) })
			return
		}
		queue(ctx, evt, func(_ *workspace, a *action) bool {
			a.User = slackID(ghost)
			content, before := evt.Content.AsMember(), previousMember(evt)
			switch {
			case content.Membership == event.MembershipInvite:
				a.Kind = doInvite
			case (before == event.MembershipJoin || before == event.MembershipInvite) &&
				(content.Membership == event.MembershipLeave || content.Membership == event.MembershipBan):
				a.Kind = doKick // who was invited may be in the channel already
			default:
				return false
			}
			return true
		})
	})
}

// previousMember is what somebody's membership was before an event.
func previousMember(evt *event.Event) event.Membership {
	if evt.Unsigned.PrevContent == nil {
		return event.MembershipLeave
	}
	if evt.Unsigned.PrevContent.Parsed == nil && evt.Unsigned.PrevContent.ParseRaw(event.StateMember) != nil {
		return event.MembershipLeave
	}
	return evt.Unsigned.PrevContent.AsMember().Membership
}

// maxPins bounds how many pins one event may change.
const maxPins = 100

// pinChanges is what differs between the pinned messages before and after an event.
func pinChanges(evt *event.Event) (list []pinChange) {
	read := func(c *event.Content) map[id.EventID]bool {
		out := make(map[id.EventID]bool)
		if c == nil {
			return out
		}
		pinned, _ := c.Raw["pinned"].([]any)
		for _, v := range pinned {
			if s, ok := v.(string); ok {
				out[id.EventID(s)] = true
			}
		}
		return out
	}
	if evt.Unsigned.PrevContent != nil && evt.Unsigned.PrevContent.Raw == nil && evt.Unsigned.PrevContent.ParseRaw(event.StatePinnedEvents) != nil {
		return nil
	}
	before, after := read(evt.Unsigned.PrevContent), read(&evt.Content)
	pinned, _ := evt.Content.Raw["pinned"].([]any)
	for _, v := range pinned { // in their order, which is Slack's then
		if s, ok := v.(string); ok && !before[id.EventID(s)] {
			list = append(list, pinChange{id.EventID(s), true})
		}
	}
	for e := range before {
		if !after[e] {
			list = append(list, pinChange{e, false})
		}
	}
	return list[:min(len(list), maxPins)]
}
