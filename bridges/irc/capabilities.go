package irc

import "maunium.net/go/mautrix/event"

// roomFeatures is what a channel can show. Media goes as links, replies as
// quotes, edits as corrections.
func roomFeatures() *event.RoomFeatures {
	file := func() *event.FileFeatures {
		return &event.FileFeatures{
			MimeTypes: map[string]event.CapabilitySupportLevel{"*/*": event.CapLevelPartialSupport},
			Caption:   event.CapLevelFullySupported,
		}
	}
	features := &event.RoomFeatures{
		ID: "im.landbridge.irc.1",
		Formatting: event.FormattingFeatureMap{
			event.FmtBold: event.CapLevelFullySupported, event.FmtItalic: event.CapLevelFullySupported,
			event.FmtUnderline: event.CapLevelFullySupported, event.FmtStrikethrough: event.CapLevelFullySupported,
			event.FmtInlineCode: event.CapLevelFullySupported, event.FmtTextForegroundColor: event.CapLevelFullySupported,
			event.FmtTextBackgroundColor: event.CapLevelFullySupported,
		},
		File:            event.FileFeatureMap{},
		LocationMessage: event.CapLevelPartialSupport,
		Reply:           event.CapLevelPartialSupport,
		Edit:            event.CapLevelPartialSupport,
		Delete:          event.CapLevelRejected,
		Reaction:        event.CapLevelRejected,
		// The connector formats the sender's name itself.
		PerMessageProfileRelay: true,
	}
	for _, kind := range []event.MessageType{
		event.MsgImage, event.MsgVideo, event.MsgAudio, event.MsgFile,
		event.CapMsgSticker, event.CapMsgVoice, event.CapMsgGIF,
	} {
		features.File[kind] = file()
	}
	return features
}
