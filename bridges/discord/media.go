package discord

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// attachment takes a file over, or says where it is.
func (n *bot) attachment(ctx context.Context, intent bridgev2.MatrixAPI, room id.RoomID, a wire.Attachment) (*event.MessageEventContent, map[string]any) {
	link := func(why string) (*event.MessageEventContent, map[string]any) {
		return &event.MessageEventContent{MsgType: event.MsgNotice, Body: fmt.Sprintf("%s (%s): %s", a.Filename, why, a.URL), Mentions: &event.Mentions{}}, nil
	}
	if int64(a.Size) > int64(n.cfg.DownloadLimit) {
		return link(byteSize(int64(a.Size)))
	}
	raw, kind, err := n.api.Download(ctx, a.URL, int64(n.cfg.DownloadLimit))
	if errors.Is(err, api.ErrTooLarge) {
		return link("too large for the bridge")
	} else if err != nil {
		n.log.Warn("a file cannot be taken over", "error", err)
		return link("could not be taken over")
	}
	if a.ContentType != "" {
		kind = a.ContentType
	}
	kind, _, _ = strings.Cut(kind, ";")
	uri, file, err := intent.UploadMedia(ctx, room, raw, a.Filename, kind)
	if err != nil {
		n.log.Warn("a file cannot be uploaded", "error", err)
		return link("could not be taken over")
	}
	content := &event.MessageEventContent{
		MsgType: event.MsgFile, Body: a.Filename, FileName: a.Filename, URL: uri, File: file, Mentions: &event.Mentions{},
		Info: &event.FileInfo{MimeType: kind, Size: len(raw), Width: int(a.Width), Height: int(a.Height), Duration: int(a.Duration * 1000)},
	}
	if a.Description != "" {
		content.Body = a.Description
	}
	switch main, _, _ := strings.Cut(kind, "/"); main {
	case "image":
		content.MsgType = event.MsgImage
	case "video":
		content.MsgType = event.MsgVideo
	case "audio":
		content.MsgType = event.MsgAudio
	}
	var extra map[string]any
	if strings.HasPrefix(a.Filename, "SPOILER_") {
		extra = map[string]any{"page.codeberg.everypizza.msc4193.spoiler": true}
	}
	if a.Waveform != "" && content.MsgType == event.MsgAudio {
		content.MSC3245Voice = &event.MSC3245Voice{}
		content.MSC1767Audio = &event.MSC1767Audio{Duration: content.Info.Duration, Waveform: waveform(a.Waveform)}
	}
	return content, extra
}

// waveform reads the one of a voice message: a byte a sample there, up to 1024 here.
func waveform(encoded string) []int {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) > 1024 {
		return []int{}
	}
	out := make([]int, len(raw))
	for i, b := range raw {
		out[i] = int(b) * 1024 / 255
	}
	return out
}

// sticker takes a sticker over. One that cannot be had is named.
func (n *bot) sticker(ctx context.Context, intent bridgev2.MatrixAPI, room id.RoomID, s wire.Sticker) *event.MessageEventContent {
	content := &event.MessageEventContent{MsgType: event.MsgText, Body: "[sticker: " + s.Name + "]", Mentions: &event.Mentions{}}
	f, err := n.stickerFile(ctx, s)
	if err != nil {
		n.log.Warn("a sticker cannot be taken over", "error", err)
		return content
	}
	uri, file, err := intent.UploadMedia(ctx, room, f.raw, s.Name, f.kind)
	if err != nil {
		n.log.Warn("a sticker cannot be uploaded", "error", err)
		return content
	}
	return &event.MessageEventContent{
		MsgType: event.CapMsgSticker, Body: s.Name, URL: uri, File: file,
		Info: &event.FileInfo{MimeType: f.kind, Size: len(f.raw), Width: f.width, Height: f.height, IsAnimated: f.animated}, Mentions: &event.Mentions{},
	}
}

// emojiMXC is the address of a custom emoji in Matrix, "" if it cannot be had.
func (n *bot) emojiMXC(ctx context.Context, e wire.Emoji) string {
	if mxc, _, err := n.b.store.emoji(ctx, e.ID, "none"); err == nil && mxc != "" {
		return mxc
	}
	path, kind := "/emojis/"+string(e.ID)+".png", "image/png"
	if e.Animated {
		path, kind = "/emojis/"+string(e.ID)+".gif", "image/gif"
	}
	raw, _, err := n.api.Download(ctx, n.api.CDN(path), maxAvatar)
	if err != nil {
		n.log.Debug("an emoji cannot be taken over", "error", err)
		return ""
	}
	uri, _, err := n.b.br.Bot.UploadMedia(ctx, "", raw, e.Name, kind)
	if err != nil {
		n.log.Debug("an emoji cannot be uploaded", "error", err)
		return ""
	}
	if err := n.b.store.setEmoji(ctx, e, string(uri)); err != nil {
		n.log.Warn("an emoji is not remembered", "error", err)
	}
	return string(uri)
}

// publicLink is an address under which a file of Matrix can be had without a login, ""
// if there is none.
func (n *bot) publicLink(ctx context.Context, uri id.ContentURIString, content *event.MessageEventContent) string {
	if media, ok := n.b.br.Matrix.(bridgev2.MatrixConnectorWithPublicMedia); ok {
		if content != nil {
			if address, err := media.GetPublicMediaAddressForEvent(ctx, content); err == nil && address != "" {
				return address
			}
		} else if address := media.GetPublicMediaAddress(uri); address != "" {
			return address
		}
	}
	if n.cfg.PublicMediaURL == "" || content != nil && content.File != nil {
		return ""
	}
	parsed, err := uri.Parse()
	if err != nil || !parsed.IsValid() {
		return ""
	}
	return n.cfg.PublicMediaURL + "/_matrix/media/v3/download/" + parsed.Homeserver + "/" + parsed.FileID
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
