package discord_test

import (
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// parentOf waits for the space that a room is in.
func (w *world) parentOf(m *account, room string) (parent string) {
	w.Helper()
	w.eventually("the space of a room", func() bool {
		all, err := m.AllState(w.ctx, room)
		if err != nil {
			return false
		}
		for _, e := range all {
			if e.Type == "m.space.parent" && strings.Contains(string(e.Content), "via") {
				parent = *e.StateKey
			}
		}
		return parent != ""
	})
	return parent
}

// threadsAsRooms: a thread is a room by choice, beside its channel's, and everything of a room works in it.
func (s *shared) threadsAsRooms() {
	w := s.rooms
	general, mia, hall := w.newChannel("talks", "mia-threads")
	m := w.dc.Say(general, w.anna, "root", nil)
	w.await(mia, hall, w.ghost(w.anna), "root")
	thread := w.dc.StartThread(general, m, w.anna, "A talk")
	w.dc.Say(thread, w.anna, "in the thread", nil)
	room := w.join(mia, thread)
	w.state(mia, room, "m.room.name", "", "A talk")
	e := w.await(mia, room, w.ghost(w.anna), "in the thread")
	if strings.Contains(plain(e), "m.thread") {
		w.Errorf("it is in a thread of its room: %s", e)
	}
	if a, b := w.parentOf(mia, room), w.parentOf(mia, hall); a != b {
		w.Errorf("the thread's room is in %s, and its channel's in %s", a, b)
	}
	// All that people do, in both directions.
	mine := w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "from Matrix"})
	sent := w.onDiscord(thread.ID, "from Matrix")
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": "better"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": mine}})
	w.onChannel(thread.ID, "the edit", func(m discordtest.Message) bool { return m.ID == sent.ID && m.Content == "better" })
	w.send(mia, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍"}})
	w.onChannel(thread.ID, "the reaction", func(m discordtest.Message) bool { return m.Content == "in the thread" && len(m.Reactions) == 1 })
	w.redact(mia, room, mine)
	w.gone(thread.ID, sent.ID)
	short := w.dc.Say(thread, w.anna, "too much", nil)
	too := w.await(mia, room, w.ghost(w.anna), "too much")
	w.dc.Delete(short)
	w.event(mia, room, "m.room.redaction", "the deletion", func(ev event) bool { return redacts(ev, too.ID) })
	w.dc.UpdateChannel(thread, func(ch *discordtest.Channel) { ch.Name = "Another talk" })
	w.state(mia, room, "m.room.name", "", "Another talk")
	w.dc.Archive(thread)
	w.says(mia, room, "", "archived")
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "wake up"})
	w.onDiscord(thread.ID, "wake up")
	w.says(mia, room, "", "opened again")
	for _, e := range mia.Events.All(0) {
		if e.RoomID == hall && strings.Contains(e.Body(), "in the thread") {
			w.Errorf("the channel's room has it, too: %s", e)
		}
	}
}

// forumsAsSpaces: a forum is a space by choice, and each post a room in it.
func (s *shared) forumsAsSpaces() {
	w := s.rooms
	mia := w.user("mia-forum")
	forum := w.dc.AddChannel(w.guild, 15, "help", "")
	post, _ := w.dc.Post(forum, w.anna, "How to?", "How do I do it?")
	room := w.join(mia, post)
	w.await(mia, room, w.ghost(w.anna), "How do I do it?")
	w.state(mia, room, "m.room.name", "", "How to?")
	space := w.parentOf(mia, room)
	if in := w.join(mia, forum); in != space {
		w.Errorf("the post is in %s, the forum is %s", space, in)
	}
	w.state(mia, space, "m.room.create", "", "type:m.space")
	w.state(mia, space, "m.space.child", room, "via")
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "so"})
	w.onDiscord(post.ID, "so")
	w.dc.Say(post, w.anna, "thank you", nil)
	w.await(mia, room, w.ghost(w.anna), "thank you")
}

// privateThreads: what is said in one is not shown to all who see its channel, whether threads are rooms or not.
func (s *shared) privateThreads() {
	for i, w := range []*world{s.world, s.rooms} {
		general, mia, hall := w.newChannel("whispers", []string{"mia-whisper", "mia-whispers"}[i])
		thread := w.dc.StartPrivateThread(general, w.anna, "Secret talk")
		w.dc.Say(thread, w.anna, "whispered", nil)
		w.dc.Say(general, w.anna, "aloud", nil)
		w.await(mia, hall, w.ghost(w.anna), "aloud")
		if _, err := mia.Resolve(w.ctx, "#"+w.id+"_"+thread.ID+":"+w.server.Name()); err == nil {
			w.Error("the private thread's room has an alias")
		}
		for _, e := range mia.Events.All(0) {
			if e.Body() == "whispered" {
				w.Errorf("the channel's room has it: %s", e)
			}
		}
	}
}

// threadCommands: threads are archived and opened again from Matrix by moderators, and a new post is given its tags.
func (s *shared) threadCommands() {
	general, mia, room := s.newChannel("debates", "mia-debates")
	s.dc.Grant(s.guild, discordtest.ManageThreads)
	m := s.dc.Say(general, s.anna, "root", nil)
	root := s.await(mia, room, s.ghost(s.anna), "root")
	thread := s.dc.StartThread(general, m, s.anna, "A debate")
	s.dc.Say(thread, s.anna, "I think", nil)
	s.await(mia, room, s.ghost(s.anna), "I think")
	command := func(text string) {
		s.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord " + text, "m.relates_to": obj{
			"rel_type": "m.thread", "event_id": root.ID, "is_falling_back": true, "m.in_reply_to": obj{"event_id": root.ID}}})
	}
	archived := func(yes bool) {
		s.Helper()
		if err := s.dc.Wait(s.ctx, func() bool {
			return slices.ContainsFunc(s.dc.Threads(s.guild), func(c discordtest.Channel) bool { return c.ID == thread.ID && c.ThreadMetadata.Archived == yes })
		}); err != nil {
			s.Fatalf("archived is not %v", yes)
		}
	}
	command("archive")
	s.says(mia, room, "", "takes the power of a moderator")
	s.boss(mia, room)
	command("archive")
	archived(true)
	if e := s.says(mia, room, "", "The thread was archived"); !relates(e, "m.thread", root.ID) {
		s.Errorf("the notice: %s", e)
	}
	command("unarchive")
	archived(false)
	s.says(mia, room, "", "opened again")
}
