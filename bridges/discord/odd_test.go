package discord_test

import (
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// What is not as documented does no harm beyond itself.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	g, ch, anna := r.guild.ID, r.general.ID, obj{"id": r.anna.ID, "username": "anna"}
	say := func(m obj) {
		m["channel_id"], m["guild_id"] = ch, g
		if m["author"] == nil {
			m["author"] = anna
		}
		r.dc.Dispatch(g, "MESSAGE_CREATE", m)
	}
	r.dc.Dispatch(g, "MESSAGE_CREATE", "no object")
	r.dc.Dispatch(g, "MESSAGE_CREATE", obj{"id": []any{}, "channel_id": ch, "guild_id": g})
	r.dc.Dispatch(g, "GUILD_CREATE", obj{"id": 5})
	r.dc.Dispatch(g, "CHANNEL_UPDATE", obj{"guild_id": g})
	r.dc.Dispatch(g, "SOMETHING_NEW", obj{"x": 1})
	r.dc.Dispatch(g, "MESSAGE_REACTION_ADD", obj{"guild_id": g, "channel_id": ch, "emoji": 3})
	r.dc.Dispatch(g, "MESSAGE_UPDATE", obj{"id": "9", "channel_id": ch, "guild_id": g})
	r.dc.Dispatch(g, "MESSAGE_DELETE", obj{"id": "404", "channel_id": ch, "guild_id": g})
	r.dc.Dispatch(g, "GUILD_MEMBER_UPDATE", obj{"guild_id": g, "user": obj{"id": "x"}})
	say(obj{"id": 1500000000000000001, "content": "a number as id", "type": "0", "embeds": "none", "mentions": obj{}, "timestamp": 3})
	say(obj{"id": "1500000000000000002", "content": "twice"})
	say(obj{"id": "1500000000000000002", "content": "twice"})
	say(obj{"id": "1500000000000000003", "content": "odd type", "type": 999})
	say(obj{"id": "1500000000000000004", "content": "last", "unknown": []any{obj{}}})
	r.said(room, ghost(r.anna), "last")
	r.said(room, ghost(r.anna), "a number as id")
	r.said(room, ghost(r.anna), "odd type")
	n := 0
	for _, e := range r.hs.Events(room, "m.room.message") {
		if e.Get("body") == "twice" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("what came twice is there %d times", n)
	}
	r.hs.SendText(room, mia, "still there")
	r.onDiscord(ch, content("still there"))
}

// A room is told why nothing goes to Discord.
func TestNoWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.dc.UpdateRole(r.guild, r.guild.Roles[1], func(role *discordtest.Role) { role.Permissions = "0" })
	r.start()
	room := r.room("general")
	r.hs.SendText(room, mia, "hello")
	r.event(room, "m.room.message", "the reason", func(e *appservicetest.Event) bool {
		return e.Get("msgtype") == "m.notice" && strings.Contains(e.Get("body"), "Manage Webhooks")
	})
}
