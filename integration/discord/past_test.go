package discord_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/testserver"
)

// What was said before a channel was bridged is in its room, whole and in order, though the program is killed while it
// comes in.
func TestPast(t *testing.T) {
	t.Parallel()
	var general, forum *discordtest.Channel
	var want []string
	day := time.Date(2023, 5, 1, 12, 0, 0, 0, time.UTC)
	var pinned *discordtest.Message
	w := newWorld(t, func(w *world) {
		w.extra = "      history: all\n"
		general, forum = w.dc.AddChannel(w.guild, 0, "general", ""), w.dc.AddChannel(w.guild, 15, "forum", "")
		for i := range 900 {
			m := w.dc.SayAt(general, w.anna, fmt.Sprint("old ", i), day.Add(time.Duration(i)*time.Minute))
			want = append(want, m.Content)
			switch i {
			case 10:
				pinned = m
				m.Pinned = true
			case 20:
				w.dc.React(m, w.anna, "🎉", true)
			case 30:
				thread := w.dc.StartThread(general, m, w.anna, "a thread")
				w.dc.SayAt(thread, w.anna, "in the thread", day.Add(time.Hour*24))
				w.dc.Archive(thread)
			}
		}
		post, _ := w.dc.Post(forum, w.anna, "A post", "its text")
		w.dc.Say(post, w.anna, "a comment", nil)
		w.dc.Archive(post)
	})
	mia := w.user("mia")
	room := w.join(mia, general)
	for _, after := range []string{"old 50", "old 350"} {
		w.await(mia, room, w.ghost(w.anna), after)
		if err := w.server.Kill(); err != nil {
			t.Fatal(err)
		}
		w.dc.Say(general, w.anna, "after "+after, nil)
		want = append(want, "after "+after)
		if err := w.server.Start(w.ctx); err != nil {
			t.Fatal(err)
		}
	}
	w.dc.Say(general, w.anna, "live", nil)
	w.await(mia, room, w.ghost(w.anna), "live")
	want = append(want, "live")
	w.await(mia, room, w.ghost(w.anna), "in the thread")
	history, err := mia.History(w.ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	ids := map[string]event{}
	for _, e := range history {
		if e.Type == "m.room.message" && e.Sender == w.ghost(w.anna) {
			ids[e.Body()] = e
			if e.Body() != "in the thread" {
				have = append(have, e.Body())
			}
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("the room has %d messages, not %d: %q", len(have), len(want), have)
	}
	if e := ids["old 7"]; !time.UnixMilli(e.TS).Equal(day.Add(7 * time.Minute)) {
		t.Errorf("old 7 is of %v", time.UnixMilli(e.TS))
	}
	if e := ids["in the thread"]; !relates(e, "m.thread", ids["old 30"].ID) {
		t.Errorf("in the thread: %s", e)
	}
	w.event(mia, room, "m.reaction", "the reaction", func(e event) bool { return relates(e, "m.annotation", ids["old 20"].ID) })
	w.state(mia, room, "m.room.pinned_events", "", ids[pinned.Content].ID)
	hall := w.join(mia, forum)
	head := w.says(mia, hall, w.ghost(w.anna), "A post", "its text")
	if e := w.await(mia, hall, w.ghost(w.anna), "a comment"); !relates(e, "m.thread", head.ID) {
		t.Errorf("a comment: %s", e)
	}
}

// People are tied to accounts from both sides, by direct messages, slash commands and commands in Matrix; what the
// administrator asks is answered.
func TestCommands(t *testing.T) {
	t.Parallel()
	var general *discordtest.Channel
	w := newWorld(t, func(w *world) { general = w.dc.AddChannel(w.guild, 0, "general", "") })
	admin := w.user("admin")
	room := w.join(admin, general)
	dm := w.dc.Direct(w.anna, "hello?")
	w.onChannel(dm, "an answer", func(m discordtest.Message) bool { return m.Author.Bot && strings.Contains(m.Content, "`link`") })
	answered := func(token string, words ...string) {
		t.Helper()
		got := ""
		if err := w.dc.Wait(w.ctx, func() bool {
			got = w.dc.Answer(token)
			return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(got, word) })
		}); err != nil {
			t.Fatalf("an answer with %q: %v; it is %q", words, err, got)
		}
	}
	answered(w.dc.Slash(general, w.anna, "matrix", "status", nil), "This channel is bridged", "discord_"+general.ID)
	w.send(admin, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord link"})
	told := w.says(admin, room, "", "/matrix link ")
	_, code, _ := strings.Cut(told.Body(), "/matrix link ")
	code = strings.Trim(strings.Fields(code)[0], "`*.,")
	answered(w.dc.Slash(general, w.anna, "matrix", "link", map[string]string{"code": "wrong"}), "not valid")
	answered(w.dc.Slash(general, w.anna, "matrix", "link", map[string]string{"code": code}), "linked to "+admin.UserID)
	answered(w.dc.Slash(general, w.anna, "matrix", "invite", nil), "discord_"+general.ID)
	w.dc.Direct(w.anna, "unlink")
	w.onChannel(dm, "the end of the tie", func(m discordtest.Message) bool { return m.Author.Bot && strings.Contains(m.Content, "not linked") })
	w.send(admin, room, "m.room.message", obj{"msgtype": "m.text", "body": "!discord bot-invite"})
	w.says(admin, room, "", "https://discord.com/oauth2/authorize?client_id="+w.dc.AppID)
	// The doctor.
	doctor := func() string {
		out, _ := exec.CommandContext(w.ctx, testserver.Binary(), "doctor", "discord", "-c", w.server.Config()).CombinedOutput()
		return string(out)
	}
	if out := doctor(); !strings.Contains(out, "token") || !strings.Contains(out, "Message Content Intent") {
		t.Errorf("the doctor says %s", out)
	}
	w.dc.UpdateRole(w.guild, w.guild.Roles[1], func(r *discordtest.Role) { r.Permissions = fmt.Sprint(discordtest.Everyday) })
	w.dc.DisallowIntents()
	out := doctor()
	for _, word := range []string{"switch on Message Content Intent", "Manage Webhooks"} {
		if !strings.Contains(out, word) {
			t.Errorf("the doctor does not say %q: %s", word, out)
		}
	}
}
