package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

const (
	// maxText is how many bytes of text one message of Slack gets: Slack shows up to
	// 40,000 characters but advises 4,000, and edits take no more.
	maxText = 3900
	// maxUpload is the largest file, in bytes, that is sent; Slack's own limit is 1 GB.
	maxUpload = 256 << 20
	// maxName is the longest name that chat.postMessage takes.
	maxName = 80
	// maxPieces is how many messages of Slack one of Matrix may become.
	maxPieces = 20
)

var (
	errEmpty     = errors.New("there is nothing in the message that Slack can show")
	errTooLong   = errors.New("the message is too long for Slack")
	errNoChannel = errors.New("this room is not connected to a channel of this workspace")
	errFull      = errors.New("too many messages are waiting to be sent to Slack")
	errNotSent   = errors.New("the message that this is about has not been sent to Slack")
	errDeleted   = errors.New("the message was deleted before it was sent")
)

// HandleMatrixMessage implements bridgev2.NetworkAPI: it stores the message in the
// outbox and does not wait for Slack.
func (w *workspace) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	return w.takeMessage(ctx, msg, nil)
}

// takeMessage stores a message for the outbox, in the name of as, or of the bot if that is nil.
func (w *workspace) takeMessage(ctx context.Context, msg *bridgev2.MatrixMessage, as *person) (*bridgev2.MatrixMessageResponse, error) {
	if msg.Event.Unsigned.RedactedBecause != nil {
		return nil, refusal(errDeleted).WithSendNotice(false)
	}
	a, err := w.action(msg.Portal, msg.Event, doPost)
	if err != nil {
		return nil, refusal(err)
	}
	speaker := w.selfID()
	if a.Name, a.Icon = w.face(msg.OrigSender, msg.Event.Sender); as != nil {
		a.As, a.Name, speaker = string(as.login.ID), as.login.RemoteName, as.ghost()
	}
	a.Status.Msg = msg.Content.MsgType
	elements := w.elements(ctx, msg.Portal, msg.Event.Sender, msg.Content)
	text := format.Plain(elements)
	switch msg.Content.MsgType {
	case event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgSticker:
		a.Kind = doUpload
		a.File = &outFile{
			URL: msg.Content.URL, Encrypted: msg.Content.File, Name: firstNonEmpty(strings.TrimSpace(msg.Content.GetFileName()), "file"),
		}
		caption := msg.Content.FileName != "" && msg.Content.FileName != msg.Content.Body
		if text = a.File.Name; !caption {
			elements = nil
		}
	case event.MsgLocation:
		elements = append(elements, format.FromText(msg.Content.GeoURI, format.Slack{})...)
	}
	if msg.ThreadRoot != nil {
		a.Thread = msg.ThreadRoot.MXID
	} else if msg.ReplyTo != nil {
		elements = append(quoteOf(msg.ReplyTo), elements...)
	}
	if err := a.setText(elements); err != nil {
		return nil, refusal(err)
	}
	row := &database.Message{
		ID: pendingID(string(msg.Event.ID)), MXID: msg.Event.ID, Room: msg.Portal.PortalKey,
		SenderID: speaker, SenderMXID: msg.Event.Sender, Timestamp: time.UnixMilli(msg.Event.Timestamp),
		Metadata: &MessageMetadata{Name: a.Name, Text: cutBytes(text, maxMeta)},
	}
	if msg.ThreadRoot != nil {
		row.ThreadRoot = msg.ThreadRoot.ID
		if msg.ThreadRoot.ThreadRoot != "" {
			row.ThreadRoot = msg.ThreadRoot.ThreadRoot
		}
	}
	// The table of messages refers to that of ghosts.
	if _, err := w.b.br.GetGhostByID(ctx, row.SenderID); err != nil {
		return nil, fmt.Errorf("prepare to store a message: %w", err)
	}
	err = w.outbox.add(ctx, a, func(ctx context.Context) error { return w.b.br.DB.Message.Insert(ctx, row) })
	if err != nil && !errors.Is(err, errDuplicate) {
		return nil, refusal(err)
	}
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// action begins an action for an event.
func (w *workspace) action(portal *bridgev2.Portal, evt *event.Event, kind string) (*action, error) {
	channel := channelOf(portal.PortalKey)
	if channel == "" {
		return nil, errNoChannel
	}
	return &action{
		Kind: kind, Channel: channel, EventID: evt.ID,
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
	}, nil
}

// setText splits elements into as many messages as are needed.
func (a *action) setText(elements []format.Element) error {
	pieces := format.Split(elements, maxText)
	if len(pieces) == 0 && a.File == nil {
		return errEmpty
	}
	if len(pieces) > maxPieces {
		return errTooLong
	}
	for _, p := range pieces {
		a.Pieces = append(a.Pieces, piece{Text: format.ToMrkdwn(p), Elements: p})
	}
	return nil
}

// elements reads the text of a message.
func (w *workspace) elements(ctx context.Context, portal *bridgev2.Portal, sender id.UserID, content *event.MessageEventContent) []format.Element {
	to := format.Slack{
		User: func(user string) (string, bool) {
			ghost, ok := w.b.br.Matrix.ParseGhostMXID(id.UserID(user))
			if !ok || strings.HasPrefix(string(ghost), "b") {
				return "", false
			}
			return slackID(ghost), true
		},
		Channel: func(room string) (string, bool) {
			if !strings.HasPrefix(room, "!") {
				return "", false
			}
			p, err := w.b.br.GetPortalByMXID(ctx, id.RoomID(room))
			if err != nil || p == nil || channelOf(p.PortalKey) == "" {
				return "", false
			}
			return channelOf(p.PortalKey), true
		},
		Group:       w.dir.groupOf,
		CustomEmoji: w.dir.hasEmoji,
	}
	if w.cfg.Broadcast != "off" && content.Mentions != nil && content.Mentions.Room && w.mayNotify(ctx, portal, sender) {
		to.Room = w.cfg.Broadcast
	}
	var elements []format.Element
	if content.Format == event.FormatHTML && content.FormattedBody != "" {
		elements = format.FromHTML(content.FormattedBody, to)
	}
	if len(elements) == 0 {
		elements = format.FromText(content.Body, to)
	}
	if content.MsgType == event.MsgEmote {
		elements = format.Emphasize(elements)
	}
	return elements
}

// mayNotify reports whether somebody may alert everybody in a room. Client-Server API,
// "m.room.power_levels": "notifications: The power level requirements for specific
// notification types"; room: "Defaults to 50".
func (w *workspace) mayNotify(ctx context.Context, portal *bridgev2.Portal, user id.UserID) bool {
	levels, err := w.b.br.Matrix.GetPowerLevels(ctx, portal.MXID)
	return err == nil && levels.GetUserLevel(user) >= levels.Notifications.Room()
}

// quoteOf stands before a reply: Slack knows only threads.
func quoteOf(target *database.Message) []format.Element {
	meta := metaOf(target)
	if meta.Text == "" {
		return nil
	}
	text := []rune(strings.Join(strings.Fields(meta.Text), " "))
	if len(text) > 80 {
		text = append(text[:80], '…')
	}
	name := meta.Name
	if name != "" {
		name += ": "
	}
	return []format.Element{{Type: format.Quote, Inlines: []format.Inline{
		{Type: "text", Text: name, Style: &format.Style{Bold: true}}, {Type: "text", Text: string(text)},
	}}}
}

// face returns the name and picture under which somebody speaks in Slack.
func (w *workspace) face(orig *bridgev2.OrigSender, sender id.UserID) (name, icon string) {
	if orig != nil {
		name = firstNonEmpty(orig.DisambiguatedName, orig.Displayname)
		if media, ok := w.b.br.Matrix.(bridgev2.MatrixConnectorWithPublicMedia); ok && orig.AvatarURL != "" {
			icon = media.GetPublicMediaAddress(orig.AvatarURL)
		}
	}
	return cleanName(name, string(sender)), icon
}

// cleanName makes a name fit for Slack: one line, visible, not too long.
func cleanName(name, otherwise string) string {
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if !strings.ContainsFunc(name, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r) }) {
		name = otherwise
	}
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName-1]) + "…"
	}
	return name
}

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI.
func (w *workspace) HandleMatrixEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	return w.takeEdit(ctx, msg, nil)
}

// takeEdit stores an edit for the outbox. What was said by the bot is edited by the bot.
func (w *workspace) takeEdit(ctx context.Context, msg *bridgev2.MatrixEdit, as *person) error {
	if msg.Event.Unsigned.RedactedBecause != nil {
		return refusal(errDeleted).WithSendNotice(false)
	}
	a, err := w.action(msg.Portal, msg.Event, doEdit)
	if err != nil {
		return refusal(err)
	}
	a.Target = msg.EditTarget.MXID
	a.Name, a.Icon = w.face(msg.OrigSender, msg.Event.Sender)
	if as != nil && msg.EditTarget.SenderID == as.ghost() {
		a.As = string(as.login.ID)
	}
	elements := w.elements(ctx, msg.Portal, msg.Event.Sender, msg.Content)
	if err := a.setText(elements); err != nil {
		return refusal(err)
	}
	if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
		return refusal(err)
	}
	meta := *metaOf(msg.EditTarget)
	meta.Text = cutBytes(format.Plain(elements), maxMeta)
	msg.EditTarget.Metadata = &meta
	return nil
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI.
func (w *workspace) HandleMatrixMessageRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	return w.takeRemove(ctx, msg, nil)
}

// takeRemove stores a deletion for the outbox.
func (w *workspace) takeRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove, as *person) error {
	a, err := w.action(msg.Portal, msg.Event, doDelete)
	if err != nil {
		return refusal(err)
	}
	a.Target = msg.TargetMessage.MXID
	if as != nil && msg.TargetMessage.SenderID == as.ghost() {
		a.As = string(as.login.ID)
	}
	// The framework forgets the message now, so what is known of it goes with the action.
	if ts := tsOf(msg.TargetMessage.ID); ts != "" {
		a.TS = append([]string{ts}, metaOf(msg.TargetMessage).More...)
		w.gone.note(a.Channel+"/"+ts, ts) // should something of it come late
	}
	if err := w.outbox.add(ctx, a, nil); err != nil && !errors.Is(err, errDuplicate) {
		return refusal(err)
	}
	return nil
}

// refusal makes the status that a sender sees from an error.
func refusal(err error) bridgev2.MessageStatus {
	status := bridgev2.WrapErrorInStatus(err).WithStatus(event.MessageStatusFail).
		WithErrorReason(event.MessageStatusNetworkError).WithIsCertain(true).WithSendNotice(true).WithErrorAsMessage()
	switch {
	case errors.Is(err, errFull):
		status = status.WithStatus(event.MessageStatusRetriable)
	case errors.Is(err, errEmpty), errors.Is(err, errTooLong):
		status = status.WithErrorReason(event.MessageStatusUnsupported)
	}
	if c := code(err); c != "" {
		status = status.WithMessage("Slack refused it: " + explain(c))
	}
	return status
}

// explain says what an error code of Slack means to who has sent a message.
func explain(code string) string {
	switch code {
	case "not_in_channel", "channel_not_found":
		return "the bridge is not in the channel any more"
	case "is_archived":
		return "the channel is archived"
	case "msg_too_long", "msg_blocks_too_long":
		return "the message is too long"
	case "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel":
		return "the workspace does not let the bridge post there"
	case "missing_scope":
		return "the app lacks a permission (scope); its administrator must add it"
	case "too_long":
		return "it is longer than Slack lets it be"
	case "message_not_found", "cant_update_message", "cant_delete_message", "edit_window_closed":
		return "the message cannot be changed in Slack any more"
	}
	return code
}
