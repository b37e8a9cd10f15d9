package session

import "time"

// Handler receives the events of a session. HandleEvent is called from one
// goroutine at a time, in the order of the wire; while it blocks, nothing more
// is read from the server.
type Handler interface {
	HandleEvent(Event)
}

// Syncer is implemented by a Handler that stores events. Sync returns when all
// that HandleEvent was given before will survive a crash. A PING of the server is
// answered after it: the answer says that what came before is in safe hands.
type Syncer interface{ Sync() }

// Event is one of the types below that embed Meta, or a connection event.
type Event interface{ isEvent() }

// Meta is what all events that come from a line have in common.
type Meta struct {
	// Time is the server's time of the event (tag time), or when it was read.
	Time time.Time
	// MsgID is the network's id of the message (tag msgid), or empty.
	MsgID string
	// Conn identifies the connection and Seq counts its lines: together they
	// name a line that has no MsgID, uniquely over all connections.
	Conn string
	Seq  uint64
	// Batch is the type of the batch that the line is part of, or empty.
	Batch string
}

// User is the source of a line.
type User struct {
	Nick, Username, Host string
	// Account is the services account, if the server told it with this line.
	Account string
	// Relay is the nick of who has relayed the line for somebody else (RELAYMSG), or empty.
	Relay string
}

// Member is a nick in a channel with its prefix symbols, highest first.
type Member struct {
	Nick     string
	Prefixes string
	// Username, Host and Account are empty while they are not known.
	Username, Host, Account string
}

// Ban is a change of a channel's bans.
type Ban struct {
	Mask string
	On   bool
}

// MessageKind tells the ways to say something.
type MessageKind int

// The kinds of messages.
const (
	KindMessage MessageKind = iota // PRIVMSG
	KindNotice                     // NOTICE
	KindAction                     // PRIVMSG with CTCP ACTION
)

type (
	// Connecting says that an attempt to connect begins.
	Connecting struct{ Attempt int }
	// Registered says that the server has welcomed the session as Nick.
	Registered struct {
		Nick    string
		Support *ISupport
	}
	// LoggedIn says that the server takes the session for an account's, by SASL or services.
	LoggedIn struct{ Account string }
	// Disconnected says that the connection was lost or could not be made. A
	// connection event follows after RetryIn, unless the session was stopped.
	Disconnected struct {
		Err error
		// WasRegistered tells a lost connection from an attempt that failed.
		WasRegistered bool
		// BadCredentials says that the server refused the password or SASL.
		BadCredentials bool
		RetryIn        time.Duration
	}

	// Names is the whole membership of a channel that the session has just
	// joined, with its topic.
	Names struct {
		Meta
		Channel string
		Topic   string
		Members []Member
	}
	// JoinFailed says that a wanted channel cannot be joined; it is tried again.
	JoinFailed struct {
		Meta
		Channel, Code, Text string
		RetryIn             time.Duration
	}
	// Join is someone else's join.
	Join struct {
		Meta
		Channel  string
		User     User
		Realname string
	}
	// Part is a leave; Self tells the session's own.
	Part struct {
		Meta
		Channel, Reason string
		User            User
		Self            bool
	}
	// Kick is a removal; Self says that the session was kicked.
	Kick struct {
		Meta
		Channel, Nick, Reason string
		// Who is Nick, with what is known of them.
		Who, By User
		Self    bool
	}
	// Quit is someone's leave of the network, with the channels they were seen in.
	Quit struct {
		Meta
		User     User
		Reason   string
		Channels []string
		// Split says that it was the network that was split, and not the person who left.
		Split bool
	}
	// NickChange is a rename; Channels are those in which both were seen.
	NickChange struct {
		Meta
		Old, New string
		Self     bool
		Channels []string
	}
	// Topic is a change of a channel's topic.
	Topic struct {
		Meta
		Channel, Text string
		By            User
	}
	// Mode is a change of a channel's modes.
	Mode struct {
		Meta
		Channel string
		By      User
		Modes   string
		Args    []string
		// Ranked are the nicks whose membership mode was changed.
		Ranked []string
		// Bans are those that were set or taken away.
		Bans []Ban
	}
	// ChannelModes tells a channel's modes, each time that they become known and when
	// they change.
	ChannelModes struct {
		Meta
		Channel string
		Modes   Modes
	}
	// Message is something said. Echo tells the session's own words, sent back
	// by the server.
	Message struct {
		Meta
		// Target is as the server sent it, Channel is empty for private messages.
		Target, Channel string
		From            User
		Kind            MessageKind
		Text            string
		Echo            bool
		// ReplyTo is the MsgID that the message answers (tags +reply, +draft/reply).
		ReplyTo string
		// Past says that it was said before, and comes from the server's history.
		Past bool
	}
	// Tags is a message of tags alone (TAGMSG), of which those are told that are known here.
	Tags struct {
		Meta
		Target, Channel string
		From            User
		Echo            bool
		ReplyTo         string
		// React and Unreact are a reaction to ReplyTo, put or taken away (+draft/react, +draft/unreact).
		React, Unreact string
		// Typing is active, paused or done (+typing).
		Typing string
	}
	// Redaction says that a message was taken back (draft/message-redaction).
	Redaction struct {
		Meta
		Target, Channel string
		From            User
		Echo            bool
		ID, Reason      string
	}
	// Invite is an invitation to a channel; Self says that it is the session's.
	Invite struct {
		Meta
		Channel, Nick string
		By            User
		Self          bool
	}
	// Notice is something that a server says, or an operator to all.
	Notice struct {
		Meta
		From, Text string
	}
)

func (Connecting) isEvent()   {}
func (Registered) isEvent()   {}
func (LoggedIn) isEvent()     {}
func (Disconnected) isEvent() {}
func (Names) isEvent()        {}
func (JoinFailed) isEvent()   {}
func (Join) isEvent()         {}
func (Part) isEvent()         {}
func (Kick) isEvent()         {}
func (Quit) isEvent()         {}
func (NickChange) isEvent()   {}
func (Topic) isEvent()        {}
func (Mode) isEvent()         {}
func (ChannelModes) isEvent() {}
func (Message) isEvent()      {}
func (Tags) isEvent()         {}
func (Redaction) isEvent()    {}
func (Invite) isEvent()       {}
func (Notice) isEvent()       {}
