package slacktest

import (
	"maps"
	"slices"
)

// AddUser adds a person and returns their id.
func (s *Server) AddUser(name, real string) string { return s.AddUserID("", name, real) }

// AddUserID is AddUser with an id of one's own; "" for a new one.
func (s *Server) AddUserID(id, name, real string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		id = s.id("U")
	}
	s.users[id] = user(id, name, real)
	s.users[id]["team_id"] = s.teamID
	s.order = append(s.order, id)
	s.dispatch(Object{"type": "team_join", "user": clone(s.users[id])})
	return id
}

// Hide takes somebody out of the list of people, who can still be asked for.
func (s *Server) Hide(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = slices.DeleteFunc(s.order, func(other string) bool { return other == id })
}

// ChangeUser changes fields of a person; those of "profile" one by one.
func (s *Server) ChangeUser(id string, change Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.users[id]
	for k, v := range change {
		if p, ok := v.(Object); ok && k == "profile" {
			maps.Copy(u["profile"].(Object), p)
			continue
		}
		u[k] = v
	}
	s.dispatch(Object{"type": "user_change", "user": clone(u), "cache_ts": s.last / 1e6})
}

// AddGroup adds a user group.
func (s *Server) AddGroup(handle string, users ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id("S")
	g := Object{"id": id, "team_id": s.teamID, "is_usergroup": true, "name": handle, "handle": handle, "users": users, "date_delete": 0}
	s.groups = append(s.groups, g)
	s.dispatch(Object{"type": "subteam_created", "subteam": clone(g)})
	return id
}

// AddEmoji adds a custom emoji: a picture, or "alias:name".
func (s *Server) AddEmoji(name, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if value == "" {
		value = s.http.URL + "/emoji/" + name + ".png"
	}
	s.emoji[name] = value
	s.dispatch(Object{"type": "emoji_changed", "subtype": "add", "name": name, "value": value})
}

// AddChannel adds a channel with members; the bot is among them if told so.
func (s *Server) AddChannel(name string, private bool, members ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id("C")
	creator := ""
	if len(members) > 0 {
		creator = members[0]
	}
	ch := &channel{members: make(map[string]bool), info: Object{
		"id": id, "name": name, "name_normalized": name, "is_channel": !private, "is_group": private, "is_im": false, "is_mpim": false,
		"is_private": private, "is_archived": false, "is_general": false, "is_shared": false, "is_ext_shared": false, "created": s.last / 1e6,
		"creator": creator, "topic": Object{"value": "", "creator": "", "last_set": 0}, "purpose": Object{"value": "", "creator": "", "last_set": 0},
	}}
	for _, m := range members {
		ch.members[m] = true
	}
	s.channels[id] = ch
	s.corder = append(s.corder, id)
	if !private {
		s.dispatch(Object{"type": "channel_created", "channel": Object{"id": id, "name": name, "created": s.last / 1e6, "creator": creator}})
	}
	return id
}

// Join and Leave change who is in a channel.
func (s *Server) Join(user, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.join(user, s.channels[channel])
}

func (s *Server) join(user string, ch *channel) {
	if ch.members[user] {
		return
	}
	ch.members[user] = true
	id := ch.info["id"].(string)
	s.dispatchIn(ch, Object{"type": "member_joined_channel", "user": user, "channel": id, "channel_type": kind(ch), "team": s.teamID})
	s.system(ch, user, "channel_join", Object{"text": "<@" + user + "> has joined the channel"})
}

// Leave takes somebody out of a channel.
func (s *Server) Leave(user, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(user, s.channels[channel])
}

func (s *Server) leave(user string, ch *channel) {
	e := Object{"type": "member_left_channel", "user": user, "channel": ch.info["id"], "channel_type": kind(ch), "team": s.teamID}
	s.dispatchIn(ch, e)
	s.system(ch, user, "channel_leave", Object{"text": "<@" + user + "> has left the channel"})
	delete(ch.members, user)
	s.touch()
}

func kind(ch *channel) string {
	if ch.info["is_private"] == true {
		return "G"
	}
	return "C"
}

// SetTopic, SetPurpose, Rename and Archive change a channel.
func (s *Server) SetTopic(user, channel, topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.info["topic"] = Object{"value": topic, "creator": user, "last_set": s.last / 1e6}
	s.system(ch, user, "channel_topic", Object{"text": "<@" + user + "> set the channel topic: " + topic, "topic": topic})
}

// SetPurpose changes a channel's description.
func (s *Server) SetPurpose(user, channel, purpose string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.info["purpose"] = Object{"value": purpose, "creator": user, "last_set": s.last / 1e6}
	s.system(ch, user, "channel_purpose", Object{"text": "<@" + user + "> set the channel description: " + purpose, "purpose": purpose})
}

// Rename changes a channel's name.
func (s *Server) Rename(user, channel, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rename(user, s.channels[channel], name)
}

func (s *Server) rename(user string, ch *channel, name string) {
	channel, old := ch.info["id"], ch.info["name"]
	ch.info["name"], ch.info["name_normalized"] = name, name
	typ := "channel_rename"
	if kind(ch) == "G" {
		typ = "group_rename"
	}
	s.dispatchIn(ch, Object{"type": typ, "channel": Object{"id": channel, "name": name, "name_normalized": name, "created": 1, "is_channel": kind(ch) == "C", "is_mpim": false}})
	s.system(ch, user, "channel_name", Object{"old_name": old, "name": name, "text": "has renamed the channel"})
}

// Archive archives a channel or brings it back.
func (s *Server) Archive(user, channel string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.info["is_archived"] = archived
	typ := "channel_unarchive"
	if archived {
		typ = "channel_archive"
	}
	s.dispatchIn(ch, Object{"type": typ, "channel": channel, "user": user})
}

// Members returns who is in a channel.
func (s *Server) Members(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.channels[channel].members))
}
