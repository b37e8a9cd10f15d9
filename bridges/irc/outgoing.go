package irc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/format"
)

// maxLines is the most lines that one message may become.
const maxLines = 50

var (
	errTooLong   = errors.New("the message is too long for IRC")
	errEmpty     = errors.New("there is nothing in the message that IRC can show")
	errNoChannel = errors.New("this room is not connected to an IRC channel")
)

// HandleMatrixMessage implements bridgev2.NetworkAPI: it stores the message in
// the outbox and does not wait for the network.
func (n *network) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	if err := n.takeMessage(ctx, msg); err != nil {
		return nil, n.refuse(ctx, msg.Event, err)
	}
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

func (n *network) takeMessage(ctx context.Context, msg *bridgev2.MatrixMessage) error {
	name := senderName(msg.OrigSender, msg.Event.Sender)
	to, err := n.targetOf(msg.Portal, msg.Event, name)
	if err != nil {
		return err
	}
	lines, err := n.convert(ctx, msg.Content)
	if err != nil {
		return err
	}
	// What is kept is the sender's own words: a quote of a quote, or a correction of one, would say
	// more than anybody said.
	text := cutBytes(format.Plain(strings.Join(lines, " ")), maxMeta)
	var tags map[string]string
	if msg.ReplyTo != nil {
		if id := networkID(msg.ReplyTo); id != "" && to.box.session.ClientTag("draft/reply") {
			tags = map[string]string{"+draft/reply": id, "+reply": id}
			lines[0] = n.address(msg.ReplyTo) + lines[0]
		} else {
			lines[0] = n.quote(msg.ReplyTo) + lines[0]
		}
	}
	if lines, err = n.shorten(ctx, to, msg.Event, name, lines); err != nil {
		return err
	}
	o := n.outgoing(to, msg.Event, msg.Content, name, lines)
	o.Tags = tags
	if to.puppet == nil {
		n.speakers.heard(to.name, name, msg.Event.Sender)
	}
	row := &database.Message{
		ID: networkid.MessageID("m/" + string(msg.Event.ID)), MXID: msg.Event.ID, Room: msg.Portal.PortalKey,
		SenderID: selfID(n.cfg.ID), SenderMXID: msg.Event.Sender, Timestamp: eventTime(msg.Event),
		Metadata: &MessageMetadata{Name: relayName(name, string(msg.Event.Sender)), Text: text},
	}
	if msg.ReplyTo != nil {
		row.ReplyTo = networkid.MessageOptionalPartID{MessageID: msg.ReplyTo.ID, PartID: &msg.ReplyTo.PartID}
	}
	// The table of messages refers to that of ghosts.
	if _, err := n.b.br.GetGhostByID(ctx, row.SenderID); err != nil {
		return fmt.Errorf("prepare to store a message: %w", err)
	}
	fresh, err := n.take(ctx, to.box, o, func(ctx context.Context) error { return n.b.br.DB.Message.Insert(ctx, row) })
	if err != nil {
		return err
	}
	if fresh && !to.connected(n) {
		n.b.br.Matrix.SendMessageStatus(ctx, &bridgev2.MessageStatus{
			Status: event.MessageStatusPending, ErrorReason: event.MessageStatusNetworkError,
			Message: fmt.Sprintf("%s is not connected at the moment; the message is sent when it is back", n.cfg.Name),
		}, o.statusInfo())
	}
	return nil
}

// take stores something in the outbox; fresh says that it was not there before. A
// database that is too busy is tried again: the event counts as handled afterwards,
// whatever comes of it.
func (n *network) take(ctx context.Context, box *outbox, o *outgoing, with func(context.Context) error) (fresh bool, err error) {
	var waited time.Duration
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := box.add(ctx, o, with)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, errDuplicate):
			return false, nil
		case errors.Is(err, errOutboxFull), ctx.Err() != nil, waited > maxTake:
			return false, err
		}
		n.log.Warn("a message is not stored, trying again", "event_id", o.EventID, "error", err, "in", wait)
		waited += wait
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// maxTake is how long a message waits to be stored; see maxInsist.
const maxTake = 2 * time.Minute

// outgoing makes the entry for the outbox.
func (n *network) outgoing(to *target, evt *event.Event, content *event.MessageEventContent, name string, lines []string) *outgoing {
	o := &outgoing{
		EventID: evt.ID, Channel: to.name, Command: "PRIVMSG", Lines: lines,
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Msg: content.MsgType, Sender: evt.Sender}, At: time.Now().UTC(),
	}
	if content.MsgType == event.MsgNotice {
		o.Command = "NOTICE"
	}
	if to.puppet != nil {
		if content.MsgType == event.MsgEmote {
			o.Prefix, o.Suffix = "\x01ACTION ", "\x01"
		}
		return o
	}
	o.Prefix = expandRelay(n.cfg.RelayFormat, name, evt.Sender)
	if n.cfg.RelayMsg && content.MsgType != event.MsgEmote && o.Command == "PRIVMSG" {
		o.RelayNick = relayNick(name, evt.Sender)
	}
	switch content.MsgType {
	case event.MsgEmote:
		// An action of the bridge's own nick would name two people.
		o.Prefix = "* " + expandRelay("{name}", name, evt.Sender) + " "
	}
	return o
}

// convert makes the lines of a message, without who says it.
func (n *network) convert(ctx context.Context, content *event.MessageEventContent) ([]string, error) {
	var lines []string
	switch content.MsgType {
	case event.MsgText, event.MsgNotice, event.MsgEmote:
		lines = n.convertText(content)
	case event.MsgLocation:
		lines = format.FromText(content.Body + " " + content.GeoURI)
	case event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgSticker:
		link, err := n.mediaLink(ctx, content)
		if err != nil {
			return nil, err
		}
		lines = append(format.FromText(link), n.caption(content)...)
	default:
		lines = format.FromText(content.Body)
	}
	switch {
	case len(lines) == 0:
		return nil, errEmpty
	}
	return lines, nil
}

func (n *network) convertText(content *event.MessageEventContent) []string {
	if content.Format == event.FormatHTML && content.FormattedBody != "" {
		if lines := format.FromHTML(content.FormattedBody, format.Options{Mention: n.mention}); len(lines) > 0 {
			return lines
		}
	}
	return format.FromText(content.Body)
}

// mention returns the nick of a ghost of this network.
func (n *network) mention(user string) (string, bool) {
	ghost, ok := n.b.br.Matrix.ParseGhostMXID(id.UserID(user))
	if !ok {
		return "", false
	}
	if nick, ok := n.ids.nick(ghost); ok {
		return nick, true
	}
	network, nick, ok := splitGhost(ghost)
	return nick, ok && network == n.cfg.ID && nick != ""
}

func (n *network) caption(content *event.MessageEventContent) []string {
	if content.FileName == "" || content.FileName == content.Body {
		return nil
	}
	return n.convertText(content)
}

// mediaLink describes a file in one line with an address to get it from.
func (n *network) mediaLink(ctx context.Context, content *event.MessageEventContent) (string, error) {
	link := ""
	if media, ok := n.b.br.Matrix.(bridgev2.MatrixConnectorWithPublicMedia); ok {
		if address, err := media.GetPublicMediaAddressForEvent(ctx, content); err == nil {
			link = address
		}
	}
	if link == "" && n.b.cfg.PublicMediaURL != "" && content.File == nil {
		if uri, err := content.URL.Parse(); err == nil && uri.IsValid() {
			link = strings.TrimSuffix(n.b.cfg.PublicMediaURL, "/") + "/_matrix/media/v3/download/" + uri.Homeserver + "/" + uri.FileID
		}
	}
	if link == "" {
		return "", errors.New("there is no public address for files: public media is off and public_media_url is not set")
	}
	name := strings.TrimSpace(content.GetFileName())
	if name == "" {
		name = "file"
	}
	if content.Info != nil && content.Info.Size > 0 {
		name += " (" + byteSize(int64(content.Info.Size)) + ")"
	}
	return name + ": " + link, nil
}

func byteSize(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d kB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// maxQuote is the longest quote, in characters, before a reply.
const maxQuote = 50

// address stands before a reply where people see what it answers.
func (n *network) address(target *database.Message) string {
	name := metaOf(target).Name
	if nick, ok := n.ids.nick(target.SenderID); ok {
		name = nick
	} else if target.SenderID == selfID(n.cfg.ID) {
		name = noPing(name)
	}
	if name == "" {
		return ""
	}
	return name + ": "
}

// quote stands before a reply: the nick, so that its owner is alerted, and the
// beginning of what was said.
func (n *network) quote(target *database.Message) string {
	meta := metaOf(target)
	name := meta.Name
	if nick, ok := n.ids.nick(target.SenderID); ok {
		name = nick // as they are called now
	} else if target.SenderID == selfID(n.cfg.ID) {
		name = noPing(name)
	}
	if name == "" {
		return ""
	}
	if meta.Text == "" {
		return name + ": "
	}
	text := []rune(meta.Text)
	if len(text) > maxQuote {
		text = append([]rune(strings.TrimSpace(string(text[:maxQuote]))), '…')
	}
	return fmt.Sprintf("%s: “%s” — ", name, string(text))
}

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI: IRC cannot edit,
// so a correction is said.
func (n *network) HandleMatrixEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	if err := n.takeEdit(ctx, msg); err != nil {
		return n.refuse(ctx, msg.Event, err)
	}
	return nil
}

func (n *network) takeEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	name := senderName(msg.OrigSender, msg.Event.Sender)
	to, err := n.targetOf(msg.Portal, msg.Event, name)
	if err != nil {
		return err
	}
	lines, err := n.convert(ctx, msg.Content)
	if err != nil {
		return err
	}
	meta := *metaOf(msg.EditTarget)
	text := format.Plain(strings.Join(lines, " "))
	if cutBytes(text, maxMeta) == meta.Text {
		return nil // nothing that shows on IRC was changed
	}
	if short := correction(meta.Text, text); short != "" && len(meta.Text) < maxMeta {
		lines = []string{short}
	} else {
		lines[0] = "(edited) " + lines[0]
	}
	if lines, err = n.shorten(ctx, to, msg.Event, name, lines); err != nil {
		return err
	}
	o := n.outgoing(to, msg.Event, msg.Content, name, lines)
	if fresh, err := n.take(ctx, to.box, o, nil); err != nil || !fresh {
		return err
	}
	meta.Text = cutBytes(text, maxMeta)
	msg.EditTarget.Metadata = &meta
	return nil
}

// correction returns s/old/new/ for a small change of one place in a text, or
// nothing if the whole text says it better.
func correction(before, after string) string {
	if before == "" || after == "" || strings.ContainsAny(before+after, "/\n") {
		return ""
	}
	a, b := strings.Split(before, " "), strings.Split(after, " ")
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	if start+end == 0 {
		return "" // all of it is new
	}
	from, to := a[start:len(a)-end], b[start:len(b)-end]
	if len(from) == 0 || len(to) == 0 {
		// Words were only put in or taken out: a neighbour shows where.
		if start > 0 {
			start--
		} else {
			end--
		}
		from, to = a[start:len(a)-end], b[start:len(b)-end]
	}
	x, y := strings.Join(from, " "), strings.Join(to, " ")
	if utf8.RuneCountInString(x)+utf8.RuneCountInString(y) > 60 || len(x)+len(y) >= len(after) && len(a) > 3 {
		return ""
	}
	return "s/" + x + "/" + y + "/"
}

func eventTime(evt *event.Event) time.Time { return time.UnixMilli(evt.Timestamp) }
