package discord_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// What is said in Matrix, of every kind, is on Discord as its sender would have said it there.
func TestMessagesFromMatrix(t *testing.T) {
	t.Parallel()
	var general *discordtest.Channel
	var mods, fans *discordtest.Role
	w := newWorld(t, func(w *world) {
		general = w.dc.AddChannel(w.guild, 0, "general", "")
		mods = w.dc.AddRole(w.guild, "Mods", 0)
		fans = w.dc.AddRole(w.guild, "Fans of birds", 0)
		fans.Mentionable = true
		w.extra = "      upload_limit: 1000\n"
	})
	admin, mia := w.user("admin"), w.user("mia")
	room := w.join(mia, general)
	if _, err := admin.Join(w.ctx, room); err != nil {
		t.Fatal(err)
	}
	upload := func(name, kind, data string) string { return w.upload(mia, name, kind, data) }
	// Name and picture.
	face := upload("face.png", "image/png", png)
	for key, value := range map[string]string{"displayname": "Mia of Matrix", "avatar_url": face} {
		if err := mia.Do(w.ctx, "PUT", "/v3/profile/"+mia.UserID+"/"+key, obj{key: value}, nil); err != nil {
			t.Fatal(err)
		}
	}
	text := func(body, html string) obj {
		if html == "" {
			return obj{"msgtype": "m.text", "body": body}
		}
		return obj{"msgtype": "m.text", "body": body, "format": "org.matrix.custom.html", "formatted_body": html}
	}
	w.send(mia, room, "m.room.message", text("a", "<b>bold</b> <code>*code*</code> <del>x</del>"))
	m := w.onDiscord(general.ID, "**bold** `*code*` ~~x~~")
	if m.Author.Username != "Mia of Matrix" || m.Author.Avatar == nil {
		t.Errorf("it is from %+v", m.Author)
	}
	// People and roles are alerted, the latter by right; @room needs the right, too.
	w.send(mia, room, "m.room.message", text("anna: hi", `<a href="https://matrix.to/#/`+w.ghost(w.anna)+`">anna</a>: hi`))
	if m := w.onDiscord(general.ID, "<@"+w.anna.ID+">: hi"); len(m.Mentions) != 1 {
		t.Errorf("anna is not alerted: %+v", m.Mentions)
	}
	w.send(mia, room, "m.room.message", text("@Mods and @Fans of birds, `@Fans of birds`", "@Mods and @Fans of birds, <code>@Fans of birds</code>"))
	m = w.onDiscord(general.ID, "@Mods and <@&"+fans.ID+">, `@Fans of birds`")
	if len(m.MentionRoles) != 1 || m.MentionRoles[0] != fans.ID {
		t.Errorf("alerted are %v", m.MentionRoles)
	}
	room2 := text("@room look", "")
	room2["m.mentions"] = obj{"room": true}
	w.send(mia, room, "m.room.message", room2)
	if m := w.onDiscord(general.ID, "@room look"); m.MentionEveryone {
		t.Error("everybody is alerted by somebody without the right to")
	}
	w.boss(mia, room)
	w.send(mia, room, "m.room.message", room2)
	w.onChannel(general.ID, "the alert", func(m discordtest.Message) bool { return m.Content == "@everyone look" && m.MentionEveryone })
	w.send(mia, room, "m.room.message", text("@Mods!", ""))
	w.onChannel(general.ID, "the alert of the role", func(m discordtest.Message) bool {
		return m.Content == "<@&"+mods.ID+">!" && len(m.MentionRoles) == 1
	})
	// A reply, a long message, files.
	asked := w.dc.Say(general, w.anna, "a question", nil)
	q := w.await(mia, room, w.ghost(w.anna), "a question")
	reply := text("an answer", "")
	reply["m.relates_to"] = obj{"m.in_reply_to": obj{"event_id": q.ID}}
	w.send(mia, room, "m.room.message", reply)
	w.onChannel(general.ID, "the answer", func(m discordtest.Message) bool {
		return strings.HasSuffix(m.Content, "\nan answer") && strings.Contains(m.Content, "/"+asked.ID+")") && strings.Contains(m.Content, "a question")
	})
	reply["m.relates_to"] = obj{"m.in_reply_to": obj{"event_id": "$nothing"}}
	reply["body"] = "to nothing"
	w.send(mia, room, "m.room.message", reply)
	w.onDiscord(general.ID, "to nothing")
	w.send(mia, room, "m.room.message", text(strings.Repeat("many words ", 300)+"the end", ""))
	w.onChannel(general.ID, "the end of a long one", func(m discordtest.Message) bool {
		return strings.HasSuffix(m.Content, "the end") && len(m.Content) < 2000
	})
	note := upload("note.txt", "text/plain", "a note")
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.file", "body": "my note", "filename": "note.txt", "url": note, "info": obj{"mimetype": "text/plain", "size": 6}})
	m = w.onDiscord(general.ID, "my note")
	if len(m.Attachments) != 1 || string(w.dc.File(m.Attachments[0].URL)) != "a note" {
		t.Errorf("the file is %+v", m.Attachments)
	}
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.file", "body": "big.bin", "url": "mxc://test/big", "info": obj{"size": 5000}})
	w.onChannel(general.ID, "a link", func(m discordtest.Message) bool { return strings.HasPrefix(m.Content, "big.bin (4 kB): http") })
	w.send(mia, room, "m.sticker", obj{"body": "wave.png", "url": face, "info": obj{"mimetype": "image/png", "size": len(png)}})
	w.onChannel(general.ID, "a sticker", func(m discordtest.Message) bool {
		return len(m.Attachments) == 1 && m.Attachments[0].Filename == "wave.png"
	})
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.emote", "body": "waves"})
	w.onDiscord(general.ID, "_waves_")
	// What cannot be is told to its sender.
	w.send(mia, room, "m.room.message", text(strings.Repeat("x", 30_000), ""))
	w.says(mia, room, "", "m.notice", "too long for Discord")
	// A poll, and the votes that are given on Discord.
	start := w.send(mia, room, "org.matrix.msc3381.poll.start", obj{"org.matrix.msc3381.poll.start": obj{
		"kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1, "question": obj{"org.matrix.msc1767.text": "Where?"},
		"answers": []any{obj{"id": "a", "org.matrix.msc1767.text": "here"}, obj{"id": "b", "org.matrix.msc1767.text": "there"}},
	}})
	poll := w.onChannel(general.ID, "the poll", func(m discordtest.Message) bool { return m.Poll != nil && m.WebhookID != "" })
	w.dc.Vote(w.dc.Find(&poll), w.anna, 2, true)
	w.event(mia, room, "org.matrix.msc3381.poll.response", "the vote", func(e event) bool {
		return e.Sender == w.ghost(w.anna) && relates(e, "m.reference", start) && strings.Contains(plain(e), `["b"]`)
	})
	// Nothing has come back.
	for _, e := range mia.Events.All(0) {
		if e.Type == "m.room.message" && e.Sender != mia.UserID && strings.Contains(e.Body(), "bold") {
			t.Errorf("it has come back: %s", e)
		}
	}
}

// The webhook of a channel is made when it is needed, found again, made anew when it was deleted, and when there can be
// none its sender is told.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	var general, full *discordtest.Channel
	w := newWorld(t, func(w *world) {
		general, full = w.dc.AddChannel(w.guild, 0, "general", ""), w.dc.AddChannel(w.guild, 0, "full", "")
		w.dc.FillWebhooks(full)
	})
	mia := w.user("mia")
	room, fullRoom := w.join(mia, general), w.join(mia, full)
	say := func(text string) discordtest.Message {
		t.Helper()
		w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": text})
		return w.onDiscord(general.ID, text)
	}
	first := say("one")
	if second := say("two"); second.WebhookID != first.WebhookID {
		t.Error("each message has a webhook of its own")
	}
	if err := w.server.Restart(w.ctx); err != nil {
		t.Fatal(err)
	}
	if third := say("three"); third.WebhookID != first.WebhookID {
		t.Error("after a restart there is another webhook")
	}
	w.dc.DeleteWebhooks(general.ID)
	if fourth := say("four"); fourth.WebhookID == first.WebhookID {
		t.Error("the webhook was not deleted")
	}
	w.send(mia, fullRoom, "m.room.message", obj{"msgtype": "m.text", "body": "no room"})
	w.says(mia, fullRoom, "", "m.notice", "as many webhooks as it can have")
	w.dc.DeleteWebhooks(full.ID)
	w.send(mia, fullRoom, "m.room.message", obj{"msgtype": "m.text", "body": "room again"})
	w.onDiscord(full.ID, "room again")
	// A message whose webhook is gone can't be edited, and that is told.
	evt := w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "five"})
	w.onDiscord(general.ID, "five")
	w.dc.DeleteWebhooks(general.ID)
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "* six", "m.new_content": obj{"msgtype": "m.text", "body": "six"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": evt}})
	w.says(mia, room, "", "m.notice", "Discord")
	say("seven")
	// The bot is not allowed to have webhooks.
	w.dc.UpdateRole(w.guild, w.guild.Roles[1], func(r *discordtest.Role) { r.Permissions = fmt.Sprint(discordtest.Everyday) })
	other := w.dc.AddChannel(w.guild, 0, "other", "")
	w.send(mia, w.join(mia, other), "m.room.message", obj{"msgtype": "m.text", "body": "hello"})
	w.says(mia, w.join(mia, other), "", "m.notice", "Manage Webhooks")
}
