package slack

import "maunium.net/go/mautrix/event"

// roomFeatures is what a channel can show.
func roomFeatures() *event.RoomFeatures {
	full := event.CapLevelFullySupported
	features := &event.RoomFeatures{
		ID: "im.landbridge.slack.1",
		Formatting: event.FormattingFeatureMap{
			event.FmtBold: full, event.FmtItalic: full, event.FmtStrikethrough: full, event.FmtInlineCode: full, event.FmtCodeBlock: full,
			event.FmtBlockquote: full, event.FmtInlineLink: full, event.FmtUserLink: full, event.FmtRoomLink: full,
			event.FmtUnorderedList: full, event.FmtOrderedList: full, event.FmtCustomEmoji: full, event.FmtUnderline: event.CapLevelDropped,
			event.FmtHeaders: event.CapLevelPartialSupport,
		},
		File:                   event.FileFeatureMap{},
		MaxTextLength:          40_000,
		LocationMessage:        event.CapLevelPartialSupport,
		Thread:                 full,
		Reply:                  event.CapLevelPartialSupport,
		Edit:                   full,
		Delete:                 full,
		Reaction:               full,
		CustomEmojiReactions:   true,
		PerMessageProfileRelay: true, // messages go out with the sender's name
	}
	for _, kind := range []event.MessageType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile,
		event.CapMsgSticker, event.CapMsgVoice, event.CapMsgGIF,
	} {
		features.File[kind] = &event.FileFeatures{
			MimeTypes: map[string]event.CapabilitySupportLevel{"*/*": full}, Caption: full, MaxSize: maxUpload,
		}
	}
	return features
}
