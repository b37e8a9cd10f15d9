package irc

import (
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// MessageMetadata is kept with each bridged message, for quotes and corrections.
type MessageMetadata struct {
	// Name is who said it and Text the plain text, cut to maxMeta bytes.
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
}

// PortalMetadata is kept with each room.
type PortalMetadata struct {
	// Alias is the alias that was given to the room.
	Alias string `json:"alias,omitempty"`
	// JoinRule is the join rule that the room was given last, if not that of its making.
	JoinRule event.JoinRule `json:"join_rule,omitempty"`
	// Moderated says that the bridge has raised the power level of messages, and Hidden that it has taken the room out of
	// the space, as the channel's modes m and s want it.
	Moderated bool `json:"moderated,omitempty"`
	Hidden    bool `json:"hidden,omitempty"`
	// Given are the power levels that Matrix users have by their ranks in the channel.
	Given map[id.UserID]int `json:"given,omitempty"`
}

// NewMetadata is what is kept with a message from IRC, also with one that an import has brought in.
func NewMetadata(name, text string) *MessageMetadata {
	return &MessageMetadata{Name: name, Text: cutBytes(text, maxMeta)}
}

func metaTypes() database.MetaTypes {
	return database.MetaTypes{
		Portal:  func() any { return &PortalMetadata{} },
		Message: func() any { return &MessageMetadata{} },
	}
}

const maxMeta = 600

func cutBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
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
