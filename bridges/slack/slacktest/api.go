package slacktest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// clone copies an object deeply.
func clone(o Object) Object {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // nothing else than JSON is put in
	}
	var out Object
	if err := json.Unmarshal(raw, &out); err != nil {
		panic(err)
	}
	return out
}

// method answers a call: with fields of the answer, or an error code.
type method func(s *Server, f map[string]string) (Object, string)

func (s *Server) routes(mux *http.ServeMux) {
	all := methods()
	maps.Copy(all, manage())
	maps.Copy(all, direct())
	s.methods = all
	mux.HandleFunc("/api/oauth.v2.access", s.oauthAccess)
	mux.HandleFunc("GET /openid/connect/authorize", s.signIn)
	mux.HandleFunc("/api/openid.connect.token", s.openIDToken)
	mux.HandleFunc("/api/openid.connect.userInfo", s.openIDUser)
	for name, m := range all {
		mux.HandleFunc("/api/"+name, func(w http.ResponseWriter, r *http.Request) { s.call(w, r, name, m) })
	}
	mux.HandleFunc("/api/apps.connections.open", s.openConnection)
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		reply(w, Object{"ok": false, "error": "unknown_method"})
	})
	mux.HandleFunc("/link/", s.serveSocket)
	mux.HandleFunc("/upload/", s.upload)
	mux.HandleFunc("/files/", s.download)
	mux.HandleFunc("/emoji/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		w.Write([]byte("\x89PNG\r\n\x1a\n" + r.URL.Path))
	})
}

func reply(w http.ResponseWriter, o Object) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(o)
}

func bearer(r *http.Request) string {
	if t, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return t
	}
	return ""
}

// form reads a call's arguments, from a form or JSON.
func form(r *http.Request) map[string]string {
	out := make(map[string]string)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var o map[string]any
		json.NewDecoder(r.Body).Decode(&o)
		for k, v := range o {
			if str, ok := v.(string); ok {
				out[k] = str
			} else {
				raw, _ := json.Marshal(v)
				out[k] = string(raw)
			}
		}
		return out
	}
	r.ParseMultipartForm(1 << 20)
	for k, v := range r.Form {
		out[k] = v[0]
	}
	return out
}

func (s *Server) call(w http.ResponseWriter, r *http.Request, name string, m method) {
	f := form(r)
	token := f["token"]
	if token == "" {
		token = bearer(r)
	}
	delete(f, "token")
	s.mu.Lock()
	s.used[name] = token
	s.calls = append(s.calls, Call{name, f})
	s.touch()
	l := s.limits[name]
	if b := s.busy[f["channel"]]; b != nil && b.left > 0 && name == "chat.postMessage" {
		l = b
	}
	if l.hit(w) {
		s.mu.Unlock()
		return
	}
	var bad failure
	if list := s.fail[name]; len(list) > 0 {
		bad, s.fail[name] = list[0], list[1:]
	}
	var out Object
	code := ""
	person, known := s.persons[token]
	if s.actor = BotUser; known {
		s.actor = person
	}
	switch {
	case !s.botTokens[token] && !known:
		code = "invalid_auth"
	case s.revoked && !known:
		code = "token_revoked"
	case s.org != "" && !known && f["team_id"] == "" && slices.Contains(ofTeam, name):
		code = "missing_argument"
	case bad.code != "" && !bad.after:
		code = bad.code
	default:
		out, code = m(s, f)
		if bad.code != "" {
			code = bad.code
		}
		s.touch()
	}
	w.Header().Set("X-OAuth-Scopes", s.Scopes)
	s.mu.Unlock()
	if code == "hang up" {
		panic(http.ErrAbortHandler)
	}
	if code != "" {
		reply(w, Object{"ok": false, "error": code})
		return
	}
	if out == nil {
		out = Object{}
	}
	out["ok"] = true
	reply(w, s.watched(name, out))
}

// watched shows an answer to who watches.
func (s *Server) watched(name string, out Object) Object {
	if s.Watch != nil {
		s.Watch("method", name, out)
	}
	return out
}

// hit answers that there were too many calls, if it is so, and reports whether.
func (l *limit) hit(w http.ResponseWriter) bool {
	if l == nil || l.left <= 0 {
		return false
	}
	l.left--
	w.Header().Set("Retry-After", strconv.Itoa(int(l.after.Seconds())))
	w.WriteHeader(http.StatusTooManyRequests)
	reply(w, Object{"ok": false, "error": "ratelimited"})
	return true
}

// ofTeam are the methods that want to know which workspace is meant, if the token does not say so.
var ofTeam = []string{"conversations.list", "users.list", "usergroups.list", "users.conversations", "bots.info"}

// page returns a page of a list, and the cursor of the next.
func page[T any](list []T, f map[string]string, most int) ([]T, Object) {
	limit, _ := strconv.Atoi(f["limit"])
	if limit <= 0 || limit > most {
		limit = most
	}
	at, _ := strconv.Atoi(strings.TrimPrefix(f["cursor"], "cursor"))
	at = min(max(at, 0), len(list))
	end := min(at+limit, len(list))
	next := ""
	if end < len(list) {
		next = "cursor" + strconv.Itoa(end)
	}
	return list[at:end], Object{"next_cursor": next}
}

func methods() map[string]method {
	return map[string]method{
		"auth.test": func(s *Server, _ map[string]string) (Object, string) {
			if s.actor != BotUser {
				return Object{"url": s.http.URL + "/", "team": s.team["name"], "user": s.users[s.actor]["name"], "team_id": s.teamID, "user_id": s.actor}, ""
			}
			if s.org != "" {
				return Object{"url": s.http.URL + "/", "team": "The organisation", "user": "landbridge", "team_id": s.org, "enterprise_id": s.org,
					"user_id": BotUser, "bot_id": Bot, "is_enterprise_install": true}, ""
			}
			return Object{"url": s.http.URL + "/", "team": s.team["name"], "user": "landbridge", "team_id": s.teamID, "user_id": BotUser, "bot_id": Bot, "is_enterprise_install": false}, ""
		},
		"team.info": func(s *Server, _ map[string]string) (Object, string) {
			return Object{"team": clone(s.team)}, ""
		},
		"users.list": func(s *Server, f map[string]string) (Object, string) {
			ids, meta := page(s.order, f, 1000)
			list := []Object{}
			for _, id := range ids {
				list = append(list, clone(s.users[id]))
			}
			return Object{"members": list, "response_metadata": meta}, ""
		},
		"users.info": func(s *Server, f map[string]string) (Object, string) {
			if u := s.users[f["user"]]; u != nil {
				return Object{"user": clone(u)}, ""
			}
			return nil, "user_not_found"
		},
		"bots.info": func(s *Server, f map[string]string) (Object, string) {
			if b := s.bots[f["bot"]]; b != nil {
				return Object{"bot": clone(b)}, ""
			}
			return nil, "bot_not_found"
		},
		"usergroups.list": func(s *Server, _ map[string]string) (Object, string) {
			return Object{"usergroups": append([]Object{}, s.groups...)}, ""
		},
		"emoji.list": func(s *Server, _ map[string]string) (Object, string) {
			return Object{"emoji": maps.Clone(s.emoji)}, ""
		},
		"conversations.list": conversationsList,
		"conversations.info": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			return Object{"channel": s.counted(ch)}, ""
		}),
		"conversations.members": in(conversationsMembers),
		"conversations.history": in(conversationsHistory),
		"conversations.replies": in(conversationsReplies),
		"conversations.join": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			if ch.info["is_private"] == true {
				return nil, "method_not_supported_for_channel_type"
			}
			s.join(s.actor, ch)
			return Object{"channel": s.channelInfo(ch)}, ""
		}),
		"conversations.setTopic": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			if len([]rune(f["topic"])) > 250 {
				return nil, "too_long"
			}
			f["topic"] = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(f["topic"])
			ch.info["topic"] = Object{"value": f["topic"], "creator": BotUser, "last_set": s.last / 1e6}
			s.system(ch, BotUser, "channel_topic", Object{"text": "set the channel topic", "topic": f["topic"]})
			return Object{"channel": s.channelInfo(ch)}, ""
		}),
		"chat.postMessage": in(postMessage),
		"chat.update":      in(chatUpdate),
		"chat.delete": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			m := find(ch, f["ts"])
			if m == nil {
				return nil, "message_not_found"
			}
			if s.actor != BotUser && m["user"] != s.actor || s.actor == BotUser && m["bot_id"] != Bot && m["user"] != BotUser {
				return nil, "cant_delete_message"
			}
			s.remove(ch, f["ts"])
			return Object{"channel": f["channel"], "ts": f["ts"]}, ""
		}),
		"reactions.add": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			return nil, s.react(s.actor, ch, f["timestamp"], f["name"], true)
		}),
		"reactions.remove": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			return nil, s.react(s.actor, ch, f["timestamp"], f["name"], false)
		}),
		"pins.list": in(func(s *Server, ch *channel, f map[string]string) (Object, string) {
			items := []Object{}
			for _, ts := range ch.pins {
				if m := find(ch, ts); m != nil {
					items = append(items, Object{"type": "message", "channel": f["channel"], "message": s.pinned(ch, m), "created": 1, "created_by": BotUser})
				}
			}
			return Object{"items": items}, ""
		}),
		"files.getUploadURLExternal":   uploadURL,
		"files.completeUploadExternal": completeUpload,
		"files.info": func(s *Server, f map[string]string) (Object, string) {
			if x := s.files[f["file"]]; x != nil {
				return Object{"file": clone(x.info), "comments": []any{}, "response_metadata": Object{"next_cursor": ""}}, ""
			}
			return nil, "file_not_found"
		},
	}
}

// in is a method about a channel of which the bot must be a member, or which is
// public.
func in(m func(*Server, *channel, map[string]string) (Object, string)) method {
	return func(s *Server, f map[string]string) (Object, string) {
		id := f["channel"]
		if id == "" {
			id = f["channel_id"]
		}
		ch := s.channels[id]
		if ch == nil || ch.info["is_private"] == true && !ch.members[s.actor] {
			return nil, "channel_not_found"
		}
		return m(s, ch, f)
	}
}

func (s *Server) channelInfo(ch *channel) Object {
	o := clone(ch.info)
	o["is_member"] = ch.members[s.actor]
	if ch.info["is_im"] == true {
		for m := range ch.members {
			if m != s.actor {
				o["user"] = m
			}
		}
	}
	return o
}

// counted is channelInfo where it says how many members there are.
func (s *Server) counted(ch *channel) Object {
	o := s.channelInfo(ch)
	o["num_members"] = len(ch.members)
	return o
}

func conversationsList(s *Server, f map[string]string) (Object, string) {
	types := strings.Split(f["types"], ",")
	var list []Object
	for _, id := range s.corder {
		ch := s.channels[id]
		if ch.isDirect() {
			continue
		}
		private := ch.info["is_private"] == true
		if private && (!slices.Contains(types, "private_channel") || !ch.members[BotUser]) || !private && !slices.Contains(types, "public_channel") && f["types"] != "" {
			continue
		}
		if f["exclude_archived"] == "true" && ch.info["is_archived"] == true {
			continue
		}
		list = append(list, s.counted(ch))
	}
	some, meta := page(list, f, 1000)
	return Object{"channels": some, "response_metadata": meta}, ""
}

func conversationsMembers(s *Server, ch *channel, f map[string]string) (Object, string) {
	some, meta := page(slices.Sorted(maps.Keys(ch.members)), f, 1000)
	return Object{"members": some, "response_metadata": meta}, ""
}

func within(ts string, f map[string]string) bool {
	inclusive := f["inclusive"] == "1" || f["inclusive"] == "true"
	if o := f["oldest"]; o != "" && o != "0" && (ts < o || ts == o && !inclusive) {
		return false
	}
	if l := f["latest"]; l != "" && l != "now" && (ts > l || ts == l && !inclusive) {
		return false
	}
	return true
}

// mostHistory bounds pages; s.mu is held.
func (s *Server) mostHistory() int {
	if s.MostHistory > 0 {
		return s.MostHistory
	}
	return 999
}

// shown hides an app's metadata unless it is asked for.
func shown(m Object, f map[string]string) Object {
	o := clone(m)
	if f["include_all_metadata"] != "1" && f["include_all_metadata"] != "true" {
		delete(o, "metadata")
	}
	return o
}

func conversationsHistory(s *Server, ch *channel, f map[string]string) (Object, string) {
	if !ch.members[s.actor] {
		return nil, "not_in_channel"
	}
	list := []Object{}
	for _, m := range slices.Backward(ch.messages) {
		root, _ := m["thread_ts"].(string)
		if root != "" && root != m["ts"] && m["subtype"] != "thread_broadcast" {
			continue
		}
		if within(m["ts"].(string), f) {
			list = append(list, shown(m, f))
		}
	}
	some, meta := page(list, f, s.mostHistory())
	return Object{"messages": some, "has_more": meta["next_cursor"] != "", "response_metadata": meta}, ""
}

func conversationsReplies(s *Server, ch *channel, f map[string]string) (Object, string) {
	if !ch.members[s.actor] {
		return nil, "not_in_channel"
	}
	list := []Object{}
	for _, m := range ch.messages {
		ts := m["ts"].(string)
		if ts == f["ts"] || m["thread_ts"] == f["ts"] && within(ts, f) {
			list = append(list, shown(m, f))
		}
	}
	if len(list) == 0 {
		return nil, "thread_not_found"
	}
	some, meta := page(list, f, s.mostHistory())
	return Object{"messages": some, "has_more": meta["next_cursor"] != "", "response_metadata": meta}, ""
}

func postMessage(s *Server, ch *channel, f map[string]string) (Object, string) {
	switch {
	case !ch.members[s.actor]:
		return nil, "not_in_channel"
	case ch.info["is_archived"] == true:
		return nil, "is_archived"
	case f["text"] == "" && f["blocks"] == "" && f["attachments"] == "":
		return nil, "no_text"
	case len(f["text"]) > 40_000:
		return nil, "msg_too_long"
	}
	m := Object{"type": "message", "text": f["text"], "bot_id": Bot, "app_id": App, "user": s.actor, "team": s.teamID,
		"bot_profile": Object{"id": Bot, "app_id": App, "name": "Landbridge", "deleted": false, "team_id": s.teamID, "icons": Object{}, "updated": 1}}
	if f["username"] != "" && s.actor == BotUser {
		m["subtype"], m["username"] = "bot_message", f["username"]
		delete(m, "user")
	}
	if f["icon_url"] != "" {
		m["icons"] = Object{"image_48": f["icon_url"]}
	} else if f["icon_emoji"] != "" {
		m["icons"] = Object{"emoji": f["icon_emoji"]}
	}
	for _, k := range []string{"blocks", "attachments", "metadata"} {
		if f[k] == "" {
			continue
		}
		var v any
		if json.Unmarshal([]byte(f[k]), &v) != nil {
			return nil, "invalid_" + k
		}
		m[k] = v
	}
	if f["thread_ts"] != "" {
		if find(ch, f["thread_ts"]) == nil {
			return nil, "thread_not_found"
		}
		m["thread_ts"] = f["thread_ts"]
		if f["reply_broadcast"] == "true" {
			m["subtype"] = "thread_broadcast"
		}
	}
	ts := s.post(ch, m)
	return Object{"channel": ch.info["id"], "ts": ts, "message": clone(m)}, ""
}

func chatUpdate(s *Server, ch *channel, f map[string]string) (Object, string) {
	m := find(ch, f["ts"])
	switch {
	case m == nil:
		return nil, "message_not_found"
	case m["bot_id"] != Bot || s.actor != BotUser && m["user"] != s.actor:
		return nil, "cant_update_message"
	}
	change := Object{"text": f["text"]}
	if f["blocks"] != "" {
		var v any
		if json.Unmarshal([]byte(f["blocks"]), &v) != nil {
			return nil, "invalid_blocks"
		}
		change["blocks"] = v
	}
	m["edited"] = Object{"user": BotUser, "ts": s.ts()}
	s.change(ch, m, change)
	return Object{"channel": f["channel"], "ts": f["ts"], "text": f["text"], "message": clone(m)}, ""
}

func uploadURL(s *Server, f map[string]string) (Object, string) {
	n, err := strconv.Atoi(f["length"])
	if err != nil || n <= 0 || f["filename"] == "" {
		return nil, "invalid_arguments"
	}
	x := s.addFile(BotUser, f["filename"], "application/octet-stream", nil)
	return Object{"upload_url": s.http.URL + "/upload/" + x.info["id"].(string) + "?" + rand.Text(), "file_id": x.info["id"]}, ""
}

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	var data []byte
	if err := r.ParseMultipartForm(8 << 20); err == nil {
		for _, list := range r.MultipartForm.File {
			f, err := list[0].Open()
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			data, _ = io.ReadAll(f)
			f.Close()
		}
	} else {
		data, _ = io.ReadAll(r.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.files[strings.TrimPrefix(r.URL.Path, "/upload/")]
	if x == nil {
		http.NotFound(w, r)
		return
	}
	x.data, x.info["size"] = data, len(data)
	x.mime = http.DetectContentType(data)
	x.info["mimetype"] = x.mime
	io.WriteString(w, "OK - "+strconv.Itoa(len(data)))
}

func completeUpload(s *Server, f map[string]string) (Object, string) {
	var list []struct{ ID, Title string }
	if json.Unmarshal([]byte(f["files"]), &list) != nil || len(list) == 0 {
		return nil, "invalid_arguments"
	}
	ch := s.channels[f["channel_id"]]
	if ch == nil {
		return nil, "channel_not_found"
	}
	if !ch.members[s.actor] {
		return nil, "not_in_channel"
	}
	var files, summaries []Object
	for _, l := range list {
		x := s.files[l.ID]
		if x == nil {
			return nil, "file_not_found"
		}
		x.info["title"] = l.Title
		files = append(files, clone(x.info))
		summaries = append(summaries, Object{"id": l.ID, "title": l.Title})
	}
	m := Object{"type": "message", "subtype": "file_share", "text": f["initial_comment"], "user": s.actor, "files": files, "upload": true, "bot_id": Bot, "app_id": App}
	if f["thread_ts"] != "" {
		m["thread_ts"] = f["thread_ts"]
	}
	m["ts"] = s.ts()
	for _, l := range list {
		kind := "public"
		if ch.info["is_private"] == true {
			kind = "private"
		}
		share := Object{"ts": m["ts"]}
		if f["thread_ts"] != "" {
			share["thread_ts"] = f["thread_ts"]
		}
		s.files[l.ID].info["shares"] = Object{kind: Object{f["channel_id"]: []Object{share}}}
	}
	s.post(ch, m)
	return Object{"files": summaries}, ""
}

func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	person := s.persons[bearer(r)]
	good := s.botTokens[bearer(r)] || person != ""
	s.mu.Unlock()
	if !good {
		// Slack shows a page for logging in.
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!DOCTYPE html><html>sign in</html>")
		return
	}
	id := strings.Split(strings.TrimPrefix(r.URL.Path, "/files/"), "/")[0]
	s.mu.Lock()
	x := s.files[id]
	s.mu.Unlock()
	if x == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", x.mime)
	w.Write(x.data)
}
