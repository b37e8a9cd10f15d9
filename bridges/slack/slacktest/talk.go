package slacktest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Say says something as a person. extra has further fields of the message, such as
// thread_ts, blocks or subtype; user may be empty for a bot's. It returns the message's ts.
func (s *Server) Say(user, channel, text string, extra Object) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := Object{"type": "message", "text": text, "client_msg_id": s.id("client"), "team": s.teamID}
	if user != "" {
		m["user"] = user
	}
	maps.Copy(m, extra)
	return s.post(s.channels[channel], m)
}

// post adds a message and tells of it; s.mu is held.
func (s *Server) post(ch *channel, m Object) string {
	ts, ok := m["ts"].(string)
	if !ok {
		ts = s.ts()
		m["ts"] = ts
	}
	if root, _ := m["thread_ts"].(string); root != "" {
		if parent := find(ch, root); parent != nil {
			parent["thread_ts"] = root
			n, _ := parent["reply_count"].(int)
			parent["reply_count"], parent["latest_reply"] = n+1, ts
		}
	}
	ch.messages = append(ch.messages, m)
	s.dispatchIn(ch, s.messageEvent(ch, m))
	return ts
}

func (s *Server) messageEvent(ch *channel, m Object) Object {
	e := clone(m)
	e["channel"], e["event_ts"] = ch.info["id"], m["ts"]
	e["channel_type"] = "channel"
	switch {
	case ch.info["is_im"] == true:
		e["channel_type"] = "im"
	case ch.info["is_mpim"] == true:
		e["channel_type"] = "mpim"
	case kind(ch) == "G":
		e["channel_type"] = "group"
	}
	for _, k := range []string{"reply_count", "latest_reply", "reactions"} {
		delete(e, k)
	}
	return e
}

func (s *Server) system(ch *channel, user, subtype string, extra Object) {
	m := Object{"type": "message", "subtype": subtype, "user": user, "team": s.teamID}
	maps.Copy(m, extra)
	s.post(ch, m)
}

func find(ch *channel, ts string) Object {
	for _, m := range ch.messages {
		if m["ts"] == ts {
			return m
		}
	}
	return nil
}

// Edit changes a message; change has its new fields.
func (s *Server) Edit(channel, ts string, change Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	m := find(ch, ts)
	m["edited"] = Object{"user": m["user"], "ts": s.ts()}
	s.change(ch, m, change)
}

// Unfurl changes a message without an edit, as Slack does when it adds a preview.
func (s *Server) Unfurl(channel, ts string, attachments any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	s.change(ch, find(ch, ts), Object{"attachments": attachments})
}

func (s *Server) change(ch *channel, m, change Object) {
	before := clone(m)
	maps.Copy(m, change)
	now := s.ts()
	s.dispatchIn(ch, Object{
		"type": "message", "subtype": "message_changed", "hidden": true, "channel": ch.info["id"], "ts": now, "event_ts": now,
		"message": clone(m), "previous_message": before, "channel_type": "channel",
	})
}

// Delete deletes a message.
func (s *Server) Delete(channel, ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(s.channels[channel], ts)
}

func (s *Server) remove(ch *channel, ts string) bool {
	m := find(ch, ts)
	if m == nil {
		return false
	}
	ch.messages = slices.DeleteFunc(ch.messages, func(x Object) bool { return x["ts"] == ts })
	now := s.ts()
	s.dispatchIn(ch, Object{
		"type": "message", "subtype": "message_deleted", "hidden": true, "channel": ch.info["id"], "ts": now, "event_ts": now,
		"deleted_ts": ts, "previous_message": clone(m), "channel_type": "channel",
	})
	return true
}

// React adds a reaction, or takes it away.
func (s *Server) React(user, channel, ts, name string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.react(user, s.channels[channel], ts, name, on)
}

func (s *Server) react(user string, ch *channel, ts, name string, on bool) string {
	m := find(ch, ts)
	if m == nil {
		return "message_not_found"
	}
	list, _ := m["reactions"].([]Object)
	at := slices.IndexFunc(list, func(r Object) bool { return r["name"] == name })
	var users []string
	if at >= 0 {
		users = list[at]["users"].([]string)
	}
	has := slices.Contains(users, user)
	typ := "reaction_added"
	if on {
		if has {
			return "already_reacted"
		}
		users = append(slices.Clone(users), user)
	} else {
		typ = "reaction_removed"
		if !has {
			return "no_reaction"
		}
		users = slices.DeleteFunc(slices.Clone(users), func(u string) bool { return u == user })
	}
	r := Object{"name": name, "users": users, "count": len(users)}
	switch {
	case at < 0:
		list = append(slices.Clone(list), r)
	case len(users) == 0:
		list = slices.Delete(slices.Clone(list), at, at+1)
	default:
		list = slices.Clone(list)
		list[at] = r
	}
	m["reactions"] = list
	s.dispatchIn(ch, Object{
		"type": typ, "user": user, "reaction": name, "item_user": m["user"], "event_ts": s.ts(),
		"item": Object{"type": "message", "channel": ch.info["id"], "ts": ts},
	})
	return ""
}

// Pin pins a message, or takes the pin away.
func (s *Server) Pin(user, channel, ts string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pin(user, s.channels[channel], ts, on)
}

func (s *Server) pin(user string, ch *channel, ts string, on bool) {
	channel := ch.info["id"]
	typ := "pin_added"
	if on {
		ch.pins = append(ch.pins, ts)
	} else {
		typ = "pin_removed"
		ch.pins = slices.DeleteFunc(ch.pins, func(x string) bool { return x == ts })
	}
	s.dispatchIn(ch, Object{
		"type": typ, "user": user, "channel_id": channel, "event_ts": s.ts(), "has_pins": len(ch.pins) > 0, "pin_count": strconv.Itoa(len(ch.pins)),
		"item_user": user, "pinned_info": Object{"channel": channel, "pinned_by": user, "pinned_ts": s.last / 1e6},
		"item": Object{"type": "message", "channel": channel, "message": s.pinned(ch, find(ch, ts)), "created": 1, "created_by": user},
	})
}

// pinned is a message as pins have it; s.mu is held.
func (s *Server) pinned(ch *channel, m Object) Object {
	m = clone(m)
	ts, _ := m["ts"].(string)
	if m["user"] == nil {
		m["user"] = BotUser
	}
	m["permalink"] = fmt.Sprintf("%s/archives/%s/p%s", s.http.URL, ch.info["id"], strings.ReplaceAll(ts, ".", ""))
	return m
}

// Change changes a message without an edit.
func (s *Server) Change(channel, ts string, change Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channels[channel]
	s.change(ch, find(ch, ts), change)
}

// AddFile adds a file that is not shared yet, and returns it as a message has it.
func (s *Server) AddFile(user, name, mime string, data []byte) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return clone(s.addFile(user, name, mime, data).info)
}

// Upload shares a file as a person. extra has further fields of the message; in "files_have" are fields of the file, as the
// message has it.
func (s *Server) Upload(user, channel, name, mime string, data []byte, extra Object) (ts, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.addFile(user, name, mime, data)
	shown := clone(f.info)
	if have, ok := extra["files_have"].(Object); ok {
		maps.Copy(shown, have)
	}
	m := Object{"type": "message", "subtype": "file_share", "text": "", "user": user, "files": []Object{shown}, "upload": true}
	maps.Copy(m, extra)
	delete(m, "files_have")
	return s.post(s.channels[channel], m), f.info["id"].(string)
}

func (s *Server) addFile(user, name, mime string, data []byte) *file {
	id := s.id("F")
	f := &file{data: data, mime: mime, info: Object{
		"id": id, "name": name, "title": name, "mimetype": mime, "filetype": "binary", "mode": "hosted", "is_external": false, "user": user,
		"size": len(data), "url_private": s.http.URL + "/files/" + id, "url_private_download": s.http.URL + "/files/" + id + "/download",
		"permalink": s.http.URL + "/permalink/" + id, "permalink_public": s.http.URL + "/public/" + id, "pretty_type": "Binary", "editable": false,
		"external_type": "", "is_public": true, "public_url_shared": false, "display_as_bot": false, "username": "", "has_rich_preview": false, "file_access": "visible",
		"user_team": s.teamID, "channels": []string{}, "groups": []string{}, "ims": []string{}, "is_starred": false, "media_display_type": "unknown", "created": s.last / 1e6, "timestamp": s.last / 1e6,
	}}
	s.files[id] = f
	return f
}

// Messages returns the messages of a channel, oldest first.
func (s *Server) Messages(channel string) []Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Object
	for _, m := range s.channels[channel].messages {
		out = append(out, clone(m))
	}
	return out
}

// AwaitMessage waits for a message for which f is true, and returns it.
func (s *Server) AwaitMessage(t testing.TB, channel, what string, f func(Object) bool) Object {
	t.Helper()
	var found Object
	s.Await(t, what, func() bool {
		for _, m := range s.channels[channel].messages {
			if m = clone(m); f(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// File returns what was uploaded.
func (s *Server) File(id string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[id]; f != nil {
		return f.data
	}
	return nil
}
