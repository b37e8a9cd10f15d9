package slack

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

func values(pairs ...string) url.Values {
	v := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

// content tells what is to be seen of a message from what is not.
func (m *message) content() string {
	files := make([]FileMark, len(m.Files))
	for i, f := range m.Files {
		files[i] = FileMark{f.ID, f.Mode}
	}
	mark := ContentMark(m.Text, m.Blocks, m.Attachments, files)
	if m.Room.Ended {
		mark += "/ended"
	}
	return mark
}

// names is what format asks about who is who.
type names struct {
	w   *workspace
	ctx context.Context
}

var _ format.Names = names{}

// User implements format.Names.
func (n names) User(id string) (name, mxid string) {
	if n.w.own(id, "") {
		return n.w.b.br.Bot.GetMXID().Localpart(), string(n.w.b.br.Bot.GetMXID())
	}
	u := n.w.dir.user(n.ctx, id)
	if u == nil {
		return "", ""
	}
	return u.displayName(), string(n.w.b.br.Matrix.GhostIntent(ghostID(id)).GetMXID())
}

// Channel implements format.Names.
func (n names) Channel(id string) (name, link string) {
	portal, err := n.w.b.br.GetExistingPortalByKey(n.ctx, channelKey(id))
	if err == nil && portal != nil && portal.MXID != "" {
		return portal.Name, "https://matrix.to/#/" + url.PathEscape(string(portal.MXID)) + "?via=" + n.w.b.br.Matrix.ServerName()
	}
	return n.w.dir.channel(id), ""
}

// Group implements format.Names.
func (n names) Group(id string) (handle string, users []string) {
	g, ok := n.w.dir.group(id)
	if !ok {
		return "", nil
	}
	for i, u := range g.users {
		if i == 50 {
			break // more would be a broadcast
		}
		users = append(users, string(n.w.b.br.Matrix.GhostIntent(ghostID(u)).GetMXID()))
	}
	return g.handle, users
}

// CustomEmoji implements format.Names.
func (n names) CustomEmoji(name string) string { return n.w.emojiMXC(n.ctx, name) }

// emojiMXC returns where a custom emoji's picture is in Matrix, and takes it over if it
// is not yet. It returns "" for what is no custom emoji.
func (w *workspace) emojiMXC(ctx context.Context, name string) string {
	name, _, _ = strings.Cut(name, "::")
	address := w.dir.customEmoji(name)
	if address == "" {
		return ""
	}
	mxc, err := w.b.store.emoji(ctx, w.cfg.ID, address)
	if err == nil && mxc != "" {
		return mxc
	}
	data, err := w.fetch(ctx, address)
	if err == nil {
		var uri id.ContentURIString
		uri, _, err = w.b.br.Bot.UploadMedia(ctx, "", data, path.Base(address), http.DetectContentType(data))
		mxc = string(uri)
	}
	if err == nil {
		err = w.b.store.setEmoji(ctx, w.cfg.ID, address, mxc)
	}
	if err != nil {
		w.log.Warn("an emoji is shown as its name", "emoji", name, "error", err)
		return ""
	}
	return mxc
}

// convert makes the messages that a message is in Matrix: its text, and each of its
// files, the only one with the text as its caption.
func (w *workspace) convert(ctx context.Context, portal *bridgev2.Portal, ghost *bridgev2.Ghost, m *message) ([]*bridgev2.ConvertedMessagePart, error) {
	var parts []*bridgev2.ConvertedMessagePart
	text := w.textPart(ctx, m)
	var media []*bridgev2.ConvertedMessagePart
	for i := range m.Files {
		media = append(media, w.filePart(ctx, portal, ghost, m, &m.Files[i]))
	}
	if text != nil && len(media) == 1 && media[0].Content.MsgType != event.MsgText {
		if merged := bridgev2.MergeCaption(text, media[0]); merged != nil {
			text, media = merged, nil
		}
	}
	if text != nil {
		parts = append(parts, text)
	}
	parts = append(parts, media...)
	if len(parts) == 0 {
		parts = append(parts, &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: &event.MessageEventContent{
			MsgType: event.MsgNotice, Body: "(a message that cannot be shown here)", Mentions: &event.Mentions{},
		}})
	}
	name := ghost.Name
	for i, part := range parts {
		part.ID = ""
		if part.Content.Mentions == nil {
			part.Content.Mentions = &event.Mentions{}
		}
		meta := &MessageMetadata{Name: name, Text: cutBytes(part.Content.Body, maxMeta)}
		if i == 0 {
			meta.Content, meta.Files, meta.Edited = m.content(), len(parts)-1, m.Edited.TS
		}
		part.DBMetadata = meta
	}
	return parts, nil
}

// textPart makes a message of the text, or nil if there is none.
func (w *workspace) textPart(ctx context.Context, m *message) *bridgev2.ConvertedMessagePart {
	content := &event.MessageEventContent{MsgType: event.MsgText, Mentions: &event.Mentions{}}
	if m.Subtype == "huddle_thread" {
		content.MsgType, content.Body = event.MsgNotice, m.huddle()
		return &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: content}
	}
	out := format.ToMatrix(format.FromSlack(m.Text, m.Blocks, m.Attachments), names{w, ctx})
	if out.Body == "" && out.HTML == "" {
		return nil
	}
	content.Body = out.Body
	if out.HTML != "" {
		content.Format, content.FormattedBody = event.FormatHTML, out.HTML
	}
	if m.Subtype == "me_message" {
		content.MsgType = event.MsgEmote
	}
	for _, u := range out.Users {
		content.Mentions.UserIDs = append(content.Mentions.UserIDs, id.UserID(u))
	}
	content.Mentions.Room = out.Room
	return &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: content}
}

// huddle says what has become of a huddle.
func (m *message) huddle() string {
	if !m.Room.Ended {
		return "📞 A huddle has started"
	}
	length := time.Duration(m.Room.End-m.Room.Start) * time.Second
	switch minutes := int((length + time.Minute - 1) / time.Minute); {
	case m.Room.Start == 0 || minutes <= 0:
		return "📞 A huddle has ended"
	case minutes == 1:
		return "📞 A huddle has ended after a minute"
	default:
		return fmt.Sprintf("📞 A huddle has ended after %d minutes", minutes)
	}
}

// filePart makes a message of a file. What cannot be taken over is linked.
func (w *workspace) filePart(ctx context.Context, portal *bridgev2.Portal, ghost *bridgev2.Ghost, m *message, f *file) *bridgev2.ConvertedMessagePart {
	name := firstNonEmpty(f.Name, f.Title, "file")
	say := func(text string) *bridgev2.ConvertedMessagePart {
		return &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text}}
	}
	switch {
	case f.Mode == modeGone:
		return say("(a file that was deleted)")
	case f.Mode == "hidden_by_limit":
		return say("(a file that Slack does not show any more, because of the limits of the workspace's plan)")
	case f.External || f.Mode == "external" || f.Mode == "quip" || f.Mode == "canvas" || f.Mode == "space" || f.Mode == "list" || f.Mode == "post":
		return say(strings.TrimSpace(firstNonEmpty(f.Title, f.Name, "document") + ": " + firstNonEmpty(f.Link, f.Private)))
	}
	if f.Access == "check_file_info" || f.Private == "" {
		// A file of Slack Connect comes without its details.
		var resp struct {
			File file `json:"file"`
		}
		if err := w.reader(m.Channel).call(ctx, "files.info", values("file", f.ID), &resp); err == nil {
			f = &resp.File
			name = firstNonEmpty(f.Name, f.Title, name)
		}
	}
	if f.Size > maxDownload {
		return say(name + ": " + f.Link + " (too large to be taken over)")
	}
	data, err := w.reader(m.Channel).download(ctx, firstNonEmpty(f.Download, f.Private))
	if err != nil {
		w.log.Warn("a file is linked, not taken over", "file", f.ID, "error", err)
		return say(name + ": " + f.Link)
	}
	mime := firstNonEmpty(f.MimeType, http.DetectContentType(data))
	uri, enc, err := ghost.Intent.UploadMedia(ctx, portal.MXID, data, name, mime)
	if err != nil {
		w.log.Warn("a file is linked, not taken over", "file", f.ID, "error", err)
		return say(name + ": " + f.Link)
	}
	content := &event.MessageEventContent{
		MsgType: event.MsgFile, Body: name, FileName: name, URL: uri, File: enc,
		Info: &event.FileInfo{MimeType: mime, Size: len(data), Width: int(f.Width), Height: int(f.Height), Duration: int(f.Duration)},
	}
	switch {
	case strings.HasPrefix(mime, "image/"):
		content.MsgType = event.MsgImage
	case strings.HasPrefix(mime, "audio/") || f.Subtype == "slack_audio":
		content.MsgType = event.MsgAudio
		if f.Subtype == "slack_audio" {
			content.MSC3245Voice = &event.MSC3245Voice{}
			content.MSC1767Audio = &event.MSC1767Audio{Duration: int(f.Duration), Waveform: loudness(f.Wave)}
		}
	case strings.HasPrefix(mime, "video/"):
		content.MsgType = event.MsgVideo
	}
	return &bridgev2.ConvertedMessagePart{Type: event.EventMessage, Content: content}
}

// maxWave is how many values of loudness a voice message has.
const maxWave = 100

// loudness is a clip's course of loudness as Matrix has it, from 0 to 1024 (MSC3246).
func loudness(wave []int) []int {
	out := make([]int, 0, maxWave)
	for _, v := range wave[:min(len(wave), maxWave)] {
		out = append(out, min(max(v, 0), 100)*1024/100)
	}
	return out
}

func firstNonEmpty(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

type matrixReaction struct {
	key   string
	extra map[string]any
}

// reaction is how a reaction looks in Matrix.
func (w *workspace) reaction(ctx context.Context, name string) matrixReaction {
	base, tone, toned := strings.Cut(name, "::")
	resolved := w.dir.emojiAlias(base)
	if toned {
		resolved += "::" + tone
	}
	if text, ok := format.Emoji(resolved); ok {
		return matrixReaction{key: text}
	}
	code := ":" + base + ":"
	if mxc := w.emojiMXC(ctx, base); mxc != "" {
		return matrixReaction{mxc, map[string]any{"com.beeper.reaction.shortcode": code}}
	}
	return matrixReaction{key: code}
}

// emojiIDFor is what a relayed reaction is known by: one Slack user stands for many
// Matrix users.
func emojiIDFor(name string, sender id.UserID) networkid.EmojiID {
	return networkid.EmojiID(name + "|" + string(sender))
}
