// Package discord bridges guilds of Discord into Matrix spaces, in community mode: the
// bridge is one bot, a guild is a space, its categories are spaces in it, its channels
// are rooms, each member is a ghost, and what Matrix users say goes through a webhook
// under their name and avatar.
//
// It is a bridgev2 NetworkConnector. The sub-packages know nothing of Matrix (api,
// wire), nothing of connections (format), or are a stand-in of Discord for tests
// (discordtest); what joins them is here.
//
// # Ids
//
// A guild's space is the portal "guild.ID", a channel or category the portal with its
// id. A ghost's id is the user's; what writes through a foreign webhook is a ghost of
// its own for each name, "webhook.ID.hash". A message has its own id, and a part of it
// "" for the text, or the kind and id of the attachment or sticker. The first message of
// a thread always has the thread's id, so that threads of Matrix and Discord find each
// other.
//
// # Nothing lost, nothing twice
//
// From Matrix: what is to be done is first stored in the outbox, together with the
// message's row in the framework's table, and only then is handling the event complete;
// an event that is delivered again finds itself there. Each channel has a worker that
// does its jobs in order. Before the request that sends a message, the outbox records
// that it is made; if its answer is not heard, because the connection broke or the
// process died, the channel's recent messages are searched for one of our webhook with
// the same name and text that is not known, and only if there is none is it sent again.
// Edits, deletions and reactions come to the same when repeated.
//
// From Discord: an event is stored (inbox.go) before it is handled, and forgotten when
// its room has handled it. Each part of a message is sent to Matrix by itself, under a
// transaction id made from its name (package txnid), and known by its row, so that a
// repetition sends what is missing and nothing else. An interrupted connection is
// resumed. After a new session, each channel's messages after the newest that Matrix has
// (the cursor) are fetched before newer ones are handled; the cursor moves when a
// message has been handled, in the transaction that forgets it.
//
// Our own webhook's messages are known by the webhook's id and do not come back.
package discord
