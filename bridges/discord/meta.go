package discord

import (
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2/database"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// MessageMetadata is kept with each bridged message.
type MessageMetadata struct {
	// Channel is where the message is: the thread, if it is in one.
	Channel wire.ID `json:"channel,omitempty"`
	// Name is who said it, and Text the beginning of what.
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	// Hash is that of the content, to know an update that changes nothing.
	Hash string `json:"hash,omitempty"`
	// Edited is when the content was edited, in milliseconds of Unix time.
	Edited int64 `json:"edited,omitempty"`
	// More are the ids of further messages that one event became.
	More []wire.ID `json:"more,omitempty"`
	// Answers are the ids of a poll's answers in Matrix, if the poll began there.
	Answers []string `json:"answers,omitempty"`
}

// PortalMetadata is kept with each room.
type PortalMetadata struct {
	// Alias is the alias that was given to the room.
	Alias string `json:"alias,omitempty"`
	// JoinRule is the join rule that was set last.
	JoinRule string `json:"join_rule,omitempty"`
	// Order is the order in the space that was set last.
	Order string `json:"order,omitempty"`
	// Parent is the channel of a thread that has a room of its own.
	Parent wire.ID `json:"parent,omitempty"`
	// History is how far the bringing in of the channel's history is; see historyNone.
	History string `json:"history,omitempty"`
}

func metaTypes() database.MetaTypes {
	return database.MetaTypes{
		Portal:  func() any { return &PortalMetadata{} },
		Message: func() any { return &MessageMetadata{} },
	}
}

// maxMeta bounds, in bytes, the text that is kept with a message.
const maxMeta = 300

func cutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func cutRunes(text string, n int) string {
	runes := []rune(text)
	if len(runes) <= n {
		return text
	}
	return string(runes[:n-1]) + "…"
}

// metaOf returns a message's metadata, which is never nil.
func metaOf(m *database.Message) *MessageMetadata {
	if m != nil {
		if meta, ok := m.Metadata.(*MessageMetadata); ok && meta != nil {
			return meta
		}
	}
	return &MessageMetadata{}
}
