// Package migration is the tree of what moves a community here and, if it wishes, away again:
//
//	archive        reads ZIP files and folders of strangers safely
//	model          what a community is, whatever network it comes from
//	slackexport    reads exports of Slack, discordexport those of DiscordChatExporter, irclog the logs of IRC clients
//	plan           what will be made, what can't be, and the mapping that the administrator edits
//	run            carries a plan out, on our own server or on another one
//	elsewhere      is another server to carry it out on, over the application-service API
//	verify         compares an export with the rooms
//	takeover       tells a bridge's database what is here, so that it goes on where the export ends
//
// cmd/landbridge wires them. What must not live here: rules of Matrix rooms (homeserver has them),
// connections to Slack or Discord (bridges have them).
package migration
