package discord

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// maxParts is the most messages that one may become.
const maxParts = 10

var (
	errTooLong   = fmt.Errorf("the message is too long for Discord: it would be more than %d messages there", maxParts)
	errEmpty     = errors.New("there is nothing in the message that Discord can show")
	errTooLarge  = errors.New("the file is too large for Discord, and there is no public address for a link to it: public_media_url is not set")
	errReadOnly  = errors.New("on Discord not everybody may write in this channel")
	errNoChannel = errors.New("this room is not connected to a Discord channel")
)

// channelOf returns the channel of a portal, if somebody from Matrix may write in it: everybody may, or they may as who they are
// on Discord.
func (n *bot) channelOf(ctx context.Context, portal *bridgev2.Portal, sender id.UserID) (wire.Channel, error) {
	_, id := splitPortal(portal.ID)
	ch, ok := n.guilds.channel(id)
	if !ok {
		// Discord is away: what is there is known when it is back.
		if id.Uint() != 0 {
			ch.ID = id
			if meta, ok := portal.Metadata.(*PortalMetadata); ok && meta.Parent != "" {
				ch.ParentID, ch.Type = meta.Parent, wire.ThreadPublic
			}
			return ch, nil
		}
		return ch, errNoChannel
	}
	may := true
	n.guilds.read(ch.GuildID, func(g *guild) { may = g.common(&ch)&permSend != 0 })
	if !may && !n.writesAs(n.personOf(ctx, sender), &ch) {
		return ch, errReadOnly
	}
	return ch, nil
}

// writesAs reports whether a person of Discord may write in a channel.
func (n *bot) writesAs(person wire.ID, ch *wire.Channel) (may bool) {
	if person == "" {
		return false
	}
	n.guilds.read(ch.GuildID, func(g *guild) {
		if m, ok := g.members[person]; ok {
			may = g.permissions(person, m.Roles, ch)&permSend != 0
		}
	})
	return may
}

// queueOf is the channel in whose queue something for a channel or a thread waits: that of the webhook.
func queueOf(ch *wire.Channel) wire.ID {
	if ch.IsThread() {
		return ch.ParentID
	}
	return ch.ID
}

// HandleMatrixMessage implements bridgev2.NetworkAPI: it stores the message in the
// outbox and does not wait for Discord.
func (n *bot) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	ch, err := n.channelOf(ctx, msg.Portal, msg.Event.Sender)
	if err != nil {
		return nil, refusal(err)
	}
	j := n.newJob(jobMessage, queueOf(&ch), msg.Event, msg.OrigSender)
	j.Status.Msg = msg.Content.MsgType
	text, err := n.convert(ctx, j, msg.Portal, msg.Content)
	if err != nil {
		return nil, refusal(err)
	}
	plain := cutBytes(msg.Content.Body, maxMeta)
	if j.Parts, err = n.split(n.quote(ctx, j, &ch, msg.ReplyTo, msg.Content.Mentions)+text, j.File != nil); err != nil {
		return nil, refusal(err)
	}
	var threadRoot networkid.MessageID
	switch {
	case ch.IsThread():
		j.RootID = ch.ID
	case msg.ThreadRoot != nil:
		threadRoot = msg.ThreadRoot.ID
		if msg.ThreadRoot.ThreadRoot != "" {
			threadRoot = msg.ThreadRoot.ThreadRoot
		}
		if strings.HasPrefix(string(threadRoot), pendingPrefix) || msg.ThreadRoot.SenderID == selfID {
			j.Root = msg.ThreadRoot.MXID
		} else {
			j.RootID = wire.ID(threadRoot)
		}
		j.Title = title(metaOf(msg.ThreadRoot).Text)
	case ch.IsForum():
		j.Post, j.Title, j.Tags = true, title(plain), tagsOf(&ch, plain)
	}
	row := &database.Message{
		ID: pendingID(msg.Event.ID), MXID: msg.Event.ID, Room: msg.Portal.PortalKey, SenderID: selfID, SenderMXID: msg.Event.Sender,
		Timestamp: time.UnixMilli(msg.Event.Timestamp), ThreadRoot: threadRoot,
		Metadata: &MessageMetadata{Channel: ch.ID, Name: j.Name, Text: plain},
	}
	if msg.ReplyTo != nil {
		row.ReplyTo = networkid.MessageOptionalPartID{MessageID: msg.ReplyTo.ID, PartID: &msg.ReplyTo.PartID}
	}
	// The table of messages refers to that of ghosts.
	if _, err := n.b.br.GetGhostByID(ctx, selfID); err != nil {
		return nil, fmt.Errorf("prepare to store a message: %w", err)
	}
	err = n.outbox.add(ctx, j, func(ctx context.Context) error { return n.b.br.DB.Message.Insert(ctx, row) })
	if err != nil && !errors.Is(err, errDuplicate) {
		return nil, refusal(err)
	}
	return &bridgev2.MatrixMessageResponse{Pending: true}, nil
}

// newJob makes a job of an event.
func (n *bot) newJob(kind jobKind, channel wire.ID, evt *event.Event, orig *bridgev2.OrigSender) *job {
	j := &job{
		Kind: kind, Channel: channel, EventID: evt.ID,
		Status: eventInfo{RoomID: evt.RoomID, Type: evt.Type, Sender: evt.Sender},
		Name:   evt.Sender.Localpart(),
	}
	if orig != nil {
		switch {
		case orig.RequiresDisambiguation && orig.DisambiguatedName != "":
			j.Name = orig.DisambiguatedName
		case orig.Displayname != "":
			j.Name = orig.Displayname
		}
		if orig.AvatarURL != "" {
			j.Avatar = n.publicLink(context.Background(), orig.AvatarURL, nil)
		}
	}
	j.Name = webhookUser(j.Name, evt.Sender.Localpart())
	return j
}

// webhookUser makes a name that Discord takes for a webhook: 1 to 80 characters, and
// without the words that it forbids.
func webhookUser(name, otherwise string) string {
	clean := func(s string) string {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return ' '
			}
			return r
		}, s)
		return strings.Join(strings.Fields(s), " ")
	}
	name = clean(name)
	if !strings.ContainsFunc(name, unicode.IsGraphic) {
		name = clean(otherwise)
	}
	for forbiddenName(name) {
		low := strings.ToLower(name)
		if len(low) != len(name) {
			name = low
		}
		for _, word := range []string{"discord", "clyde"} {
			if i := strings.Index(low, word); i >= 0 {
				name = name[:i+3] + "-" + name[i+3:]
				break
			}
		}
	}
	if name == "" {
		name = "Matrix"
	}
	return cutRunes(name, 80)
}

// title makes the title of a thread.
func title(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		line = "Thread"
	}
	return cutRunes(line, 80)
}

// convert makes the text of a message, and notes its file.
func (n *bot) convert(ctx context.Context, j *job, portal *bridgev2.Portal, content *event.MessageEventContent) (string, error) {
	switch content.MsgType {
	case event.MsgText, event.MsgNotice:
		return n.convertText(ctx, j, portal, content), nil
	case event.MsgEmote:
		text := n.convertText(ctx, j, portal, content)
		if !strings.ContainsAny(text, "_*\n`") {
			return "_" + text + "_", nil
		}
		return `\* ` + text, nil
	case event.MsgLocation:
		return format.FromText(content.Body).Text + "\n" + mapLink(content.GeoURI), nil
	case event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgSticker, "":
		if content.URL == "" && content.File == nil {
			return n.convertText(ctx, j, portal, content), nil
		}
		return n.convertFile(ctx, j, portal, content)
	}
	return format.FromText(content.Body).Text, nil
}

func (n *bot) convertFile(ctx context.Context, j *job, portal *bridgev2.Portal, content *event.MessageEventContent) (string, error) {
	caption := ""
	if content.FileName != "" && content.FileName != content.Body {
		caption = n.convertText(ctx, j, portal, content)
	}
	name := filepath.Base(strings.TrimSpace(content.GetFileName()))
	if name == "." || name == "/" {
		name = "file"
	}
	mimeType := content.GetInfo().MimeType
	if filepath.Ext(name) == "" && mimeType != "" {
		if list, err := mime.ExtensionsByType(mimeType); err == nil && len(list) > 0 {
			name += list[0]
		}
	}
	uri := content.URL
	if content.File != nil {
		uri = content.File.URL
	}
	if content.GetInfo().Size > n.cfg.UploadLimit {
		link := n.publicLink(ctx, uri, content)
		if link == "" {
			return "", errTooLarge
		}
		return strings.TrimSpace(caption + "\n" + format.Escape(name) + " (" + byteSize(int64(content.GetInfo().Size)) + "): " + link), nil
	}
	j.File = &jobFile{URL: uri, Name: name, Mime: mimeType}
	if content.File != nil {
		j.File.File = content.File
	}
	return caption, nil
}

// mapLink is where a geo: address can be seen.
func mapLink(geo string) string {
	at, _, _ := strings.Cut(strings.TrimPrefix(geo, "geo:"), ";")
	parts := strings.Split(at, ",")
	if len(parts) < 2 {
		return ""
	}
	lat, err1 := strconv.ParseFloat(parts[0], 64)
	long, err2 := strconv.ParseFloat(parts[1], 64)
	if err1 != nil || err2 != nil {
		return ""
	}
	return fmt.Sprintf("https://www.openstreetmap.org/?mlat=%g&mlon=%g", lat, long)
}

func (n *bot) convertText(ctx context.Context, j *job, portal *bridgev2.Portal, content *event.MessageEventContent) string {
	var out format.Markdown
	if content.Format == event.FormatHTML && content.FormattedBody != "" {
		out = format.FromHTML(content.FormattedBody, n.targets(ctx))
	}
	if out.Text == "" {
		out = format.FromText(content.Body)
	}
	j.Users = append(j.Users, out.Users...)
	if content.Mentions != nil && content.Mentions.Room && strings.Contains(out.Text, "@room") && n.mayAlertAll(ctx, portal, j.Status.Sender) {
		out.Text, j.Everyone = strings.Replace(out.Text, "@room", "@everyone", 1), true
	}
	return n.pingRoles(ctx, j, portal, out.Text)
}

// mayAlertAll reports whether a Matrix user has the right to alert a whole room.
func (n *bot) mayAlertAll(ctx context.Context, portal *bridgev2.Portal, user id.UserID) bool {
	levels, err := n.b.br.Matrix.GetPowerLevels(ctx, portal.MXID)
	if err != nil || levels == nil {
		return false
	}
	need := 50
	if levels.Notifications != nil {
		need = levels.Notifications.Room()
	}
	return levels.GetUserLevel(user) >= need
}

// targets finds what a message from Matrix names.
func (n *bot) targets(ctx context.Context) format.Targets {
	return format.Targets{
		User: func(mxid string) string {
			if ghost, ok := n.b.br.Matrix.ParseGhostMXID(id.UserID(mxid)); ok && isUser(ghost) {
				return string(ghost)
			}
			return ""
		},
		Room: func(room string) string {
			if strings.HasPrefix(room, "#") {
				local, server, _ := strings.Cut(room[1:], ":")
				ch, ok := strings.CutPrefix(local, n.b.deps.AliasPrefix)
				if ok && server == n.b.br.Matrix.ServerName() && wire.ID(ch).Uint() != 0 {
					return ch
				}
				return ""
			}
			portal, err := n.b.br.GetPortalByMXID(ctx, id.RoomID(room))
			if err != nil || portal == nil {
				return ""
			}
			_, ch := splitPortal(portal.ID)
			return string(ch)
		},
		Emoji: func(mxc, _ string) string {
			if _, md, err := n.b.store.emoji(ctx, "none", mxc); err == nil && md != "" {
				return "<" + md + ">"
			}
			return ""
		},
	}
}

// split cuts a text into messages.
func (n *bot) split(text string, file bool) ([]string, error) {
	parts := format.Split(text, format.MaxLength)
	switch {
	case len(parts) > maxParts:
		return nil, errTooLong
	case len(parts) == 0 && !file:
		return nil, errEmpty
	case len(parts) == 0:
		return []string{""}, nil
	}
	return parts, nil
}

// maxQuote is the longest quote, in characters, before a reply.
const maxQuote = 80

// quote stands before a reply: who and what it is an answer to, for a webhook cannot
// reply. Who is answered is alerted if the sender's client says so.
func (n *bot) quote(_ context.Context, j *job, ch *wire.Channel, target *database.Message, mentions *event.Mentions) string {
	if target == nil {
		return ""
	}
	meta := metaOf(target)
	who := "**" + format.Escape(meta.Name) + "**"
	if isUser(target.SenderID) {
		if mentions != nil && mentions.Has(target.SenderMXID) {
			j.Users = append(j.Users, string(target.SenderID))
		}
		who = "<@" + string(target.SenderID) + ">"
	}
	text := strings.Join(strings.Fields(meta.Text), " ")
	text = format.Escape(strings.NewReplacer("https://", "", "http://", "").Replace(cutRunes(text, maxQuote)))
	if text == "" {
		text = "message"
	}
	where := meta.Channel
	if where == "" {
		where = ch.ID
	}
	if ch.GuildID != "" && !strings.HasPrefix(string(target.ID), pendingPrefix) {
		text = "[" + strings.NewReplacer("[", "(", "]", ")", `\(`, "(").Replace(text) + "](https://discord.com/channels/" + string(ch.GuildID) + "/" + string(where) + "/" + string(target.ID) + ")"
	}
	return "-# ↩ " + who + " " + text + "\n"
}

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI.
func (n *bot) HandleMatrixEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	ch, err := n.channelOf(ctx, msg.Portal, msg.Event.Sender)
	if err != nil {
		return refusal(err)
	}
	j := n.newJob(jobEdit, queueOf(&ch), msg.Event, msg.OrigSender)
	j.Status.Msg, j.Target = msg.Content.MsgType, msg.EditTarget.MXID
	text, err := n.convert(ctx, j, msg.Portal, msg.Content)
	if err != nil {
		return refusal(err)
	}
	quote := ""
	if reply := msg.EditTarget.ReplyTo.MessageID; reply != "" {
		if target, err := n.b.br.DB.Message.GetFirstPartByID(ctx, msg.Portal.Receiver, reply); err == nil && target != nil {
			quote = n.quote(ctx, j, &ch, target, nil)
		}
	}
	if j.Parts, err = n.split(quote+text, j.File != nil); err != nil {
		return refusal(err)
	}
	if err := n.outbox.add(ctx, j, nil); err != nil && !errors.Is(err, errDuplicate) {
		return refusal(err)
	}
	// The row is stored when this returns; it may have changed since it was read.
	if row, err := n.b.br.DB.Message.GetPartByMXID(ctx, msg.EditTarget.MXID); err == nil && row != nil {
		msg.EditTarget.ID, msg.EditTarget.Metadata = row.ID, row.Metadata
	}
	meta := *metaOf(msg.EditTarget)
	meta.Text = cutBytes(msg.Content.Body, maxMeta)
	msg.EditTarget.Metadata = &meta
	return nil
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI.
func (n *bot) HandleMatrixMessageRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	ch, err := n.channelOf(ctx, msg.Portal, msg.Event.Sender)
	if err != nil && !errors.Is(err, errReadOnly) {
		return refusal(err)
	}
	j := n.newJob(jobDelete, queueOf(&ch), msg.Event, msg.OrigSender)
	n.aim(j, &ch, msg.TargetMessage)
	if err := n.outbox.add(ctx, j, nil); err != nil && !errors.Is(err, errDuplicate) {
		return refusal(err)
	}
	return nil
}

// aim has a job be about a message.
func (n *bot) aim(j *job, ch *wire.Channel, target *database.Message) {
	j.Target = target.MXID
	if target.SenderID != selfID {
		j.TargetID, j.TargetChannel = wire.ID(target.ID), metaOf(target).Channel
		if j.TargetChannel == "" {
			j.TargetChannel = ch.ID
		}
	}
}
