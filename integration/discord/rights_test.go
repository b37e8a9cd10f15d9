package discord_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

type account = bridgetest.Matrix

// overwrite is a permission of a channel; kind is 0 for a role and 1 for a person.
func overwrite(id string, kind int, allow, deny int64) discordtest.Overwrite {
	return discordtest.Overwrite{ID: id, Type: kind, Allow: fmt.Sprint(allow), Deny: fmt.Sprint(deny)}
}

func hide(id string) discordtest.Overwrite { return overwrite(id, 0, 0, discordtest.ViewChannel) }

func show(id string, kind int) discordtest.Overwrite {
	return overwrite(id, kind, discordtest.ViewChannel, 0)
}

// withNick changes a nickname, and a picture for one guild.
func withNick(nick, picture string) func(*discordtest.Member) {
	return func(m *discordtest.Member) { m.Nick, m.Avatar = &nick, &picture }
}

// namesByGuild: somebody has in the rooms of each guild the name and picture that they have there, whatever order they are changed in;
// both guilds are bridged both ways.
func (s *shared) namesByGuild() {
	mia := s.user("mia-names")
	here, there := s.dc.AddChannel(s.guild, 0, "names", ""), s.dc.AddChannel(s.other, 0, "cafe", "")
	room, cafe := s.join(mia, here), s.join(mia, there)
	ben := s.dc.AddUser("ben")
	ghost := s.ghost(ben)
	for i, g := range []*discordtest.Guild{s.guild, s.other} {
		s.dc.AddFile(fmt.Sprintf("/guilds/%s/users/%s/avatars/%032d.png", g.ID, ben.ID, i), []byte(png+g.ID))
	}
	first, second := s.dc.AddMember(s.guild, ben), s.dc.AddMember(s.other, ben)
	s.state(mia, room, "m.room.member", ghost, "displayname:ben ", "membership:join")
	s.state(mia, cafe, "m.room.member", ghost, "displayname:ben ", "membership:join")
	s.dc.UpdateMember(s.guild, first, withNick("Captain", fmt.Sprintf("%032d", 0)))
	s.state(mia, room, "m.room.member", ghost, "displayname:Captain", "avatar_url:mxc://")
	s.dc.UpdateMember(s.other, second, withNick("Cook", fmt.Sprintf("%032d", 1)))
	s.state(mia, cafe, "m.room.member", ghost, "displayname:Cook", "avatar_url:mxc://")
	for ch, at := range map[*discordtest.Channel]string{here: room, there: cafe} {
		s.dc.Say(ch, ben, "ahoy from "+ch.Name, nil)
		s.await(mia, at, ghost, "ahoy from "+ch.Name)
		s.send(mia, at, "m.room.message", obj{"msgtype": "m.text", "body": "ahoy " + ch.Name})
		s.onDiscord(ch.ID, "ahoy "+ch.Name)
	}
	looks := func(room string) string {
		var c struct {
			Name    string `json:"displayname"`
			Picture string `json:"avatar_url"`
		}
		_ = mia.State(s.ctx, room, "m.room.member", ghost, &c)
		return c.Name + " " + c.Picture
	}
	if a, b := looks(room), looks(cafe); !strings.HasPrefix(a, "Captain mxc://") || !strings.HasPrefix(b, "Cook mxc://") || strings.TrimPrefix(a, "Captain") == strings.TrimPrefix(b, "Cook") {
		s.Errorf("ben is %s and %s", a, b)
	}
	s.dc.UpdateMember(s.guild, first, func(m *discordtest.Member) { m.Nick, m.Avatar = nil, nil })
	s.state(mia, room, "m.room.member", ghost, "displayname:ben ")
	if b := looks(cafe); !strings.HasPrefix(b, "Cook ") {
		s.Errorf("in the other guild ben is %s", b)
	}
	// Who leaves one guild is in the other still.
	s.dc.RemoveMember(s.guild, ben)
	s.member(mia, room, ghost, "leave")
	s.dc.Say(there, ben, "still here", nil)
	s.await(mia, cafe, ghost, "still here")
}

// moderate kicks, bans, or ends a ban: "kick", "ban", "unban".
func (w *world) moderate(m *account, room, what, user string) {
	w.Helper()
	if err := m.Do(w.ctx, "POST", "/v3/rooms/"+room+"/"+what, obj{"user_id": user, "reason": "too loud"}, nil); err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// moderation: kicks, bans and time-outs in Matrix happen on Discord, where the bot may; where it may not, the moderator is told, and who was
// concerned is there again.
func (s *shared) moderation() {
	ch := s.dc.AddChannel(s.other, 0, "moderated", "")
	mia := s.user("mia-moderates")
	room := s.join(mia, ch)
	s.boss(mia, room)
	ben, zoe := s.dc.AddUser("ben"), s.dc.AddUser("zoe")
	for _, u := range []*discordtest.User{ben, zoe} {
		s.dc.AddMember(s.other, u)
		s.member(mia, room, s.ghost(u), "join")
	}
	there := func(u *discordtest.User, yes bool) {
		s.Helper()
		if err := s.dc.Wait(s.ctx, func() bool {
			return yes == slices.ContainsFunc(s.dc.Members(s.other), func(m discordtest.Member) bool { return m.User.ID == u.ID })
		}); err != nil {
			s.Fatalf("%s is in the guild: not %v", u.Username, yes)
		}
	}
	banned := func(u *discordtest.User, yes bool) {
		s.Helper()
		if err := s.dc.Wait(s.ctx, func() bool { return s.dc.IsBanned(s.other, u) == yes }); err != nil {
			s.Fatalf("%s is banned: not %v", u.Username, yes)
		}
	}
	s.moderate(mia, room, "kick", s.ghost(ben))
	s.says(mia, room, "", "m.notice", "Kick Members")
	s.member(mia, room, s.ghost(ben), "join")
	s.moderate(mia, room, "ban", s.ghost(ben))
	s.says(mia, room, "", "m.notice", "Ban Members")
	s.member(mia, room, s.ghost(ben), "join")
	there(ben, true)

	s.dc.Grant(s.other, discordtest.KickMembers|discordtest.BanMembers|discordtest.ModerateMembers)
	second := s.dc.AddChannel(s.other, 0, "moderated-too", "")
	also := s.join(mia, second)
	s.member(mia, also, s.ghost(zoe), "join")
	s.moderate(mia, room, "kick", s.ghost(ben))
	there(ben, false)
	s.member(mia, also, s.ghost(ben), "leave")
	s.moderate(mia, room, "ban", s.ghost(zoe))
	banned(zoe, true)
	s.member(mia, also, s.ghost(zoe), "ban")
	s.moderate(mia, room, "unban", s.ghost(zoe))
	banned(zoe, false)
	s.member(mia, also, s.ghost(zoe), "leave")
	// Time-outs by a command, for those who may.
	s.dc.AddMember(s.other, zoe)
	s.member(mia, room, s.ghost(zoe), "join")
	leo := s.user("leo-has-no-power")
	if _, err := leo.Join(s.ctx, room); err != nil {
		s.Fatal(err)
	}
	s.send(leo, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord timeout " + s.ghost(zoe) + " 10m"})
	s.says(mia, room, "", "takes the power of a moderator")
	silent := func(yes bool) {
		s.Helper()
		if err := s.dc.Wait(s.ctx, func() bool {
			return slices.ContainsFunc(s.dc.Members(s.other), func(m discordtest.Member) bool { return m.User.ID == zoe.ID && (m.TimeoutUntil != nil) == yes })
		}); err != nil {
			s.Fatalf("zoe is silent: not %v", yes)
		}
	}
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord timeout " + s.ghost(zoe) + " 10m too loud"})
	silent(true)
	s.eventually("zoe is silent in Matrix", func() bool { l, _ := s.level(mia, room, s.ghost(zoe)); return l < 0 })
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord timeout " + s.ghost(zoe) + " 0"})
	silent(false)
	s.eventually("zoe may speak", func() bool { l, _ := s.level(mia, room, s.ghost(zoe)); return l == 0 })
}

// privateChannels: only who sees a channel on Discord gets into its room, by invitation, also after what its roles are has changed; who does
// not see it any more is out.
func (s *shared) privateChannels() {
	mia, leo := s.user("mia-private"), s.user("leo-private")
	open := s.dc.AddChannel(s.guild, 0, "open", "")
	room := s.join(mia, open)
	ben, carl, zoe := s.dc.AddUser("ben"), s.dc.AddUser("carl"), s.dc.AddUser("zoe")
	s.dc.AddMember(s.guild, ben, s.mods.ID)
	s.dc.AddMember(s.guild, carl, s.mods.ID)
	member := s.dc.AddMember(s.guild, zoe)
	s.member(mia, room, s.ghost(zoe), "join")
	// Mia is Ben, who sees the channel; Leo is nobody there.
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord link"})
	told := s.says(mia, room, "", "/matrix link ")
	_, code, _ := strings.Cut(told.Body(), "/matrix link ")
	token := s.dc.Slash(open, ben, "matrix", "link", map[string]string{"code": strings.Trim(strings.Fields(code)[0], "`*.,")})
	if err := s.dc.Wait(s.ctx, func() bool { return strings.Contains(s.dc.Answer(token), "linked to "+mia.UserID) }); err != nil {
		s.Fatalf("mia is not linked: %q", s.dc.Answer(token))
	}
	if _, err := leo.Join(s.ctx, room); err != nil {
		s.Fatal(err)
	}
	s.send(leo, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord invite hidden"})
	s.says(leo, room, "", "no such channel that everybody sees")
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord list"})
	s.says(mia, room, "", "hidden", "open")
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord invite hidden"})
	invited := s.says(mia, room, "", "You are invited")
	// The link in the answer has the room.
	_, secret, _ := strings.Cut(invited.Body(), "https://matrix.to/#/")
	secret, _, _ = strings.Cut(secret, "?")
	secret, err := url.PathUnescape(secret)
	if err != nil {
		s.Fatal(err)
	}
	if _, err := leo.Join(s.ctx, secret); !bridgetest.IsStatus(err, 403) {
		s.Errorf("somebody who is not invited joins: %v", err)
	}
	if _, err := mia.Join(s.ctx, secret); err != nil {
		s.Fatal(err)
	}
	s.state(mia, secret, "m.room.join_rules", "", "invite")
	s.dc.Say(s.hidden, carl, "between us", nil)
	s.await(mia, secret, s.ghost(carl), "between us")
	s.dc.Say(s.hidden, ben, "I am mia", nil)
	s.await(mia, secret, mia.UserID, "I am mia")
	s.send(mia, secret, "m.room.message", obj{"msgtype": "m.text", "body": "and me"})
	s.onDiscord(s.hidden.ID, "and me")
	in := func(u *discordtest.User, yes bool) {
		s.Helper()
		s.eventually(fmt.Sprintf("%s is in the private room: %v", u.Username, yes), func() bool {
			members, err := mia.Members(s.ctx, secret)
			_, there := members[s.ghost(u)]
			return err == nil && there == yes
		})
	}
	in(carl, true)
	in(zoe, false)
	// Roles change who is there, and not that it is private.
	s.dc.UpdateMember(s.guild, member, func(m *discordtest.Member) { m.Roles = []string{s.mods.ID} })
	in(zoe, true)
	s.dc.UpdateMember(s.guild, member, func(m *discordtest.Member) { m.Roles = []string{} })
	in(zoe, false)
	s.dc.UpdateChannel(s.hidden, func(ch *discordtest.Channel) {
		ch.Overwrites = append(slices.Clone(ch.Overwrites), show(zoe.ID, 1))
	})
	in(zoe, true)
	s.dc.UpdateChannel(s.hidden, func(ch *discordtest.Channel) { ch.Overwrites = ch.Overwrites[:len(ch.Overwrites)-1] })
	in(zoe, false)
	s.state(mia, secret, "m.room.join_rules", "", "invite")
	if _, err := leo.Join(s.ctx, secret); !bridgetest.IsStatus(err, 403) {
		s.Errorf("somebody who is not invited joins: %v", err)
	}
}

// readOnly: where not everybody writes on Discord, those who may there may in Matrix, and others are told.
func (s *shared) readOnly() {
	mia := s.user("mia-reads")
	room := s.join(mia, s.shut)
	ben := s.dc.AddUser("ben")
	s.dc.AddMember(s.guild, ben, s.mods.ID)
	s.dc.Say(s.shut, ben, "news", nil)
	s.await(mia, room, s.ghost(ben), "news")
	if _, err := mia.Say(s.ctx, room, "may I"); !bridgetest.IsStatus(err, 403) {
		s.Errorf("somebody without the right writes: %v", err)
	}
	s.boss(mia, room)
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "may I now"})
	s.says(mia, room, "", "m.notice", "not everybody may write")
	s.dc.UpdateChannel(s.shut, func(ch *discordtest.Channel) { ch.Overwrites = []discordtest.Overwrite{} })
	s.eventually("all may write", func() bool { _, write := s.level(mia, room, ""); return write == 0 })
	s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "at last"})
	s.onDiscord(s.shut.ID, "at last")
}
