package discord

import (
	"context"
	"strings"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// What goes on beside messages: calls, stages and scheduled events are told in rooms, in the name of the bot; who is
// online is shown if the configuration says so.

// States of scheduled events.
const (
	eventActive    = 2
	eventCompleted = 3
	eventCancelled = 4
)

// onScheduled tells of a scheduled event.
func (n *bot) onScheduled(_ context.Context, e *entry) {
	var ev wire.ScheduledEvent
	if !n.decode(e, &ev) || ev.ID == "" {
		return
	}
	var before wire.ScheduledEvent
	known := false
	if !n.guilds.change(ev.GuildID, func(g *guild) {
		before, known = g.events[ev.ID]
		if e.kind == "GUILD_SCHEDULED_EVENT_DELETE" || ev.Status == eventCompleted || ev.Status == eventCancelled {
			delete(g.events, ev.ID)
		} else {
			g.events[ev.ID] = ev
		}
	}) || !n.cfg.Notices {
		return
	}
	room := n.eventRoom(&ev)
	if room == "" {
		return
	}
	name := "“" + ev.Name + "”"
	text := ""
	switch {
	case e.kind == "GUILD_SCHEDULED_EVENT_CREATE" && !known:
		text = "📅 New event: " + name + n.eventDetails(&ev)
		if ev.Description != "" {
			text += "\n" + ev.Description
		}
	case e.kind == "GUILD_SCHEDULED_EVENT_DELETE", ev.Status == eventCancelled:
		if known {
			text = "📅 The event " + name + " is cancelled"
		}
	case ev.Status == eventActive && before.Status != eventActive:
		text = "📅 The event " + name + " has begun" + n.eventDetails(&ev)
	case ev.Status == eventCompleted && known:
		text = "📅 The event " + name + " is over"
	case known && (ev.Name != before.Name || !ev.Start.Equal(before.Start.Time) || ev.Place.Location != before.Place.Location || ev.ChannelID != before.ChannelID):
		text = "📅 The event was changed: " + name + n.eventDetails(&ev)
	}
	if text != "" {
		n.tellRoom(room, text, nil)
	}
}

// eventDetails are time and place of an event.
func (n *bot) eventDetails(ev *wire.ScheduledEvent) string {
	var b strings.Builder
	if !ev.Start.IsZero() && ev.Status != eventActive {
		b.WriteString(", " + ev.Start.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	if ev.Place.Location != "" {
		b.WriteString(", " + ev.Place.Location)
	} else if ch, ok := n.guilds.channel(ev.ChannelID); ok {
		b.WriteString(", in " + ch.Name)
	}
	return b.String()
}

// eventRoom is where something of a guild is told: in the channel that it belongs to, the one that the guild has for
// messages of the system, or the first that everybody sees.
func (n *bot) eventRoom(ev *wire.ScheduledEvent) (room wire.ID) {
	if n.rooms[ev.ChannelID] {
		return ev.ChannelID
	}
	n.guilds.read(ev.GuildID, func(g *guild) {
		if n.rooms[g.SystemChannelID] {
			room = g.SystemChannelID
			return
		}
		for _, ch := range g.sorted() {
			if n.rooms[ch.ID] && ch.HasMessages() && !ch.IsForum() && g.permissions("", nil, &ch)&permView != 0 {
				room = ch.ID
				return
			}
		}
	})
	return room
}

// onVoice tells that a call begins or ends in a voice channel: that the first has come, or the last has left.
func (n *bot) onVoice(_ context.Context, e *entry) {
	var ev wire.VoiceState
	if !n.decode(e, &ev) || ev.UserID == "" {
		return
	}
	var was wire.ID
	full := map[wire.ID]int{}
	if !n.guilds.change(ev.GuildID, func(g *guild) {
		was = g.voice[ev.UserID]
		if ev.ChannelID == "" {
			delete(g.voice, ev.UserID)
		} else {
			g.voice[ev.UserID] = ev.ChannelID
		}
		for _, ch := range g.voice {
			full[ch]++
		}
	}) || was == ev.ChannelID || !n.cfg.Notices {
		return
	}
	if n.rooms[was] && full[was] == 0 {
		n.tellRoom(was, "📞 The call has ended", nil)
	}
	if n.rooms[ev.ChannelID] && full[ev.ChannelID] == 1 {
		who := "Somebody"
		if ev.Member != nil && ev.Member.User.ID != "" {
			who = guildLook(ev.GuildID, ev.Member.User, ev.Member).name
		} else if m, ok := n.guilds.member(ev.GuildID, ev.UserID); ok {
			who = guildLook(ev.GuildID, m.User, &m).name
		}
		n.tellRoom(ev.ChannelID, "📞 "+who+" started a call on Discord: https://discord.com/channels/"+string(ev.GuildID)+"/"+string(ev.ChannelID), nil)
	}
}

// onStage tells that a stage is opened, or closed.
func (n *bot) onStage(_ context.Context, e *entry) {
	var ev struct {
		ChannelID wire.ID `json:"channel_id"`
		Topic     string  `json:"topic"`
	}
	if !n.decode(e, &ev) || !n.cfg.Notices || !n.rooms[ev.ChannelID] {
		return
	}
	text := "🎙 The stage is open: " + ev.Topic
	if e.kind == "STAGE_INSTANCE_DELETE" {
		text = "🎙 The stage is closed"
	}
	n.tellRoom(ev.ChannelID, text, nil)
}

// onPresence notes who is online. Those who have not been seen in Matrix are passed over, and, when there is more to
// tell than the homeserver takes, the rest, too.
func (n *bot) onPresence(_ context.Context, e *entry) {
	var ev struct {
		User   wire.User `json:"user"`
		Status string    `json:"status"`
	}
	if !n.cfg.Presence || !n.decode(e, &ev) || ev.User.ID == n.self || !n.people.knows(userID(ev.User.ID)) {
		return
	}
	select {
	case n.presences <- [2]string{string(ev.User.ID), ev.Status}:
	default:
	}
}

// showPresences tells the homeserver who is online, until ctx is done.
func (n *bot) showPresences(ctx context.Context) {
	for {
		select {
		case p := <-n.presences:
			ghost, err := n.b.br.GetGhostByID(ctx, userID(wire.ID(p[0])))
			if err != nil {
				continue
			}
			intent := appservice.GhostOf(ghost.Intent)
			if intent == nil { // who has an account shows by it that they are there
				continue
			}
			is := event.PresenceUnavailable // away, or not to be disturbed
			switch p[1] {
			case "online":
				is = event.PresenceOnline
			case "offline", "invisible":
				is = event.PresenceOffline
			}
			if err := intent.Matrix.EnsureRegistered(ctx); err == nil {
				err = intent.Matrix.SetPresence(ctx, mautrix.ReqPresence{Presence: is})
				if err != nil {
					n.log.Debug("it is not shown who is online", "error", err)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}
