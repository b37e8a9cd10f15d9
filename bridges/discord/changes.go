package discord

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/util/variationselector"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// onEdit takes a change of a message to its room.
func (n *bot) onEdit(ctx context.Context, e *entry, at place, room, thread wire.ID) {
	var m wire.Message
	if !n.decode(e, &m) || m.ID == "" || m.Author.ID == "" || n.isOurs(&m) {
		n.inbox.done(handled{seq: e.seq}) // of a part of a message, or our own
		return
	}
	m.GuildID = at.GuildID
	author := authorID(&m)
	id := messageID(m.ID)
	edit := &simplevent.Message[*wire.Message]{
		EventMeta: n.meta(bridgev2.RemoteEventEdit, channelKey(room), time.Now(), author), Data: &m, ID: id, TargetMessage: id,
	}
	if !m.Edited.IsZero() {
		edit.Timestamp = m.Edited.Time
	}
	edit.Sender.ForceEditOrigSender = true
	edit.MutateContextFunc = with("edit/" + string(m.ID) + "/" + strconv.FormatInt(e.seq, 10))
	edit.ConvertEditFunc = func(ctx context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, existing []*database.Message, m *wire.Message) (*bridgev2.ConvertedEdit, error) {
		return n.convertEdit(ctx, existing, m, room)
	}
	n.turn(e, room, func(ctx context.Context, portal *bridgev2.Portal) error { return n.deliver(ctx, portal, edit) })
}

// convertEdit finds what of a message has changed.
func (n *bot) convertEdit(ctx context.Context, existing []*database.Message, m *wire.Message, room wire.ID) (*bridgev2.ConvertedEdit, error) {
	out := &bridgev2.ConvertedEdit{}
	for _, row := range existing {
		switch {
		case row.PartID == "":
			meta := *metaOf(row)
			var at int64
			if !m.Edited.IsZero() {
				at = m.Edited.UnixMilli()
			}
			if meta.Hash == n.hashOf(m, room) || !n.hasText(m) || at != 0 && at < meta.Edited {
				continue // the last of these: an edit before one that came earlier
			}
			content := n.textContent(ctx, m, room)
			if meta.Hash == "" && meta.Text == cutBytes(content.Body, maxMeta) {
				continue // an export brought it so
			}
			meta.Hash, meta.Text = n.hashOf(m, room), cutBytes(content.Body, maxMeta)
			meta.Edited = max(at, meta.Edited)
			row.Metadata = &meta
			out.ModifiedParts = append(out.ModifiedParts, &bridgev2.ConvertedEditPart{Part: row, Type: event.EventMessage, Content: content})
		case strings.HasPrefix(string(row.PartID), "a") && len(m.Snapshots) == 0:
			if !slices.ContainsFunc(m.Attachments, func(a wire.Attachment) bool { return networkid.PartID("a"+a.ID) == row.PartID }) {
				out.DeletedParts = append(out.DeletedParts, row)
			}
		}
	}
	if len(out.ModifiedParts)+len(out.DeletedParts) == 0 {
		return nil, bridgev2.ErrIgnoringRemoteEvent
	}
	return out, nil
}

// onReaction takes a change of reactions to its room.
func (n *bot) onReaction(ctx context.Context, e *entry, at place, room wire.ID) {
	var r wire.ReactionEvent
	if !n.decode(e, &r) || r.MessageID == "" || r.UserID != "" && r.UserID == n.self {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	switch e.kind {
	case "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		n.clearReactions(ctx, e, &r, room)
		return
	}
	if r.UserID == "" || r.Emoji.Name == "" && r.Emoji.ID == "" {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if n.reacted.older(e, &r) {
		n.inbox.done(handled{seq: e.seq})
		return
	}
	if n.early(ctx, e, room, r.MessageID) {
		return
	}
	kind := bridgev2.RemoteEventReaction
	if e.kind == "MESSAGE_REACTION_REMOVE" {
		kind = bridgev2.RemoteEventReactionRemove
	} else if r.Member != nil && r.Member.User.ID != "" {
		n.meet(ctx, at.GuildID, room, userID(r.UserID), r.Member.User, r.Member)
	}
	ev := &simplevent.Reaction{
		EventMeta:     n.meta(kind, channelKey(room), time.Now(), userID(r.UserID)),
		TargetMessage: n.firstPart(ctx, r.MessageID), EmojiID: emojiID(r.Emoji),
	}
	ev.Emoji, ev.ExtraContent = n.reactionKey(ctx, r.Emoji)
	ev.MutateContextFunc = with("reaction/" + strconv.FormatInt(e.seq, 10) + "/" + string(r.MessageID) + "/" + string(r.UserID) + "/" + string(ev.EmojiID))
	n.turn(e, room, func(ctx context.Context, portal *bridgev2.Portal) error {
		err := n.deliver(ctx, portal, ev)
		if kind == bridgev2.RemoteEventReaction && appservice.HasReaction(err) {
			return appservice.AdoptReaction(ctx, portal, ev.TargetMessage, ev.Sender.Sender, ev.EmojiID, ev.Emoji)
		}
		return err
	})
}

// turn has something be done in a turn of a room, again and again until it succeeds or is refused for good.
func (n *bot) turn(e *entry, room wire.ID, f func(context.Context, *bridgev2.Portal) error) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		if n.insist(ctx, func() error { return f(ctx, portal) }) {
			n.inbox.done(handled{seq: e.seq})
		}
	}
	n.queue(&meta)
}

// deliver has the framework handle an event, in a turn of its room.
func (n *bot) deliver(ctx context.Context, portal *bridgev2.Portal, ev bridgev2.RemoteEvent) error {
	if m, ok := ev.(bridgev2.RemoteEventWithContextMutation); ok {
		ctx = m.MutateContext(ctx)
	}
	//lint:ignore SA1019 the portal's queue has no way to say that handling failed, and nothing must be lost
	res := portal.Internal().HandleRemoteEvent(ctx, n.login, ev.GetType(), ev)
	switch {
	case res.Success || res.Ignored:
		return nil
	case res.Error != nil:
		return res.Error
	}
	return errNotTaken
}

// clearReactions takes reactions away that a moderator has removed.
func (n *bot) clearReactions(_ context.Context, e *entry, r *wire.ReactionEvent, room wire.ID) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		parts, err := portal.Bridge.DB.Message.GetAllPartsByID(ctx, portal.Receiver, messageID(r.MessageID))
		if err != nil || len(parts) == 0 {
			return
		}
		list, err := portal.Bridge.DB.Reaction.GetAllToMessage(ctx, portal.Receiver, messageID(r.MessageID))
		if err != nil {
			n.log.Error("reactions are not removed", "error", err)
			return
		}
		for _, reaction := range list {
			if e.kind == "MESSAGE_REACTION_REMOVE_EMOJI" && reaction.EmojiID != emojiID(r.Emoji) {
				continue
			}
			_, err := portal.Bridge.Bot.SendMessage(ctx, portal.MXID, event.EventRedaction, &event.Content{
				Parsed: &event.RedactionEventContent{Redacts: reaction.MXID},
			}, nil)
			if err == nil {
				err = portal.Bridge.DB.Reaction.Delete(ctx, reaction)
			}
			if err != nil {
				n.log.Error("a reaction is not removed", "error", err)
			}
		}
	}
	meta.PostHandleFunc = n.finish(e, handled{})
	n.queue(&meta)
}

// emojiID names an emoji in the framework's tables.
func emojiID(e wire.Emoji) networkid.EmojiID {
	if e.ID != "" {
		return networkid.EmojiID(e.ID)
	}
	return networkid.EmojiID(variationselector.Remove(e.Name))
}

// reactionKey is an emoji as a reaction in Matrix: itself, or the address of a custom
// one with its name beside it.
func (n *bot) reactionKey(ctx context.Context, e wire.Emoji) (string, map[string]any) {
	if e.ID == "" {
		return variationselector.FullyQualify(e.Name), nil
	}
	name := ":" + e.Name + ":"
	mxc := n.emojiMXC(ctx, e)
	if mxc == "" {
		return name, nil
	}
	return mxc, map[string]any{"com.beeper.reaction.shortcode": name, "shortcode": name}
}

// onPins takes the pins of a channel over.
func (n *bot) onPins(ctx context.Context, e *entry, room, channel wire.ID) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PreHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) {
		var pins wire.List[wire.Message]
		if channel != room {
			return // of a thread: a room has one list alone
		}
		if err := n.api.Do(ctx, "GET", "/channels/"+string(channel)+"/pins", "", nil, &pins); err != nil {
			n.log.Warn("the pins of a channel cannot be fetched", "channel", channel, "error", err)
			return
		}
		content := &event.PinnedEventsEventContent{Pinned: []id.EventID{}}
		for _, m := range slices.Backward(pins) {
			row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, messageID(m.ID))
			if err == nil && row != nil && !row.HasFakeMXID() {
				content.Pinned = append(content.Pinned, row.MXID)
			}
		}
		if _, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StatePinnedEvents, "", &event.Content{Parsed: content}, time.Time{}); err != nil {
			n.log.Warn("the pins of a room are not set", "error", err)
		}
	}
	meta.PostHandleFunc = n.finish(e, handled{})
	n.queue(&meta)
}
