package slack

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice/txnid"
)

// modeGone is the mode of a file that was deleted.
const modeGone = "tombstone"

// bridgeEdit has a room show a message as it is now, in a turn of the room: its text, and which of its files were deleted.
// Files do not change otherwise.
func (w *workspace) bridgeEdit(ctx context.Context, portal *bridgev2.Portal, m *message, sender networkid.UserID, version string) error {
	first := messageID(m.Channel, m.TS)
	row, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, first)
	if err != nil {
		return err
	}
	if row == nil {
		key := m.Channel + "/" + m.TS
		if !m.said() || !w.comes(key) && !w.mayCome(portal, m.Channel, m.TS) {
			return nil // it is older than the bridge
		}
		w.said.note(key, m.TS)
		return w.bridgeMessage(ctx, portal, m, sender) // the message itself comes later, or has its turn later, and is known then
	}
	meta := *metaOf(row)
	if meta.Content == m.content() || version < meta.Edited {
		return nil
	}
	ghost, err := portal.Bridge.GetGhostByID(ctx, sender)
	if err != nil {
		return err
	}
	// The first event is the text, or if there was none, or one file alone, the first file.
	fileFirst := len(m.Files) == meta.Files+1
	head := w.textPart(ctx, m)
	if fileFirst {
		head = withCaption(head, w.filePart(ctx, portal, ghost, m, &m.Files[0]))
	}
	if head == nil {
		head = &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: "(no text)"}}
	}
	for i := 1; i <= meta.Files; i++ {
		at := i
		if !fileFirst {
			at--
		}
		if at >= len(m.Files) || m.Files[at].Mode != modeGone {
			continue
		}
		id := networkid.MessageID(fmt.Sprintf("%s~%d", first, i))
		part, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, id)
		if err != nil {
			return err
		}
		if part == nil || metaOf(part).Content == modeGone {
			continue
		}
		if err := w.deliver(ctx, portal, editOf(portal, id, sender, version, w.filePart(ctx, portal, ghost, m, &m.Files[at]), modeGone)); err != nil {
			return err
		}
	}
	if text := cutBytes(head.Content.Body, maxMeta); meta.Files > 0 && len(text) < maxMeta && text == meta.Text {
		meta.Content = m.content() // the files alone have changed
		row.Metadata = &meta
		return portal.Bridge.DB.Message.Update(ctx, row)
	}
	return w.deliver(ctx, portal, editOf(portal, first, sender, version, head, m.content()))
}

// shows reports whether a message that was just sent says what it should. If an earlier run had sent it before it was edited, and died
// before it took note of that, the homeserver has taken this for a repetition.
func (w *workspace) shows(ctx context.Context, portal *bridgev2.Portal, row *database.Message, part *bridgev2.ConvertedMessagePart) bool {
	bot, ok := portal.Bridge.Bot.(*matrix.ASIntent)
	if !ok {
		return true
	}
	evt, err := bot.Matrix.GetEvent(ctx, portal.MXID, row.MXID)
	if err != nil || evt.Type.Type != event.EventMessage.Type {
		return false // it is encrypted, perhaps
	}
	body, _ := evt.Content.Raw["body"].(string)
	return body == part.Content.Body
}

// withCaption is a file with a text, either of which may be missing.
func withCaption(text, media *bridgev2.ConvertedMessagePart) *bridgev2.ConvertedMessagePart {
	if text == nil || media.Content.MsgType != event.MsgText {
		return bridgev2.MergeCaption(text, media)
	}
	text.Content.Body += "\n" + media.Content.Body
	text.Content.Format, text.Content.FormattedBody = "", ""
	return text
}

// editOf is the event by which a message becomes part; content tells this version from others.
func editOf(portal *bridgev2.Portal, id networkid.MessageID, sender networkid.UserID, version string, part *bridgev2.ConvertedMessagePart, content string) bridgev2.RemoteEvent {
	return &simplevent.Message[*bridgev2.ConvertedMessagePart]{
		EventMeta: simplevent.EventMeta{
			Type: bridgev2.RemoteEventEdit, PortalKey: portal.PortalKey, Sender: bridgev2.EventSender{Sender: sender}, Timestamp: tsTime(version),
			MutateContextFunc: func(ctx context.Context) context.Context { return txnid.With(ctx, string(id)+"/edit/"+version) },
		},
		Data: part, ID: id, TargetMessage: id,
		ConvertEditFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, rows []*database.Message, part *bridgev2.ConvertedMessagePart) (*bridgev2.ConvertedEdit, error) {
			meta := *metaOf(rows[0])
			meta.Content, meta.Text, meta.Edited = content, cutBytes(part.Content.Body, maxMeta), version
			rows[0].Metadata = &meta
			edited := part.ToEditPart(rows[0])
			edited.NewMentions = part.Content.Mentions
			return &bridgev2.ConvertedEdit{ModifiedParts: []*bridgev2.ConvertedEditPart{edited}}, nil
		},
	}
}
