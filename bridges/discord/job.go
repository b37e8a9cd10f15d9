package discord

import (
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// jobKind says what is to be done. The words are stored: never change them.
type jobKind string

const (
	jobMessage jobKind = "message"
	jobEdit    jobKind = "edit"
	jobDelete  jobKind = "delete"
	jobReact   jobKind = "react"
	jobUnreact jobKind = "unreact"
	jobKick    jobKind = "kick"
	jobBan     jobKind = "ban"
	jobUnban   jobKind = "unban"
	jobTimeout jobKind = "timeout"
	jobArchive jobKind = "archive"
)

// job is what an event in Matrix makes the bridge do on Discord. It holds all that is
// needed to do it later, or again after a crash.
type job struct {
	seq       int64
	attempted time.Time // when the request that is perhaps under way was begun

	EventID id.EventID `json:"-"`
	Channel wire.ID    `json:"-"`

	Kind   jobKind   `json:"kind"`
	Status eventInfo `json:"event"`
	// Parts are the messages that the text becomes; Next is the first that is not
	// sent.
	Parts []string `json:"parts,omitempty"`
	Next  int      `json:"next,omitempty"`
	File  *jobFile `json:"file,omitempty"`
	// Name and Avatar are the sender's.
	Name   string `json:"name,omitempty"`
	Avatar string `json:"avatar,omitempty"`
	// Users and Roles may be alerted, and Everyone if it is set.
	Users    []string `json:"users,omitempty"`
	Roles    []string `json:"roles,omitempty"`
	Everyone bool     `json:"everyone,omitempty"`
	// Root is the message that the thread hangs on: TargetID or Target of it.
	RootID wire.ID    `json:"root_id,omitempty"`
	Root   id.EventID `json:"root,omitempty"`
	// Title is that of the post in a forum, or of a new thread.
	Title string `json:"title,omitempty"`
	// Post says that the message begins a post in a forum.
	Post bool `json:"post,omitempty"`
	// Target is the event that is changed or reacted to. TargetID and TargetChannel
	// are the message and its place, if it came from Discord.
	Target        id.EventID `json:"target,omitempty"`
	TargetID      wire.ID    `json:"target_id,omitempty"`
	TargetChannel wire.ID    `json:"target_channel,omitempty"`
	Emoji         string     `json:"emoji,omitempty"`
	// Reason is why somebody is kicked or banned, and Until the end of a time-out.
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
	// Archived says whether a thread is to be archived or opened again.
	Archived bool `json:"archived,omitempty"`
	// Poll is a poll that Matrix begins.
	Poll *jobPoll `json:"poll,omitempty"`
	// Tags are those of a new post in a forum.
	Tags []wire.ID `json:"tags,omitempty"`
}

// jobFile is a file that goes with a message.
type jobFile struct {
	URL  id.ContentURIString      `json:"url"`
	File *event.EncryptedFileInfo `json:"file,omitempty"`
	Name string                   `json:"name"`
	Mime string                   `json:"mime,omitempty"`
}

// eventInfo is what a status of an event needs.
type eventInfo struct {
	RoomID id.RoomID         `json:"room"`
	Type   event.Type        `json:"type"`
	Msg    event.MessageType `json:"msgtype,omitempty"`
	Sender id.UserID         `json:"sender"`
}

func (j *job) statusInfo() *bridgev2.MessageStatusEventInfo {
	return &bridgev2.MessageStatusEventInfo{
		RoomID: j.Status.RoomID, SourceEventID: j.EventID, EventType: j.Status.Type, MessageType: j.Status.Msg, Sender: j.Status.Sender,
	}
}
