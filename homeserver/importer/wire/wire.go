// Package wire is what an importer is asked and answers, in JSON; see package importer.
package wire

import "encoding/json/jsontext"

// Bounds of one request.
const (
	// MaxItems is how many items a batch may have, and MaxPeople how many people one request.
	MaxItems, MaxPeople = 500, 500
	// MaxContent bounds the content of one item, in bytes; an event of 64 KiB has room for more.
	MaxContent = 60_000
	// MaxWithin bounds Item.Within, in milliseconds.
	MaxWithin = 10 * 60_000
	// MaxRemote bounds the name of an item, and MaxPins how many messages are pinned in a room.
	MaxRemote, MaxPins = 400, 200
)

// Opened is the answer to /import/open: what whoever imports has to know of the server.
type Opened struct {
	Server string `json:"server"`
	// Sources are those of which there is something here.
	Sources   []string `json:"sources"`
	MaxUpload int64    `json:"max_upload"`
}

// Person is somebody to be given an account.
type Person struct {
	Localpart string `json:"localpart"`
	Name      string `json:"name,omitempty"`
	// Avatar is an mxc:// URI.
	Avatar string `json:"avatar,omitempty"`
	// Extra are further fields of the profile.
	Extra map[string]jsontext.Value `json:"extra,omitempty"`
}

// People asks for accounts that belong to an application service. Those that are there get the
// profile if they have none.
type People struct {
	Service string   `json:"service"`
	People  []Person `json:"people"`
}

// PeopleMade tells how many accounts are new.
type PeopleMade struct {
	Fresh int `json:"fresh"`
}

// State is a state event of a new room.
type State struct {
	Type    string         `json:"type"`
	Key     string         `json:"state_key"`
	Content jsontext.Value `json:"content"`
}

// Room asks for a room, which is made when it is asked for first.
type Room struct {
	Source string `json:"source"`
	// Remote is the room's name at its source.
	Remote  string `json:"remote"`
	Version string `json:"version,omitempty"`
	// Creator is the user id of who makes it, with an account here.
	Creator string `json:"creator"`
	// TS is when, in milliseconds.
	TS int64 `json:"ts"`
	// Content is added to that of the create event.
	Content jsontext.Value `json:"content,omitzero"`
	// State follows; power levels, join rules and the like are not added by themselves.
	State []State `json:"state"`
	// Alias, if not empty, is the room's address. One that is taken is left out.
	Alias string `json:"alias,omitempty"`
	// Adopt, if not empty, is a room that is here already and is to be the one, if there is none of this name. Nothing else is
	// done with it.
	Adopt string `json:"adopt,omitempty"`
}

// RoomMade is the answer to Room.
type RoomMade struct {
	RoomID string `json:"room_id"`
	Fresh  bool   `json:"fresh"`
	// NoAlias tells that the alias belongs to another room.
	NoAlias bool `json:"no_alias,omitempty"`
	// Adopted tells that the room was there before, and Lived that things were said in it that were not brought in.
	Adopted bool `json:"adopted,omitempty"`
	Lived   bool `json:"lived,omitempty"`
}

// Kinds of items.
const (
	KindEvent  = ""       // an event as it is given
	KindJoin   = "join"   // Sender joins, unless they are in the room
	KindLeave  = "leave"  // Sender leaves, unless they are not in the room
	KindPins   = "pins"   // the items of Pins are the pinned events
	KindRedact = "redact" // the item of Relates.To is redacted by Sender
	KindVisit  = "visit"  // Sender, who is not to be in the room, has been there
)

// Relations of an item to an earlier one.
const (
	RelThread   = "thread"
	RelReply    = "reply"
	RelEdit     = "edit"
	RelReaction = "reaction"
)

// Relation names an earlier item of the same source.
type Relation struct {
	Rel string `json:"rel"`
	To  string `json:"to"`
	// Last is the newest item of the thread, for clients that know no threads.
	Last string `json:"last,omitempty"`
	// Reply is the item of the thread that is answered, if that is one of its own.
	Reply string `json:"reply,omitempty"`
	// Key is that of a reaction.
	Key string `json:"key,omitempty"`
}

// Item is a piece of history. The first item of somebody who is not in the room has them join it.
type Item struct {
	// Remote is the item's name at its source. Items without one are not remembered.
	Remote   string         `json:"remote,omitempty"`
	Kind     string         `json:"kind,omitempty"`
	Sender   string         `json:"sender"`
	Type     string         `json:"type,omitempty"`
	StateKey *string        `json:"state_key,omitempty"`
	TS       int64          `json:"ts"`
	Content  jsontext.Value `json:"content,omitzero"`
	Relates  *Relation      `json:"relates,omitempty"`
	Pins     []string       `json:"pins,omitempty"`
	// Within is how many milliseconds the time may be wrong, in rooms that are lived in: what the sender said in this time with
	// the same words is the item.
	Within int64 `json:"within,omitempty"`
	// If has the item be brought in only if the content of what it relates to has this field; it is left out without a word
	// otherwise, also where there is no such thing.
	If string `json:"if,omitempty"`
}

// Batch asks for items of one room, in the order in which they are to be.
type Batch struct {
	Source string `json:"source"`
	RoomID string `json:"room_id"`
	// Creator invites where nobody can join uninvited.
	Creator string `json:"creator"`
	Items   []Item `json:"items"`
	// Lived tells that the room is lived in: items come to their places by time, see RoomMade. Known are the items that
	// are there already by other ways, with their events.
	Lived bool              `json:"lived,omitempty"`
	Known map[string]string `json:"known,omitempty"`
}

// Done is what became of an item.
type Done struct {
	EventID string `json:"event_id,omitempty"`
	Fresh   bool   `json:"fresh,omitempty"`
	// Unresolved tells that the item it relates to is not here. A reply is sent without the
	// relation, others are left out.
	Unresolved bool `json:"unresolved,omitempty"`
	// Problem is why the item could not be brought in.
	Problem string `json:"problem,omitempty"`
}

// BatchDone is the answer to Batch, an entry for each item.
type BatchDone struct {
	Items []Done `json:"items"`
}

// HaveMedia asks which media ids are taken, and MediaHad tells.
type HaveMedia struct {
	IDs []string `json:"ids"`
}

// MediaHad is the answer to HaveMedia.
type MediaHad struct {
	Have []string `json:"have"`
	// URIs are where they are, if the server has not called them by their ids.
	URIs map[string]string `json:"uris,omitempty"`
}

// MediaMade is the answer to an upload.
type MediaMade struct {
	URI   string `json:"uri"`
	Fresh bool   `json:"fresh"`
}

// Ledger asks what is here of a source, in the order of names from after one of them.
type Ledger struct {
	Source string `json:"source"`
	After  string `json:"after"`
	Limit  int    `json:"limit"`
}

// Entry is an item that is here.
type Entry struct {
	Remote  string `json:"remote"`
	RoomID  string `json:"room_id"`
	EventID string `json:"event_id"`
}

// Entries is the answer to Ledger.
type Entries struct {
	Entries []Entry `json:"entries"`
}

// Timeline asks for a room's events in the order of the log from after a position.
type Timeline struct {
	RoomID string `json:"room_id"`
	After  int64  `json:"after"`
	Limit  int    `json:"limit"`
}

// Events is the answer to Timeline; Next is where the rest begins, 0 at the end.
type Events struct {
	Events []jsontext.Value `json:"events"`
	Next   int64            `json:"next"`
}

// Look asks for the events that items of a source are here, at most MaxItems.
type Look struct {
	Source  string   `json:"source"`
	Remotes []string `json:"remotes"`
}

// Seen is an item that is here, as clients see it.
type Seen struct {
	Remote string         `json:"remote"`
	RoomID string         `json:"room_id"`
	Event  jsontext.Value `json:"event"`
	// Bridged tells that it was not brought in, but was there already.
	Bridged bool `json:"bridged,omitempty"`
}

// Looked is the answer to Look: those that are here.
type Looked struct {
	Items []Seen `json:"items"`
}

// Members asks who is in a room.
type Members struct {
	RoomID string `json:"room_id"`
}

// Joined is the answer to Members.
type Joined struct {
	Joined []string `json:"joined"`
}
