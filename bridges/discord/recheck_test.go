package discord_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// What was changed while the bridge was away is found out when it is back.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	var list []*discordtest.Message
	for i := range 8 {
		list = append(list, r.dc.Say(r.general, r.anna, fmt.Sprint("message ", i), nil))
	}
	r.dc.React(list[4], r.owner, "🎉", true)
	r.dc.React(list[4], r.anna, "👀", true)
	r.dc.React(list[5], r.owner, "🎉", true)
	r.wait("the reactions", func() bool { return len(r.hs.Events(room, "m.reaction")) == 3 })
	r.hs.SendText(room, mia, "from Matrix")
	sent := r.onDiscord(r.general.ID, content("from Matrix"))
	own := r.event(room, "m.room.message", "my own", func(e *appservicetest.Event) bool { return e.Get("body") == "from Matrix" })
	// An answer that finds it: the bridge knows under which id it is on Discord.
	r.dc.Say(r.general, r.anna, "the last", func(m *discordtest.Message) {
		m.Type, m.Reference = 19, &discordtest.Reference{MessageID: sent.ID, ChannelID: sent.ChannelID, GuildID: sent.GuildID}
	})
	last := r.said(room, ghost(r.anna), "the last")
	if relation(last).ReplyTo.EventID != string(own.ID) {
		t.Errorf("the last answers to %+v", relation(last))
	}
	r.host.StopAll()

	r.dc.Edit(list[1], func(m *discordtest.Message) { m.Content = "edited meanwhile" })
	r.dc.Delete(list[2], list[3])
	r.dc.React(list[4], r.owner, "🎉", false)
	r.dc.React(list[4], r.owner, "👀", true)
	r.dc.React(list[5], r.owner, "🎉", false)
	r.dc.React(list[6], r.anna, "🚀", true)
	r.dc.DeleteByID(r.general.ID, sent.ID)
	r.start()

	target := func(i int) string { return string(r.said(room, ghost(r.anna), fmt.Sprint("message ", i)).ID) }
	r.event(room, "m.room.message", "the edit", func(e *appservicetest.Event) bool {
		rel := relation(e)
		return rel.Type == "m.replace" && rel.EventID == target(1) && strings.Contains(string(e.Content), "edited meanwhile")
	})
	for _, want := range []struct {
		i   int
		key string
	}{{4, "👀"}, {6, "🚀"}} {
		r.event(room, "m.reaction", want.key, func(e *appservicetest.Event) bool {
			rel := relation(e)
			return rel.Key == want.key && rel.EventID == target(want.i) && (want.i == 6) == (e.Sender == ghost(r.anna))
		})
	}
	redacted := func(id string) {
		r.event(room, "m.room.redaction", "the end of "+id, func(e *appservicetest.Event) bool { return string(e.Redacts) == id })
	}
	redacted(target(2))
	redacted(target(3))
	redacted(string(own.ID))
	for _, e := range r.hs.Events(room, "m.reaction") {
		if rel := relation(&e); rel.Key == "🎉" {
			redacted(string(e.ID))
		}
	}
	// All is said once.
	r.dc.Say(r.general, r.anna, "after", nil)
	r.said(room, ghost(r.anna), "after")
	r.host.StopAll()
	edits, ends := 0, len(r.hs.Events(room, "m.room.redaction"))
	r.start()
	r.dc.Say(r.general, r.anna, "marker", nil)
	r.said(room, ghost(r.anna), "marker")
	for _, e := range r.hs.Events(room, "m.room.message") {
		if relation(&e).Type == "m.replace" {
			edits++
		}
	}
	if now := len(r.hs.Events(room, "m.room.redaction")); edits != 1 || now != ends || ends != 5 {
		t.Errorf("%d edits, %d and then %d redactions", edits, ends, now)
	}
	if !slices.Contains(r.bodies(room), last.Get("body")) {
		t.Error("the room has lost a message")
	}
}
