// Package export writes what a server holds of a community, or of one person, into a folder or a zip file, as
// JSON that programs read and pages that people read without any server.
//
// # A community
//
//	about.json              what this is: format, version, server, when, how much of everything
//	index.html, style.css   the beginning of the pages
//	rooms.json              an array of Room, spaces first, with the folder of each
//	people.json             an array of Member: everybody who was ever in one of the rooms
//	rooms/NAME/state.json   the current state but the members, an array of events
//	rooms/NAME/members.json the current m.room.member events, an array
//	rooms/NAME/events.jsonl everything that happened, oldest first, an event a line
//	rooms/NAME/0001.html    pages of PageSize messages, oldest first
//	media.json              an array of File: where each mxc:// address of the events is found
//	media/ORIGIN/ID.EXT     the files
//	SHA256SUMS              of all of these, as sha256sum -c reads it; it comes last
//
// Events are as the client-server API gives them (specification, "Room event format"), with room_id, so any program that
// knows Matrix can read them. Those that were redacted are what is left of them. Those of encrypted rooms are
// encrypted: the server can't read them, and neither can the export.
//
// # A person
//
//	about.json, index.html, style.css, media.json, media/..., SHA256SUMS   as above
//	account.json            what the server knows of the account
//	account_data.json       what the person's clients have stored
//	memberships.json        the rooms the person is or was in
//	events/NAME.jsonl       what the person sent, and what was done to the person's membership, a file a room
//
// What must not live here: any knowledge of how a server keeps its data; see Source.
package export
