package model

import (
	"context"
	"io"
	"iter"
	"time"
)

// Source says where a community comes from.
type Source struct {
	// Network is slack, discord or irc; it is also the module of the bridge that may go on.
	Network string
	// ID is the community's own id there, e.g. a workspace's T0123; Name is for people.
	ID, Name string
	Icon     *File
	// Description becomes the topic of the space.
	Description string
	// Exported is when the export was made, zero if it does not say.
	Exported time.Time
}

// Key names the source in the ledger of what has been imported.
func (s Source) Key() string { return s.Network + ":" + s.ID }

// Person is somebody who is or was there.
type Person struct {
	// Ghost is the id by which the network's bridge knows the person, of which the user id is made.
	Ghost string
	// ID is the network's own.
	ID       string
	Name     string
	Username string
	Email    string
	Avatar   *File

	Bot, Guest, Deactivated, Stranger bool
	// Power is the power level in the community's rooms, 0 for ordinary members.
	Power int
}

// Kind is what sort of channel a channel is.
type Kind string

// The kinds of channels.
const (
	Public  Kind = "public"
	Private Kind = "private"
	Direct  Kind = "direct" // two people
	Group   Kind = "group"  // a conversation of a few, without a name
	Section Kind = "section"
	Thread  Kind = "thread" // a room of its own for what is a thread there
)

// Channel is a conversation, or a section of them.
type Channel struct {
	// Key is the id by which the network's bridge knows the channel's room; ID is the network's own.
	Key, ID string
	Name    string
	Topic   string
	Kind    Kind
	// Parent is the Key of the section it is in, "" for none.
	Parent string
	// Order is where it stands among others: what sorts before is before. "" where that is not known.
	Order string
	// Thread is the ID of the channel of which it is a thread, where that is a room of its own.
	Thread   string
	Created  time.Time
	Creator  string // a Ghost
	Archived bool
	// Members are the Ghosts who are in it now, if MembersKnown; otherwise those who spoke are.
	Members      []string
	MembersKnown bool
	// ReadOnly tells that not everybody in it may write: those may who have power, and the Writers, which are Ghosts.
	ReadOnly bool
	Writers  []string
	// Pins are the Names of pinned messages, oldest first.
	Pins []string
	// Bytes is roughly how much there is to read, for estimates; 0 if that is not known.
	Bytes int64
}

// FileState says why a file is not there.
type FileState string

// States of files.
const (
	Present   FileState = ""
	Deleted   FileState = "deleted"   // by somebody, there
	Hidden    FileState = "hidden"    // behind the limits of a plan
	External  FileState = "external"  // a link to elsewhere
	Forbidden FileState = "forbidden" // the export has no way to get it
)

// File is a file of a message, a picture of a person, or the like.
type File struct {
	// ID names the file at its source; with the source it makes the media id.
	ID   string
	Name string
	Type string
	Size int64

	Width, Height, Duration int // pixels and milliseconds; 0 if not known

	State FileState
	// Lottie says that it is an animation in that format, of which a picture is to be made: Name and Type are the picture's.
	Lottie bool
	// Open opens it out of the archive; nil if it is not there.
	Open func() (io.ReadCloser, error) `json:"-"`
	// URL is where it can be fetched. It may hold a token: it is never logged, stored or shown.
	URL Secret `json:"-"`
	// Part is what the network's bridge calls the file within its message, where it has such names.
	Part string
	// Link is what may be shown of an address, without any token.
	Link string
}

// Secret is a text that does not print.
type Secret string

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(secret)"
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler, so that it is not in JSON either.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the text itself.
func (s Secret) Reveal() string { return string(s) }

// Resolver knows what the people and things of the community are here, while messages are written.
type Resolver interface {
	// User gives the name and the user id of somebody by the network's id; "" where not known.
	User(id string) (name, userID string)
	// Channel gives the name and a link to the room of a channel by the network's id.
	Channel(id string) (name, link string)
	// Emoji gives the mxc URI of a custom emoji by its name, "" if there is none.
	Emoji(name string) string
}

// Text is a message's text as Matrix has it.
type Text struct {
	Body, HTML string
	Users      []string // who is mentioned, as user ids
	Room       bool     // whether everybody is
}

// Reaction is one emoji under a message.
type Reaction struct {
	// Name is what the network calls it, Key the emoji itself, or "" for a custom one called Custom.
	Name, Key, Custom string
	// Users are the Ghosts who reacted, as far as they are known; Count is how many there were.
	Users []string
	Count int
	// People are Users as the reaction itself shows them, for those who are in no list; may be empty.
	People []Person
	// Picture is that of a custom emoji that is in no list.
	Picture *File
}

// What is what a message is.
type What string

// The sorts of messages.
const (
	Said   What = ""       // m.text
	Emote  What = "emote"  // m.emote
	Notice What = "notice" // m.notice
	Joined What = "joined" // Sender came into the channel
	Left   What = "left"   // Sender left it
	Named  What = "named"  // the channel's name became Value
	Topic  What = "topic"  // its topic became Value
	Gone   What = "gone"   // was deleted; what relates to it remains
)

// Message is something that happened in a channel.
type Message struct {
	// Name is what the network's bridge calls the message, unique in the source.
	Name   string
	Sender string // a Ghost
	What   What
	Time   time.Time
	// Edited is when it was changed last, zero for never.
	Edited time.Time
	// Thread is the Name of the message whose thread it is in, Reply of the one that it answers, maybe there.
	Thread, Reply string
	Value         string
	// Render writes the text; nil for none.
	Render    func(Resolver) Text
	Files     []File
	Reactions []Reaction
	// Within is by how much the time may be wrong, as that of a log without ids may; zero where messages are known by their names.
	Within time.Duration
	// Apart tells that the text and the files are messages of their own, also where there is but one file.
	Apart bool
	// Pinned messages are pinned in their channel.
	Pinned bool
	// Bridge is what the bridge wants to remember of the message.
	Bridge any
	// Alias is the sender as the message itself shows them, for those who are in no list.
	Alias *Person
	// Where says where in the export it stands, for reports.
	Where string
}

// Counts tells whether a message counts as one: coming and going does not, nor the word that another one was deleted.
func (m *Message) Counts() bool {
	return m.What != Joined && m.What != Left && (m.What != Gone || m.Sender != "")
}

// Problem is something in an export that can't be carried over, or is not as it should be.
type Problem struct {
	Where string // file and line, or the like
	What  string
	// Lost tells that something is lost by it.
	Lost bool
}

// Emoji is a custom emoji.
type Emoji struct {
	// Name is what messages have; Shortcode is what people write, if that is something else.
	Name, Shortcode string
	// Alias is the name of the emoji that it is another name of.
	Alias string
	File  File
}

// Export is an export that can be read. Reading is by one goroutine per channel; Problems may be
// called when all is read.
type Export interface {
	Source() Source
	// People are all who are listed. Messages may bring others, see Message.Alias.
	People() []Person
	Channels() []Channel
	Emoji() []Emoji
	// Messages reads a channel in the order of time. What can't be read is a problem, not an error;
	// an error ends it.
	Messages(ctx context.Context, c *Channel) iter.Seq2[*Message, error]
	Problems() []Problem
	Close() error
}
