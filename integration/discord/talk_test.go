package discord_test

import (
	"encoding/json"
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/integration/bridgetest"
)

type obj = map[string]any

// event waits until somebody's /sync has an event of a room.
func (w *world) event(m *bridgetest.Matrix, room, kind, what string, match func(bridgetest.Event) bool) bridgetest.Event {
	w.Helper()
	e, _, err := m.Await(w.ctx, 0, room, what, func(e bridgetest.Event) bool { return e.Type == kind && match(e) })
	if err != nil {
		for _, e := range m.Events.All(0) {
			if e.RoomID == room {
				w.Log(e)
			}
		}
		w.Fatal(err)
	}
	return e
}

// says waits for a message in whose content some words are.
func (w *world) says(m *bridgetest.Matrix, room, sender string, words ...string) bridgetest.Event {
	w.Helper()
	return w.event(m, room, "m.room.message", strings.Join(words, " + "), func(e bridgetest.Event) bool {
		for _, word := range words {
			if !strings.Contains(plain(e), word) {
				return false
			}
		}
		return sender == "" || e.Sender == sender
	})
}

// plain is the content of an event with its characters as they are.
func plain(e bridgetest.Event) string {
	var v any
	if json.Unmarshal(e.Content, &v) != nil {
		return ""
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return b.String()
}

// relates reports whether an event relates to another one.
func relates(e bridgetest.Event, kind, to string) bool {
	var c struct {
		Rel struct {
			Type    string `json:"rel_type"`
			EventID string `json:"event_id"`
			Reply   struct {
				EventID string `json:"event_id"`
			} `json:"m.in_reply_to"`
		} `json:"m.relates_to"`
	}
	if json.Unmarshal(e.Content, &c) != nil {
		return false
	}
	if kind == "" {
		return c.Rel.Reply.EventID == to
	}
	return c.Rel.Type == kind && c.Rel.EventID == to
}

// onChannel waits until a channel has a message.
func (w *world) onChannel(channel, what string, match func(discordtest.Message) bool) discordtest.Message {
	w.Helper()
	var found discordtest.Message
	if err := w.dc.Wait(w.ctx, func() bool {
		for _, m := range w.dc.Messages(channel) {
			if match(m) {
				found = m
				return true
			}
		}
		return false
	}); err != nil {
		for _, m := range w.dc.Messages(channel) {
			w.Logf("on Discord: %s: %q", m.Author.Username, m.Content)
		}
		w.Fatalf("%s on Discord: %v", what, err)
	}
	return found
}

// gone waits until a channel has a message no more.
func (w *world) gone(channel, message string) {
	w.Helper()
	if err := w.dc.Wait(w.ctx, func() bool {
		for _, m := range w.dc.Messages(channel) {
			if m.ID == message {
				return false
			}
		}
		return true
	}); err != nil {
		w.Fatalf("a message is still on Discord: %v", err)
	}
}

// send has somebody send an event.
func (w *world) send(m *bridgetest.Matrix, room, kind string, content obj) string {
	w.Helper()
	id, err := m.Send(w.ctx, room, kind, content)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// redact has somebody redact an event.
func (w *world) redact(m *bridgetest.Matrix, room, event string) {
	w.Helper()
	if err := m.Do(w.ctx, "PUT", "/v3/rooms/"+room+"/redact/"+event+"/r"+event[1:], obj{}, nil); err != nil {
		w.Fatal(err)
	}
}

// talk is what people do in a channel, in both directions. tag makes its words unlike those of others.
func (w *world) talk(m *bridgetest.Matrix, room string, ch *discordtest.Channel, who *discordtest.User, tag string) {
	w.Helper()
	ghost := w.ghost(who)
	// From Discord.
	first := w.dc.Say(ch, who, tag+" hello", nil)
	e := w.await(m, room, ghost, tag+" hello")
	w.dc.Edit(first, func(m *discordtest.Message) { m.Content = tag + " edited" })
	w.event(m, room, "m.room.message", "the edit", func(ev bridgetest.Event) bool {
		return ev.Sender == ghost && relates(ev, "m.replace", e.ID) && strings.Contains(plain(ev), tag+" edited")
	})
	w.dc.React(first, who, "🎉", true)
	reaction := w.event(m, room, "m.reaction", "the reaction", func(ev bridgetest.Event) bool { return ev.Sender == ghost && relates(ev, "m.annotation", e.ID) })
	w.dc.React(first, who, "🎉", false)
	w.event(m, room, "m.room.redaction", "its end", func(ev bridgetest.Event) bool { return redacts(ev, reaction.ID) })
	w.dc.Say(ch, who, tag+" answer", func(m *discordtest.Message) {
		m.Type, m.Reference = 19, &discordtest.Reference{MessageID: first.ID, ChannelID: ch.ID, GuildID: ch.GuildID}
	})
	if answer := w.await(m, room, ghost, tag+" answer"); !relates(answer, "", e.ID) {
		w.Errorf("%s: the answer is %s", tag, answer)
	}
	thread := w.dc.StartThread(ch, first, who, tag+" thread")
	w.dc.Say(thread, who, tag+" in the thread", nil)
	if in := w.await(m, room, ghost, tag+" in the thread"); !relates(in, "m.thread", e.ID) {
		w.Errorf("%s: in the thread is %s", tag, in)
	}
	short := w.dc.Say(ch, who, tag+" too much", nil)
	too := w.await(m, room, ghost, tag+" too much")
	w.dc.Delete(short)
	w.event(m, room, "m.room.redaction", "the deletion", func(ev bridgetest.Event) bool { return redacts(ev, too.ID) })

	// From Matrix.
	mine := w.send(m, room, "m.room.message", obj{"msgtype": "m.text", "body": tag + " from Matrix"})
	sent := w.onDiscord(ch.ID, tag+" from Matrix")
	w.send(m, room, "m.room.message", obj{
		"msgtype": "m.text", "body": "* better", "m.new_content": obj{"msgtype": "m.text", "body": tag + " better"},
		"m.relates_to": obj{"rel_type": "m.replace", "event_id": mine},
	})
	if better := w.onDiscord(ch.ID, tag+" better"); better.ID != sent.ID {
		w.Errorf("%s: the edit is another message", tag)
	}
	like := w.send(m, room, "m.reaction", obj{"m.relates_to": obj{"rel_type": "m.annotation", "event_id": e.ID, "key": "👍"}})
	reactions := func(n int) func(discordtest.Message) bool {
		return func(m discordtest.Message) bool { return m.ID == first.ID && len(m.Reactions) == n }
	}
	w.onChannel(ch.ID, "the reaction", reactions(1))
	w.redact(m, room, like)
	w.onChannel(ch.ID, "no reaction", reactions(0))
	w.send(m, room, "m.room.message", obj{"msgtype": "m.text", "body": tag + " into the thread", "m.relates_to": obj{
		"rel_type": "m.thread", "event_id": e.ID, "is_falling_back": true, "m.in_reply_to": obj{"event_id": e.ID},
	}})
	w.onDiscord(thread.ID, tag+" into the thread")
	w.redact(m, room, mine)
	w.gone(ch.ID, sent.ID)
}

// redacts reports whether an event redacts another one, in any version of rooms.
func redacts(e bridgetest.Event, target string) bool {
	return e.Redacts == target || e.Field("redacts") == target
}

// count is how many messages of somebody with a text came.
func count(m *bridgetest.Matrix, room, sender, body string) (n int) {
	for _, e := range m.Events.All(0) {
		if e.RoomID == room && e.Type == "m.room.message" && e.Sender == sender && e.Body() == body {
			n++
		}
	}
	return n
}

// content reads the content of an event.
func (w *world) content(e bridgetest.Event, into any) {
	w.Helper()
	if err := json.Unmarshal(e.Content, into); err != nil {
		w.Fatal(err)
	}
}
