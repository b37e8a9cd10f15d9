package export

import (
	"context"
	"encoding/json/jsontext"
	"errors"
	"io"
)

// Source is where an export comes from. What it lists is in parts: each answer has where the next one begins, and "" at the
// end. It is safe for concurrent use.
type Source interface {
	// Server is the name of the server.
	Server(ctx context.Context) (string, error)
	// Rooms lists the rooms that the server's users are or were in.
	Rooms(ctx context.Context, after string) (Rooms, error)
	// State is the current state of a room, without its members.
	State(ctx context.Context, room string) (Events, error)
	// Members lists the current m.room.member events of a room.
	Members(ctx context.Context, room, after string) (Events, error)
	// Timeline lists what happened in a room, oldest first: all, or what one person has sent and what was done to that
	// person's membership.
	Timeline(ctx context.Context, room, person, after string) (Timeline, error)
	// Open opens a file by its mxc:// address, which the caller must close. ErrNoFile if it is not here.
	Open(ctx context.Context, uri string) (File, io.ReadCloser, error)
	// Person is what is known of somebody; ErrNobody if nothing is.
	Person(ctx context.Context, user string) (Person, error)
	// Uploads lists the files that somebody has uploaded.
	Uploads(ctx context.Context, user, after string) (Files, error)
}

var (
	// ErrNoFile says that a file is not here: it was deleted, is quarantined, or another server has it.
	ErrNoFile = errors.New("the file is not here")
	// ErrNobody says that nothing is known of somebody.
	ErrNobody = errors.New("nobody of that name is known here")
	// ErrNoRoom says that there is no such room here.
	ErrNoRoom = errors.New("there is no such room here")
)

// Room is a room in short.
type Room struct {
	ID      string   `json:"room_id"`
	Folder  string   `json:"folder,omitempty"`
	Version string   `json:"room_version"`
	Type    string   `json:"type,omitempty"`
	Name    string   `json:"name,omitempty"`
	Topic   string   `json:"topic,omitempty"`
	Alias   string   `json:"canonical_alias,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
	// JoinRule is who may join: "public", "invite" and so on.
	JoinRule   string   `json:"join_rule,omitempty"`
	Visibility string   `json:"history_visibility,omitempty"`
	Encrypted  bool     `json:"encrypted,omitempty"`
	Joined     int64    `json:"joined_members"`
	Children   []string `json:"children,omitempty"` // of a space
	CreatedTS  int64    `json:"created_ts,omitempty"`
	// Events and Messages are counted while they are written.
	Events   int64 `json:"events"`
	Messages int64 `json:"messages"`
}

// Space reports whether the room is a space.
func (r *Room) Space() bool { return r.Type == "m.space" }

// Rooms is a part of a list of rooms.
type Rooms struct {
	Rooms []Room `json:"rooms"`
	Next  string `json:"next,omitempty"`
}

// Events is a part of a list of events.
type Events struct {
	Events []jsontext.Value `json:"events"`
	Next   string           `json:"next,omitempty"`
}

// Timeline is a part of what happened.
type Timeline struct {
	Events []Happened `json:"events"`
	Next   string     `json:"next,omitempty"`
}

// Happened is an event with what others made of it later.
type Happened struct {
	Event jsontext.Value `json:"event"`
	// Edit is the newest edit of it.
	Edit jsontext.Value `json:"edit,omitempty"`
	// Reactions are in the order of their first appearance.
	Reactions []Reaction `json:"reactions,omitempty"`
}

// Reaction is what some people have reacted with.
type Reaction struct {
	Key     string   `json:"key"`
	Senders []string `json:"senders"`
}

// File is a file that was sent.
type File struct {
	URI  string `json:"uri"`
	Path string `json:"path,omitempty"` // in the export; empty if it is not there
	// Missing says why it is not there.
	Missing string `json:"missing,omitempty"`
	Type    string `json:"content_type,omitempty"`
	Name    string `json:"filename,omitempty"`
	Size    int64  `json:"size"`
	TS      int64  `json:"uploaded_ts,omitempty"`
}

// Files is a part of a list of files.
type Files struct {
	Files []File `json:"files"`
	Next  string `json:"next,omitempty"`
}

// Member is somebody who was in a room of an export.
type Member struct {
	ID     string `json:"user_id"`
	Name   string `json:"displayname,omitempty"`
	Avatar string `json:"avatar_url,omitempty"`
	Rooms  int    `json:"rooms"` // that the person was ever in
	// Messages counts what the person has said.
	Messages int64 `json:"messages"`
}

// Person is what a server knows of somebody. The fields of Account have names that people understand.
type Person struct {
	ID      string                    `json:"user_id"`
	Profile map[string]jsontext.Value `json:"profile,omitempty"`
	// Account is nil if the person has no account here but is, for instance, of a bridged network.
	Account *Account `json:"account,omitempty"`
	Data    []Datum  `json:"account_data,omitempty"`
	// Rooms are those the person is or was in.
	Rooms []Standing `json:"memberships,omitempty"`
}

// Account is somebody's account.
type Account struct {
	Kind          string     `json:"kind"`
	Admin         bool       `json:"admin"`
	CreatedTS     int64      `json:"created_ts"`
	DeactivatedTS int64      `json:"deactivated_ts,omitempty"`
	Locked        bool       `json:"locked,omitempty"`
	Suspended     bool       `json:"suspended,omitempty"`
	Service       string     `json:"application_service,omitempty"`
	Addresses     []Address  `json:"addresses,omitempty"`
	Identities    []Identity `json:"identities,omitempty"`
	Devices       []Device   `json:"devices,omitempty"`
	Pushers       []Pusher   `json:"pushers,omitempty"`
	Policies      []Policy   `json:"accepted_policies,omitempty"`
}

// Address is an e-mail address or a telephone number.
type Address struct {
	Medium      string `json:"medium"`
	Address     string `json:"address"`
	ValidatedTS int64  `json:"validated_ts"`
	AddedTS     int64  `json:"added_ts"`
}

// Identity is who somebody is at an identity provider.
type Identity struct {
	Provider string `json:"provider"`
	Subject  string `json:"subject"`
}

// Device is a client that is or was signed in.
type Device struct {
	ID         string         `json:"device_id"`
	Name       string         `json:"name,omitempty"`
	CreatedTS  int64          `json:"created_ts"`
	LastSeenTS int64          `json:"last_seen_ts"`
	LastSeenIP string         `json:"last_seen_ip,omitempty"`
	Agent      string         `json:"last_seen_user_agent,omitempty"`
	Keys       jsontext.Value `json:"keys,omitempty"`
}

// Pusher is where somebody is notified.
type Pusher struct {
	AppID   string `json:"app_id"`
	Kind    string `json:"kind"`
	Pushkey string `json:"pushkey"`
}

// Policy is what somebody has accepted.
type Policy struct {
	Policy  string `json:"policy"`
	Version string `json:"version"`
}

// Datum is something that somebody's clients have stored.
type Datum struct {
	Room    string         `json:"room_id,omitempty"`
	Type    string         `json:"type"`
	Content jsontext.Value `json:"content"`
}

// Standing is how somebody stands to a room.
type Standing struct {
	RoomID     string `json:"room_id"`
	Name       string `json:"name,omitempty"`
	Membership string `json:"membership"`
	Events     int64  `json:"events"`         // that are exported
	File       string `json:"file,omitempty"` // where they are
}
