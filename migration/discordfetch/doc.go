// Package discordfetch makes an export of a Discord server with a bot token, out of Discord's own API.
//
// What it writes is what package discordexport reads: files in the JSON format of DiscordChatExporter, a few of them for each
// channel and thread (a thousand messages each, oldest first), the files of messages beside them, and guild.json, which has what
// those files have no place for: roles, permissions, members, emoji, stickers. state.json says how far each
// channel is: a fetch that was cut off goes on, and one of later adds what is new since.
//
// What must not live here: what messages mean for Matrix, and the migration itself.
package discordfetch
