package discordtest

import (
	"encoding/json"
	"slices"
)

// direct is the id of the channel in which the bot and somebody write to each other; s.mu is held.
func (s *Server) direct(user string) string {
	for id, with := range s.directs {
		if with == user {
			return id
		}
	}
	id := s.id()
	s.directs[id] = user
	return id
}

// directRoutes are those of direct messages, of what the bot says by itself, and of slash commands.
func (s *Server) directRoutes(handle func(string, bool, func(*request) (any, *failure))) {
	handle("POST /users/@me/channels", true, func(r *request) (any, *failure) {
		var to string
		if !r.get("recipient_id", &to) || s.users[to] == nil {
			return nil, &failure{400, 50033, "Invalid Recipient(s)"}
		}
		return map[string]any{"id": s.direct(to), "type": 1, "recipients": []any{s.users[to]}, "last_message_id": nil, "flags": 0}, nil
	})
	handle("POST /channels/{channel}/messages", true, func(r *request) (any, *failure) {
		ch := s.channel(r.PathValue("channel"))
		if to, ok := s.directs[r.PathValue("channel")]; ok {
			if slices.Contains(s.closed, to) {
				return nil, &failure{403, 50007, "Cannot send messages to this user"}
			}
			ch = &Channel{ID: r.PathValue("channel"), Type: 1}
		} else if ch == nil {
			return nil, errUnknownChannel
		} else if !s.may(ch.ID, SendMessages) {
			return nil, errMissing
		}
		m := s.newMessage(ch, s.bot, "")
		if f := s.content(r, m); f != nil {
			return nil, f
		}
		if m.Content == "" {
			return nil, &failure{400, 50006, "Cannot send an empty message"}
		}
		var once bool
		if r.get("nonce", &m.Nonce) && r.get("enforce_nonce", &once) && once {
			for _, have := range s.messages[ch.ID] {
				if have.Nonce == m.Nonce {
					return have, nil
				}
			}
		}
		s.post(ch, m)
		return m, nil
	})
	handle("POST /applications/{app}/commands", true, func(r *request) (any, *failure) {
		var name string
		if !r.get("name", &name) || r.PathValue("app") != s.AppID {
			return nil, invalid("name: This field is required")
		}
		s.commands = append(s.commands, name)
		return map[string]any{"id": s.id(), "application_id": s.AppID, "version": s.id(), "name": name, "type": 1, "description": "x", "default_member_permissions": nil}, nil
	})
	handle("POST /interactions/{interaction}/{token}/callback", false, func(r *request) (any, *failure) {
		if s.interactions[r.PathValue("interaction")] != r.PathValue("token") {
			return nil, &failure{404, 10062, "Unknown interaction"}
		}
		var kind int
		var data map[string]any
		r.get("type", &kind)
		r.get("data", &data)
		delete(s.interactions, r.PathValue("interaction"))
		if kind == 4 {
			s.answers[r.PathValue("token")], _ = data["content"].(string)
		}
		if flags, _ := data["flags"].(float64); int(flags)&64 == 0 {
			s.answers[r.PathValue("token")] = "(for everybody)"
		}
		return nil, nil
	})
	handle("PATCH /webhooks/{webhook}/{token}/messages/@original", false, func(r *request) (any, *failure) {
		if r.PathValue("webhook") != s.AppID {
			return nil, errUnknownWebhook
		}
		var text string
		r.get("content", &text)
		s.answers[r.PathValue("token")] = text
		m := s.newMessage(&Channel{ID: s.id()}, s.bot, text)
		m.Flags = 1 << 6
		return m, nil
	})
}

// Direct has somebody write to the bot; the messages of both are those of the channel that is returned.
func (s *Server) Direct(u *User, text string) (channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := &Channel{ID: s.direct(u.ID), Type: 1}
	s.post(ch, s.newMessage(ch, u, text))
	return ch.ID
}

// DirectWith is the channel in which the bot and somebody write to each other.
func (s *Server) DirectWith(u *User) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.direct(u.ID)
}

// CloseDirect has somebody take no direct messages.
func (s *Server) CloseDirect(u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, u.ID)
}

// Slash has a member use a slash command in a channel. What is answered is Answer of the token that is returned.
func (s *Server) Slash(ch *Channel, u *User, command, sub string, args map[string]string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id()
	token = "interaction-token-" + id
	s.interactions[id] = token
	options := []any{}
	for name, value := range args {
		options = append(options, map[string]any{"name": name, "type": 3, "value": value})
	}
	ev := map[string]any{
		"id": id, "application_id": s.AppID, "type": 2, "token": token, "version": 1, "channel_id": ch.ID, "guild_id": ch.GuildID,
		"data":            map[string]any{"id": "1", "name": command, "type": 1, "options": []any{map[string]any{"name": sub, "type": 1, "options": options}}},
		"app_permissions": bits(s.mayInGuild(s.guilds[ch.GuildID])), "locale": "en-US", "guild_locale": "en-US", "entitlements": []any{},
		"authorizing_integration_owners": map[string]any{"0": ch.GuildID}, "context": 0, "attachment_size_limit": 10 << 20, "channel": ch,
		"guild": map[string]any{"id": ch.GuildID, "features": []any{}, "locale": "en-US"},
	}
	if m := s.guilds[ch.GuildID].memberOf(u); m != nil {
		raw, _ := json.Marshal(m)
		var member map[string]any
		_ = json.Unmarshal(raw, &member)
		member["permissions"] = bits(Everyday)
		ev["member"] = member
	}
	s.dispatch(ch.GuildID, "INTERACTION_CREATE", ev)
	return token
}

// Answer is what was answered to a slash command; "" for nothing yet.
func (s *Server) Answer(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answers[token]
}

// Commands are the names of the slash commands that were registered.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Vote has somebody vote in a poll.
func (s *Server) Vote(m *Message, u *User, answer int, add bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind := "MESSAGE_POLL_VOTE_ADD"
	if !add {
		kind = "MESSAGE_POLL_VOTE_REMOVE"
	}
	s.dispatch(m.GuildID, kind, map[string]any{"user_id": u.ID, "channel_id": m.ChannelID, "message_id": m.ID, "guild_id": m.GuildID, "answer_id": answer})
}

// Change changes a message without telling of it.
func (s *Server) Change(m *Message, f func(*Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(m)
}

// SayQuietly has a member say something of which the gateway does not tell.
func (s *Server) SayQuietly(ch *Channel, u *User, text string) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.newMessage(ch, u, text)
	s.messages[ch.ID] = append(s.messages[ch.ID], m)
	ch.LastMessageID = &m.ID
	return m
}
