package discord_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// forgetReaction has the bridge, which must not run, know no reaction with an emoji.
func (w *world) forgetReaction(emoji string) {
	w.Helper()
	paths, err := filepath.Glob(filepath.Join(w.server.DataDir(), "bridges", w.id, "*.db"))
	if err != nil || len(paths) != 1 {
		w.Fatalf("the bridge's database: %q, %v", paths, err)
	}
	db, err := sql.Open("sqlite", paths[0])
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	result, err := db.ExecContext(w.ctx, "DELETE FROM reaction WHERE emoji_id=?", emoji)
	if err != nil {
		w.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		w.Fatalf("%d reactions were forgotten, %v", n, err)
	}
}

// After an outage, of the program or of Discord, what was missed is there, once and in order: messages, edits, deletions and reactions,
// in channels and in threads, also of messages that many others have followed.
func TestAway(t *testing.T) {
	t.Parallel()
	var general, hidden *discordtest.Channel
	w := newWorld(t, func(w *world) {
		general = w.dc.AddChannel(w.guild, 0, "general", "")
		hidden = w.dc.AddChannel(w.guild, 0, "hidden", "", hide(w.guild.ID), show(w.dc.AppID, 1))
	})
	mia := w.user("mia")
	room, anna := w.join(mia, general), w.ghost(w.anna)
	var list []*discordtest.Message
	var want []string
	for i := range 230 {
		want = append(want, fmt.Sprint("message ", i, "."))
		list = append(list, w.dc.Say(general, w.anna, want[i], nil))
	}
	w.await(mia, room, anna, want[229])
	ids := map[int]string{}
	for _, i := range []int{0, 3, 4, 5, 6, 10, 223, 224, 225, 226, 227} {
		ids[i] = w.await(mia, room, anna, want[i]).ID
	}
	thread := w.dc.StartThread(general, list[0], w.anna, "A thread")
	inThread := w.dc.Say(thread, w.anna, "in the thread", nil)
	w.await(mia, room, anna, "in the thread")
	reactions := map[int]event{}
	w.dc.React(list[227], w.anna, "🦉", true)
	owl := w.event(mia, room, "m.reaction", "the owl", func(e event) bool { return relates(e, "m.annotation", ids[227]) })
	for _, i := range []int{5, 225} {
		w.dc.React(list[i], w.anna, "🎉", true)
		reactions[i] = w.event(mia, room, "m.reaction", "a reaction", func(e event) bool { return relates(e, "m.annotation", ids[i]) })
	}
	mine := w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "mine"})
	sent := w.onDiscord(general.ID, "mine")
	w.dc.Say(general, w.anna, "to mine", func(m *discordtest.Message) {
		m.Type, m.Reference = 19, &discordtest.Reference{MessageID: sent.ID, ChannelID: general.ID, GuildID: w.guild.ID}
	})
	if e := w.await(mia, room, anna, "to mine"); !relates(e, "", mine) {
		t.Errorf("the answer is %s", e)
	}
	want = append(want, "to mine")

	if err := w.server.Stop(); err != nil {
		t.Fatal(err)
	}
	w.forgetReaction("🦉") // as if the program had been killed before it was recorded
	for _, i := range []int{3, 223} {
		w.dc.Edit(list[i], func(m *discordtest.Message) { m.Content = fmt.Sprint("changed ", i, ".") })
	}
	w.dc.Edit(inThread, func(m *discordtest.Message) { m.Content = "changed in the thread" })
	w.dc.Delete(list[4], list[224])
	w.dc.DeleteByID(general.ID, sent.ID)
	for _, i := range []int{5, 225} {
		w.dc.React(list[i], w.anna, "🎉", false)
	}
	for _, i := range []int{6, 226} {
		w.dc.React(list[i], w.anna, "🚀", true)
	}
	for i := range 130 {
		want = append(want, fmt.Sprint("missed ", i, "."))
		w.dc.Say(general, w.anna, want[len(want)-1], nil)
	}
	w.dc.Say(thread, w.anna, "missed in the thread", nil)
	fresh := w.dc.StartThread(general, list[10], w.anna, "A new thread")
	w.dc.Say(fresh, w.anna, "missed in the new thread", nil)
	if err := w.server.Start(w.ctx); err != nil {
		t.Fatal(err)
	}
	edited := func(target, text string) {
		t.Helper()
		w.event(mia, room, "m.room.message", text, func(e event) bool { return relates(e, "m.replace", target) && strings.Contains(plain(e), text) })
	}
	gone := func(what, target string) {
		t.Helper()
		w.event(mia, room, "m.room.redaction", what, func(e event) bool { return redacts(e, target) })
	}
	for _, i := range []int{3, 223} {
		edited(ids[i], fmt.Sprint("changed ", i, "."))
	}
	edited(w.await(mia, room, anna, "in the thread").ID, "changed in the thread")
	for _, i := range []int{4, 224} {
		gone("a deletion", ids[i])
	}
	gone("the deletion of a webhook's message", mine)
	for _, i := range []int{5, 225} {
		gone("the end of a reaction", reactions[i].ID)
	}
	for _, i := range []int{6, 226} {
		w.event(mia, room, "m.reaction", "a reaction", func(e event) bool {
			return e.Sender == anna && relates(e, "m.annotation", ids[i]) && strings.Contains(plain(e), "🚀")
		})
	}
	if e := w.await(mia, room, anna, "missed in the thread"); !relates(e, "m.thread", ids[0]) {
		t.Errorf("in the thread: %s", e)
	}
	if e := w.await(mia, room, anna, "missed in the new thread"); !relates(e, "m.thread", ids[10]) {
		t.Errorf("in the new thread: %s", e)
	}
	// The reaction that the room has had all the time is known again, and can be taken back.
	w.dc.React(list[227], w.anna, "🦉", false)
	gone("the end of the owl", owl.ID)
	// Discord is away, and knows nothing of the session when it is back.
	address := w.dc.Addr()
	w.dc.Close()
	w.send(mia, room, "m.room.message", obj{"msgtype": "m.text", "body": "while Discord is away"})
	w.dc.ForgetSessions()
	if err := w.dc.Listen(address); err != nil {
		t.Fatal(err)
	}
	w.dc.Say(general, w.anna, "back", nil)
	want = append(want, "back")
	w.onDiscord(general.ID, "while Discord is away")
	w.await(mia, room, anna, "back")
	history, err := mia.History(w.ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	counts := map[string]int{}
	for _, e := range history {
		switch {
		case e.Type == "m.room.message" && e.Sender == anna && strings.Contains(plain(e), "m.replace"):
			counts["edits"]++
		case e.Type == "m.room.message" && e.Sender == anna && !strings.Contains(plain(e), "m.thread"):
			have = append(have, e.Body())
		case e.Type == "m.room.redaction":
			counts["redactions"]++
		}
	}
	all := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return s == "message 4." || s == "message 224." })
	// What is redacted has no text any more.
	have = slices.DeleteFunc(have, func(s string) bool { return s == "" })
	if strings.Join(have, "|") != strings.Join(all, "|") {
		t.Errorf("the room has %d messages, not %d: %q", len(have), len(all), have)
	}
	if counts["edits"] != 3 || counts["redactions"] != 6 {
		t.Errorf("there are %v", counts)
	}
	// What is private stays so.
	if _, err := mia.Join(w.ctx, "#discord_"+hidden.ID+":"+w.server.Name()); !bridgetest.IsStatus(err, 404) {
		t.Errorf("the private channel has an alias: %v", err)
	}
}
