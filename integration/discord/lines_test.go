package discord_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// state waits until a state event of a room has some words in it.
func (w *world) state(m *bridgetest.Matrix, room, kind, key string, words ...string) {
	w.Helper()
	var got obj
	w.eventually(fmt.Sprintf("%s %q of %s", kind, key, strings.Join(words, " + ")), func() bool {
		got = nil
		if m.State(w.ctx, room, kind, key, &got) != nil {
			return false
		}
		for _, word := range words {
			if !strings.Contains(fmt.Sprint(got), word) {
				return false
			}
		}
		return true
	})
}

// level is the power level of somebody, and what writing takes.
func (w *world) level(m *bridgetest.Matrix, room, user string) (level, write int) {
	var c struct {
		Users  map[string]int `json:"users"`
		Events int            `json:"events_default"`
	}
	_ = m.State(w.ctx, room, "m.room.power_levels", "", &c)
	return c.Users[user], c.Events
}

// member waits until somebody's membership of a room is so.
func (w *world) member(m *bridgetest.Matrix, room, user, membership string) {
	w.Helper()
	w.state(m, room, "m.room.member", user, "membership:"+membership)
}

const png = "\x89PNG\r\n\x1a\n"

// The rooms of a guild are as its channels are, and follow them.
func TestRooms(t *testing.T) {
	t.Parallel()
	channels := map[string]*discordtest.Channel{}
	var secret *discordtest.Channel
	var mods *discordtest.Role
	w := newWorld(t, func(w *world) {
		mods = w.dc.AddRole(w.guild, "Mods", discordtest.ManageMessages)
		cat := w.dc.AddChannel(w.guild, 4, "Talk", "")
		for i, kind := range []int{0, 5, 13, 2, 15} {
			name := []string{"text", "news", "stage", "voice", "forum"}[i]
			channels[name] = w.dc.AddChannel(w.guild, kind, name, cat.ID)
		}
		secret = w.dc.AddChannel(w.guild, 0, "secret", "",
			discordtest.Overwrite{ID: w.guild.ID, Deny: fmt.Sprint(discordtest.ViewChannel), Allow: "0"},
			discordtest.Overwrite{ID: w.dc.AppID, Type: 1, Allow: fmt.Sprint(discordtest.ViewChannel), Deny: "0"})
	})
	mia := w.user("mia")
	rooms := map[string]string{}
	for name, ch := range channels {
		rooms[name] = w.join(mia, ch)
		if name == "forum" {
			continue
		}
		w.dc.Say(ch, w.anna, "in "+name, nil)
		w.await(mia, rooms[name], w.ghost(w.anna), "in "+name)
		w.send(mia, rooms[name], "m.room.message", obj{"msgtype": "m.text", "body": "to " + name})
		w.onDiscord(ch.ID, "to "+name)
	}
	text := channels["text"]
	// Name, topic and slow mode.
	w.dc.UpdateChannel(text, func(ch *discordtest.Channel) {
		topic := "what it is about"
		ch.Name, ch.Topic, ch.RateLimit = "renamed", &topic, 30
	})
	w.state(mia, rooms["text"], "m.room.name", "", "renamed")
	w.state(mia, rooms["text"], "m.room.topic", "", "what it is about", "30s")
	// Order: as it is on Discord, in the category's space.
	space := ""
	all, err := mia.AllState(w.ctx, rooms["text"])
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.Type == "m.space.parent" {
			space = *e.StateKey
		}
	}
	if _, err := mia.Join(w.ctx, space); err != nil {
		t.Fatal(err)
	}
	orders := func() map[string]string {
		list := map[string]string{}
		for name, room := range rooms {
			var c struct {
				Order string `json:"order"`
			}
			_ = mia.State(w.ctx, space, "m.space.child", room, &c)
			list[name] = c.Order
		}
		return list
	}
	w.eventually("the rooms in their order", func() bool {
		o := orders()
		return o["text"] != "" && o["text"] < o["news"] && o["news"] < o["forum"] && o["forum"] < o["stage"] && o["stage"] < o["voice"]
	})
	w.dc.UpdateChannel(text, func(ch *discordtest.Channel) { ch.Position = 90 })
	w.eventually("the room in its new place", func() bool { o := orders(); return o["forum"] < o["text"] })
	// The guild's name and picture.
	guild := ""
	w.eventually("the guild's space", func() bool {
		all, err := mia.AllState(w.ctx, space)
		if err != nil {
			return false
		}
		for _, e := range all {
			if e.Type == "m.space.parent" {
				guild = *e.StateKey
			}
		}
		return guild != ""
	})
	if _, err := mia.Join(w.ctx, guild); err != nil {
		t.Fatal(err)
	}
	w.dc.AddFile("/icons/"+w.guild.ID+"/abc.png", []byte(png+"icon"))
	w.dc.Dispatch(w.guild.ID, "GUILD_UPDATE", obj{"id": w.guild.ID, "name": "New name", "icon": "abc", "owner_id": w.guild.OwnerID})
	w.state(mia, guild, "m.room.name", "", "New name")
	w.state(mia, guild, "m.room.avatar", "", "mxc://")

	// A private channel is by invitation, and stays so; who may see it is in it.
	ben := w.dc.AddUser("ben")
	member := w.dc.AddMember(w.guild, ben)
	if _, err := mia.Join(w.ctx, "#discord_"+secret.ID+":"+w.server.Name()); !bridgetest.IsStatus(err, 404) {
		t.Errorf("the private channel has an alias: %v", err)
	}
	// A role, and what it may do, follow at once.
	w.member(mia, rooms["text"], w.ghost(ben), "join")
	w.dc.UpdateMember(w.guild, member, func(m *discordtest.Member) { m.Roles = []string{mods.ID} })
	w.eventually("ben is a moderator", func() bool { l, _ := w.level(mia, rooms["text"], w.ghost(ben)); return l == 50 })
	w.dc.UpdateRole(w.guild, mods, func(r *discordtest.Role) { r.Permissions = "0" })
	w.eventually("ben is none any more", func() bool { l, _ := w.level(mia, rooms["text"], w.ghost(ben)); return l == 0 })
	// Who may write.
	deny := discordtest.Overwrite{ID: w.guild.ID, Deny: fmt.Sprint(discordtest.SendMessages), Allow: "0"}
	w.dc.UpdateChannel(channels["news"], func(ch *discordtest.Channel) { ch.Overwrites = []discordtest.Overwrite{deny} })
	w.eventually("news are read alone", func() bool { _, write := w.level(mia, rooms["news"], ""); return write > 0 })
	w.dc.UpdateChannel(channels["news"], func(ch *discordtest.Channel) { ch.Overwrites = []discordtest.Overwrite{} })
	w.eventually("all may write", func() bool { _, write := w.level(mia, rooms["news"], ""); return write == 0 })
	// Who may see: a channel becomes private, and public again.
	hide := discordtest.Overwrite{ID: w.guild.ID, Deny: fmt.Sprint(discordtest.ViewChannel), Allow: "0"}
	bot := discordtest.Overwrite{ID: w.dc.AppID, Type: 1, Allow: fmt.Sprint(discordtest.ViewChannel), Deny: "0"}
	w.dc.UpdateChannel(channels["voice"], func(ch *discordtest.Channel) { ch.Overwrites = []discordtest.Overwrite{hide, bot} })
	w.state(mia, rooms["voice"], "m.room.join_rules", "", "invite")
	w.member(mia, rooms["voice"], w.ghost(ben), "leave")
	w.dc.UpdateChannel(channels["voice"], func(ch *discordtest.Channel) { ch.Overwrites = []discordtest.Overwrite{} })
	w.state(mia, rooms["voice"], "m.room.join_rules", "", "public")
	w.member(mia, rooms["voice"], w.ghost(ben), "join")

	// Forums: posts both ways, tags, archived and not.
	forum, hall := channels["forum"], rooms["forum"]
	emoji := "🐦"
	w.dc.UpdateChannel(forum, func(ch *discordtest.Channel) {
		ch.Tags = []discordtest.Tag{{ID: "7001", Name: "Birds", EmojiName: &emoji}}
	})
	post, _ := w.dc.Post(forum, w.anna, "How to?", "How do I do it?")
	head := w.says(mia, hall, w.ghost(w.anna), "How to?", "How do I do it?")
	w.dc.UpdateChannel(post, func(ch *discordtest.Channel) { ch.AppliedTags = []string{"7001"} })
	w.says(mia, hall, w.ghost(w.anna), "m.replace", "🐦 Birds")
	w.dc.Say(post, w.anna, "a comment", nil)
	if e := w.await(mia, hall, w.ghost(w.anna), "a comment"); !relates(e, "m.thread", head.ID) {
		t.Errorf("a comment: %s", e)
	}
	w.dc.Archive(post)
	w.says(mia, hall, "", "archived")
	w.send(mia, hall, "m.room.message", obj{"msgtype": "m.text", "body": "I know", "m.relates_to": obj{
		"rel_type": "m.thread", "event_id": head.ID, "is_falling_back": true, "m.in_reply_to": obj{"event_id": head.ID}}})
	w.onDiscord(post.ID, "I know")
	w.says(mia, hall, "", "opened again")
	w.send(mia, hall, "m.room.message", obj{"msgtype": "m.text", "body": "Look #birds\nthere"})
	if err := w.dc.Wait(w.ctx, func() bool {
		for _, th := range w.dc.Threads(w.guild) {
			if strings.HasPrefix(th.Name, "Look") && len(th.AppliedTags) == 1 && len(w.dc.Messages(th.ID)) == 1 {
				return true
			}
		}
		return false
	}); err != nil {
		t.Errorf("a post from Matrix: %v", err)
	}
	// A channel that is deleted.
	w.dc.DeleteChannel(text)
	w.state(mia, rooms["text"], "m.room.name", "", "deleted")
}

// People are who they are, come and go.
func TestPeople(t *testing.T) {
	t.Parallel()
	var general *discordtest.Channel
	w := newWorld(t, func(w *world) { general = w.dc.AddChannel(w.guild, 0, "general", "") })
	mia := w.user("mia")
	room := w.join(mia, general)
	ben := w.dc.AddUser("ben")
	benGhost := w.ghost(ben)
	member := w.dc.AddMember(w.guild, ben)
	w.member(mia, room, benGhost, "join")
	w.state(mia, room, "m.room.member", benGhost, "displayname:ben")
	nick, picture := "Benny", "0123456789abcdef0123456789abcdef"
	w.dc.AddFile("/guilds/"+w.guild.ID+"/users/"+ben.ID+"/avatars/"+picture+".png", []byte(png+"face"))
	w.dc.UpdateMember(w.guild, member, func(m *discordtest.Member) { m.Nick, m.Avatar = &nick, &picture })
	w.state(mia, room, "m.room.member", benGhost, "displayname:Benny", "avatar_url:mxc://")
	// Time-outs.
	until := "2099-01-01T00:00:00+00:00"
	w.dc.UpdateMember(w.guild, member, func(m *discordtest.Member) { m.TimeoutUntil = &until })
	w.eventually("ben is silent", func() bool { l, _ := w.level(mia, room, benGhost); return l < 0 })
	w.dc.UpdateMember(w.guild, member, func(m *discordtest.Member) { m.TimeoutUntil = nil })
	w.eventually("ben may speak", func() bool { l, _ := w.level(mia, room, benGhost); return l == 0 })
	// Bans and kicks.
	w.dc.Ban(w.guild, ben)
	w.member(mia, room, benGhost, "ban")
	w.dc.Unban(w.guild, ben)
	w.member(mia, room, benGhost, "leave")
	w.dc.AddMember(w.guild, ben)
	w.member(mia, room, benGhost, "join")
	w.dc.RemoveMember(w.guild, ben)
	w.member(mia, room, benGhost, "leave")
	// What writes through webhooks of others is somebody by each name; bots are bots.
	face := "ffffffffffffffffffffffffffffffff"
	var senders []string
	for _, name := range []string{"News", "Weather"} {
		w.dc.AddFile("/avatars/4242/"+face+".png", []byte(png+"hook"))
		w.dc.Say(general, w.anna, name+" of today", func(m *discordtest.Message) {
			m.WebhookID, m.Author = "4242", &discordtest.User{ID: "4242", Username: name, Discriminator: "0000", Bot: true, Avatar: &face}
		})
		e := w.says(mia, room, "", name+" of today", "m.notice")
		w.state(mia, room, "m.room.member", e.Sender, "displayname:"+name, "avatar_url:mxc://")
		senders = append(senders, e.Sender)
	}
	if senders[0] == senders[1] {
		t.Error("two names of a webhook are one person")
	}
	robot := w.dc.AddUser("robot")
	robot.Bot = true
	w.dc.AddMember(w.guild, robot)
	w.dc.Say(general, robot, "beep", nil)
	w.says(mia, room, w.ghost(robot), "beep", "m.notice")
}

// What is said on Discord, of every kind, is to be read in Matrix.
func TestMessagesFromDiscord(t *testing.T) {
	t.Parallel()
	var general, voice *discordtest.Channel
	w := newWorld(t, func(w *world) {
		general, voice = w.dc.AddChannel(w.guild, 0, "general", ""), w.dc.AddChannel(w.guild, 2, "voice", "")
		w.extra = "      presence: true\n      download_limit: 1000\n"
	})
	mia := w.user("mia")
	room, booth := w.join(mia, general), w.join(mia, voice)
	anna := w.ghost(w.anna)
	file := func(id, name, kind, data string) discordtest.Attachment {
		return discordtest.Attachment{ID: id, Filename: name, Size: len(data), URL: w.dc.AddFile("/attachments/1/"+id+"/"+name, []byte(data)), ContentType: kind, Width: 4, Height: 5}
	}
	voiceMessage := file("13", "voice-message.ogg", "audio/ogg", "OggS")
	voiceMessage.Duration, voiceMessage.Waveform = 1.5, base64.StdEncoding.EncodeToString([]byte{0, 128, 255})
	files := []discordtest.Attachment{
		file("10", "cat.png", "image/png", png), file("11", "film.mp4", "video/mp4", "film"), file("12", "song.mp3", "audio/mpeg", "song"),
		voiceMessage, file("14", "paper.pdf", "application/pdf", "%PDF"), {ID: "15", Filename: "huge.bin", Size: 1 << 30, URL: "https://cdn.example/huge.bin"},
	}
	w.dc.Say(general, w.anna, "files", func(m *discordtest.Message) { m.Attachments = files })
	for _, words := range [][]string{
		{"m.image", "cat.png", "mxc://", `"w":4`}, {"m.video", "film.mp4", "mxc://"}, {"m.audio", "song.mp3"},
		{"m.audio", "voice-message.ogg", "org.matrix.msc3245.voice", `"duration":1500`, "[0,514,1024]"}, {"m.file", "paper.pdf"}, {"m.notice", "huge.bin", "https://cdn.example/huge.bin"},
	} {
		w.says(mia, room, anna, words...)
	}
	// Embeds, stickers, custom emoji, forwards.
	w.dc.Say(general, w.anna, "", func(m *discordtest.Message) {
		m.Embeds = []map[string]any{{"type": "rich", "title": "A title", "url": "https://title.example", "description": "Some *words*", "author": obj{"name": "Somebody"},
			"fields": []any{obj{"name": "Field", "value": "Value"}}, "footer": obj{"text": "Footer"}}}
	})
	w.says(mia, room, anna, "A title", "https://title.example", "<em>words</em>", "Somebody", "Field", "Value", "Footer")
	for id, path := range map[string]string{"901": "/stickers/901.png", "902": "/stickers/902.png", "904": "/stickers/904.gif"} {
		w.dc.AddFile(path, []byte(png+id))
	}
	w.dc.AddFile("/stickers/903.json", growing())
	for i, kind := range []int{1, 2, 3, 4} {
		name := fmt.Sprint("sticker", kind)
		w.dc.Say(general, w.anna, "", func(m *discordtest.Message) {
			m.StickerItems = []map[string]any{{"id": fmt.Sprint(901 + i), "name": name, "format_type": kind}}
		})
		if kind == 3 {
			w.lottie(mia, room, name)
			continue
		}
		w.event(mia, room, "m.sticker", name, func(e bridgetest.Event) bool { return e.Body() == name && strings.HasPrefix(e.Field("url"), "mxc://") })
	}
	w.dc.AddFile("/emojis/77.png", []byte(png+"emoji"))
	w.dc.AddFile("/emojis/78.gif", []byte("GIF89a"))
	w.dc.Say(general, w.anna, "wave <:wave:77> <a:dance:78>", nil)
	w.says(mia, room, anna, "data-mx-emoticon", ":wave:", ":dance:", "mxc://")
	shot := file("20", "shot.png", "image/png", png)
	w.dc.Say(general, w.anna, "", func(m *discordtest.Message) {
		m.Reference = &discordtest.Reference{Type: 1, MessageID: "5", ChannelID: "6", GuildID: "7"}
		m.Snapshots = []map[string]any{{"message": obj{"content": "once **said** elsewhere", "attachments": []any{shot}, "embeds": []any{}}}}
	})
	w.says(mia, room, anna, "Forwarded", "once <strong>said</strong> elsewhere")
	w.says(mia, room, anna, "m.image", "shot.png")
	// Reactions of all kinds.
	m := w.dc.Say(general, w.anna, "react", nil)
	e := w.await(mia, room, anna, "react")
	for _, emoji := range []string{"🎉", "wave:77", "dance:78"} {
		w.dc.React(m, w.anna, emoji, true)
	}
	for _, want := range []string{"🎉", ":wave:", ":dance:"} {
		w.event(mia, room, "m.reaction", want, func(ev bridgetest.Event) bool {
			return relates(ev, "m.annotation", e.ID) && strings.Contains(plain(ev), want)
		})
	}
	w.dc.Dispatch(w.guild.ID, "MESSAGE_REACTION_ADD", obj{"user_id": w.anna.ID, "channel_id": m.ChannelID, "message_id": m.ID, "guild_id": w.guild.ID,
		"emoji": obj{"id": nil, "name": "🚀"}, "burst": true, "burst_colors": []any{"#ffffff"}, "type": 1})
	w.event(mia, room, "m.reaction", "a super reaction", func(ev bridgetest.Event) bool { return strings.Contains(plain(ev), "🚀") })
	// Deleted at once, and pinned.
	var bulk []*discordtest.Message
	var ids []string
	for i := range 3 {
		bulk = append(bulk, w.dc.Say(general, w.anna, fmt.Sprint("bulk ", i), nil))
		ids = append(ids, w.await(mia, room, anna, fmt.Sprint("bulk ", i)).ID)
	}
	w.dc.Delete(bulk...)
	for _, id := range ids {
		w.event(mia, room, "m.room.redaction", "the end of "+id, func(ev bridgetest.Event) bool { return redacts(ev, id) })
	}
	m.Pinned = true
	w.dc.Dispatch(w.guild.ID, "CHANNEL_PINS_UPDATE", obj{"guild_id": w.guild.ID, "channel_id": general.ID, "last_pin_timestamp": nil})
	w.state(mia, room, "m.room.pinned_events", "", e.ID)
	// A message of the system, an answer to something that is deleted, crossposts, components.
	w.dc.Say(general, w.anna, "", func(m *discordtest.Message) { m.Type = 8 })
	w.says(mia, room, anna, "boosted the server")
	w.dc.Say(general, w.anna, "to nothing", func(m *discordtest.Message) {
		m.Type, m.Reference = 19, &discordtest.Reference{MessageID: bulk[0].ID, ChannelID: general.ID, GuildID: w.guild.ID}
	})
	w.await(mia, room, anna, "to nothing")
	w.dc.Say(general, w.anna, "from afar", func(m *discordtest.Message) {
		m.Flags, m.Reference = 1<<1, &discordtest.Reference{MessageID: "5", ChannelID: "6", GuildID: "7"}
	})
	w.await(mia, room, anna, "from afar")
	w.dc.Say(general, w.anna, "", func(m *discordtest.Message) {
		m.Components = []map[string]any{{"type": 1, "components": []any{obj{"type": 2, "style": 5, "label": "Docs", "url": "https://docs.example"}}}}
	})
	w.says(mia, room, anna, "https://docs.example", "Docs")
	w.dc.Say(general, w.anna, "fine weather", func(m *discordtest.Message) {
		m.Type, m.Interaction = 20, obj{"id": "1", "type": 2, "name": "weather", "user": w.anna}
	})
	w.says(mia, room, anna, "/weather", "fine weather")
	// Calls and events.
	w.dc.Talk(w.guild, w.anna, voice)
	w.says(mia, booth, "", "anna started a call")
	w.dc.Talk(w.guild, w.anna, nil)
	w.says(mia, booth, "", "The call has ended")
	picnic := w.dc.Schedule(w.guild, w.anna, "Picnic", "The park", time.Date(2031, 5, 1, 12, 0, 0, 0, time.UTC))
	w.says(mia, room, "", "Picnic", "1 May 2031, 12:00 UTC", "The park")
	w.dc.Reschedule(picnic, func(e *discordtest.Event) { e.Status = 2 })
	w.says(mia, room, "", "Picnic", "has begun")
	w.dc.Unschedule(picnic)
	w.says(mia, room, "", "Picnic", "is cancelled")
	// Typing, and who is there.
	w.dc.Type(general, w.anna)
	w.ephemeral(mia, "m.typing", anna)
	w.dc.Show(w.guild, w.anna, "online")
	w.ephemeral(mia, "m.presence", anna)
	// A poll: its votes, its end.
	poll := func(yes int, ended bool) obj { return discordtest.Poll("Tea?", []string{"yes", "no"}, ended, yes, 0) }
	p := w.dc.Say(general, w.anna, "", func(m *discordtest.Message) { m.Poll = poll(0, false) })
	w.says(mia, room, anna, "Tea?", "1. yes", "2. no")
	w.dc.Change(p, func(m *discordtest.Message) { m.Poll = poll(1, false) })
	w.dc.Vote(p, w.anna, 1, true)
	w.says(mia, room, anna, "m.replace", "yes (1)")
	w.dc.Edit(p, func(m *discordtest.Message) { m.Poll = poll(1, true) })
	w.says(mia, room, anna, "m.replace", "The poll has ended")
}
