// Package appservice is the Application Service host: it runs bridges, each of
// them a module (IRC, Slack, ...) on top of bridgev2 as a library, and is what
// a homeserver sees as application services.
//
// For each instance the host owns the bridgev2.Bridge, the Matrix connector, one
// database file, the registration, and its life: start, stop, restart, restart
// after failures. The module owns its network connector and its connections to
// the remote network.
//
// What must not live here: anything that knows a network; anything that imports
// the homeserver. Host and homeserver meet at an http.Handler (Host.Handler)
// and an http.RoundTripper (Homeserver.Transport), in one process or two.
//
// # What is delivered, and when
//
// A homeserver delivers transactions one after the other and goes on when the
// last one was answered with 200. bridgev2 takes an event through several
// queues and answers long before its effects are in the database; a crash in
// between would lose it. And if the answer waited for the effects, one slow
// channel would hold up all others.
//
// So the answer to a transaction means this: its events are in the bridge's
// inbox, a table in the bridge's own database file, on the disk (package store;
// the commit waits for the disk). From there they are handled:
//
//   - Each room is a lane. A lane handles one event at a time, in the order of
//     the inbox; lanes do not wait for each other. All that belongs to devices
//     (to-device events, device lists, key counts) is one more lane, and an
//     encrypted event waits for what that lane had to do before it came.
//   - An event of a room that is being made waits until bridgev2 knows the
//     room (births.go): it would be ignored.
//   - An event is given to bridgev2 and followed by a marker through the queue
//     of its portal (marker.go). When the marker comes out, the event has been
//     handled and its effects are committed. Only then is it marked as handled,
//     and only when that is committed does the lane go on. Both commits are in
//     one write-ahead log, the effects first.
//   - A transaction that was taken over is known by its id and by what is in it
//     (homeservers are known to use ids again), an event by its event id, so
//     that repetitions of either have no effect.
//
// After a crash the lanes go on with what is not marked. In each lane at most
// the first event can have been begun. If its message or reaction is in the
// bridge's database, it is marked and not handled again. If it is not, the
// remote network may have it nevertheless: the process died between sending it
// and storing it. No host can know; Redelivered tells the module, which should
// ask its network (a nonce, the recent history) before it sends again.
//
// One kind of event is not stored: the memberships that the bridge's own users
// have set themselves. The bridge knows them already, and thousands of them come
// when a large channel is joined.
//
// The other way, a module can give a message a transaction id of its own (package
// txnid), so that sending it again after a crash has no effect.
//
// Nothing is guaranteed for: typing, receipts and presence, which are handled
// from memory; commands to the bot, which count as handled when they begin,
// because a login may wait for a person for minutes; an event that cannot be
// decrypted, which counts as handled after three seconds, while bridgev2 goes on
// waiting for its key for a while; and a message whose connector has answered
// "pending", which is the connector's to keep. A power failure may undo the
// last marks, never an accepted transaction.
//
// # Bounds
//
// The inbox is bounded (Options.MaxPending); when it is full the homeserver is
// asked to come again (503). A portal's queue gets at most two entries from a
// lane, so events from Matrix cannot fill it. What remote networks queue is
// bounded by bridgev2.PortalEventBuffer, which the host raises, once for the
// process.
//
// # Lives
//
// A stopped bridgev2.Bridge cannot be started again. A restart makes new objects
// on the same files: the module's constructor, too, is called for each start.
// Panics in the module's constructor, Start and Stop, and in everything that is
// called from the host's or bridgev2's event loops, are caught; those in
// goroutines of the module's own are not, and end the process.
//
// # Batches of history
//
// bridgev2's own batch sending (com.beeper.batch_sending) names the event ids
// that it wants, which no room version after 2 allows. The host therefore does
// not take part in it, even where a homeserver advertises it; bridgev2 then
// backfills by single sends.
// What a rewriting BatchSend has to do: send the events, take the ids of the
// answer, replace the wanted ids in the relations of later events of the batch,
// and set them in extras[i].MessageMeta.MXID and ReactionMeta.MXID, which
// bridgev2 stores after BatchSend has returned.
package appservice
