package discordfetch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/migration/discordfetch"
)

type fields = map[string]any

// standin answers as Discord's API and its file servers do, as far as a fetch asks.
type standin struct {
	srv *httptest.Server

	mu       sync.Mutex
	requests int
	flags    int // of the application
	// before, if not nil, is called with the number of each request and may answer it, and then returns true.
	before                   func(n int, w http.ResponseWriter, r *http.Request) bool
	guild                    fields
	channels, members        []fields
	active                   []fields
	archived                 map[string][]fields // by channel and kind, newest first
	inThread                 map[string][]string
	messages                 map[string][]fields // by channel, oldest first
	reactors                 map[string][]string // by message, emoji and type
	files                    map[string]string
	forbidden, archiveClosed map[string]bool
}

const token = "the.token"

func newStandin(t *testing.T) *standin {
	s := &standin{flags: 1 << 19, archived: map[string][]fields{}, inThread: map[string][]string{}, messages: map[string][]fields{}, reactors: map[string][]string{},
		files: map[string]string{}, forbidden: map[string]bool{}, archiveClosed: map[string]bool{}}
	mux := http.NewServeMux()
	handle := func(path string, f func(r *http.Request) (int, any)) {
		mux.HandleFunc("GET /api"+path, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests++
			if r.Header.Get("Authorization") != "Bot "+token {
				reply(w, 401, fields{"message": "401: Unauthorized", "code": 0})
				return
			}
			if s.before != nil && s.before(s.requests, w, r) {
				return
			}
			status, body := f(r)
			reply(w, status, body)
		})
	}
	handle("/guilds/100", func(*http.Request) (int, any) { return 200, s.guild })
	handle("/guilds/{other}", func(*http.Request) (int, any) { return 404, fields{"message": "Unknown Guild", "code": 10004} })
	handle("/users/@me", func(*http.Request) (int, any) { return 200, user("15") })
	handle("/applications/@me", func(*http.Request) (int, any) { return 200, fields{"id": "15", "flags": s.flags} })
	handle("/guilds/100/channels", func(*http.Request) (int, any) { return 200, s.channels })
	handle("/guilds/100/threads/active", func(*http.Request) (int, any) { return 200, fields{"threads": s.active, "members": []any{}} })
	handle("/guilds/100/members", func(r *http.Request) (int, any) {
		if s.members == nil {
			return 403, fields{"message": "Missing Access", "code": 50001}
		}
		return 200, pick(r, s.members, func(m fields) string { return m["user"].(fields)["id"].(string) })
	})
	handle("/channels/{channel}/messages", func(r *http.Request) (int, any) {
		if s.forbidden[r.PathValue("channel")] {
			return 403, fields{"message": "Missing Access", "code": 50001}
		}
		list := pick(r, s.messages[r.PathValue("channel")], func(m fields) string { return m["id"].(string) })
		slices.Reverse(list) // newest first
		return 200, list
	})
	handle("/channels/{channel}/messages/{message}/reactions/{emoji}", func(r *http.Request) (int, any) {
		var users []fields
		for _, id := range s.reactors[r.PathValue("message")+r.PathValue("emoji")+r.URL.Query().Get("type")] {
			users = append(users, user(id))
		}
		return 200, pick(r, users, func(u fields) string { return u["id"].(string) })
	})
	handle("/channels/{channel}/thread-members", func(r *http.Request) (int, any) {
		list := []fields{}
		for _, id := range s.inThread[r.PathValue("channel")] {
			list = append(list, fields{"id": r.PathValue("channel"), "user_id": id})
		}
		return 200, list
	})
	handle("/channels/{channel}/threads/archived/{kind}", func(r *http.Request) (int, any) {
		key := r.PathValue("channel") + r.PathValue("kind")
		if s.archiveClosed[key] {
			return 403, fields{"message": "Missing Permissions", "code": 50013}
		}
		const most = 2
		out := []fields{}
		for _, th := range s.archived[key] {
			at := th["thread_metadata"].(fields)["archive_timestamp"].(string)
			if before := r.URL.Query().Get("before"); before == "" || at[:19] < before[:19] {
				out = append(out, th)
			}
		}
		return 200, fields{"threads": out[:min(most, len(out))], "has_more": len(out) > most}
	})
	mux.HandleFunc("GET /cdn/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if data, ok := s.files[strings.TrimPrefix(r.URL.Path, "/cdn/")]; ok {
			fmt.Fprint(w, data)
			return
		}
		http.NotFound(w, r)
	})
	s.srv = httptest.NewServer(mux)
	t.Cleanup(s.srv.Close)
	return s
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// pick gives those after the id that is asked for, at most as many as are asked for.
func pick(r *http.Request, all []fields, id func(fields) string) []fields {
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	out := []fields{}
	for _, one := range all {
		if n, _ := strconv.ParseUint(id(one), 10, 64); n > after && len(out) < limit {
			out = append(out, one)
		}
	}
	return out
}

func user(id string) fields {
	return fields{"id": id, "username": "user" + id, "global_name": "User " + id, "discriminator": "0", "avatar": nil}
}

// options are those of a fetch from the stand-in.
func (s *standin) options(t *testing.T, dir string) discordfetch.Options {
	c, err := api.New(api.Options{Token: token, APIURL: s.srv.URL + "/api"})
	if err != nil {
		t.Fatal(err)
	}
	return discordfetch.Options{API: c, Guild: "100", Dir: dir, CDN: s.srv.URL + "/cdn", HTTP: s.srv.Client(), PartSize: 100}
}

// say adds a message.
func (s *standin) say(channel string, id int, author, text string, more fields) {
	m := fields{"id": strconv.Itoa(id), "channel_id": channel, "type": 0, "content": text, "author": user(author),
		"timestamp": "2020-01-01T00:00:00.000000+00:00", "pinned": false}
	for k, v := range more {
		m[k] = v
	}
	s.messages[channel] = append(s.messages[channel], m)
}

const (
	view, send, readHistory, manageMessages = 1 << 10, 1 << 11, 1 << 16, 1 << 13
)

func text(n int) string { return strconv.Itoa(n) }

func archived(id, parent, name string, kind int, at string) fields {
	return fields{"id": id, "guild_id": "100", "parent_id": parent, "type": kind, "name": name,
		"thread_metadata": fields{"archived": true, "archive_timestamp": at}}
}

// community is a guild that has one of everything.
func community(t *testing.T) *standin {
	s := newStandin(t)
	s.guild = fields{"id": "100", "name": "Guild", "description": "About it", "owner_id": "11", "icon": "abc",
		"roles":  []fields{{"id": "100", "name": "@everyone", "permissions": text(view | send | readHistory)}, {"id": "101", "name": "mods", "permissions": text(manageMessages)}},
		"emojis": []fields{{"id": "900", "name": "cat"}}}
	hidden := []fields{{"id": "100", "type": 0, "allow": "0", "deny": text(view)}, {"id": "101", "type": 0, "allow": text(view), "deny": "0"}}
	s.channels = []fields{
		{"id": "190", "type": 4, "name": "Talk", "position": 1}, {"id": "191", "type": 4, "name": "Staff", "position": 0, "permission_overwrites": hidden},
		{"id": "201", "type": 0, "name": "secret", "position": 0, "parent_id": "191", "permission_overwrites": hidden},
		{"id": "202", "type": 0, "name": "forbidden", "position": 3, "parent_id": "190"},
		{"id": "203", "type": 15, "name": "ideas", "position": 2, "parent_id": "190"},
		{"id": "204", "type": 5, "name": "news", "position": 0, "permission_overwrites": []fields{{"id": "100", "type": 0, "allow": "0", "deny": text(send)}}},
		{"id": "200", "type": 0, "name": "general", "topic": "All of it", "position": 0, "parent_id": "190"},
	}
	s.forbidden["202"] = true
	s.archiveClosed["202public"], s.archiveClosed["202private"] = true, true
	s.members = []fields{}
	for id := 11; id < 11+1100; id++ {
		m := fields{"user": user(text(id)), "roles": []string{}}
		switch id {
		case 12:
			m["roles"], m["nick"] = []string{"101"}, "Mod"
			m["user"].(fields)["avatar"] = "face"
		case 13:
			m["user"].(fields)["bot"] = true
		}
		s.members = append(s.members, m)
	}
	s.active = []fields{{"id": "300000", "guild_id": "100", "parent_id": "200", "type": 11, "name": "active"}}
	s.archived["200public"] = []fields{archived("301000", "200", "old 1", 11, "2021-01-03T00:00:00.5+00:00"), archived("302000", "200", "old 2", 11, "2021-01-02T00:00:00+00:00"),
		archived("303000", "200", "old 3", 11, "2021-01-01T00:00:00+00:00")}
	s.archived["200private"] = []fields{archived("304000", "200", "whispers", 12, "2021-01-01T00:00:00+00:00")}
	s.inThread["304000"] = []string{"11", "14"}
	s.archived["203public"] = []fields{archived("305000", "203", "An idea", 11, "2021-01-01T00:00:00+00:00")}
	for i := range 250 {
		s.say("200", 10_000+i, "11", fmt.Sprint("message ", i), nil)
	}
	s.say("200", 20_000, "14", "look", fields{"attachments": []fields{
		{"id": "700", "filename": "pic.PNG", "size": 3, "url": "https://cdn.discordapp.com/attachments/200/700/pic.png?ex=1&hm=secret"},
		{"id": "701", "filename": "gone.txt", "size": 3, "url": "https://cdn.discordapp.com/attachments/200/701/gone.txt?ex=1&hm=secret"},
		{"id": "702", "filename": "else.txt", "size": 3, "url": "https://elsewhere.example/702"}},
		"sticker_items": []fields{{"id": "800", "name": "hi", "format_type": 1}}})
	s.say("200", 20_001, "12", "Reply", fields{"type": 19, "edited_timestamp": "2020-01-02T00:00:00+00:00", "message_reference": fields{"message_id": "20000", "channel_id": "200"}, "pinned": true,
		"mentions": []fields{user("14")}, "reactions": []fields{
			{"count": 151, "count_details": fields{"normal": 150, "burst": 1}, "emoji": fields{"id": nil, "name": "👍"}}, {"count": 1, "emoji": fields{"id": "900", "name": "cat"}}}})
	for id := 11; id < 161; id++ {
		s.reactors["20001👍0"] = append(s.reactors["20001👍0"], text(id))
	}
	s.reactors["20001👍1"], s.reactors["20001cat:9000"] = []string{"500"}, []string{"12"}
	s.say("200", 20_002, "14", "", fields{"type": 8})
	s.say("200", 20_003, "66", "from a hook", fields{"webhook_id": "66", "author": fields{"id": "66", "username": "Hook", "bot": true}})
	s.say("200", 20_004, "14", "", fields{"poll": fields{"question": fields{"text": "Tea?"}, "answers": []fields{{"answer_id": 1, "poll_media": fields{"text": "Yes"}}}}})
	s.say("200", 20_005, "14", "", fields{"message_snapshots": []fields{{"message": fields{"content": "from afar"}}}})
	s.say("200", 20_006, "9999", "I left since", nil)
	s.say("200", 300_000, "14", "a thread begins here", nil)
	s.say("300000", 300_001, "12", "in the thread", nil)
	s.say("301000", 301_001, "12", "in an old thread", nil)
	s.say("303000", 303_001, "12", "in the oldest thread", nil)
	s.say("304000", 304_001, "11", "psst", nil)
	s.say("305000", 305_000, "14", "What about this?", nil)
	s.say("305000", 305_001, "11", "Fine", nil)
	s.say("201", 10_500, "12", "staff only", nil)
	s.say("204", 10_600, "12", "news", nil)
	for _, name := range []string{"attachments/200/700/pic.png", "icons/100/abc.png", "avatars/12/face.png", "emojis/900.png", "stickers/800.png"} {
		s.files[name] = "data of " + name
	}
	return s
}
