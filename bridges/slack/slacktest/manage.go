package slacktest

import (
	"slices"
	"strings"
)

// manage are the methods that change channels and who is in them.
func manage() map[string]method {
	return map[string]method{
		"conversations.rename": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			name := f["name"]
			if name == "" || len(name) > 80 || strings.ToLower(name) != name || strings.ContainsAny(name, " .#") {
				return nil, "invalid_name_specials"
			}
			s.rename(BotUser, ch, name)
			return Object{"channel": s.channelInfo(ch)}, ""
		}),
		"conversations.invite": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			for user := range strings.SplitSeq(f["users"], ",") {
				if s.users[user] == nil {
					return nil, "user_not_found"
				}
				if ch.members[user] {
					return nil, "already_in_channel"
				}
				s.join(user, ch)
			}
			return Object{"channel": s.channelInfo(ch)}, ""
		}),
		"conversations.kick": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			if !ch.members[f["user"]] {
				return nil, "not_in_channel"
			}
			s.leave(f["user"], ch)
			return Object{"errors": Object{}}, ""
		}),
		"pins.add": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			switch ts := f["timestamp"]; {
			case find(ch, ts) == nil:
				return nil, "message_not_found"
			case slices.Contains(ch.pins, ts):
				return nil, "already_pinned"
			default:
				s.pin(BotUser, ch, ts, true)
				return nil, ""
			}
		}),
		"pins.remove": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			if !slices.Contains(ch.pins, f["timestamp"]) {
				return nil, "no_pin"
			}
			s.pin(BotUser, ch, f["timestamp"], false)
			return nil, ""
		}),
		"apps.manifest.export": func(s *Server, _ map[string]string) (Object, string) {
			if s.actor != configurer {
				return nil, "not_allowed_token_type"
			}
			return Object{"manifest": Object{
				"display_information": Object{"name": "Landbridge"},
				"oauth_config":        Object{"redirect_urls": s.Redirects},
				"settings":            Object{"event_subscriptions": Object{"bot_events": s.Subscribed}, "socket_mode_enabled": true},
			}}, ""
		},
		"bookmarks.list": in(func(s *Server, ch *channel, _ map[string]string) (Object, string) {
			list := []Object{}
			for _, b := range ch.bookmarks {
				list = append(list, clone(b))
			}
			return Object{"bookmarks": list}, ""
		}),
	}
}

// Bookmark adds a bookmark to a channel. Slack tells apps nothing of it.
func (s *Server) Bookmark(channel, title, link string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.bookmarks = append(ch.bookmarks, Object{
		"id": s.id("Bk"), "channel_id": channel, "title": title, "link": link, "emoji": "", "icon_url": nil, "type": "link", "entity_id": nil,
		"date_created": s.last / 1e6, "date_updated": 0, "rank": "U", "last_updated_by_user_id": BotUser, "last_updated_by_team_id": s.teamID,
		"shortcut_id": nil, "app_id": nil,
	})
}

// Pins returns what is pinned in a channel, oldest first.
func (s *Server) Pins(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.channels[channel].pins)
}

// Info returns a channel as conversations.info has it.
func (s *Server) Info(channel string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channelInfo(s.channels[channel])
}

// ChangeChannel changes fields of a channel, without a word.
func (s *Server) ChangeChannel(channel string, change Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range change {
		s.channels[channel].info[k] = v
	}
}

// Convert makes a channel private or public.
func (s *Server) Convert(user, channel string, private bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.info["is_private"] = private
	subtype := "channel_convert_to_public"
	if private {
		subtype = "channel_convert_to_private"
	}
	s.system(ch, user, subtype, Object{"text": "changed who sees the channel"})
}

// Share says that a channel is shared with another organisation, or is no more.
func (s *Server) Share(channel string, shared bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	ch.info["is_ext_shared"], ch.info["is_shared"] = shared, shared
	typ := "channel_unshared"
	if shared {
		typ = "channel_shared"
	}
	e := Object{"type": typ, "channel": channel}
	if shared {
		e["connected_team_id"] = "T0OTHER"
	} else {
		e["previously_connected_team_id"], e["is_ext_shared"] = "T0OTHER", false
	}
	s.dispatchIn(ch, e)
}

// SetTeam makes this another workspace than the usual one, whose ids begin elsewhere. It comes before anything else.
func (s *Server) SetTeam(id string, from int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.teamID, s.team["id"], s.serial = id, id, from
	s.users[BotUser]["team_id"] = id
}

// SetOrg has the app be installed in a whole organisation.
func (s *Server) SetOrg(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.org = id
}

// Through has events go by the connections of another workspace, as it is with one app in both.
func (s *Server) Through(other *Server) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.through = other
}

// RenameTeam gives the workspace another name.
func (s *Server) RenameTeam(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team["name"] = name
	s.dispatch(Object{"type": "team_rename", "name": name})
}

// SetTeamIcon gives the workspace a picture.
func (s *Server) SetTeamIcon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.team["icon"] = Object{"image_132": s.http.URL + "/emoji/team.png", "image_default": false}
}

// AddBot adds a bot of another app, and returns the address of its picture.
func (s *Server) AddBot(id, name string) (picture string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	picture = s.http.URL + "/emoji/bot-" + name + ".png"
	s.bots[id] = Object{"id": id, "deleted": false, "name": name, "app_id": "A0OTHER", "icons": Object{"image_72": picture}}
	return picture
}

// Picture is the address of some picture.
func (s *Server) Picture(name string) string { return s.http.URL + "/emoji/" + name + ".png" }

// ChangeGroup changes who is in a user group.
func (s *Server) ChangeGroup(id string, users ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if g["id"] == id {
			g["users"], g["user_count"] = users, len(users)
			s.dispatch(Object{"type": "subteam_members_changed", "subteam_id": id, "team_id": s.teamID})
		}
	}
}
