package discordtest

import "time"

// Talk has a member come into a voice channel, or, with nil, leave the one that they are in.
func (s *Server) Talk(g *Guild, u *User, ch *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ev := map[string]any{
		"guild_id": g.ID, "user_id": u.ID, "channel_id": nil, "session_id": "voice", "deaf": false, "mute": false, "self_deaf": false, "self_mute": false,
		"self_video": false, "suppress": false, "request_to_speak_timestamp": nil, "member": g.memberOf(u),
	}
	if ch != nil {
		ev["channel_id"] = ch.ID
	}
	s.dispatch(g.ID, "VOICE_STATE_UPDATE", ev)
}

// memberOf is somebody as a member; nil if they are none.
func (g *Guild) memberOf(u *User) *Member {
	for _, m := range g.Members {
		if m.User.ID == u.ID {
			return m
		}
	}
	return nil
}

// Event is a scheduled event of a guild.
type Event struct {
	ID          string         `json:"id"`
	GuildID     string         `json:"guild_id"`
	ChannelID   *string        `json:"channel_id"`
	CreatorID   string         `json:"creator_id"`
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Start       string         `json:"scheduled_start_time"`
	End         *string        `json:"scheduled_end_time"`
	Privacy     int            `json:"privacy_level"`
	Status      int            `json:"status"`
	Kind        int            `json:"entity_type"`
	EntityID    *string        `json:"entity_id"`
	Place       map[string]any `json:"entity_metadata"`
	Image       *string        `json:"image"`
	Rule        *string        `json:"recurrence_rule"`
}

// Schedule plans an event somewhere outside of Discord.
func (s *Server) Schedule(g *Guild, u *User, name, place string, at time.Time) *Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Event{
		ID: s.id(), GuildID: g.ID, CreatorID: u.ID, Name: name, Description: "About " + name, Start: stamp(at), End: ptr(stamp(at.Add(time.Hour))),
		Privacy: 2, Status: 1, Kind: 3, Place: map[string]any{"location": place},
	}
	s.dispatch(g.ID, "GUILD_SCHEDULED_EVENT_CREATE", e)
	return e
}

// Reschedule changes an event.
func (s *Server) Reschedule(e *Event, f func(*Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(e)
	s.dispatch(e.GuildID, "GUILD_SCHEDULED_EVENT_UPDATE", e)
}

// Unschedule takes an event away.
func (s *Server) Unschedule(e *Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch(e.GuildID, "GUILD_SCHEDULED_EVENT_DELETE", e)
}

// Stage opens a stage, or closes it.
func (s *Server) Stage(ch *Channel, topic string, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "STAGE_INSTANCE_CREATE"
	if !open {
		kind = "STAGE_INSTANCE_DELETE"
	}
	s.dispatch(ch.GuildID, kind, map[string]any{
		"id": s.id(), "guild_id": ch.GuildID, "channel_id": ch.ID, "topic": topic, "privacy_level": 2, "discoverable_disabled": false,
	})
}

// Type has a member type.
func (s *Server) Type(ch *Channel, u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch(ch.GuildID, "TYPING_START", map[string]any{
		"guild_id": ch.GuildID, "channel_id": ch.ID, "user_id": u.ID, "timestamp": time.Now().Unix(), "member": s.guilds[ch.GuildID].memberOf(u),
	})
}

// Show says how somebody is: "online", "idle", "dnd" or "offline".
func (s *Server) Show(g *Guild, u *User, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch(g.ID, "PRESENCE_UPDATE", map[string]any{
		"user": map[string]any{"id": u.ID}, "guild_id": g.ID, "status": status, "activities": []any{}, "client_status": map[string]any{"desktop": status},
	})
}

// Poll is the part of a message that is a poll, with the votes for each answer.
func Poll(question string, answers []string, ended bool, votes ...int) map[string]any {
	list, counts := []any{}, []any{}
	for i, a := range answers {
		list = append(list, map[string]any{"answer_id": i + 1, "poll_media": map[string]any{"text": a}})
	}
	for i, n := range votes {
		counts = append(counts, map[string]any{"id": i + 1, "count": n, "me_voted": false})
	}
	return map[string]any{
		"question": map[string]any{"text": question}, "answers": list, "expiry": stamp(time.Now().Add(time.Hour)), "allow_multiselect": false, "layout_type": 1,
		"results": map[string]any{"is_finalized": ended, "answer_counts": counts},
	}
}
