package discord_test

import (
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// TestBans: a ban on Discord is one in Matrix, in all rooms, and ends with it; also one of a time when nobody listened.
func TestBans(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.dc.Grant(r.guild, discordtest.BanMembers)
	r.dc.AddChannel(r.guild, 0, "second", "")
	r.start()
	room, second := r.room("general"), r.room("second")
	r.member(room, ghost(r.anna), "anna is there", is("join"))
	r.dc.Ban(r.guild, r.anna)
	r.member(room, ghost(r.anna), "anna is banned", is("ban"))
	r.member(second, ghost(r.anna), "anna is banned from the second room", is("ban"))
	r.dc.Unban(r.guild, r.anna)
	r.member(room, ghost(r.anna), "anna is not banned any more", is("leave"))
	r.dc.AddMember(r.guild, r.anna)
	r.member(second, ghost(r.anna), "anna is back", is("join"))

	ben := r.dc.AddUser("ben")
	r.dc.AddMember(r.guild, ben)
	r.member(room, ghost(ben), "ben is there", is("join"))
	r.host.StopAll()
	r.dc.Ban(r.guild, r.anna)
	r.dc.RemoveMember(r.guild, ben)
	if err := r.host.Start(r.ctx, "discord"); err != nil {
		t.Fatal(err)
	}
	r.member(room, ghost(r.anna), "the ban of meanwhile", is("ban"))
	r.member(room, ghost(ben), "who has left meanwhile", is("leave"))
}

// TestTimeouts: who is silenced on Discord may not write in Matrix, until the time is over or it is ended.
func TestTimeouts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	m := r.dc.AddMember(r.guild, r.dc.AddUser("ben"))
	r.start()
	room := r.room("general")
	r.member(room, ghost(m.User), "ben is there", is("join"))
	silence := func(d time.Duration) {
		until := time.Now().Add(d).UTC().Format(time.RFC3339Nano)
		r.dc.UpdateMember(r.guild, m, func(m *discordtest.Member) { m.TimeoutUntil = &until })
	}
	silence(2 * time.Second)
	r.wait("ben is silent", func() bool { return r.level(room, ghost(m.User)) == -1 })
	r.wait("his time is over", func() bool { return r.level(room, ghost(m.User)) == 0 })
	silence(time.Hour)
	r.wait("ben is silent again", func() bool { return r.level(room, ghost(m.User)) == -1 })
	r.dc.UpdateMember(r.guild, m, func(m *discordtest.Member) { m.TimeoutUntil = nil })
	r.wait("he may write again", func() bool { return r.level(room, ghost(m.User)) == 0 })
}

// TestBanUnderWay: a room that is compared with its channel while a ban from Matrix is on its way to the bridge does not take back who is
// banned.
func TestBanUnderWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ben := r.dc.AddUser("ben")
	r.dc.AddMember(r.guild, ben)
	r.dc.Grant(r.guild, discordtest.BanMembers)
	r.start()
	room := r.room("general")
	r.member(room, ghost(ben), "ben is there", is("join"))
	r.late.Lock()
	r.setMember(room, mia, ghost(ben), "ban")
	r.dc.Grant(r.guild, discordtest.KickMembers) // whereupon the room is compared with the channel
	r.dc.Say(r.general, r.anna, "after it", nil)
	r.said(room, ghost(r.anna), "after it")
	r.member(room, ghost(ben), "ben is banned", is("ban"))
	r.late.Unlock()
	if err := r.dc.Wait(r.ctx, func() bool { return r.dc.IsBanned(r.guild, ben) }); err != nil {
		t.Errorf("ben is not banned: %v", err)
	}
}

// TestModeration: kicks and bans in Matrix are done on Discord, if the bot may; if not, the moderator is told and all is
// as it was.
func TestModeration(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ben := r.dc.AddUser("ben")
	r.dc.AddMember(r.guild, ben)
	r.start()
	room := r.room("general")
	r.member(room, ghost(ben), "ben is there", is("join"))
	r.member(room, ghost(r.anna), "anna is there", is("join"))

	r.setMember(room, mia, ghost(ben), "leave")
	r.event(room, "m.room.message", "Mia is told", func(e *appservicetest.Event) bool {
		return strings.Contains(e.Get("body"), "Kick Members")
	})
	r.member(room, ghost(ben), "ben is back", is("join"))
	r.setMember(room, mia, ghost(ben), "ban")
	r.event(room, "m.room.message", "Mia is told again", func(e *appservicetest.Event) bool {
		return strings.Contains(e.Get("body"), "Ban Members")
	})
	r.member(room, ghost(ben), "ben is back again", is("join"))

	r.dc.Grant(r.guild, discordtest.KickMembers|discordtest.BanMembers|discordtest.ModerateMembers)
	gone := func(u *discordtest.User) func() bool {
		return func() bool {
			for _, m := range r.dc.Members(r.guild) {
				if m.User.ID == u.ID {
					return false
				}
			}
			return true
		}
	}
	r.setMember(room, mia, ghost(ben), "leave")
	if err := r.dc.Wait(r.ctx, gone(ben)); err != nil {
		t.Errorf("ben is not kicked: %v", err)
	}
	r.setMember(room, mia, ghost(r.anna), "ban")
	if err := r.dc.Wait(r.ctx, func() bool { return r.dc.IsBanned(r.guild, r.anna) }); err != nil {
		t.Errorf("anna is not banned: %v", err)
	}
	r.setMember(room, mia, ghost(r.anna), "leave")
	if err := r.dc.Wait(r.ctx, func() bool { return !r.dc.IsBanned(r.guild, r.anna) }); err != nil {
		t.Errorf("anna is still banned: %v", err)
	}

	// A time-out, by a command.
	r.dc.AddMember(r.guild, ben)
	r.member(room, ghost(ben), "ben has come again", is("join"))
	r.hs.SetPower(room, mia, 50)
	r.hs.SendText(room, zoe, "!discord timeout "+string(ghost(ben))+" 10m")
	r.event(room, "m.room.message", "Zoe may not", func(e *appservicetest.Event) bool {
		return strings.Contains(e.Get("body"), "power of a moderator")
	})
	r.hs.SendText(room, mia, "!discord timeout "+string(ghost(ben))+" 10m too loud")
	if err := r.dc.Wait(r.ctx, func() bool {
		for _, m := range r.dc.Members(r.guild) {
			if m.User.ID == ben.ID && m.TimeoutUntil != nil {
				return true
			}
		}
		return false
	}); err != nil {
		t.Errorf("ben is not silenced: %v", err)
	}
	r.wait("ben is silent in Matrix", func() bool { return r.level(room, ghost(ben)) == -1 })
}

// TestNamesByGuild: somebody who is called differently in two guilds is so in their rooms.
func TestNamesByGuild(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	other := r.dc.AddGuild("Other", r.owner)
	cafe := r.dc.AddChannel(other, 0, "cafe", "")
	name := func(s string) func(*discordtest.Member) { return func(m *discordtest.Member) { m.Nick = &s } }
	ben := r.dc.AddUser("ben")
	here, there := r.dc.AddMember(r.guild, ben), r.dc.AddMember(other, ben)
	r.dc.UpdateMember(r.guild, here, name("Captain"))
	r.start()
	room, second := r.room("general"), r.room("cafe")
	called := func(want string) func(map[string]any) bool {
		return func(c map[string]any) bool { return c["membership"] == "join" && c["displayname"] == want }
	}
	r.member(room, ghost(ben), "ben is the captain", called("Captain"))
	r.member(second, ghost(ben), "ben is ben", called("ben"))
	r.dc.UpdateMember(other, there, name("Cook"))
	r.member(second, ghost(ben), "ben is the cook", called("Cook"))
	r.dc.Say(cafe, ben, "soup", nil)
	r.said(second, ghost(ben), "soup")
	r.member(room, ghost(ben), "ben is still the captain", called("Captain"))
	r.dc.UpdateMember(r.guild, here, func(m *discordtest.Member) { m.Nick = nil })
	r.member(room, ghost(ben), "ben is ben again", called("ben"))
	r.member(second, ghost(ben), "and the cook", called("Cook"))
}

// TestOneGuildsNames: with one guild the profile is what the guild says.
func TestOneGuildsNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	ben := r.dc.AddUser("ben")
	m := r.dc.AddMember(r.guild, ben)
	nick := "Captain"
	r.start()
	room := r.room("general")
	r.member(room, ghost(ben), "ben is there", func(c map[string]any) bool { return c["displayname"] == "ben" })
	r.dc.UpdateMember(r.guild, m, func(m *discordtest.Member) { m.Nick = &nick })
	r.wait("his profile", func() bool { return r.hs.Profile(ghost(ben))["displayname"] == "Captain" })
	r.dc.AddChannel(r.guild, 0, "later", "")
	r.member(r.room("later"), ghost(ben), "he has his new name in a new room", func(c map[string]any) bool { return c["displayname"] == "Captain" })
}
