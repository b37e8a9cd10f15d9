package irc

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/txnid"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// settled reports what became of a message. The error is that its sender was not
// told of a failure.
func (n *network) settled(ctx context.Context, o *outgoing, err error) error {
	ctx = context.WithoutCancel(ctx)
	if o.isOrder() {
		return n.ordered(ctx, o, err)
	}
	if o.Command == "TOPIC" && err != nil {
		n.restoreTopic(o)
	}
	if err != nil && (o.Status.Type == event.StatePowerLevels || o.Status.Type == event.StateJoinRules) {
		n.rightsRefused(o)
	}
	status := bridgev2.MessageStatus{Status: event.MessageStatusSuccess}
	if err != nil {
		status = refusal(err)
		if err := n.tellSender(ctx, &status, o.statusInfo()); err != nil {
			return err
		}
	} else if o.msgID != "" {
		n.rename(ctx, o)
	}
	n.b.br.Matrix.SendMessageStatus(ctx, &status, o.statusInfo())
	return nil
}

// tellSender says in the room that a message has failed. The framework would do it
// too, but some time later, and never if the process dies before that.
func (n *network) tellSender(ctx context.Context, status *bridgev2.MessageStatus, info *bridgev2.MessageStatusEventInfo) error {
	if info.EventType == event.EventReaction {
		status.SendNotice = false // it would be more than the reaction
	}
	if !status.SendNotice || info.MessageType == event.MsgNotice {
		return nil
	}
	status.SendNotice = false
	ctx, cancel := context.WithTimeout(txnid.With(ctx, "failed/"+string(info.SourceEventID)), time.Minute)
	defer cancel()
	content := &event.Content{Parsed: status.ToNoticeEvent(info)}
	_, err := n.b.br.Bot.SendMessage(ctx, info.RoomID, event.EventMessage, content, nil)
	if refused(err) {
		n.log.Warn("somebody is not told that their message has failed", "event_id", info.SourceEventID, "error", err)
		return nil
	}
	return err
}

// rename gives a sent message the id that the network gave it, so that answers
// to it are known as such.
func (n *network) rename(ctx context.Context, o *outgoing) {
	row, err := n.b.br.DB.Message.GetPartByMXID(ctx, o.EventID)
	if err == nil && row != nil {
		row.ID = remoteIDIn(row.Room, o.msgID)
		err = n.b.br.DB.Message.Update(ctx, row)
	}
	if err != nil {
		n.log.Warn("answers to a message will not be known as such", "error", err)
	}
}

// refusal makes the status that a sender sees from an error.
func refusal(err error) bridgev2.MessageStatus {
	status := bridgev2.WrapErrorInStatus(err).WithStatus(event.MessageStatusFail).
		WithErrorReason(event.MessageStatusNetworkError).WithIsCertain(true).WithSendNotice(true).WithErrorAsMessage()
	var refused *session.Refusal
	switch {
	case errors.Is(err, errUncertain):
		status = status.WithIsCertain(false).WithStatus(event.MessageStatusRetriable)
	case errors.Is(err, errOutboxFull):
		status = status.WithStatus(event.MessageStatusRetriable)
	case errors.As(err, &refused):
		status = status.WithErrorReason(event.MessageStatusNoPermission).
			WithMessage("IRC refused it: " + refused.Text)
	case errors.Is(err, errTopicLocked):
		status = status.WithErrorReason(event.MessageStatusNoPermission)
	case errors.Is(err, errTooLong), errors.Is(err, errEmpty), errors.Is(err, errNotThere):
		status = status.WithErrorReason(event.MessageStatusUnsupported)
	}
	return status
}

// refuse tells the sender of an event that it does not go to IRC, and returns what
// the framework is to be told. The framework would tell the sender too, but in a
// goroutine for which nobody waits, and the event counts as handled by then.
func (n *network) refuse(ctx context.Context, evt *event.Event, err error) error {
	status := refusal(err)
	if err := n.tellSender(ctx, &status, bridgev2.StatusEventInfoFromEvent(evt)); err != nil {
		n.log.Error("somebody is not told that their message has failed", "event_id", evt.ID, "error", err)
		status.SendNotice = true // perhaps the framework can
	}
	return status
}
