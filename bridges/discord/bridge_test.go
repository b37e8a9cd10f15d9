package discord_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

func TestBothWays(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")

	m := r.dc.Say(r.general, r.anna, "hello **all** <@"+r.owner.ID+">", nil)
	e := r.said(room, ghost(r.anna), "hello **all** @owner")
	if want := `hello <strong>all</strong> <a href="https://matrix.to/#/` + string(ghost(r.owner)) + `">@owner</a>`; e.Get("formatted_body") != want {
		t.Errorf("formatted %q", e.Get("formatted_body"))
	}

	r.hs.SendText(room, mia, "hi *there* @everyone")
	sent := r.onDiscord(r.general.ID, content(`hi \*there\* @everyone`))
	if sent.Author.Username != "Mia" || sent.MentionEveryone || sent.WebhookID == "" {
		t.Errorf("sent %+v", sent)
	}

	// A reply, an edit, a deletion from Discord.
	r.dc.Say(r.general, r.owner, "an answer", func(a *discordtest.Message) {
		a.Type, a.Reference = 19, &discordtest.Reference{MessageID: m.ID, ChannelID: m.ChannelID, GuildID: m.GuildID}
	})
	if got := relation(r.said(room, ghost(r.owner), "an answer")); got.ReplyTo.EventID != string(e.ID) {
		t.Errorf("the answer relates to %+v", got)
	}
	r.dc.Edit(m, func(m *discordtest.Message) { m.Content = "corrected" })
	r.event(room, "m.room.message", "the edit", func(ev *appservicetest.Event) bool {
		rel := relation(ev)
		return rel.Type == "m.replace" && rel.EventID == string(e.ID) && strings.Contains(string(ev.Content), "corrected")
	})
	r.dc.Delete(m)
	r.event(room, "m.room.redaction", "the deletion", func(ev *appservicetest.Event) bool { return ev.Redacts == e.ID })

	// A reply to what Matrix said finds its message.
	r.dc.Say(r.general, r.anna, "to Mia", func(a *discordtest.Message) {
		a.Type, a.Reference = 19, &discordtest.Reference{MessageID: sent.ID, ChannelID: sent.ChannelID}
	})
	if got := relation(r.said(room, ghost(r.anna), "to Mia")); got.ReplyTo.EventID == "" {
		t.Error("an answer to a message from Matrix has lost what it answers")
	}
	if n := len(r.hs.Events(room, "m.room.message")); n != 5 {
		t.Errorf("%d messages in the room; something has come back, or is twice", n)
	}
}

func TestFromMatrix(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	theirs := r.dc.Say(r.general, r.anna, "question", nil)
	q := r.said(room, ghost(r.anna), "question")

	evt := r.hs.Send(room, mia, "m.room.message", obj{
		"msgtype": "m.text", "body": "answer", "format": "org.matrix.custom.html", "formatted_body": "<b>answer</b> <a href=\"https://matrix.to/#/" + string(ghost(r.owner)) + "\">owner</a>",
		"m.relates_to": obj{"m.in_reply_to": obj{"event_id": q.ID}}, "m.mentions": obj{"user_ids": []any{ghost(r.anna)}},
	})
	sent := r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return strings.Contains(m.Content, "**answer** <@"+r.owner.ID+">") })
	if !strings.HasPrefix(sent.Content, "-# ↩ <@"+r.anna.ID+"> [question](https://discord.com/channels/"+r.guild.ID+"/"+r.general.ID+"/"+theirs.ID+")\n") || len(sent.Mentions) != 2 {
		t.Errorf("sent %q, mentions %v", sent.Content, sent.Mentions)
	}

	r.hs.Send(room, mia, "m.room.message", obj{
		"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"}, "m.relates_to": obj{"rel_type": "m.replace", "event_id": evt},
	})
	r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return m.ID == sent.ID && strings.HasSuffix(m.Content, "\nbetter") })

	// Reactions: one of the bot for all of Matrix.
	var reactions []id.EventID
	for _, u := range []id.UserID{mia, zoe} {
		reactions = append(reactions, r.hs.Send(room, u, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": q.ID, "key": "👍️"}}))
	}
	r.onDiscord(r.general.ID, func(m *discordtest.Message) bool {
		return m.ID == theirs.ID && len(m.Reactions) == 1 && m.Reactions[0].Me
	})
	redact := func(user id.UserID, target id.EventID) {
		// As in room version 11: what is redacted is in the content, too.
		r.hs.Send(room, user, "m.room.redaction", obj{"redacts": target})
	}
	redact(mia, reactions[0])
	r.hs.SendText(room, mia, "marker")
	r.onDiscord(r.general.ID, content("marker"))
	if m := r.onDiscord(r.general.ID, content("question")); len(m.Reactions) != 1 {
		t.Error("the reaction was removed, though somebody else has it")
	}
	redact(zoe, reactions[1])
	r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return m.ID == theirs.ID && len(m.Reactions) == 0 })

	redact(mia, evt)
	if err := r.dc.Wait(r.ctx, func() bool {
		for _, m := range r.dc.Messages(r.general.ID) {
			if m.ID == sent.ID {
				return false
			}
		}
		return true
	}); err != nil {
		t.Errorf("the deletion: %v", err)
	}

	// Long messages are split, in order.
	r.hs.SendText(room, mia, strings.Repeat("word ", 900))
	r.hs.SendText(room, mia, "after")
	r.onDiscord(r.general.ID, content("after"))
	list := r.dc.Messages(r.general.ID)
	if n := len(list); n < 4 || !strings.HasPrefix(list[n-2].Content, "word") || len(list[n-3].Content) < 1900 {
		t.Errorf("the long message came as %d messages", n)
	}
}

func TestReactionsFromDiscord(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	r.dc.AddFile("/emojis/77.png", []byte("\x89PNG\r\n\x1a\nemoji"))
	m := r.dc.Say(r.general, r.anna, "react", nil)
	e := r.said(room, ghost(r.anna), "react")
	r.dc.React(m, r.owner, "🎉", true)
	reaction := r.event(room, "m.reaction", "the reaction", func(ev *appservicetest.Event) bool {
		rel := relation(ev)
		return ev.Sender == ghost(r.owner) && rel.Key == "🎉" && rel.EventID == string(e.ID)
	})
	r.dc.React(m, r.owner, "🎉", false)
	r.event(room, "m.room.redaction", "its end", func(ev *appservicetest.Event) bool { return ev.Redacts == reaction.ID })
	r.dc.React(m, r.owner, "wave:77", true)
	r.event(room, "m.reaction", "the custom emoji", func(ev *appservicetest.Event) bool { return strings.HasPrefix(relation(ev).Key, "mxc://") })
}

func TestThreads(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	forum := r.dc.AddChannel(r.guild, 15, "forum", "")
	r.start()
	room := r.room("general")
	m := r.dc.Say(r.general, r.anna, "root", nil)
	root := r.said(room, ghost(r.anna), "root")
	thread := r.dc.StartThread(r.general, m, r.owner, "Talk")
	r.dc.Say(thread, r.owner, "in the thread", nil)
	if rel := relation(r.said(room, ghost(r.owner), "in the thread")); rel.Type != "m.thread" || rel.EventID != string(root.ID) {
		t.Errorf("in the thread: %+v", rel)
	}
	// Into it, and into one that Matrix begins.
	inThread := func(root id.EventID, text string) {
		r.hs.Send(room, mia, "m.room.message", obj{"msgtype": "m.text", "body": text, "m.relates_to": obj{
			"rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": obj{"event_id": root},
		}})
	}
	inThread(root.ID, "from Matrix")
	r.onDiscord(thread.ID, content("from Matrix"))
	own := r.hs.SendText(room, mia, "my own root")
	inThread(own, "my own thread")
	mine := r.onDiscord(r.general.ID, content("my own root"))
	r.onDiscord(mine.ID, content("my own thread"))
	// A thread without a message.
	bare := r.dc.StartThread(r.general, nil, r.owner, "Bare")
	r.dc.Say(bare, r.anna, "bare words", nil)
	if rel := relation(r.said(room, ghost(r.anna), "bare words")); rel.Type != "m.thread" {
		t.Errorf("bare words: %+v", rel)
	}
	// Posts in a forum, both ways.
	forumRoom := r.room("forum")
	post, _ := r.dc.Post(forum, r.anna, "A post", "its text")
	head := r.said(forumRoom, ghost(r.anna), "### A post\nits text")
	r.dc.Say(post, r.owner, "a comment", nil)
	if rel := relation(r.said(forumRoom, ghost(r.owner), "a comment")); rel.EventID != string(head.ID) {
		t.Errorf("a comment: %+v", rel)
	}
	r.hs.SendText(forumRoom, mia, "A new post\nwith text")
	if err := r.dc.Wait(r.ctx, func() bool {
		for _, th := range r.dc.Threads(r.guild) {
			if th.Name == "A new post" && len(r.dc.Messages(th.ID)) == 1 {
				return true
			}
		}
		return false
	}); err != nil {
		t.Errorf("a post from Matrix: %v", err)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t, "upload_limit: 100\n")
	r.start()
	room := r.room("general")
	data := []byte("\x89PNG\r\n\x1a\nan image")
	address := r.dc.AddFile("/attachments/1/2/cat.png", data)
	r.dc.Say(r.general, r.anna, "look", func(m *discordtest.Message) {
		m.Attachments = []discordtest.Attachment{
			{ID: "2", Filename: "cat.png", Size: len(data), URL: address, ContentType: "image/png", Width: 5, Height: 6},
			{ID: "3", Filename: "huge.bin", Size: 1 << 30, URL: address, ContentType: "application/octet-stream"},
		}
	})
	r.said(room, ghost(r.anna), "look")
	image := r.event(room, "m.room.message", "the image", func(e *appservicetest.Event) bool { return e.Get("msgtype") == "m.image" })
	if !strings.HasPrefix(image.Get("url"), "mxc://") || image.Get("body") != "cat.png" {
		t.Errorf("%s", image.Content)
	}
	r.event(room, "m.room.message", "the link", func(e *appservicetest.Event) bool {
		return e.Get("msgtype") == "m.notice" && strings.Contains(e.Get("body"), "huge.bin (1024.0 MB): http")
	})
	r.hs.Send(room, mia, "m.room.message", obj{"msgtype": "m.image", "body": "my cat", "filename": "cat.png", "url": image.Get("url"), "info": obj{"mimetype": "image/png", "size": len(data)}})
	sent := r.onDiscord(r.general.ID, content("my cat"))
	if len(sent.Attachments) != 1 || sent.Attachments[0].Filename != "cat.png" || string(r.dc.File(sent.Attachments[0].URL)) != string(data) {
		t.Errorf("sent %+v", sent.Attachments)
	}
	r.hs.Send(room, mia, "m.room.message", obj{"msgtype": "m.file", "body": "big.bin", "url": "mxc://test.example/big", "info": obj{"size": 1000}})
	r.onDiscord(r.general.ID, content("big.bin (1000 bytes): https://media.example/_matrix/media/v3/download/test.example/big"))
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	mods := r.dc.AddRole(r.guild, "Mods", discordtest.ManageMessages)
	r.dc.AddMember(r.guild, r.dc.AddUser("bob"), mods.ID)
	everyone := r.guild.ID
	private := r.dc.AddChannel(r.guild, 0, "private", "",
		discordtest.Overwrite{ID: everyone, Deny: fmt.Sprint(discordtest.ViewChannel)}, discordtest.Overwrite{ID: mods.ID, Allow: fmt.Sprint(discordtest.ViewChannel)},
		discordtest.Overwrite{ID: r.dc.AppID, Type: 1, Allow: fmt.Sprint(discordtest.ViewChannel)})
	news := r.dc.AddChannel(r.guild, 5, "news", "", discordtest.Overwrite{ID: everyone, Deny: fmt.Sprint(discordtest.SendMessages)},
		discordtest.Overwrite{ID: mods.ID, Allow: fmt.Sprint(discordtest.SendMessages)})
	r.start()
	open, secret, newsRoom := r.room("general"), r.room("private"), r.room("news")
	rule := func(room id.RoomID) string { return string(r.hs.State(room, "m.room.join_rules", "")) }
	if !strings.Contains(rule(open), "public") || !strings.Contains(rule(secret), "invite") {
		t.Errorf("join rules: %s, %s", rule(open), rule(secret))
	}
	r.wait("the members", func() bool {
		in := fmt.Sprint(r.hs.Members(open, "join"))
		hidden := fmt.Sprint(r.hs.Members(secret, "join"))
		return strings.Contains(in, r.anna.ID) && !strings.Contains(hidden, r.anna.ID) && strings.Contains(hidden, r.guild.Members[3].User.ID)
	})
	// What is read-only says so to who writes all the same.
	r.hs.SendText(newsRoom, mia, "may I")
	r.event(newsRoom, "m.room.message", "the refusal", func(e *appservicetest.Event) bool {
		return e.Get("msgtype") == "m.notice" && strings.Contains(e.Get("body"), "not everybody may write")
	})
	r.dc.Say(news, r.guild.Members[3].User, "news", nil)
	r.said(newsRoom, ghost(r.guild.Members[3].User), "news")
	// Changes follow.
	r.dc.UpdateChannel(private, func(ch *discordtest.Channel) { ch.Overwrites, ch.Name = nil, "opened" })
	r.wait("the opened channel", func() bool {
		return strings.Contains(rule(secret), "public") && strings.Contains(fmt.Sprint(r.hs.Members(secret, "join")), r.anna.ID) && strings.Contains(string(r.hs.State(secret, "m.room.name", "")), "opened")
	})
	r.dc.RemoveMember(r.guild, r.anna)
	r.wait("the leave", func() bool { return !strings.Contains(fmt.Sprint(r.hs.Members(open, "join")), r.anna.ID) })
}

func TestRestartsAndOutages(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	r.dc.Say(r.general, r.anna, "before", nil)
	r.said(room, ghost(r.anna), "before")
	r.hs.SendText(room, mia, "m0")
	r.onDiscord(r.general.ID, content("m0"))

	// The bridge is away.
	r.host.StopAll()
	for i := range 230 {
		r.dc.Say(r.general, r.anna, fmt.Sprintf("missed %d", i), nil)
	}
	r.hs.SendText(room, mia, "m1")
	r.start()
	r.said(room, ghost(r.anna), "missed 229")
	r.onDiscord(r.general.ID, content("m1"))

	// Discord forgets the session.
	r.dc.ForgetSessions()
	r.dc.DropConnections()
	r.dc.Say(r.general, r.anna, "forgotten", nil)
	r.said(room, ghost(r.anna), "forgotten")

	// Discord is away.
	address := r.dc.Addr()
	r.dc.Close()
	r.hs.SendText(room, mia, "m2")
	if err := r.dc.Listen(address); err != nil {
		t.Fatal(err)
	}
	r.onDiscord(r.general.ID, content("m2"))

	// An answer gets lost after the message was taken.
	lost := 0
	r.dc.FailAfter(func(req *http.Request) bool {
		if req.Method == http.MethodPost && strings.Contains(req.URL.Path, "/webhooks/") && lost < 2 {
			lost++
			return true
		}
		return false
	})
	for i := 3; i < 6; i++ {
		r.hs.SendText(room, mia, fmt.Sprintf("m%d", i))
	}
	r.onDiscord(r.general.ID, content("m5"))
	// Somebody deletes the webhook.
	r.dc.DeleteWebhooks(r.general.ID)
	r.hs.SendText(room, mia, "m6")
	r.onDiscord(r.general.ID, content("m6"))

	var mine []string
	for _, m := range r.dc.Messages(r.general.ID) {
		if m.WebhookID != "" {
			mine = append(mine, m.Content)
		}
	}
	if got := strings.Join(mine, " "); got != "m0 m1 m2 m3 m4 m5 m6" {
		t.Errorf("on Discord: %s", got)
	}
	var theirs []string
	for _, e := range r.hs.Events(room, "m.room.message") {
		if e.Sender == ghost(r.anna) {
			theirs = append(theirs, e.Get("body"))
		}
	}
	want := []string{"before"}
	for i := range 230 {
		want = append(want, fmt.Sprintf("missed %d", i))
	}
	want = append(want, "forgotten")
	if strings.Join(theirs, " ") != strings.Join(want, " ") {
		t.Errorf("in Matrix: %d messages, want %d: %v", len(theirs), len(want), theirs)
	}
}
