package appservice

import (
	"context"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"
)

// What follows is implemented by a Bridge that can do more than carry messages. The host finds out by type
// assertion; a method is called only while the bridge runs, unless it says otherwise.

// RemotePerson is somebody of a remote network.
type RemotePerson struct {
	ID   networkid.UserID // as in the ghosts' ids
	Name string           // for people to read; may be empty
}

// Offer is what a remote person needs to claim an account.
type Offer struct {
	// URL is the address of the page on which the person signs in or makes an account. It is a secret of
	// the person: it says who they are on the network.
	URL string
	// Code is short enough to be typed. Who shows it on the page is the person, as who opened URL is.
	Code string
}

// Links ties people of a bridge's network to accounts of the homeserver. A bridge has its own in Env.Links, which knows
// whose network it is; it is nil where nobody keeps such ties. The network proves who somebody is: a bridge passes on
// only what the person did there themselves (a command, a direct message), never what somebody says of another.
// It is safe for concurrent use.
type Links interface {
	// Offer makes an offer for a person, or gives the one that is still good. It is for that person's eyes only:
	// a direct message or an ephemeral answer. Who is linked already gets ErrLinked.
	Offer(ctx context.Context, p RemotePerson) (Offer, error)
	// Confirm ties a person to the account to which a page or a command of the homeserver gave the code: the other
	// direction, for who begins on the Matrix side. A code that is wrong, used or too old gives ErrBadCode. Who guesses is slowed down.
	Confirm(ctx context.Context, p RemotePerson, code string) (id.UserID, error)
	// Ask gives an account of the homeserver the code with which Confirm is called, for "link" as a command in a room.
	Ask(ctx context.Context, account id.UserID) (code string, err error)
	// Account is the account a person is tied to; empty if there is none.
	Account(ctx context.Context, person networkid.UserID) (id.UserID, error)
	// Person is who an account is on the network; empty if it is nobody.
	Person(ctx context.Context, account id.UserID) (networkid.UserID, error)
	// Unlink takes the tie away. What was said before stays as it is.
	Unlink(ctx context.Context, person networkid.UserID) error
}

// Messenger is implemented by a Bridge that can write to people of its network in private, by its bot.
type Messenger interface {
	// Message writes text (plain, with line breaks and addresses) to a person. key makes it once: the same
	// key is not sent again, also after a restart. An error that wraps ErrNotReachable is for good: the person takes no messages of the bot.
	Message(ctx context.Context, to networkid.UserID, key, text string) error
}

// Prover is implemented by a Bridge of whose network people can show by their browser who they are there: by signing in to it.
// RFC 6749, 4.1: what comes back from the network's page is a code, which is good for the bridge alone.
type Prover interface {
	// SignIns are the places at which people can sign in; none if the bridge is not set up for it. It may be called at any time.
	SignIns() []SignIn
	// SignInURL is the address of the network's page for one of them, by its id. From there people come back to redirect, with
	// state. False: there is no such place.
	SignInURL(id, redirect, state string) (address string, ok bool)
	// SignedIn is who a code is about that came back to redirect. An error that wraps ErrStranger says that they are in
	// nothing that is bridged, and one that wraps ErrBadCode that the network does not know the code (any more).
	SignedIn(ctx context.Context, id, redirect, code string) (RemotePerson, error)
}

// SignIn is a place at which people of a network sign in.
type SignIn struct {
	ID   string // of the bridge's own; may be empty
	Name string // what people call it, such as "Discord"
}

// Announcer is implemented by a Bridge that can tell everybody on the network something.
type Announcer interface {
	// Announce says text, by the bot, in every bridged channel, once for each key, also after a restart. What it
	// could not do is in the answer, a sentence each, for people to read.
	Announce(ctx context.Context, key, text string) (undone []string, err error)
}

// Freezer is implemented by a Bridge that can close the remote side when a community has moved.
type Freezer interface {
	// Freeze says notice in every bridged channel and, as far as the network lets the bot, puts it into the topics
	// and takes away the right to write. What it changed is kept, so that Thaw can undo it, also after a restart. It can be
	// repeated. What it could not do is in the answer, a sentence each, for people to read.
	Freeze(ctx context.Context, notice string) (undone []string, err error)
	// Thaw undoes what Freeze has done.
	Thaw(ctx context.Context) (undone []string, err error)
	// CatchUp returns when all that had been said on the network before the call is in the rooms.
	CatchUp(ctx context.Context) error
}

// Finding is one thing that an examination has found.
type Finding struct {
	What string // what was looked at, such as "the bot's token"
	// Good, doubtful (it works, but) or bad.
	Verdict Verdict
	Detail  string // a sentence
	Remedy  string // what to do about it: what to click, where; empty if nothing
}

// Verdict says how a finding is.
type Verdict string

// The verdicts, from best to worst.
const (
	Good     Verdict = "good"
	Doubtful Verdict = "doubtful"
	Bad      Verdict = "bad"
)

// Examiner is implemented by a Bridge that can say what keeps it from working: tokens, rights, settings at the network.
// It is called on a Bridge that was not started, too, and starts nothing that goes on.
type Examiner interface {
	// Examine looks and tells each finding as it comes. The error is of the examination itself.
	Examine(ctx context.Context, tell func(Finding)) error
}
