package slack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/slack/slacktest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

// promote gives anna power in the room, in the name of the bridge's bot.
func (k *talk) promote(room string, level int) {
	k.t.Helper()
	bot := k.bot()
	var levels map[string]any
	if err := bot.State(k.ctx, room, "m.room.power_levels", "", &levels); err != nil {
		k.t.Fatal(err)
	}
	users, _ := levels["users"].(map[string]any)
	users[k.anna.UserID] = level
	if err := bot.SetState(k.ctx, room, "m.room.power_levels", "", levels); err != nil {
		k.t.Fatal(err)
	}
	k.until("anna's power", func() bool {
		var now struct {
			Users map[string]int `json:"users"`
		}
		return k.anna.State(k.ctx, room, "m.room.power_levels", "", &now) == nil && now.Users[k.anna.UserID] == level
	})
}

func state(kind, field, value string) func(bridgetest.Event) bool {
	return func(e bridgetest.Event) bool { return e.Type == kind && e.Field(field) == value }
}

// TestRoomsToSlack changes a channel from Matrix, by right.
func TestRoomsToSlack(t *testing.T) {
	t.Parallel()
	k := newTalk(t, "")
	dave := k.slack.AddUser("dave", "Dave")
	set := func(kind string, content any) error { return k.anna.SetState(k.ctx, k.room, kind, "", content) }
	if err := set("m.room.topic", obj{"topic": "no"}); !bridgetest.IsStatus(err, 403) {
		t.Fatalf("who has no right sets a topic: %v", err)
	}
	k.promote(k.room, 100)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	topic := func() string { s, _ := get(k.slack.Info(k.channel), "topic", "value").(string); return s }

	must(set("m.room.topic", obj{"topic": "plans & more"}))
	k.until("the topic in Slack", func() bool { return topic() == "plans &amp; more" })
	// With a purpose, the room's topic has both; only the first is the channel's topic.
	k.slack.SetPurpose(k.bob, k.channel, "to talk")
	k.await("topic and purpose", state("m.room.topic", "topic", "plans & more\nto talk"))
	must(set("m.room.topic", obj{"topic": "news\nto talk"}))
	k.until("the new topic in Slack", func() bool { return topic() == "news" })
	// What Slack refuses is taken back, and told.
	must(set("m.room.topic", obj{"topic": strings.Repeat("long ", 60)}))
	k.await("the topic as it was", state("m.room.topic", "topic", "news\nto talk"))

	must(set("m.room.name", obj{"name": "All Things."}))
	k.until("the name in Slack", func() bool { return k.slack.Info(k.channel)["name"] == "all-things-" })
	k.await("the name as Slack has it", state("m.room.name", "name", "all-things-"))

	// Pins.
	first, second := k.say("one"), k.say("two")
	one, two := k.inSlack("one", withText("one"))["ts"].(string), k.inSlack("two", withText("two"))["ts"].(string)
	must(set("m.room.pinned_events", obj{"pinned": []string{first, second}}))
	k.until("the pins in Slack", func() bool { return slices.Equal(k.slack.Pins(k.channel), []string{one, two}) })
	must(set("m.room.pinned_events", obj{"pinned": []string{second}}))
	k.until("one pin in Slack", func() bool { return slices.Equal(k.slack.Pins(k.channel), []string{two}) })
	k.slack.Pin(k.bob, k.channel, one, true)
	k.await("the pin of Slack", func(e bridgetest.Event) bool {
		pinned, _ := get(e.Content, "pinned").([]any)
		return e.Type == "m.room.pinned_events" && slices.Equal(pinned, []any{second, first})
	})

	// Members.
	member := func(user, membership string) func(bridgetest.Event) bool {
		return func(e bridgetest.Event) bool {
			return e.Type == "m.room.member" && *e.StateKey == k.ghost(user) && e.Field("membership") == membership
		}
	}
	must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/invite", obj{"user_id": k.ghost(dave)}, nil))
	k.await("dave's arrival", member(dave, "join"))
	if !slices.Contains(k.slack.Members(k.channel), dave) {
		t.Error("dave is not in the channel")
	}
	must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/kick", obj{"user_id": k.ghost(dave)}, nil))
	k.until("dave's departure", func() bool { return !slices.Contains(k.slack.Members(k.channel), dave) })
	k.slack.Fail("conversations.kick", "restricted_action", false)
	must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/kick", obj{"user_id": k.ghost(k.carol)}, nil))
	k.await("carol's departure", member(k.carol, "leave"))
	k.await("carol's return", member(k.carol, "join"))
	k.slack.Fail("conversations.invite", "cant_invite", false)
	must(k.anna.Do(k.ctx, "POST", "/v3/rooms/"+k.room+"/invite", obj{"user_id": k.ghost(dave)}, nil))
	k.await("dave's invitation", member(dave, "invite"))
	k.await("dave's invitation taken back", member(dave, "leave"))
}

// TestRoomsShown has what Slack's clients show of channels and people.
func TestRoomsShown(t *testing.T) {
	t.Parallel()
	var group, guest, stranger, old, shared, eng string
	k := newTalkAfter(t, "          history: all\n          status: true\n          bookmarks: topic\n          group_power: {mods: 60}\n"+
		"          sections: [{id: eng, name: Engineering, channels: [eng-*]}]\n", func(k *talk) {
		group = k.slack.AddGroup("mods", k.carol)
		guest, stranger = k.slack.AddUser("gus", "Gus"), k.slack.AddUser("sue", "Sue")
		k.slack.ChangeUser(guest, slacktest.Object{"is_restricted": true})
		k.slack.ChangeUser(stranger, slacktest.Object{"team_id": "T0OTHER"})
		k.slack.Join(guest, k.channel)
		k.slack.Join(stranger, k.channel)
		k.slack.Bookmark(k.channel, "Wiki", "https://wiki.example")
		old = k.slack.AddChannel("old", false, k.bob, slacktest.BotUser)
		k.slack.Say(k.bob, old, "long ago", nil)
		k.slack.Archive(k.bob, old, true)
		shared = k.slack.AddChannel("with-others", false, k.bob, slacktest.BotUser)
		k.slack.ChangeChannel(shared, slacktest.Object{"is_ext_shared": true})
		eng = k.slack.AddChannel("eng-core", false, k.bob, slacktest.BotUser)
	})
	k.until("the members", func() bool {
		members, err := k.anna.Members(k.ctx, k.room)
		return err == nil && members[k.ghost(guest)] == "Gus (guest)" && members[k.ghost(stranger)] == "Sue (external)"
	})
	k.await("the bookmarks", state("m.room.topic", "topic", "Wiki https://wiki.example"))

	// Power by user groups, which follows them.
	power := func(user string) int {
		var levels struct {
			Users map[string]int `json:"users"`
		}
		if err := k.anna.State(k.ctx, k.room, "m.room.power_levels", "", &levels); err != nil {
			t.Fatal(err)
		}
		return levels.Users[k.ghost(user)]
	}
	k.until("carol's power", func() bool { return power(k.carol) == 60 })
	k.slack.ChangeGroup(group, k.bob)
	k.until("bob's power", func() bool { return power(k.carol) == 0 && power(k.bob) == 60 })
	k.slack.ChangeUser(k.carol, slacktest.Object{"is_admin": true})
	k.until("carol's power as admin", func() bool { return power(k.carol) == 50 })

	// An archived channel is there with its past, and nobody speaks.
	k.room = k.join("old (archived)")
	k.until("what was said long ago", func() bool { return k.count("long ago") == 1 })
	if _, err := k.anna.Say(k.ctx, k.room, "hello?"); !bridgetest.IsStatus(err, 403) {
		t.Errorf("somebody speaks in an archived channel: %v", err)
	}
	k.join("with-others (Slack Connect)")

	// Sub-spaces and aliases.
	room := k.join("eng-core")
	if found, err := k.anna.Resolve(k.ctx, "#slack_acme_eng-core:test"); err != nil || found != room {
		t.Errorf("the alias leads to %s, %v", found, err)
	}
	parents, err := k.anna.AllState(k.ctx, room)
	if err != nil {
		t.Fatal(err)
	}
	k.until("the sub-space", func() bool {
		for _, e := range parents {
			var name struct {
				Name string `json:"name"`
			}
			if e.Type == "m.space.parent" {
				if _, err := k.anna.Join(k.ctx, *e.StateKey); err == nil && k.anna.State(k.ctx, *e.StateKey, "m.room.name", "", &name) == nil && name.Name == "Engineering" {
					return true
				}
			}
		}
		return false
	})
	_ = eng

	// An alias of a channel in which the bot is not yet.
	late := k.slack.AddChannel("late", false, k.bob)
	k.until("the room of a channel that is asked for", func() bool {
		_, err := k.anna.Join(k.ctx, "#slack_acme_late:test")
		return err == nil
	})
	if !slices.Contains(k.slack.Members(late), slacktest.BotUser) {
		t.Error("the bot has not joined")
	}

	// Status.
	k.slack.ChangeUser(k.bob, slacktest.Object{"profile": slacktest.Object{"status_text": "on holiday", "status_emoji": ":palm_tree:"}})
	k.until("the status", func() bool {
		var p struct {
			Status string `json:"status_msg"`
		}
		err := k.anna.Do(k.ctx, "GET", "/v3/presence/"+k.ghost(k.bob)+"/status", nil, &p)
		return err == nil && p.Status == "🌴 on holiday"
	})
}
