// Package discordexport reads what DiscordChatExporter has written as JSON: single files and
// partitioned ones, channels, threads, forums and direct messages, with or without media beside them.
//
// Threads become threads in the room of their channel, as in the live bridge, and messages get their
// HTML from its code (bridges/discord/format). Those exports do not say who may see a channel: all
// rooms are private until the mapping, or the bridge, says otherwise. What package discordfetch has
// written beside them, guild.json, says that, and who is there.
//
// What must not live here: anything of Matrix rooms, and requests to Discord.
package discordexport
