package discord_test

import (
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// shared is one program with several bridges, which the scenarios of TestScenarios have in common. Each of them has channels,
// people and accounts of its own.
type shared struct {
	*world
	// other is a second guild of the same bot.
	other *discordtest.Guild
	// rooms is a bridge whose threads are rooms and whose forums are spaces; recent brings in what was said in the last 30 days,
	// from the channel before.
	rooms, recent *world
	before        *discordtest.Channel
	// hidden is a channel that is there from the beginning, and that not everybody sees; shut is one where not everybody writes.
	hidden, shut *discordtest.Channel
	mods         *discordtest.Role
	admin        *account // of the bridges
}

// part is s for a part of the test.
func (s *shared) part(t *testing.T) *shared {
	p := *s
	p.world, p.rooms, p.recent = s.in(t), s.rooms.in(t), s.recent.in(t)
	return &p
}

// newChannel makes a channel, and has somebody who is made for it join its room.
func (w *world) newChannel(name, who string) (*discordtest.Channel, *account, string) {
	w.Helper()
	ch := w.dc.AddChannel(w.guild, 0, name, "")
	m := w.user(who)
	return ch, m, w.join(m, ch)
}

// TestScenarios: what docs/discord.md says, line by line.
func TestScenarios(t *testing.T) {
	t.Parallel()
	s := &shared{}
	s.world = newWorld(t, func(w *world) {
		s.other = w.dc.AddGuild("Other", w.anna)
		s.mods = w.dc.AddRole(w.guild, "Mods", discordtest.ManageMessages)
		s.hidden = w.dc.AddChannel(w.guild, 0, "hidden", "", hide(w.guild.ID), show(w.dc.AppID, 1), show(s.mods.ID, 0))
		s.shut = w.dc.AddChannel(w.guild, 5, "shut", "", overwrite(w.guild.ID, 0, 0, discordtest.SendMessages), overwrite(s.mods.ID, 0, discordtest.SendMessages, 0))
		w.extra = "      upload_limit: 1000\n"
		s.rooms = w.beside("rooms", "      threads: rooms\n      forums: space\n")
		s.recent = w.beside("recent", "      history: 30d\n")
		s.before = s.recent.past()
	})
	s.rooms.server, s.recent.server = s.server, s.server
	s.admin = s.user("admin")
	for name, f := range map[string]func(*shared){
		"threads as rooms":       (*shared).threadsAsRooms,
		"forums as spaces":       (*shared).forumsAsSpaces,
		"private threads":        (*shared).privateThreads,
		"names by guild":         (*shared).namesByGuild,
		"moderation":             (*shared).moderation,
		"private channels":       (*shared).privateChannels,
		"read-only channels":     (*shared).readOnly,
		"reactions from Discord": (*shared).reactionsFromDiscord,
		"reactions from Matrix":  (*shared).reactionsFromMatrix,
		"system messages":        (*shared).systemMessages,
		"messages of programs":   (*shared).messagesOfPrograms,
		"edits and deletions":    (*shared).editsAndDeletions,
		"mentions":               (*shared).mentions,
		"files":                  (*shared).files,
		"long messages":          (*shared).longMessages,
		"commands":               (*shared).commands,
		"threads and tags":       (*shared).threadCommands,
		"recent history":         (*shared).recentHistory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(s.part(t))
		})
	}
}
