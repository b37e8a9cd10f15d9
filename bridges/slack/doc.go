// Package slack bridges Slack workspaces into Matrix rooms, in community mode: a bot of
// the workspace listens and speaks for everybody. The workspace is a space, the channels
// of which the bot is a member are its rooms, each member of the workspace is a ghost,
// and what Matrix users say is posted with their name and picture.
//
// It is a bridgev2 NetworkConnector. Package format, which knows nothing of Matrix's
// protocol or of Slack's, converts messages; package slacktest is a Slack for tests.
//
// # Ids
//
// A workspace is a UserLogin with the workspace's configured id, and a space portal,
// "workspace/<id>". A channel's portal has Slack's id of the channel in small letters,
// which is the same in all workspaces that share it. A ghost's id is Slack's id of the
// person, in small letters; a bot that speaks under another name than its own is a ghost
// of its own, "<bot id>.<hash of the name>". A message's id is "<channel>/<ts>"; what
// comes from Matrix has "m/<event id>" until Slack has it. Files beyond the first part
// of a message are messages of their own in Matrix, "<channel>/<ts>~1" and so on.
//
// # Nothing lost, nothing twice
//
// From Slack: an event is stored (inbox.go), known by Slack's id of it, before Slack is
// told that it arrived; Slack repeats what is not acknowledged. It is forgotten when its
// room has handled it. A message is known to the framework by its id and to the
// homeserver by a transaction id made from that (package txnid), an edit by its version,
// so a crash at any moment repeats nothing. What Slack could not deliver because
// nothing listened is fetched (gap.go): for each channel the ts of the last message that
// was handled is stored, and on connecting anew all after it is asked for, in the channel
// and in threads. Until that is handled, new events of the channel wait. What comes in
// another order than it happened is put right (order.go), and what an earlier run has
// done without recording it is found (adopt.go, edit.go).
//
// From Matrix: a message is stored in the outbox together with its row in the
// framework's message table, and only then is its handling complete. Each channel has
// its messages sent one after the other; a channel that must wait holds up no other.
// Before a message is posted it is recorded as begun, and it carries its event id in its
// metadata and, hashed, as the id of its block: if the answer never came, because the
// network or the process failed, the channel's history is searched for it, and it is
// posted again only if it is not there.
// A file has its Slack id recorded before it is shared, and Slack is asked whether it was.
//
// # Echoes
//
// What the bridge's own bot did is recognised by the ids of the bot and its user.
package slack
