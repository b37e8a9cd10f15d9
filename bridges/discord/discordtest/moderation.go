package discordtest

import (
	"encoding/json"
	"slices"
	"strconv"
)

// More permissions, as bits.
const (
	BanMembers      = 1 << 2
	ManageChannels  = 1 << 4
	ManageThreads   = 1 << 34
	ModerateMembers = 1 << 40
)

// moderationRoutes are those by which guilds and channels are looked at and changed.
func (s *Server) moderationRoutes(handle func(string, bool, func(*request) (any, *failure))) {
	inGuild := func(f func(*request, *Guild) (any, *failure)) func(*request) (any, *failure) {
		return func(r *request) (any, *failure) {
			g := s.guilds[r.PathValue("guild")]
			if g == nil {
				return nil, &failure{404, 10004, "Unknown Guild"}
			}
			return f(r, g)
		}
	}
	handle("GET /users/@me/guilds", true, func(*request) (any, *failure) {
		list := []any{}
		for _, g := range s.guilds {
			list = append(list, map[string]any{"id": g.ID, "name": g.Name, "icon": nil, "banner": nil, "owner": false, "permissions": bits(s.mayInGuild(g)), "features": []string{}})
		}
		return list, nil
	})
	handle("GET /guilds/{guild}", true, inGuild(func(_ *request, g *Guild) (any, *failure) {
		out := s.guildCreate(g, 0, 50)
		for _, name := range []string{"channels", "threads", "members", "member_count", "large", "joined_at", "unavailable", "presences", "voice_states", "stage_instances", "guild_scheduled_events"} {
			delete(out, name) // which the gateway alone tells
		}
		for _, name := range []string{"home_header", "widget_channel_id", "max_presences"} {
			out[name] = nil
		}
		out["nsfw"], out["max_video_channel_users"], out["max_stage_video_channel_users"] = false, 25, 50
		return out, nil
	}))
	handle("GET /guilds/{guild}/channels", true, inGuild(func(_ *request, g *Guild) (any, *failure) { return g.Channels, nil }))
	handle("GET /guilds/{guild}/roles", true, inGuild(func(_ *request, g *Guild) (any, *failure) { return g.Roles, nil }))
	handle("GET /guilds/{guild}/threads/active", true, inGuild(func(_ *request, g *Guild) (any, *failure) {
		return map[string]any{"threads": g.active(), "members": []any{}, "has_more": false}, nil
	}))
	member := func(r *request, g *Guild) *Member {
		for _, m := range g.Members {
			if m.User.ID == r.PathValue("user") {
				return m
			}
		}
		return nil
	}
	handle("GET /guilds/{guild}/members/{user}", true, inGuild(func(r *request, g *Guild) (any, *failure) {
		if m := member(r, g); m != nil {
			return m, nil
		}
		return nil, &failure{404, 10007, "Unknown Member"}
	}))
	handle("DELETE /guilds/{guild}/members/{user}", true, inGuild(func(r *request, g *Guild) (any, *failure) {
		m := member(r, g)
		switch {
		case s.mayInGuild(g)&KickMembers == 0 || m != nil && m.User.ID == g.OwnerID:
			return nil, errMissing
		case m == nil:
			return nil, &failure{404, 10007, "Unknown Member"}
		}
		s.removeMember(g, m.User)
		return nil, nil
	}))
	handle("PATCH /guilds/{guild}/members/{user}", true, inGuild(func(r *request, g *Guild) (any, *failure) {
		m := member(r, g)
		if s.mayInGuild(g)&ModerateMembers == 0 {
			return nil, errMissing
		}
		if m == nil {
			return nil, &failure{404, 10007, "Unknown Member"}
		}
		var until *string
		if raw, ok := r.body["communication_disabled_until"]; ok && json.Unmarshal(raw, &until) == nil {
			m.TimeoutUntil = until
		}
		s.dispatch(g.ID, "GUILD_MEMBER_UPDATE", withGuild(m, g.ID))
		return m, nil
	}))
	handle("GET /guilds/{guild}/bans", true, inGuild(func(_ *request, g *Guild) (any, *failure) {
		if s.mayInGuild(g)&BanMembers == 0 {
			return nil, errMissing
		}
		list := []any{}
		for _, id := range slices.Sorted(slices.Values(g.Banned)) {
			list = append(list, map[string]any{"user": s.users[id], "reason": nil})
		}
		return list, nil
	}))
	handle("PUT /guilds/{guild}/bans/{user}", true, inGuild(func(r *request, g *Guild) (any, *failure) {
		u := s.users[r.PathValue("user")]
		if s.mayInGuild(g)&BanMembers == 0 || u != nil && u.ID == g.OwnerID {
			return nil, errMissing
		}
		if u == nil {
			return nil, &failure{404, 10013, "Unknown User"}
		}
		s.ban(g, u)
		return nil, nil
	}))
	handle("DELETE /guilds/{guild}/bans/{user}", true, inGuild(func(r *request, g *Guild) (any, *failure) {
		u := s.users[r.PathValue("user")]
		if s.mayInGuild(g)&BanMembers == 0 {
			return nil, errMissing
		}
		if u == nil || !slices.Contains(g.Banned, u.ID) {
			return nil, &failure{404, 10026, "Unknown Ban"}
		}
		s.unban(g, u)
		return nil, nil
	}))
	handle("PATCH /channels/{channel}", true, s.patchChannel)
	handle("PUT /channels/{channel}/permissions/{overwrite}", true, func(r *request) (any, *failure) {
		ch := s.channel(r.PathValue("channel"))
		if ch == nil {
			return nil, errUnknownChannel
		}
		if !s.may(ch.ID, ManageRoles) {
			return nil, errMissing
		}
		o := Overwrite{ID: r.PathValue("overwrite"), Allow: "0", Deny: "0"}
		if !r.get("type", &o.Type) {
			return nil, invalid("type: This field is required")
		}
		r.get("allow", &o.Allow)
		r.get("deny", &o.Deny)
		ch.Overwrites = append(slices.DeleteFunc(slices.Clone(ch.Overwrites), func(have Overwrite) bool { return have.ID == o.ID }), o)
		s.dispatch(ch.GuildID, "CHANNEL_UPDATE", ch)
		return nil, nil
	})
	handle("DELETE /channels/{channel}/permissions/{overwrite}", true, func(r *request) (any, *failure) {
		ch := s.channel(r.PathValue("channel"))
		if ch == nil {
			return nil, errUnknownChannel
		}
		if !s.may(ch.ID, ManageRoles) {
			return nil, errMissing
		}
		ch.Overwrites = slices.DeleteFunc(slices.Clone(ch.Overwrites), func(have Overwrite) bool { return have.ID == r.PathValue("overwrite") })
		s.dispatch(ch.GuildID, "CHANNEL_UPDATE", ch)
		return nil, nil
	})
}

// patchChannel changes a channel's topic, or whether a thread is archived.
func (s *Server) patchChannel(r *request) (any, *failure) {
	ch := s.channel(r.PathValue("channel"))
	if ch == nil {
		return nil, errUnknownChannel
	}
	if ch.ThreadMetadata != nil {
		if !s.may(ch.ID, ManageThreads) {
			return nil, errMissing
		}
		r.get("archived", &ch.ThreadMetadata.Archived)
		s.dispatch(ch.GuildID, "THREAD_UPDATE", *ch)
		return ch, nil
	}
	if !s.may(ch.ID, ManageChannels) {
		return nil, errMissing
	}
	var topic *string
	if raw, ok := r.body["topic"]; ok && json.Unmarshal(raw, &topic) == nil {
		ch.Topic = topic
	}
	s.dispatch(ch.GuildID, "CHANNEL_UPDATE", ch)
	return ch, nil
}

// mayInGuild are the bot's permissions in a guild; s.mu is held.
func (s *Server) mayInGuild(g *Guild) (have int64) {
	for _, m := range g.Members {
		for _, r := range g.Roles {
			if m.User == s.bot && (r.ID == g.ID || contains(m.Roles, r.ID)) {
				n, _ := strconv.ParseInt(r.Permissions, 10, 64)
				have |= n
			}
		}
	}
	return have
}

// Grant gives the bot more permissions in a guild.
func (s *Server) Grant(g *Guild, permissions int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := g.Roles[1]
	n, _ := strconv.ParseInt(r.Permissions, 10, 64)
	r.Permissions = bits(n | permissions)
	s.dispatch(g.ID, "GUILD_ROLE_UPDATE", map[string]any{"guild_id": g.ID, "role": r})
}

func (s *Server) ban(g *Guild, u *User) {
	if !slices.Contains(g.Banned, u.ID) {
		g.Banned = append(g.Banned, u.ID)
	}
	s.removeMember(g, u)
	s.dispatch(g.ID, "GUILD_BAN_ADD", map[string]any{"guild_id": g.ID, "user": u})
}

func (s *Server) unban(g *Guild, u *User) {
	g.Banned = slices.DeleteFunc(g.Banned, func(id string) bool { return id == u.ID })
	s.dispatch(g.ID, "GUILD_BAN_REMOVE", map[string]any{"guild_id": g.ID, "user": u})
}

func (s *Server) removeMember(g *Guild, u *User) {
	g.Members = slices.DeleteFunc(g.Members, func(m *Member) bool { return m.User == u })
	s.dispatch(g.ID, "GUILD_MEMBER_REMOVE", map[string]any{"guild_id": g.ID, "user": u})
}

// Ban bans somebody, as a moderator does.
func (s *Server) Ban(g *Guild, u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ban(g, u)
}

// Unban ends that.
func (s *Server) Unban(g *Guild, u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unban(g, u)
}

// IsBanned reports whether somebody is banned.
func (s *Server) IsBanned(g *Guild, u *User) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(g.Banned, u.ID)
}

// Members are those of a guild, copied.
func (s *Server) Members(g *Guild) (list []Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range g.Members {
		list = append(list, *m)
	}
	return list
}

// Channel is a channel as it is now, copied.
func (s *Server) Channel(id string) (out Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch := s.channel(id); ch != nil {
		out = *ch
		out.Overwrites = slices.Clone(ch.Overwrites)
	}
	return out
}
