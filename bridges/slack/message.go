package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/appservice/txnid"
)

// onMessage takes a message, or what happened to one, to its room.
func (w *workspace) onMessage(ctx context.Context, e *entry, m *message) {
	if m.Channel != "" && m.TS != "" && (m.Type2 == "im" || m.Type2 == "mpim") && !w.isBridged(m.Channel) {
		w.onDirect(ctx, e, m)
		return
	}
	if m.Channel == "" || m.TS == "" || !w.isBridged(m.Channel) {
		w.inbox.finish(e, "", "")
		return
	}
	switch m.Subtype {
	case "message_changed":
		w.onChange(ctx, e, m)
		return
	case "message_deleted":
		w.gone.note(m.Channel+"/"+m.DeletedTS, m.DeletedTS)
		w.onDelete(e, m.Channel, m.DeletedTS)
		return
	case "channel_topic", "group_topic", "channel_purpose", "group_purpose", "channel_name", "group_name",
		"channel_archive", "group_archive", "channel_unarchive", "group_unarchive",
		"channel_convert_to_private", "channel_convert_to_public", "group_convert_to_channel":
		if w.own(m.User, m.BotID) {
			break // the room is as it should be, and perhaps newer
		}
		w.refresh(ctx, e, m.Channel, m.User, m.TS)
		return
	}
	if m.said() {
		if key := m.Channel + "/" + m.TS; !w.ours(m) && w.gone.last(key) == "" {
			w.said.note(key, m.TS)
			w.showMessage(ctx, e, m)
			return
		}
		w.confirm(ctx, m) // what the bridge itself has said is there already
	}
	// Joins and leaves have events of their own; the rest is not to be seen in Slack
	// either. The channel is as far as this when its room has handled what came before.
	w.turn(m.Channel, e, m.TS, func(context.Context, *bridgev2.Portal) error { return nil })
}

// said reports whether a message is one that somebody has said, and not a note of something that has happened, or a change.
func (m *message) said() bool {
	switch m.Subtype {
	case "", "file_share", "me_message", "bot_message", "thread_broadcast", "file_mention", "file_comment", "huddle_thread", "reminder_add", "slackbot_response", "assistant_app_thread":
		return !m.Hidden && !m.Ephemeral
	}
	return false
}

// confirm takes note of where a file is that the bridge has sent, if Slack did not say so then.
func (w *workspace) confirm(ctx context.Context, m *message) {
	for _, f := range m.Files {
		event, err := w.b.store.expectedFile(ctx, f.ID, false)
		if err != nil || event == "" {
			continue
		}
		row, err := w.b.br.DB.Message.GetPartByMXID(ctx, event)
		if err == nil && row != nil && tsOf(row.ID) == "" {
			row.ID = messageID(m.Channel, m.TS)
			w.outbox.remember(event, m.TS)
			err = w.b.br.DB.Message.Update(ctx, row)
		}
		if err == nil {
			_, err = w.b.store.expectedFile(ctx, f.ID, true)
		}
		if err != nil {
			w.log.Error("a file that was sent cannot be found again", "file", f.ID, "error", err)
		}
	}
}

// ours reports whether a message was said by the bridge, as its bot or as somebody who is signed in.
func (w *workspace) ours(m *message) bool {
	return w.own(m.User, m.BotID) || m.AppID != "" && m.AppID == w.appID()
}

// showMessage sends a message into its room.
func (w *workspace) showMessage(ctx context.Context, e *entry, m *message) {
	w.marks.used(m.Channel)
	if root := w.olderRoot(ctx, m); root != nil {
		w.showMessage(ctx, nil, root)
	}
	sender := w.sender(ctx, m)
	w.turn(m.Channel, e, m.TS, func(ctx context.Context, portal *bridgev2.Portal) error {
		if sender == "" {
			return nil // nobody has said it
		}
		return w.bridgeMessage(ctx, portal, m, sender)
	})
	for _, e := range w.early.take(m.Channel + "/" + m.TS) {
		w.dispatch(ctx, e)
	}
}

// bridgeMessage sends what is not in a room yet of a message, in a turn of the room.
func (w *workspace) bridgeMessage(ctx context.Context, portal *bridgev2.Portal, m *message, sender networkid.UserID) error {
	first := messageID(m.Channel, m.TS)
	if part, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, first); err != nil {
		return err
	} else if part != nil && metaOf(part).Files == 0 {
		return nil
	}
	ghost, err := portal.Bridge.GetGhostByID(ctx, sender)
	if err != nil {
		return err
	}
	parts, err := w.convert(ctx, portal, ghost, m)
	if err != nil {
		return err
	}
	for i, part := range parts {
		id := first
		if i > 0 {
			id = networkid.MessageID(fmt.Sprintf("%s~%d", first, i))
		}
		converted := &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{part}}
		if root := m.ThreadTS; root != "" && root != m.TS {
			target := messageID(m.Channel, root)
			if m.Subtype == "thread_broadcast" {
				// It is to be seen in the channel, which a message in a thread is not.
				converted.ReplyTo = &networkid.MessageOptionalPartID{MessageID: target}
			} else {
				converted.ThreadRoot = &target
			}
		}
		msg := &simplevent.PreConvertedMessage{
			EventMeta: simplevent.EventMeta{
				Type: bridgev2.RemoteEventMessage, PortalKey: portal.PortalKey,
				Sender: bridgev2.EventSender{Sender: sender}, Timestamp: tsTime(m.TS),
				// The homeserver knows a repetition by this. After a crash the framework may
				// not know yet that it has sent the message.
				MutateContextFunc: func(ctx context.Context) context.Context { return txnid.With(ctx, string(id)) },
			},
			Data: converted, ID: id,
		}
		if err := w.deliver(ctx, portal, msg); err != nil {
			return err
		}
		row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, id)
		if err != nil {
			return err
		}
		if row == nil {
			return errNotTaken
		}
		if i == 0 && m.Edited.TS != "" && !w.shows(ctx, portal, row, part) {
			if err := w.deliver(ctx, portal, editOf(portal, id, sender, m.Edited.TS, part, m.content())); err != nil {
				return err
			}
		}
	}
	return nil
}

// onChange takes over an edit. Slack also says that a message has changed when a
// preview was added or a reply came, which changes nothing to be seen.
func (w *workspace) onChange(ctx context.Context, e *entry, m *message) {
	now := m.Message
	if now == nil || w.ours(now) {
		w.inbox.finish(e, "", "")
		return
	}
	now.Channel = m.Channel
	if now.Subtype == modeGone { // a deleted message whose replies remain
		w.gone.note(m.Channel+"/"+now.TS, now.TS)
		w.onDelete(e, m.Channel, now.TS)
		return
	}
	sender := w.sender(ctx, now)
	if sender == "" {
		w.inbox.finish(e, "", "")
		return
	}
	version := m.TS // not when it was edited: its files may have changed since
	w.turn(m.Channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		return w.bridgeEdit(ctx, portal, now, sender, version)
	})
}

// onDelete takes a message away, with the files that are messages of their own in
// Matrix.
func (w *workspace) onDelete(e *entry, channel, ts string) {
	w.turn(channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		first := messageID(channel, ts)
		row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, first)
		if err != nil || row == nil {
			return err
		}
		for i := metaOf(row).Files; i >= 0; i-- { // the first is the last: it knows of the others
			id := first
			if i > 0 {
				id = networkid.MessageID(fmt.Sprintf("%s~%d", first, i))
			}
			if err := w.deliver(ctx, portal, &simplevent.MessageRemove{
				EventMeta:     simplevent.EventMeta{Type: bridgev2.RemoteEventMessageRemove, PortalKey: portal.PortalKey},
				TargetMessage: id,
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// onReaction takes over a reaction, or that it was taken back.
func (w *workspace) onReaction(ctx context.Context, e *entry, r *reactionEvent, added bool) {
	if !w.isBridged(r.Item.Channel) || w.own(r.User, "") {
		w.inbox.finish(e, "", "")
		return
	}
	key := r.Item.Channel + "/" + r.Item.TS
	if what := key + "/" + r.User + "/" + r.Reaction; added && e.seq != 0 && w.unreacted.last(what) > r.EventTS {
		w.inbox.finish(e, "", "")
		return
	} else if !added {
		w.unreacted.note(what, r.EventTS)
	}
	w.introduce(ctx, r.User)
	kind := bridgev2.RemoteEventReactionRemove
	reaction := w.reaction(ctx, r.Reaction)
	if added {
		kind = bridgev2.RemoteEventReaction
	}
	id := messageID(r.Item.Channel, r.Item.TS)
	w.turn(r.Item.Channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		if soon := w.comes(key); soon && !e.waited || w.mayCome(portal, r.Item.Channel, r.Item.TS) {
			row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, id)
			if err != nil {
				return err
			}
			if row == nil {
				e.waited = soon
				w.wait(key, e)
				return nil
			}
		}
		err := w.deliver(ctx, portal, &simplevent.Reaction{
			EventMeta: simplevent.EventMeta{
				Type: kind, PortalKey: portal.PortalKey, Sender: bridgev2.EventSender{Sender: ghostID(r.User)}, Timestamp: tsTime(r.EventTS),
				MutateContextFunc: func(ctx context.Context) context.Context {
					return txnid.With(ctx, fmt.Sprintf("%s/%s/%s/%s", id, r.User, r.Reaction, r.EventTS))
				},
			},
			TargetMessage: id, EmojiID: networkid.EmojiID(r.Reaction), Emoji: reaction.key, ExtraContent: reaction.extra,
		})
		if added && appservice.HasReaction(err) {
			return appservice.AdoptReaction(ctx, portal, id, ghostID(r.User), networkid.EmojiID(r.Reaction), reaction.key)
		}
		return err
	})
}

// onPins sets a room's pinned events to what is pinned in its channel.
func (w *workspace) onPins(ctx context.Context, e *entry, channel string) {
	var resp struct {
		Items []struct {
			Message struct {
				TS string `json:"ts"`
			} `json:"message"`
		} `json:"items"`
	}
	if err := w.reader(channel).call(ctx, "pins.list", values("channel", channel), &resp); err != nil {
		w.log.Warn("pins are not shown", "channel", channel, "error", err)
		w.inbox.finish(e, "", "")
		return
	}
	w.turn(channel, e, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		if portal.MXID == "" || w.outbox.more(channel, doPins) {
			return nil // what waits to be pinned is in the room already
		}
		pinned := []id.EventID{}
		for i := len(resp.Items) - 1; i >= 0; i-- { // Slack has the newest first
			row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, messageID(channel, resp.Items[i].Message.TS))
			if err != nil {
				return err
			}
			if row != nil {
				pinned = append(pinned, row.MXID)
			}
		}
		was, others, err := w.pinnedNow(ctx, portal)
		if err != nil {
			return err
		}
		if pinned = append(others, pinned...); slices.Equal(was, pinned) {
			return nil
		}
		_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePinnedEvents, "", &event.Content{
			Parsed: &event.PinnedEventsEventContent{Pinned: pinned},
		}, time.Time{})
		return err
	})
}

// pinnedNow is what is pinned in a room, and what of it Slack cannot know.
func (w *workspace) pinnedNow(ctx context.Context, portal *bridgev2.Portal) (all, others []id.EventID, err error) {
	state, ok := portal.Bridge.Matrix.(bridgev2.MatrixConnectorWithArbitraryRoomState)
	if !ok {
		return nil, nil, nil
	}
	evt, err := state.GetStateEvent(ctx, portal.MXID, event.StatePinnedEvents, "")
	if errors.Is(err, mautrix.MNotFound) || err == nil && evt == nil {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if evt.Content.Parsed == nil && evt.Content.ParseRaw(event.StatePinnedEvents) != nil {
		return nil, nil, nil
	}
	content, ok := evt.Content.Parsed.(*event.PinnedEventsEventContent)
	if !ok {
		return nil, nil, nil
	}
	for _, e := range content.Pinned {
		row, err := portal.Bridge.DB.Message.GetPartByMXID(ctx, e)
		if err != nil {
			return nil, nil, err
		}
		if row == nil {
			others = append(others, e)
		}
	}
	return content.Pinned, others, nil
}
