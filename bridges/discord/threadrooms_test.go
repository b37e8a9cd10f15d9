package discord_test

import (
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// TestThreadRooms: threads are rooms, and forums spaces, by choice; both ways.
func TestThreadRooms(t *testing.T) {
	t.Parallel()
	r := newRig(t, "threads: rooms\nforums: space\n")
	forum := r.dc.AddChannel(r.guild, 15, "forum", "")
	r.start()
	r.room("general")
	m := r.dc.Say(r.general, r.anna, "root", nil)
	thread := r.dc.StartThread(r.general, m, r.owner, "Talk")
	r.dc.Say(thread, r.owner, "in the thread", nil)
	room := r.room("Talk")
	e := r.said(room, ghost(r.owner), "in the thread")
	if rel := relation(e); rel.Type != "" {
		t.Errorf("it is in a thread of the room: %+v", rel)
	}
	evt := r.hs.SendText(room, mia, "from Matrix")
	sent := r.onDiscord(thread.ID, content("from Matrix"))
	r.hs.Send(room, mia, "m.room.message", obj{
		"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"}, "m.relates_to": obj{"rel_type": "m.replace", "event_id": evt},
	})
	r.onDiscord(thread.ID, func(m *discordtest.Message) bool { return m.ID == sent.ID && m.Content == "better" })
	r.hs.Send(room, mia, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍️"}})
	r.onDiscord(thread.ID, func(m *discordtest.Message) bool { return m.Content == "in the thread" && len(m.Reactions) == 1 })

	post, _ := r.dc.Post(forum, r.anna, "A post", "its text")
	postRoom := r.room("A post")
	r.said(postRoom, ghost(r.anna), "its text")
	r.hs.SendText(postRoom, zoe, "a comment")
	r.onDiscord(post.ID, content("a comment"))
	space := id.RoomID("")
	r.wait("the forum's space", func() bool { space = r.hs.RoomByName("forum"); return space != "" })
	r.wait("the post is in the space", func() bool { return len(r.hs.State(space, "m.space.child", string(postRoom))) > 2 })

	// After a restart, without a session to begin with.
	r.host.StopAll()
	if err := r.host.Start(r.ctx, "discord"); err != nil {
		t.Fatal(err)
	}
	r.hs.SendText(room, mia, "still here")
	r.onDiscord(thread.ID, content("still here"))
	r.dc.Say(thread, r.anna, "so am I", nil)
	r.said(room, ghost(r.anna), "so am I")
}

// TestPrivateThreads: what is said in a private thread is not shown to all who see its channel.
func TestPrivateThreads(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	thread := r.dc.StartPrivateThread(r.general, r.owner, "Secret")
	r.dc.Say(thread, r.anna, "whispered", nil)
	var private id.RoomID
	r.wait("a room of its own", func() bool { private = r.hs.RoomByName("Secret"); return private != "" })
	r.said(private, ghost(r.anna), "whispered")
	if rule := string(r.hs.State(private, "m.room.join_rules", "")); !strings.Contains(rule, "invite") {
		t.Errorf("the room is open: %s", rule)
	}
	for _, e := range r.hs.Events(room, "m.room.message") {
		if strings.Contains(string(e.Content), "whispered") {
			t.Errorf("the channel's room has it: %s", e.Content)
		}
	}
}

// TestArchiving: threads are archived and opened again from both sides.
func TestArchiving(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.dc.Grant(r.guild, discordtest.ManageThreads)
	r.start()
	room := r.room("general")
	m := r.dc.Say(r.general, r.anna, "root", nil)
	root := r.said(room, ghost(r.anna), "root")
	thread := r.dc.StartThread(r.general, m, r.owner, "Talk")
	r.dc.Say(thread, r.owner, "in the thread", nil)
	r.said(room, ghost(r.owner), "in the thread")
	r.dc.Archive(thread)
	if rel := relation(r.says(room, "", "The thread was archived")); rel.Type != "m.thread" || rel.EventID != string(root.ID) {
		t.Errorf("the notice relates to %+v", rel)
	}
	command := func(text string) {
		r.hs.Send(room, mia, "m.room.message", obj{"msgtype": "m.text", "body": text, "m.relates_to": obj{
			"rel_type": "m.thread", "event_id": root.ID, "is_falling_back": true, "m.in_reply_to": obj{"event_id": root.ID},
		}})
	}
	archived := func(want bool) {
		t.Helper()
		if err := r.dc.Wait(r.ctx, func() bool {
			return slices.ContainsFunc(r.dc.Threads(r.guild), func(c discordtest.Channel) bool { return c.ID == thread.ID && c.ThreadMetadata.Archived == want })
		}); err != nil {
			t.Fatalf("archived is not %v: %v", want, err)
		}
	}
	r.hs.SetPower(room, mia, 50)
	command("!discord unarchive")
	archived(false)
	r.says(room, "", "The thread was opened again")
	command("!discord archive")
	archived(true)
}

// TestTags: a post's tags are shown, follow, and can be given from Matrix.
func TestTags(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	forum := r.dc.AddChannel(r.guild, 15, "forum", "")
	r.dc.UpdateChannel(forum, func(ch *discordtest.Channel) {
		ch.Tags = []discordtest.Tag{{ID: "501", Name: "Bug"}, {ID: "502", Name: "Done", Moderated: true}}
	})
	r.start()
	room := r.room("forum")
	post, _ := r.dc.Post(forum, r.anna, "It breaks", "badly")
	r.says(room, ghost(r.anna), "It breaks", "badly")
	r.dc.UpdateChannel(post, func(ch *discordtest.Channel) { ch.AppliedTags = []string{"501", "502"} })
	r.says(room, ghost(r.anna), "m.replace", "Bug · Done")
	r.hs.SendText(room, mia, "Another thing breaks #bug")
	if err := r.dc.Wait(r.ctx, func() bool {
		return slices.ContainsFunc(r.dc.Threads(r.guild), func(c discordtest.Channel) bool { return slices.Equal(c.AppliedTags, []string{"501"}) })
	}); err != nil {
		t.Errorf("the tag of the new post: %v", err)
	}
}

// TestBridgeCommands: what is bridged can be changed by commands, and stays so.
func TestBridgeCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	second := r.dc.AddChannel(r.guild, 0, "second", "")
	r.extra = "channels: {exclude: [\"" + second.ID + "\"]}\n"
	r.start()
	room := r.room("general")
	r.hs.SendText(room, zoe, "!discord bridge second")
	r.told(room, "limited to bridge administrators")
	r.hs.SendText(room, mia, "!discord bridge second")
	r.told(room, "second is bridged")
	other := r.room("second")
	r.dc.Say(second, r.anna, "hello second", nil)
	r.said(other, ghost(r.anna), "hello second")
	r.hs.SendText(room, mia, "!discord unbridge general")
	r.told(room, "not bridged any more")
	r.member(room, ghost(r.anna), "anna has left", is("leave"))
	r.host.StopAll()
	if err := r.host.Start(r.ctx, "discord"); err != nil {
		t.Fatal(err)
	}
	r.dc.Say(r.general, r.anna, "nobody hears", nil)
	r.dc.Say(second, r.anna, "all hear", nil)
	r.said(other, ghost(r.anna), "all hear")
	for _, e := range r.hs.Events(room, "m.room.message") {
		if e.Get("body") == "nobody hears" {
			t.Error("a channel that is not bridged was heard")
		}
	}
}
