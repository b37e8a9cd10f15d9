package slack

import (
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/slack/format"
)

// Kinds of actions.
const (
	doPost    = "post"
	doUpload  = "upload"
	doEdit    = "edit"
	doDelete  = "delete"
	doReact   = "react"
	doUnreact = "unreact"
	doName    = "name"
	doTopic   = "topic"
	doPins    = "pins"
	doInvite  = "invite"
	doKick    = "kick"
	doJoin    = "join"
	doLeave   = "leave"
)

// action is what a Matrix event makes the bridge do in Slack.
type action struct {
	Seq     int64      `json:"-"`
	EventID id.EventID `json:"-"`
	Channel string     `json:"-"`
	Created int64      `json:"-"` // milliseconds

	Kind   string    `json:"kind"`
	Status eventInfo `json:"event"`
	// Name and Icon are who speaks.
	Name string `json:"name,omitempty"`
	Icon string `json:"icon,omitempty"`
	// Pieces are the messages that are posted. TS has those of them that Slack has.
	Pieces []piece  `json:"pieces,omitempty"`
	TS     []string `json:"ts,omitempty"`
	File   *outFile `json:"file,omitempty"`
	// Thread is an event of the thread, Target the event that is edited, deleted or
	// reacted to, Reaction the reaction that is taken back.
	Thread   id.EventID `json:"thread,omitempty"`
	Target   id.EventID `json:"target,omitempty"`
	Reaction id.EventID `json:"reaction,omitempty"`
	Emoji    string     `json:"emoji,omitempty"`
	// Text is a name or a topic, User who is invited or removed, Pins what is pinned or no more.
	Text string      `json:"text,omitempty"`
	User string      `json:"user,omitempty"`
	Pins []pinChange `json:"pins,omitempty"`
	// As is the login in whose name this is done; "" for the bot.
	As string `json:"as,omitempty"`

	begun bool // a call was made whose outcome is not known
}

// piece is one message of Slack.
type piece struct {
	Text     string           `json:"text"`
	Elements []format.Element `json:"elements"`
}

// outFile is a file that is sent.
type outFile struct {
	URL       id.ContentURIString      `json:"url,omitempty"`
	Encrypted *event.EncryptedFileInfo `json:"encrypted,omitempty"`
	Name      string                   `json:"name"`
	// SlackID is its id, once it is uploaded; then it remains to be shared.
	SlackID string `json:"slack_id,omitempty"`
}

// eventInfo is what a status of an event needs.
type eventInfo struct {
	RoomID id.RoomID         `json:"room"`
	Type   event.Type        `json:"type"`
	Msg    event.MessageType `json:"msgtype,omitempty"`
	Sender id.UserID         `json:"sender"`
}

func (a *action) statusInfo() *bridgev2.MessageStatusEventInfo {
	return &bridgev2.MessageStatusEventInfo{
		RoomID: a.Status.RoomID, SourceEventID: a.EventID, EventType: a.Status.Type,
		MessageType: a.Status.Msg, Sender: a.Status.Sender,
	}
}
