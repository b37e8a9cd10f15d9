// Package irc bridges IRC networks into Matrix rooms, in community mode: the
// bridge is one client of each network, configured channels are public rooms in a
// space for the network, each person on IRC is a ghost, and what Matrix users say
// is relayed with their name before it.
//
// It is a bridgev2 NetworkConnector. The sub-packages know nothing of Matrix
// (session), nothing of connections (format), or are a server (demonet); what
// joins them is here.
//
// # Ids
//
// A network is a UserLogin and a space portal, both with the network's
// configured id. A channel is a portal with the id "network/#channel", the name
// folded as ASCII. A ghost's id is "network_nick" with the nick folded by the
// network's casemapping, so its Matrix id is @irc_network__nick:server (the
// framework doubles underscores).
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
// ghost with a number ("network_nick~2"; ~ cannot be in a nick).
//
// # Nothing lost, nothing twice
//
// From Matrix: a message is first stored in the bridge's database (the outbox),
// together with its row in the framework's message table, and only then is its
// handling complete; an event that is delivered again finds itself there and is
// ignored. The sender takes from the outbox in order. Immediately before each
// line is written to the socket, the outbox records it as written, so a crash at
// any moment repeats nothing; what can be lost is a line for which the process
// dies between that record and the write that follows it at once, and one that
// the server has not read when the connection of the dead process is reset.
// Lines for which the server's answer is not known, because the connection broke
// or the process died before it came, are reported to their sender as uncertain,
// not repeated.
//
// From IRC: each line has an id of its own (the network's msgid, or connection
// and counter), which the framework uses to ignore repetitions. Lines wait in a
// bounded buffer, and a full buffer slows the reading of the connection; none is
// dropped. A line that the homeserver does not take is tried again, in its
// place, for half a minute. That buffer, and the portals' queues behind it, are
// in memory: a process that is killed loses what it has read and not yet given to
// the homeserver, some milliseconds' worth, or as long as the room's members are
// being taken over after a join; what is said while nobody listens is lost in any
// case, for IRC does not repeat.
package irc
