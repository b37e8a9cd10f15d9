package discord

import (
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/discord/format"
)

// roomFeatures is what a channel can show. Files have no limit here: one that is too large
// becomes a link.
func roomFeatures() *event.RoomFeatures {
	features := &event.RoomFeatures{
		ID: "im.landbridge.discord.1",
		Formatting: event.FormattingFeatureMap{
			event.FmtBold: event.CapLevelFullySupported, event.FmtItalic: event.CapLevelFullySupported,
			event.FmtUnderline: event.CapLevelFullySupported, event.FmtStrikethrough: event.CapLevelFullySupported,
			event.FmtInlineCode: event.CapLevelFullySupported, event.FmtCodeBlock: event.CapLevelFullySupported,
			event.FmtBlockquote: event.CapLevelFullySupported, event.FmtInlineLink: event.CapLevelFullySupported,
			event.FmtUserLink: event.CapLevelFullySupported, event.FmtUnorderedList: event.CapLevelFullySupported,
			event.FmtOrderedList: event.CapLevelFullySupported, event.FmtSpoiler: event.CapLevelFullySupported,
			event.FmtHeaders: event.CapLevelFullySupported, event.FmtCustomEmoji: event.CapLevelFullySupported,
		},
		File:          event.FileFeatureMap{},
		MaxTextLength: format.MaxLength * maxParts,
		Reply:         event.CapLevelFullySupported, Edit: event.CapLevelFullySupported, Delete: event.CapLevelFullySupported,
		Reaction: event.CapLevelFullySupported, CustomEmojiReactions: true, Thread: event.CapLevelFullySupported,
		LocationMessage: event.CapLevelPartialSupport,
		// The webhook carries the sender's name itself.
		PerMessageProfileRelay: true,
	}
	for _, kind := range []event.MessageType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile, event.CapMsgSticker, event.CapMsgVoice, event.CapMsgGIF,
	} {
		features.File[kind] = &event.FileFeatures{
			MimeTypes: map[string]event.CapabilitySupportLevel{"*/*": event.CapLevelFullySupported},
			Caption:   event.CapLevelFullySupported,
		}
	}
	return features
}
