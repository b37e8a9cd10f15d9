package discord_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// says waits for a message of somebody with some words in it.
func (r *rig) says(room id.RoomID, sender id.UserID, words ...string) *appservicetest.Event {
	r.Helper()
	return r.event(room, "m.room.message", fmt.Sprintf("%q of %s", words, sender), func(e *appservicetest.Event) bool {
		for _, w := range words {
			if !strings.Contains(string(e.Content), w) {
				return false
			}
		}
		return sender == "" || e.Sender == sender
	})
}

// TestPolls: the numbers of a poll of Discord follow the votes; a poll of Matrix is one on Discord, whose votes come back.
func TestPolls(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	poll := func(votes ...int) obj {
		counts := []any{}
		for i, n := range votes {
			counts = append(counts, obj{"id": i + 1, "count": n, "me_voted": false})
		}
		return obj{
			"question":    obj{"text": "Tea?"},
			"answers":     []any{obj{"answer_id": 1, "poll_media": obj{"text": "yes"}}, obj{"answer_id": 2, "poll_media": obj{"text": "no"}}},
			"results":     obj{"is_finalized": false, "answer_counts": counts},
			"layout_type": 1,
			"expiry":      time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		}
	}
	m := r.dc.Say(r.general, r.anna, "", func(m *discordtest.Message) { m.Poll = poll() })
	r.says(room, ghost(r.anna), "Tea?", "1. yes", "2. no")
	for _, u := range []*discordtest.User{r.owner, r.anna} {
		r.dc.Vote(m, u, 1, true)
	}
	r.dc.Change(m, func(m *discordtest.Message) { m.Poll = poll(2, 0) })
	r.says(room, ghost(r.anna), "m.replace", "yes (2)")
	r.dc.Say(r.general, r.anna, "", func(m *discordtest.Message) {
		m.Type = 46
		m.Embeds = []map[string]any{{"type": "poll_result", "fields": []any{
			obj{"name": "poll_question_text", "value": "Tea?"}, obj{"name": "victor_answer_text", "value": "yes"},
			obj{"name": "victor_answer_votes", "value": "2"}, obj{"name": "total_votes", "value": "2"},
		}}}
	})
	r.says(room, ghost(r.anna), "has ended", "2 of 2 votes")

	start := r.hs.Send(room, mia, "org.matrix.msc3381.poll.start", obj{"org.matrix.msc3381.poll.start": obj{
		"kind": "org.matrix.msc3381.poll.disclosed", "max_selections": 1, "question": obj{"org.matrix.msc1767.text": "Where?"},
		"answers": []any{obj{"id": "a", "org.matrix.msc1767.text": "here"}, obj{"id": "b", "org.matrix.msc1767.text": "there"}},
	}})
	sent := r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return m.Poll != nil && m.WebhookID != "" })
	if sent.Author.Username != "Mia" || !strings.Contains(fmt.Sprint(sent.Poll["answers"]), "there") {
		t.Errorf("sent %+v", sent.Poll)
	}
	answers := func(e *appservicetest.Event) string {
		var c struct {
			Response struct {
				Answers []string `json:"answers"`
			} `json:"org.matrix.msc3381.poll.response"`
		}
		_ = json.Unmarshal(e.Content, &c)
		return strings.Join(c.Response.Answers, ",")
	}
	vote := func(want string) {
		r.event(room, "org.matrix.msc3381.poll.response", "a vote for "+want, func(e *appservicetest.Event) bool {
			return e.Sender == ghost(r.anna) && relation(e).EventID == string(start) && answers(e) == want
		})
	}
	r.dc.Vote(sent, r.anna, 2, true)
	vote("b")
	r.dc.Vote(sent, r.anna, 2, false)
	vote("")
}

// TestNotices: calls, stages and scheduled events are told in rooms.
func TestNotices(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	lounge := r.dc.AddChannel(r.guild, 2, "lounge", "")
	stage := r.dc.AddChannel(r.guild, 13, "stage", "")
	r.start()
	general, room, hall := r.room("general"), r.room("lounge"), r.room("stage")
	voice := func(u *discordtest.User, channel any) {
		r.dc.Dispatch(r.guild.ID, "VOICE_STATE_UPDATE", obj{"guild_id": r.guild.ID, "user_id": u.ID, "channel_id": channel, "session_id": "x"})
	}
	voice(r.anna, lounge.ID)
	r.says(room, "", "anna started a call")
	voice(r.owner, lounge.ID)
	voice(r.anna, nil)
	voice(r.owner, nil)
	r.says(room, "", "The call has ended")
	if n := len(r.hs.Events(room, "m.room.message")); n != 2 {
		t.Errorf("%d messages about one call", n)
	}
	r.dc.Dispatch(r.guild.ID, "STAGE_INSTANCE_CREATE", obj{"guild_id": r.guild.ID, "channel_id": stage.ID, "topic": "On birds"})
	r.says(hall, "", "The stage is open: On birds")

	scheduled := obj{"id": "77", "guild_id": r.guild.ID, "channel_id": nil, "name": "Picnic", "description": "Bring food", "status": 1,
		"scheduled_start_time": "2031-05-01T12:00:00+00:00", "entity_metadata": obj{"location": "The park"}}
	tell := func(kind string, change obj) {
		for k, v := range change {
			scheduled[k] = v
		}
		r.dc.Dispatch(r.guild.ID, kind, scheduled)
	}
	tell("GUILD_SCHEDULED_EVENT_CREATE", nil)
	r.says(general, "", "New event: “Picnic”, 1 May 2031, 12:00 UTC, The park", "Bring food")
	tell("GUILD_SCHEDULED_EVENT_UPDATE", obj{"entity_metadata": obj{"location": "The wood"}})
	r.says(general, "", "The event was changed", "The wood")
	tell("GUILD_SCHEDULED_EVENT_UPDATE", obj{"status": 2})
	r.says(general, "", "“Picnic” has begun")
	tell("GUILD_SCHEDULED_EVENT_UPDATE", obj{"status": 3})
	r.says(general, "", "“Picnic” is over")
}

// TestPresence: who is online is shown if the configuration says so.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := newRig(t, "presence: true\n")
	r.start()
	r.member(r.room("general"), ghost(r.anna), "anna is there", is("join"))
	for status, want := range map[string]string{"online": "online", "dnd": "unavailable", "offline": "offline"} {
		r.dc.Dispatch(r.guild.ID, "PRESENCE_UPDATE", obj{"user": obj{"id": r.anna.ID}, "guild_id": r.guild.ID, "status": status, "activities": []any{}})
		r.wait("anna is "+want, func() bool { return r.hs.Presence(ghost(r.anna)) == want })
	}
}

// TestSpecialMessages: what is no plain text is readable nevertheless.
func TestSpecialMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	for i, test := range []struct {
		make func(*discordtest.Message)
		want []string
		not  string
	}{
		{func(m *discordtest.Message) { // buttons, a menu
			m.Components = []map[string]any{{"type": 1, "components": []any{
				obj{"type": 2, "style": 5, "label": "Docs", "url": "https://docs.example"}, obj{"type": 2, "style": 1, "label": "Vote", "custom_id": "x"},
			}}, {"type": 1, "components": []any{obj{"type": 3, "custom_id": "y", "placeholder": "Pick", "options": []any{obj{"label": "one"}, obj{"label": "two"}}}}}}
		}, []string{"https://docs.example", "[Vote]", "Pick one | two"}, ""},
		{func(m *discordtest.Message) { // the newer ones
			m.Flags = 1 << 15
			m.Components = []map[string]any{{"type": 17, "components": []any{
				obj{"type": 10, "content": "**Heading**"}, obj{"type": 9, "components": []any{obj{"type": 10, "content": "a section"}}, "accessory": obj{"type": 2, "style": 5, "label": "Go", "url": "https://go.example"}},
				obj{"type": 12, "items": []any{obj{"media": obj{"url": "https://cdn.example/x.png"}, "description": "A cat"}}},
			}}}
		}, []string{"Heading", "a section", "https://go.example", "https://cdn.example/x.png"}, ""},
		{func(m *discordtest.Message) { // the answer to a command
			m.Type, m.Content = 20, "the weather is fine"
			m.Interaction = map[string]any{"id": "1", "type": 2, "name": "weather", "user": r.owner}
		}, []string{"owner used", "/weather", "the weather is fine"}, ""},
		{func(m *discordtest.Message) { // of a channel that is followed
			m.Content, m.Flags, m.Reference = "news from afar", 1<<1, &discordtest.Reference{MessageID: "5", ChannelID: "6", GuildID: "7"}
		}, []string{"news from afar"}, "m.in_reply_to"},
		{func(m *discordtest.Message) { m.Type = 7 }, []string{"joined the server"}, ""},
		{func(m *discordtest.Message) { m.Type = 10 }, []string{"level 2"}, ""},
		{func(m *discordtest.Message) { m.Type, m.Content = 31, "birds" }, []string{"topic of the stage to birds"}, ""},
		{func(m *discordtest.Message) { m.Type = 199 }, []string{"message type 199"}, ""},
	} {
		r.dc.Say(r.general, r.anna, "", test.make)
		if e := r.says(room, ghost(r.anna), test.want...); test.not != "" && strings.Contains(string(e.Content), test.not) {
			t.Errorf("%d: %s", i, e.Content)
		}
	}
	// A super reaction is one.
	m := r.dc.Say(r.general, r.anna, "react", nil)
	e := r.said(room, ghost(r.anna), "react")
	r.dc.Dispatch(r.guild.ID, "MESSAGE_REACTION_ADD", obj{"user_id": r.owner.ID, "channel_id": m.ChannelID, "message_id": m.ID, "guild_id": r.guild.ID,
		"emoji": obj{"id": nil, "name": "🎉"}, "burst": true, "burst_colors": []any{"#ffffff"}, "type": 1})
	r.event(room, "m.reaction", "the super reaction", func(ev *appservicetest.Event) bool {
		return ev.Sender == ghost(r.owner) && relation(ev).EventID == string(e.ID)
	})
}

// TestEarlyReactions: a reaction to a message from Matrix that comes before the answer to the request by which it was sent,
// and those and answers to the later parts of a long one, are not lost.
func TestEarlyReactions(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	other := r.dc.AddChannel(r.guild, 0, "second", "")
	r.start()
	room, second := r.room("general"), r.room("second")
	r.hs.SendText(room, mia, "first")
	r.onDiscord(r.general.ID, content("first"))
	// The answer is late: what is said is there, and reacted to, before it.
	r.dc.HoldAnswers("/webhooks/")
	evt := r.hs.SendText(room, mia, "react to this")
	sent := r.onDiscord(r.general.ID, content("react to this"))
	r.dc.React(r.dc.Find(sent), r.anna, "🎉", true)
	r.dc.Say(r.general, r.anna, "marker", nil)
	r.said(room, ghost(r.anna), "marker")
	r.dc.ReleaseAnswers()
	r.event(room, "m.reaction", "the early reaction", func(ev *appservicetest.Event) bool {
		return ev.Sender == ghost(r.anna) && relation(ev).EventID == string(evt)
	})

	// So is an answer to it.
	r.dc.HoldAnswers("/webhooks/")
	evt = r.hs.SendText(room, mia, "answer this")
	sent = r.onDiscord(r.general.ID, content("answer this"))
	r.dc.Say(r.general, r.owner, "at once", func(a *discordtest.Message) {
		a.Type, a.Reference = 19, &discordtest.Reference{MessageID: sent.ID, ChannelID: sent.ChannelID, GuildID: sent.GuildID}
	})
	r.dc.Say(other, r.anna, "elsewhere", nil) // when that is there, the answer was taken to its room
	r.said(second, ghost(r.anna), "elsewhere")
	r.dc.ReleaseAnswers()
	if rel := relation(r.said(room, ghost(r.owner), "at once")); rel.ReplyTo.EventID != string(evt) {
		t.Errorf("the early answer relates to %+v", rel)
	}

	long := r.hs.SendText(room, mia, strings.Repeat("many words ", 400)+"the end")
	last := r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return strings.HasSuffix(m.Content, "the end") })
	r.dc.React(r.dc.Find(last), r.owner, "👀", true)
	r.event(room, "m.reaction", "the reaction to the second part", func(ev *appservicetest.Event) bool {
		return ev.Sender == ghost(r.owner) && relation(ev).EventID == string(long)
	})
	r.dc.Say(r.general, r.anna, "I answer", func(a *discordtest.Message) {
		a.Type, a.Reference = 19, &discordtest.Reference{MessageID: last.ID, ChannelID: last.ChannelID, GuildID: last.GuildID}
	})
	if rel := relation(r.said(room, ghost(r.anna), "I answer")); rel.ReplyTo.EventID != string(long) {
		t.Errorf("the answer relates to %+v", rel)
	}
}

// TestLostPost: a post in a forum of which the answer was lost is found, and not made twice.
func TestLostPost(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.dc.AddChannel(r.guild, 15, "forum", "")
	r.start()
	room := r.room("forum")
	lose := true
	r.dc.FailAfter(func(req *requestOf) bool {
		lost := lose && req.Method == "POST" && strings.Contains(req.URL.Path, "/webhooks/") && req.URL.Query().Get("wait") == "true"
		lose = lose && !lost
		return lost
	})
	evt := r.hs.SendText(room, mia, "A post\nwith text")
	r.hs.Send(room, mia, "m.room.message", obj{"msgtype": "m.text", "body": "a comment", "m.relates_to": obj{
		"rel_type": "m.thread", "event_id": evt, "is_falling_back": true, "m.in_reply_to": obj{"event_id": evt},
	}})
	if err := r.dc.Wait(r.ctx, func() bool {
		list := r.dc.Threads(r.guild)
		return len(list) > 0 && len(r.dc.Messages(list[0].ID)) == 2
	}); err != nil {
		t.Errorf("the comment: %v", err)
	}
	if n := len(r.dc.Threads(r.guild)); n != 1 {
		t.Errorf("there are %d posts", n)
	}
}

// TestFileEdit: a file that is exchanged in Matrix is on Discord.
func TestFileEdit(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.start()
	room := r.room("general")
	file := func(data, name string) obj {
		return obj{"msgtype": "m.file", "body": name, "filename": name, "url": r.hs.AddMedia([]byte(data)), "info": obj{"size": len(data), "mimetype": "text/plain"}}
	}
	evt := r.hs.Send(room, mia, "m.room.message", file("old", "a.txt"))
	sent := r.onDiscord(r.general.ID, func(m *discordtest.Message) bool { return len(m.Attachments) == 1 })
	edit := file("new", "b.txt")
	edit["m.new_content"], edit["m.relates_to"] = file("new", "b.txt"), obj{"rel_type": "m.replace", "event_id": evt}
	r.hs.Send(room, mia, "m.room.message", edit)
	now := r.onDiscord(r.general.ID, func(m *discordtest.Message) bool {
		return m.ID == sent.ID && len(m.Attachments) == 1 && m.Attachments[0].Filename == "b.txt"
	})
	if got := string(r.dc.File(now.Attachments[0].URL)); got != "new" {
		t.Errorf("the file is %q", got)
	}
}
