package discord

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// part is one event in Matrix that a message becomes. Each is sent and stored by
// itself, so that after a crash those that are missing are sent, and no other.
type part struct {
	// id is "" for the text, and else names the attachment, sticker or embed.
	id networkid.PartID
	// convert makes the event; intent is that of the author.
	convert func(ctx context.Context, intent bridgev2.MatrixAPI, room id.RoomID) (*event.MessageEventContent, map[string]any)
}

// partEvent is the event by which a room takes over one part of a message.
func (n *bot) partEvent(m *wire.Message, id networkid.MessageID, p part, room wire.ID, author networkid.UserID, root *networkid.MessageID, first bool) *simplevent.Message[*wire.Message] {
	at := m.Timestamp.Time
	if at.IsZero() {
		at = m.ID.Time()
	}
	msg := &simplevent.Message[*wire.Message]{EventMeta: n.meta(bridgev2.RemoteEventMessageUpsert, channelKey(room), at, author), Data: m, ID: id}
	msg.MutateContextFunc = with(string(id) + "/" + string(p.id))
	msg.HandleExistingFunc = func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, existing []*database.Message, _ *wire.Message) (bridgev2.UpsertResult, error) {
		has := slices.ContainsFunc(existing, func(row *database.Message) bool { return row.PartID == p.id })
		return bridgev2.UpsertResult{ContinueMessageHandling: !has}, nil
	}
	msg.ConvertMessageFunc = func(ctx context.Context, portal *bridgev2.Portal, intent bridgev2.MatrixAPI, m *wire.Message) (*bridgev2.ConvertedMessage, error) {
		if root != nil {
			n.awaitSent(ctx, room, wire.ID(*root))
		}
		if m.Reference != nil {
			n.awaitSent(ctx, room, m.Reference.MessageID)
		}
		content, extra := p.convert(ctx, intent, portal.MXID)
		kind := event.EventMessage
		if content.MsgType == event.CapMsgSticker {
			kind, content.MsgType = event.EventSticker, ""
		}
		meta := &MessageMetadata{Channel: m.ChannelID, Name: m.Author.Username, Text: cutBytes(content.Body, maxMeta)}
		if p.id == "" {
			meta.Hash = n.hashOf(m, room)
		}
		out := &bridgev2.ConvertedMessage{ThreadRoot: root, Parts: []*bridgev2.ConvertedMessagePart{{
			ID: p.id, Type: kind, Content: content, Extra: extra, DBMetadata: meta,
		}}}
		if first && m.Reference != nil && m.Reference.MessageID != "" && m.Reference.Type == 0 && m.Flags&flagCrosspost == 0 && m.Type != wire.MessagePin && m.Type != wire.MessageThreadCreated {
			out.ReplyTo = &networkid.MessageOptionalPartID{MessageID: n.firstPart(ctx, m.Reference.MessageID)}
		}
		return out, nil
	}
	return msg
}

// contentHash tells whether an update changes what a message says.
func contentHash(m *wire.Message) string {
	var b strings.Builder
	b.WriteString(m.Content)
	for _, e := range richEmbeds(m) {
		fmt.Fprintf(&b, "\x00%s\x00%s\x00%v", e.Title, e.Description, e.Fields)
	}
	if m.Poll != nil {
		fmt.Fprintf(&b, "\x00%v", m.Poll.Results)
	}
	if text := componentsText(m.Components); text != "" {
		fmt.Fprintf(&b, "\x00%s", text)
	}
	return hash(b.String())[:16]
}

// parts are what a message becomes; none if there is nothing to show.
func (n *bot) parts(m *wire.Message, room wire.ID) (list []part) {
	if n.hasText(m) {
		list = append(list, part{convert: func(ctx context.Context, intent bridgev2.MatrixAPI, roomID id.RoomID) (*event.MessageEventContent, map[string]any) {
			return n.textContent(ctx, m, room), nil
		}})
	}
	attachments := slices.Clone(m.Attachments)
	stickers := slices.Clone(m.Stickers)
	for _, s := range m.Snapshots {
		attachments = append(attachments, s.Message.Attachments...)
		stickers = append(stickers, s.Message.Stickers...)
	}
	for _, a := range attachments {
		list = append(list, part{id: networkid.PartID("a" + a.ID), convert: func(ctx context.Context, intent bridgev2.MatrixAPI, roomID id.RoomID) (*event.MessageEventContent, map[string]any) {
			return n.attachment(ctx, intent, roomID, a)
		}})
	}
	for _, s := range stickers {
		list = append(list, part{id: networkid.PartID("s" + s.ID), convert: func(ctx context.Context, intent bridgev2.MatrixAPI, roomID id.RoomID) (*event.MessageEventContent, map[string]any) {
			return n.sticker(ctx, intent, roomID, s), nil
		}})
	}
	return list
}

// hasText reports whether a message has anything to be read in it.
func (n *bot) hasText(m *wire.Message) bool {
	if m.Content != "" || len(richEmbeds(m)) > 0 || m.Poll != nil || systemText(m) != "" || m.Type == messagePollResult || componentsText(m.Components) != "" {
		return true
	}
	for _, s := range m.Snapshots {
		if s.Message.Content != "" || len(richEmbeds(&s.Message)) > 0 || componentsText(s.Message.Components) != "" {
			return true
		}
	}
	return len(m.Attachments) == 0 && len(m.Stickers) == 0 && len(m.Snapshots) == 0 && systemText(m) != ""
}

// richEmbeds are the boxes that a bot has written, not the previews of links.
func richEmbeds(m *wire.Message) (list []wire.Embed) {
	for _, e := range m.Embeds {
		if (e.Type == "rich" || e.Type == "") && (e.Title != "" || e.Description != "" || len(e.Fields) > 0 || e.Author.Name != "") {
			list = append(list, e)
		}
	}
	return list
}

// textContent is the text of a message, with all that becomes text.
func (n *bot) textContent(ctx context.Context, m *wire.Message, room wire.ID) *event.MessageEventContent {
	content := &event.MessageEventContent{MsgType: event.MsgText, Mentions: &event.Mentions{}}
	if sys := systemText(m); sys != "" {
		content.MsgType, content.Body = event.MsgEmote, sys
		return content
	}
	if m.WebhookID != "" || m.Author.Bot {
		content.MsgType = event.MsgNotice
	}
	md := m.Content
	if m.Type == messagePollResult {
		md = pollResult(m)
	}
	for _, s := range m.Snapshots {
		forwarded := withComponents(embedText(&s.Message, s.Message.Content), s.Message.Components)
		md = strings.TrimPrefix(md+"\n-# Forwarded\n> ", "\n") + strings.ReplaceAll(forwarded, "\n", "\n> ")
	}
	md = withComponents(embedText(m, md), m.Components)
	if m.Poll != nil {
		md = strings.TrimPrefix(md+"\n"+pollText(m.Poll), "\n")
	}
	if title, tags := n.headline(m, room); title != "" {
		head := "### " + strings.ReplaceAll(format.Escape(title), "\n", " ") + "\n"
		if len(tags) > 0 {
			head += "-# " + format.Escape(strings.Join(tags, " · ")) + "\n"
		}
		md = head + md
	}
	if by := interactionText(m); by != "" {
		md = by + "\n" + md
	}
	out := format.ToMatrix(md, n.lookup(ctx, m))
	content.Body = out.Body
	if out.HTML != "" {
		content.Format, content.FormattedBody = event.FormatHTML, out.HTML
	}
	for _, user := range out.Mentions {
		content.Mentions.UserIDs = append(content.Mentions.UserIDs, id.UserID(user))
	}
	content.Mentions.Room = out.Everyone && m.MentionEveryone
	return content
}

// embedText appends embeds to a text.
func embedText(m *wire.Message, md string) string {
	for _, e := range richEmbeds(m) {
		var b strings.Builder
		line := func(s string) {
			if s = strings.TrimSpace(s); s != "" {
				b.WriteString("> " + strings.ReplaceAll(s, "\n", "\n> ") + "\n")
			}
		}
		if e.Author.Name != "" {
			line("-# " + e.Author.Name)
		}
		switch {
		case e.Title != "" && e.URL != "":
			line("**[" + e.Title + "](" + e.URL + ")**")
		case e.Title != "":
			line("**" + e.Title + "**")
		}
		line(e.Description)
		for _, f := range e.Fields {
			line("**" + f.Name + "**\n" + f.Value)
		}
		line(e.Image.URL)
		if e.Footer.Text != "" {
			line("-# " + e.Footer.Text)
		}
		md = strings.TrimPrefix(strings.TrimSuffix(md, "\n")+"\n"+strings.TrimSuffix(b.String(), "\n"), "\n")
	}
	return md
}

// withComponents appends what is to be read of components to a text.
func withComponents(md string, list []wire.Component) string {
	return strings.TrimPrefix(strings.TrimRight(md+"\n"+componentsText(list), "\n"), "\n")
}

// interactionText says who has called for a bot's answer, and with which command.
func interactionText(m *wire.Message) string {
	by := m.InteractionInfo
	if by == nil || by.User.ID == "" {
		by = m.Interaction
	}
	if by == nil || by.User.ID == "" || m.Type != wire.MessageCommand && m.Type != wire.MessageContextMenu {
		return ""
	}
	name := by.Name
	if name == "" && m.Interaction != nil {
		name = m.Interaction.Name
	}
	if name == "" {
		return "-# " + format.Escape(globalLook(by.User).name) + " used a command"
	}
	return "-# " + format.Escape(globalLook(by.User).name) + " used `/" + strings.ReplaceAll(name, "`", "") + "`"
}

// flagCrosspost is of messages that come from a channel that this one follows. What they refer to is themselves, there.
const flagCrosspost = 1 << 1

func pollText(p *wire.Poll) string {
	var b strings.Builder
	fmt.Fprintf(&b, "📊 **%s**\n", p.Question.Text)
	counts := map[wire.Int]wire.Int{}
	for _, c := range p.Results.Counts {
		counts[c.ID] = c.Count
	}
	for i, a := range p.Answers {
		text := a.Media.Text
		if a.Media.Emoji.Name != "" && a.Media.Emoji.ID == "" {
			text = a.Media.Emoji.Name + " " + text
		}
		fmt.Fprintf(&b, "%d. %s", i+1, text)
		if c := counts[a.ID]; c > 0 || p.Results.Finalized {
			fmt.Fprintf(&b, " (%d)", c)
		}
		b.WriteByte('\n')
	}
	if p.Results.Finalized {
		b.WriteString("-# The poll has ended")
	} else {
		b.WriteString("-# Votes are taken on Discord")
	}
	return b.String()
}

// lookup finds what a message's mentions name.
func (n *bot) lookup(ctx context.Context, m *wire.Message) format.Lookup {
	return format.Lookup{
		User: func(user string) (name, mxid string) {
			if wire.ID(user) == n.self {
				return "Landbridge", ""
			}
			if known, ok := n.guilds.member(m.GuildID, wire.ID(user)); ok {
				name = guildLook(m.GuildID, known.User, &known).name
			}
			for _, u := range m.Mentions {
				if string(u.ID) == user && name == "" {
					name = globalLook(u).name
				}
			}
			ghost, err := n.b.br.GetGhostByID(ctx, networkid.UserID(user))
			if err != nil || wire.ID(user).Uint() == 0 {
				return name, ""
			}
			if name == "" {
				name = n.nameOf(ctx, networkid.UserID(user))
			}
			return name, string(ghost.Intent.GetMXID())
		},
		Role: func(role string) (name string) {
			n.guilds.read(m.GuildID, func(g *guild) { name = g.roles[wire.ID(role)].Name })
			return name
		},
		Channel: func(channel string) (name, link string) {
			ch, ok := n.guilds.channel(wire.ID(channel))
			if !ok {
				return "", ""
			}
			key := channelKey(ch.ID)
			if ch.IsThread() && !n.ownRoom(&ch) {
				key = channelKey(ch.ParentID)
			}
			if portal, err := n.b.br.GetExistingPortalByKey(ctx, key); err == nil && portal != nil && portal.MXID != "" {
				link = portal.MXID.URI(n.b.br.Matrix.ServerName()).MatrixToURL()
			}
			return ch.Name, link
		},
		Emoji: func(name, emoji string, animated bool) string {
			return n.emojiMXC(ctx, wire.Emoji{ID: wire.ID(emoji), Name: name, Animated: animated})
		},
	}
}

// ensureTaken tries a part again that has not arrived in Matrix: the framework logs
// such a failure and goes on. It returns false if the event is to stay in the inbox for
// the bridge's next start.
func (n *bot) ensureTaken(ctx context.Context, portal *bridgev2.Portal, msg *simplevent.Message[*wire.Message], part networkid.PartID) bool {
	taken := func() bool {
		row, err := portal.Bridge.DB.Message.GetPartByID(ctx, portal.Receiver, msg.ID, part)
		return err == nil && row != nil
	}
	if taken() {
		return true
	}
	rejoined := false
	return n.insist(ctx, func() error {
		//lint:ignore SA1019 the portal's queue has no way to say that handling failed, and this must not be lost
		res := portal.Internal().HandleRemoteMessage(ctx, n.login, msg)
		if taken() {
			return nil
		}
		if res.Error == nil {
			return errNotTaken
		}
		if errors.Is(res.Error, mautrix.MForbidden) && !rejoined {
			rejoined = true
			if err := n.rejoin(ctx, portal, msg.Sender.Sender); err == nil {
				return fmt.Errorf("%w; its author was not in the room", errNotTaken) // but is now
			}
		}
		return res.Error
	})
}

// rejoin has a ghost join a room whatever the bridge remembers of that: it may be wrong.
func (n *bot) rejoin(ctx context.Context, portal *bridgev2.Portal, author networkid.UserID) error {
	ghost, err := n.b.br.GetGhostByID(ctx, author)
	if err != nil {
		return err
	}
	intent := appservice.GhostItself(ghost.Intent)
	if intent == nil {
		return errNotTaken
	}
	if err := intent.Matrix.StateStore.SetMembership(ctx, portal.MXID, intent.GetMXID(), event.MembershipLeave); err != nil {
		return err
	}
	return ghost.Intent.EnsureJoined(ctx, portal.MXID)
}

var errNotTaken = errors.New("the message was not taken, without a reason")

// maxInsist is how long a room waits for the homeserver. The framework lets a turn last
// for five minutes and then begins the next beside it, out of order.
const maxInsist = 4 * time.Minute

// insist calls f, which asks something of the homeserver in a turn of a room, again and
// again until it succeeds, or is refused for good. It returns false when neither has
// happened for as long as a turn may last, or the bridge is stopping.
func (n *bot) insist(ctx context.Context, f func() error) bool {
	var waited time.Duration
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 16*time.Second) {
		err := f()
		if err == nil {
			return true
		}
		if refusedByMatrix(err) {
			n.log.Error("the homeserver refuses something from Discord; it is lost", "error", err)
			return true
		}
		if ctx.Err() != nil || n.ctx.Err() != nil {
			return false
		}
		if waited += wait; waited > maxInsist {
			n.log.Error("the homeserver does not take something from Discord; it is tried again when the bridge starts", "error", err)
			return false
		}
		n.log.Warn("the homeserver has not taken something from Discord, trying again", "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-n.ctx.Done():
			timer.Stop()
			return false
		case <-timer.C:
		}
	}
}

// refusedByMatrix reports whether the homeserver has said that it will never do what
// was asked.
func refusedByMatrix(err error) bool {
	for _, code := range []mautrix.RespError{mautrix.MForbidden, mautrix.MTooLarge, mautrix.MBadJSON, mautrix.MNotJSON, mautrix.MInvalidParam, mautrix.MNotFound} {
		if errors.Is(err, code) {
			return true
		}
	}
	var he mautrix.HTTPError
	return errors.As(err, &he) && he.Response != nil && he.Response.StatusCode == http.StatusRequestEntityTooLarge
}
