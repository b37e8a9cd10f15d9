// Package reading is where the world, and search engines, read the history of public rooms without an
// account or a client.
//
// A room is here only if its own people want that, and twice: its history is readable by everybody
// (m.room.history_visibility is world_readable), and it has the state event im.landbridge.reading with
// "enabled": true, which who may change its state sets. What is shown is what the client API gives
// somebody who is not in the room, so events from before the room was opened are not shown.
//
// Pages run no script, and texts are shown as text: nothing of a message becomes HTML but links.
// What must not live here: any other way to rooms than the client API.
package reading
