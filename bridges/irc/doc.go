// Package irc bridges IRC networks into Matrix rooms: configured channels are public
// rooms in a space for the network, each person on IRC is a ghost, and what Matrix users
// say is relayed by the bridge's one client of the network with their name before it, or
// goes through a connection of their own (a puppet).
//
// It is a bridgev2 NetworkConnector. The sub-packages know nothing of Matrix
// (session), nothing of connections (format), or are a server (demonet); what
// joins them is here.
//
// # Ids
//
// A network is a UserLogin and a space portal, both with the network's
// configured id. A channel is a portal with the id "network/#channel", the name
// folded as ASCII. A ghost's id is "network.nick" with the nick folded by the
// network's casemapping, so its Matrix id is @irc_network.nick:server (the
// framework doubles underscores, and no nick has a dot).
//
// # Nick changes
//
// IRC has no identity but the nick. A ghost therefore stands for a person's
// presence: it is chosen by the nick under which they are first seen, and it
// stays theirs when they change their nick, with a new display name. In Matrix
// that is what it is on IRC, a rename, and no leave and join. Ghosts whose nick
// differs from their id are remembered in the database, so a restart changes
// nothing; when the person leaves, the tie ends. If somebody takes a nick whose
// ghost still belongs to a person who is present under another nick, they get a
// ghost with a number ("network.nick~2"; ~ cannot be in a nick).
//
// # Nothing lost, nothing twice
//
// From Matrix: a message is first stored in the bridge's database (the outbox),
// together with its row in the framework's message table, and only then is its
// handling complete; an event that is delivered again finds itself there and is
// ignored. The sender takes from the outbox in order, a few at a time. Immediately
// before each line is written to the socket, that is noted in the ledger, in memory
// that outlives the process, and again when the server has confirmed it; so a crash of
// the process at any moment repeats nothing. What can be lost is a line for which the
// process dies in the nanoseconds between the note and the write, and one that
// the server has not read when the connection of the dead process is reset.
// Lines that were written and of which the server's answer is not known, because the
// connection broke or the process died before it came, are reported to their sender as
// uncertain, not repeated.
//
// From IRC: what a line means for the rooms (line.go) is decided when it is read,
// with the session's state as it is then, and stored (inbox.go) before it is
// handled, several lines with one commit if they come together. A PING of the
// server is answered when what came before is stored: that is what a server, and
// a test, can know of it. A line is forgotten when the room's portal has handled
// it. After a crash what is left is handled first, in order. For what the
// homeserver or the framework has already that comes to nothing:
//
//   - A message has an id (the network's msgid, or connection and number) by
//     which the framework knows that it has sent it, and a transaction id made of
//     that one (package txnid) by which the homeserver knows, if the process died
//     before the framework did.
//   - A change of membership or topic is forgotten before the room's next one is
//     handled, so at most one of a room is repeated, and it sets what is set.
//   - Who has which ghost is stored with the line that changes it, and each line
//     has its ghosts with it.
//
// The inbox is bounded, and a full one slows the reading of the connection; none is
// dropped. A line that the homeserver does not take is tried again in its place;
// see insist. Lost is what the process has not read from the socket, or has read and
// not yet stored, when it is killed: milliseconds' worth, on a machine that is not
// overloaded. What is said while nobody listens is lost in any case, for IRC does
// not repeat.
//
// # Puppets
//
// A Matrix user's own connection (puppet.go) has a session and an outbox of its own, and shares the
// network's inbox, into which it puts what is said to its user alone. What everybody can see is read
// by the network's session; of it, what puppets do is left out (puppets.hides), for Matrix knows it.
// A puppet is known by its nick, and the nicks of those who have gone are known for a while, because
// the two connections hear of a change at different times.
//
// # Many people
//
// The lists of names of large channels are taken over in groups, each in a turn of
// the room's portal (arrival.go): the room is there first, what is said comes between
// the groups, and other rooms do not wait.
package irc
