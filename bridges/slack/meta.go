package slack

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"maunium.net/go/mautrix/bridgev2/database"
)

// MessageMetadata is kept with each bridged message.
type MessageMetadata struct {
	// Name is who said it and Text the plain text, cut to maxMeta bytes, for quotes.
	Name string `json:"name,omitempty"`
	Text string `json:"text,omitempty"`
	// More are the further messages that it is in Slack, if it was too long for one.
	More []string `json:"more,omitempty"`
	// Content tells versions of a message from Slack apart: a change that changes nothing
	// to be seen, such as the preview of a link, is none.
	Content string `json:"content,omitempty"`
	// Edited is when the version was made that the room has, as a ts; "" for the first.
	Edited string `json:"edited,omitempty"`
	// Files is how many further messages its files are in Matrix.
	Files int `json:"files,omitempty"`
}

// PortalMetadata is kept with each room.
type PortalMetadata struct {
	Alias string `json:"alias,omitempty"`
	// Imported rooms were made by a migration, whose plan says who may come in.
	Imported bool `json:"imported,omitempty"`
	// Begins is the ts from which on the room has what is said in the channel; "" if that is not known.
	Begins string `json:"begins,omitempty"`
}

// LoginMetadata is kept with each workspace.
type LoginMetadata struct {
	TeamID string `json:"team_id,omitempty"`
	// Workspace and User are set for a person who is signed in: the workspace's configured id, and who they are there.
	// Followed says that they were invited to the rooms of their channels.
	Workspace string `json:"workspace,omitempty"`
	User      string `json:"user,omitempty"`
	Followed  bool   `json:"followed,omitempty"`
	// Heard is until when all direct messages of the person are in rooms, as a ts.
	Heard string `json:"heard,omitempty"`
}

func metaTypes() database.MetaTypes {
	return database.MetaTypes{
		Portal:    func() any { return &PortalMetadata{} },
		Message:   func() any { return &MessageMetadata{} },
		UserLogin: func() any { return &LoginMetadata{} },
	}
}

const maxMeta = 400

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

// tsTime is the time of a ts.
func tsTime(ts string) time.Time {
	sec, frac, _ := strings.Cut(ts, ".")
	s, err := strconv.ParseInt(sec, 10, 64)
	if err != nil {
		return time.Time{}
	}
	us, _ := strconv.ParseInt((frac + "000000")[:6], 10, 64)
	return time.Unix(s, us*1000)
}

// timeTS is the ts of a time.
func timeTS(t time.Time) string {
	us := t.UnixMicro()
	frac := strconv.FormatInt(us%1e6, 10)
	return strconv.FormatInt(us/1e6, 10) + "." + strings.Repeat("0", 6-len(frac)) + frac
}
