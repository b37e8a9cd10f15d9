package irc

import (
	"context"
	"errors"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// The topic of a channel that is +t belongs to the channel's operators. The
// bridge may be one of them, and then whatever it sends is taken; so the rooms of
// such channels, and of those whose modes are not known, leave the topic to
// moderators.
const (
	topicLevelOpen   = 0
	topicLevelLocked = 50
)

var errTopicLocked = errors.New("the topic of this channel is for its operators, and in Matrix for moderators")

// channelPower is for new rooms: what is not known yet is locked.
func channelPower() *bridgev2.PowerLevelOverrides {
	return &bridgev2.PowerLevelOverrides{Events: map[event.Type]int{event.StateTopic: topicLevelLocked}}
}

// followTopicLock sets the power level of a room's topic as the channel's mode t
// wants it. Any level but the two that the bridge sets is an administrator's
// choice and stays. It is called in a turn of the room's portal.
func (n *network) followTopicLock(ctx context.Context, portal *bridgev2.Portal, locked bool) {
	n.insist(ctx, "the power level of the topic", func() error {
		levels, err := n.powerLevels(ctx, portal)
		if err != nil {
			return err
		}
		from, to := topicLevelLocked, topicLevelOpen
		if locked {
			from, to = to, from
		}
		if levels.GetEventLevel(event.StateTopic) != from {
			return nil
		}
		next := levels.Clone()
		next.SetEventLevel(event.StateTopic, to)
		_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePowerLevels, "", &event.Content{Parsed: next}, time.Time{})
		return err
	})
}

// powerLevels asks the homeserver for a room's power levels: a copy that was
// changed meanwhile would undo the change.
func (n *network) powerLevels(ctx context.Context, portal *bridgev2.Portal) (*event.PowerLevelsEventContent, error) {
	mx, ok := n.b.br.Matrix.(bridgev2.MatrixConnectorWithArbitraryRoomState)
	if !ok {
		return n.b.br.Matrix.GetPowerLevels(ctx, portal.MXID)
	}
	evt, err := mx.GetStateEvent(ctx, portal.MXID, event.StatePowerLevels, "")
	if err != nil {
		return nil, err
	}
	if evt == nil {
		return nil, errors.New("the room has no power levels")
	}
	return evt.Content.AsPowerLevels(), nil
}

// maySetTopic reports whether the sender of an event may change a topic whatever
// the channel's modes are.
func (n *network) maySetTopic(ctx context.Context, msg *bridgev2.MatrixRoomTopic) bool {
	levels, err := n.b.br.Matrix.GetPowerLevels(ctx, msg.Portal.MXID)
	return err == nil && levels.GetUserLevel(msg.Event.Sender) >= topicLevelLocked
}

// HandleMatrixRoomTopic implements bridgev2.RoomTopicHandlingNetworkAPI. The
// topic is taken over at once and put back if the network refuses it.
func (n *network) HandleMatrixRoomTopic(ctx context.Context, msg *bridgev2.MatrixRoomTopic) (bool, error) {
	ch := n.channelOf(msg.Portal)
	if ch == nil {
		return false, n.refuse(ctx, msg.Event, errNoChannel)
	}
	if _, closed := n.frozen.of(ch.Name); closed {
		return true, nil // what the channel has now says where everybody went
	}
	topic := strings.Join(format.FromText(msg.Content.Topic), " ")
	if max := n.session.Support().TopicLen; max > 0 {
		topic = cutBytes(topic, max)
	}
	topic = cutBytes(topic, n.session.MaxText("TOPIC", ch.Name))
	o := &outgoing{
		EventID: msg.Event.ID, Channel: ch.Name, Command: "TOPIC", Lines: []string{topic},
		Status:  eventInfo{RoomID: msg.Event.RoomID, Type: msg.Event.Type, Sender: msg.Event.Sender},
		Anybody: !n.maySetTopic(ctx, msg),
	}
	if o.Anybody && n.topicLocked(ch.Name) {
		// The event may be from just before the room's power levels said so.
		old := &event.Content{Parsed: &event.TopicEventContent{Topic: msg.Portal.Topic}}
		if _, err := n.b.br.Bot.SendState(ctx, msg.Portal.MXID, event.StateTopic, "", old, time.Time{}); err != nil {
			n.log.Warn("a topic is not put back", "error", err)
		}
		return false, n.refuse(ctx, msg.Event, errTopicLocked)
	}
	if _, err := n.take(ctx, n.outbox, o, nil); err != nil {
		return false, n.refuse(ctx, msg.Event, err)
	}
	msg.Portal.Topic, msg.Portal.TopicSet = msg.Content.Topic, true
	return true, nil
}

// topicLocked reports whether a channel's topic is not for everybody, as far as is
// known.
func (n *network) topicLocked(channel string) bool {
	on, known := n.session.TopicLock(channel)
	return on || !known
}

// restoreTopic puts a room's topic back to the channel's.
func (n *network) restoreTopic(o *outgoing) {
	if topic, ok := n.session.Topic(o.Channel); ok {
		n.HandleEvent(session.Topic{Channel: o.Channel, Text: topic})
	}
}
