package discordtest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// limit is a limit of rates.
type limit struct {
	n     int
	per   time.Duration
	used  int
	reset time.Time
}

// failure is an answer that is no success.
type failure struct {
	status, code int
	msg          string
}

var (
	errUnknownChannel = &failure{404, 10003, "Unknown Channel"}
	errUnknownMessage = &failure{404, 10008, "Unknown Message"}
	errUnknownWebhook = &failure{404, 10015, "Unknown Webhook"}
	errMissing        = &failure{403, 50013, "Missing Permissions"}
	errAccess         = &failure{403, 50001, "Missing Access"}
)

func invalid(format string, args ...any) *failure {
	return &failure{400, 50035, "Invalid Form Body: " + fmt.Sprintf(format, args...)}
}

// request is a request with its body read.
type request struct {
	*http.Request
	body  map[string]json.RawMessage
	files map[string]*multipart.FileHeader
	form  *multipart.Form
}

// get reads a field of the body.
func (r *request) get(name string, into any) bool {
	raw, ok := r.body[name]
	return ok && json.Unmarshal(raw, into) == nil
}

const maxBody = 30 << 20

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, auth bool, f func(*request) (any, *failure)) {
		method, path, _ := strings.Cut(pattern, " ")
		if !slices.Contains(s.patterns, pattern) { // it may listen again
			s.patterns = append(s.patterns, pattern)
		}
		mux.HandleFunc(method+" /api/v10"+path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, pattern, auth, f) })
	}
	mux.HandleFunc("GET /gateway", s.serveGateway)
	mux.HandleFunc("GET /gateway/", s.serveGateway)
	mux.HandleFunc("GET /cdn/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		data, ok := s.files[strings.TrimPrefix(r.URL.Path, "/cdn")]
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", http.DetectContentType(data))
		_, _ = w.Write(data)
	})
	s.openOAuth(mux)
	handle("GET /gateway", false, func(*request) (any, *failure) {
		return map[string]any{"url": "ws://" + s.Addr() + "/gateway"}, nil
	})
	handle("GET /gateway/bot", true, func(*request) (any, *failure) {
		return map[string]any{
			"url": "ws://" + s.Addr() + "/gateway", "shards": s.shards,
			"session_start_limit": map[string]any{"total": 1000, "remaining": s.sessionsLeft, "reset_after": 14400000, "max_concurrency": 1},
		}, nil
	})
	handle("GET /users/@me", true, func(r *request) (any, *failure) {
		if u := s.bearer(r.Request); u != nil {
			return u, nil
		}
		return struct {
			*User
			MFA      bool    `json:"mfa_enabled"`
			Locale   string  `json:"locale"`
			Verified bool    `json:"verified"`
			Email    *string `json:"email"`
		}{User: s.bot, Locale: "en-US", Verified: true}, nil
	})
	handle("GET /applications/@me", true, func(*request) (any, *failure) {
		flags := 0
		if s.allowed&(1<<1) != 0 {
			flags |= 1 << 15
		}
		if s.allowed&(1<<15) != 0 {
			flags |= 1 << 19
		}
		return map[string]any{
			"id": s.AppID, "name": "landbridge", "flags": flags, "flags_new": strconv.Itoa(flags), "icon": nil, "description": "", "type": nil,
			"verify_key": strings.Repeat("0", 64), "redirect_uris": s.redirects, "bot_public": true, "bot_require_code_grant": false,
			"owner": s.bot, "bot": s.bot, "team": nil, "interactions_endpoint_url": nil, "role_connections_verification_url": nil,
			"approximate_guild_count": len(s.guilds), "approximate_user_install_count": 0, "approximate_user_authorization_count": 0, "eligible_oauth2_scopes": []string{}, "explicit_content_filter": 0,
		}, nil
	})
	handle("GET /guilds/{guild}/members", true, s.getMembers)
	handle("GET /channels/{channel}", true, func(r *request) (any, *failure) {
		ch := s.channel(r.PathValue("channel"))
		if ch == nil {
			return nil, errUnknownChannel
		}
		return ch, nil
	})
	handle("GET /channels/{channel}/messages", true, s.getMessages)
	handle("GET /channels/{channel}/messages/{message}", true, func(r *request) (any, *failure) {
		m, f := s.message(r)
		return m, f
	})
	handle("GET /channels/{channel}/pins", true, func(r *request) (any, *failure) {
		list := []*Message{}
		for _, m := range s.messages[r.PathValue("channel")] {
			if m.Pinned {
				list = append(list, m)
			}
		}
		return list, nil
	})
	handle("DELETE /channels/{channel}/messages/{message}", true, func(r *request) (any, *failure) {
		m, f := s.message(r)
		if f != nil {
			return nil, f
		}
		if m.Author.ID != s.AppID && !s.may(m.ChannelID, ManageMessages) {
			return nil, errMissing
		}
		s.remove(m)
		return nil, nil
	})
	handle("POST /channels/{channel}/messages/{message}/threads", true, s.postThread)
	handle("GET /channels/{channel}/messages/{message}/reactions/{emoji}", true, s.getReactions)
	handle("GET /channels/{channel}/threads/archived/{kind}", true, s.getArchived)
	handle("PUT /channels/{channel}/messages/{message}/reactions/{emoji}/@me", true, func(r *request) (any, *failure) { return s.ownReaction(r, true) })
	handle("DELETE /channels/{channel}/messages/{message}/reactions/{emoji}/@me", true, func(r *request) (any, *failure) { return s.ownReaction(r, false) })
	handle("POST /channels/{channel}/typing", true, func(*request) (any, *failure) { return nil, nil })
	handle("GET /channels/{channel}/webhooks", true, func(r *request) (any, *failure) {
		if !s.may(r.PathValue("channel"), ManageWebhooks) {
			return nil, errMissing
		}
		list := []*Webhook{}
		for _, w := range s.webhooks {
			if w.ChannelID == r.PathValue("channel") {
				list = append(list, w)
			}
		}
		return list, nil
	})
	handle("POST /channels/{channel}/webhooks", true, s.postWebhook)
	s.moderationRoutes(handle)
	s.directRoutes(handle)
	handle("POST /webhooks/{webhook}/{token}", false, s.execute)
	handle("PATCH /webhooks/{webhook}/{token}/messages/{message}", false, s.editWebhookMessage)
	handle("DELETE /webhooks/{webhook}/{token}/messages/{message}", false, func(r *request) (any, *failure) {
		m, f := s.webhookMessage(r)
		if f != nil {
			return nil, f
		}
		s.remove(m)
		return nil, nil
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.unknown = append(s.unknown, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		answer(w, 404, map[string]any{"message": "404: Not Found", "code": 0})
	})
	return mux
}

func answer(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, pattern string, auth bool, f func(*request) (any, *failure)) {
	req, bad := read(r)
	s.mu.Lock()
	s.requests[pattern]++
	status := 0
	if s.fail != nil {
		status = s.fail(r)
	}
	if limited := s.limited(w, r); limited {
		s.mu.Unlock()
		return
	}
	switch {
	case status != 0:
		s.mu.Unlock()
		answer(w, status, map[string]any{"message": http.StatusText(status), "code": 0})
		return
	case auth && r.Header.Get("Authorization") != "Bot "+s.Token && (pattern != "GET /users/@me" || s.bearer(r) == nil):
		s.mu.Unlock()
		answer(w, 401, map[string]any{"message": "401: Unauthorized", "code": 0})
		return
	case bad != nil:
		s.mu.Unlock()
		answer(w, bad.status, map[string]any{"message": bad.msg, "code": bad.code})
		return
	}
	out, fail := f(req)
	var raw []byte
	if fail == nil {
		s.answered[pattern]++
	}
	if fail == nil && out != nil {
		raw, _ = json.Marshal(out) // while nothing changes
	}
	late, held := s.late, s.held
	if !strings.HasPrefix(strings.TrimPrefix(r.URL.Path, "/api/v10"), s.heldPrefix) {
		held = nil
	}
	s.notify()
	s.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
	if fail != nil {
		answer(w, fail.status, map[string]any{"message": fail.msg, "code": fail.code})
		return
	}
	if late != nil && late(r) {
		panic(http.ErrAbortHandler)
	}
	if raw == nil {
		answer(w, 204, nil)
		return
	}
	status = http.StatusOK
	if strings.HasSuffix(pattern, "/threads") {
		status = http.StatusCreated
	}
	answer(w, status, json.RawMessage(raw))
}

// limited answers requests that come too often; s.mu is held.
func (s *Server) limited(w http.ResponseWriter, r *http.Request) bool {
	path := strings.TrimPrefix(r.URL.Path, "/api/v10")
	for prefix, l := range s.limits {
		if !strings.HasPrefix(path, prefix) {
			continue
		}
		now := time.Now()
		if now.After(l.reset) {
			l.used, l.reset = 0, now.Add(l.per)
		}
		left := l.reset.Sub(now).Seconds()
		h := w.Header()
		h.Set("X-RateLimit-Limit", strconv.Itoa(l.n))
		h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", left))
		h.Set("X-RateLimit-Reset", fmt.Sprintf("%.3f", float64(l.reset.UnixMilli())/1000))
		h.Set("X-RateLimit-Bucket", prefix)
		if l.used >= l.n {
			h.Set("X-RateLimit-Remaining", "0")
			h.Set("Retry-After", strconv.Itoa(int(left)+1))
			s.requests["429"]++
			answer(w, 429, map[string]any{"message": "You are being rate limited.", "retry_after": left, "global": false})
			return true
		}
		l.used++
		h.Set("X-RateLimit-Remaining", strconv.Itoa(l.n-l.used))
	}
	return false
}

// read reads a body: JSON, or a form with payload_json and files.
func read(r *http.Request) (*request, *failure) {
	req := &request{Request: r, body: map[string]json.RawMessage{}, files: map[string]*multipart.FileHeader{}}
	r.Body = http.MaxBytesReader(nil, r.Body, maxBody)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var raw []byte
	if kind == "multipart/form-data" {
		if err := r.ParseMultipartForm(maxBody); err != nil {
			return req, invalid("%v", err)
		}
		req.form = r.MultipartForm
		raw = []byte(r.FormValue("payload_json"))
		for name, list := range r.MultipartForm.File {
			req.files[name] = list[0]
		}
	} else {
		raw, _ = io.ReadAll(r.Body)
	}
	if len(raw) > 0 && json.Unmarshal(raw, &req.body) != nil {
		return req, &failure{400, 50109, "The request body contains invalid JSON."}
	}
	return req, nil
}

// may reports whether the bot has a permission in a channel; s.mu is held.
func (s *Server) may(channel string, permission int64) bool {
	ch := s.channel(channel)
	if ch == nil {
		return false
	}
	g := s.guilds[ch.GuildID]
	if ch.ParentID != nil && ch.ThreadMetadata != nil {
		if ch = s.channel(*ch.ParentID); ch == nil {
			return false
		}
	}
	var roles []string
	for _, m := range g.Members {
		if m.User == s.bot {
			roles = m.Roles
		}
	}
	var have int64
	for _, r := range g.Roles {
		if r.ID == g.ID || contains(roles, r.ID) {
			n, _ := strconv.ParseInt(r.Permissions, 10, 64)
			have |= n
		}
	}
	if have&Administrator != 0 {
		return true
	}
	apply := func(match func(Overwrite) bool) {
		var allow, deny int64
		for _, o := range ch.Overwrites {
			if match(o) {
				a, _ := strconv.ParseInt(o.Allow, 10, 64)
				d, _ := strconv.ParseInt(o.Deny, 10, 64)
				allow, deny = allow|a, deny|d
			}
		}
		have = have&^deny | allow
	}
	apply(func(o Overwrite) bool { return o.ID == g.ID })
	apply(func(o Overwrite) bool { return o.Type == 0 && o.ID != g.ID && contains(roles, o.ID) })
	apply(func(o Overwrite) bool { return o.Type == 1 && o.ID == s.AppID })
	return have&ViewChannel != 0 && have&permission == permission
}

func contains(list []string, v string) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

func (s *Server) getMembers(r *request) (any, *failure) {
	g := s.guilds[r.PathValue("guild")]
	if g == nil {
		return nil, &failure{404, 10004, "Unknown Guild"}
	}
	if s.allowed&(1<<1) == 0 {
		return nil, errAccess
	}
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	n, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	if n == 0 {
		n = 1
	}
	list := []*Member{}
	for _, m := range g.Members {
		if id, _ := strconv.ParseUint(m.User.ID, 10, 64); id > after && len(list) < n {
			list = append(list, m)
		}
	}
	return list, nil
}

func (s *Server) getMessages(r *request) (any, *failure) {
	channel := r.PathValue("channel")
	_, direct := s.directs[channel]
	if s.channel(channel) == nil && !direct {
		return nil, errUnknownChannel
	}
	if !direct && !s.may(channel, ViewChannel) {
		return nil, errAccess
	}
	list := []*Message{}
	if !direct && !s.may(channel, ReadHistory) {
		return list, nil
	}
	q := r.URL.Query()
	n := 50
	if v := q.Get("limit"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil || n < 1 || n > 100 {
			return nil, invalid("limit must be from 1 to 100")
		}
	}
	after, _ := strconv.ParseUint(q.Get("after"), 10, 64)
	before, _ := strconv.ParseUint(q.Get("before"), 10, 64)
	all := s.messages[channel]
	num := func(m *Message) uint64 { v, _ := strconv.ParseUint(m.ID, 10, 64); return v }
	if q.Get("after") != "" {
		for _, m := range all {
			if num(m) > after && len(list) < n {
				list = append([]*Message{m}, list...) // newest first
			}
		}
		return list, nil
	}
	for i := len(all) - 1; i >= 0 && len(list) < n; i-- {
		if before == 0 || num(all[i]) < before {
			list = append(list, all[i])
		}
	}
	return list, nil
}

// message finds the message of a path.
func (s *Server) message(r *request) (*Message, *failure) {
	if s.channel(r.PathValue("channel")) == nil {
		return nil, errUnknownChannel
	}
	for _, m := range s.messages[r.PathValue("channel")] {
		if m.ID == r.PathValue("message") {
			return m, nil
		}
	}
	return nil, errUnknownMessage
}

func (s *Server) remove(m *Message) {
	list := s.messages[m.ChannelID]
	for i := range list {
		if list[i] == m {
			s.messages[m.ChannelID] = append(list[:i:i], list[i+1:]...)
			break
		}
	}
	s.dispatch(m.GuildID, "MESSAGE_DELETE", map[string]any{"id": m.ID, "channel_id": m.ChannelID, "guild_id": m.GuildID})
}

func (s *Server) ownReaction(r *request, add bool) (any, *failure) {
	m, f := s.message(r)
	if f != nil {
		return nil, f
	}
	emoji := r.PathValue("emoji")
	if emoji == "" || emoji[0] < 0x80 && !strings.Contains(emoji, ":") {
		return nil, &failure{400, 10014, "Unknown Emoji"}
	}
	if add && (!s.may(m.ChannelID, AddReactions) || !s.may(m.ChannelID, ReadHistory)) {
		return nil, errMissing
	}
	s.react(m, s.AppID, emoji, add)
	return nil, nil
}

// react changes the reactions of a message; s.mu is held.
func (s *Server) react(m *Message, user, emoji string, add bool) {
	emoji, animated := strings.CutPrefix(emoji, "a:")
	e := Emoji{Name: emoji}
	if name, id, ok := strings.Cut(emoji, ":"); ok {
		e = Emoji{Name: name, ID: &id, Animated: animated}
	}
	var r *Reaction
	for _, have := range m.Reactions {
		if have.Emoji.Name == e.Name {
			r = have
		}
	}
	if r == nil {
		r = &Reaction{Emoji: e, Colors: []string{}}
		m.Reactions = append(m.Reactions, r)
	}
	if contains(r.users, user) == add {
		return
	}
	kind := "MESSAGE_REACTION_ADD"
	if add {
		r.users = append(r.users, user)
	} else {
		kind = "MESSAGE_REACTION_REMOVE"
		for i, u := range r.users {
			if u == user {
				r.users = append(r.users[:i:i], r.users[i+1:]...)
				break
			}
		}
	}
	r.Count, r.Me = len(r.users), contains(r.users, s.AppID)
	r.Counts.Normal = r.Count
	if r.Count == 0 {
		for i := range m.Reactions {
			if m.Reactions[i] == r {
				m.Reactions = append(m.Reactions[:i:i], m.Reactions[i+1:]...)
				break
			}
		}
	}
	ev := map[string]any{"user_id": user, "channel_id": m.ChannelID, "message_id": m.ID, "guild_id": m.GuildID, "emoji": e, "type": 0, "burst": false}
	if g := s.guilds[m.GuildID]; add && g != nil {
		for _, member := range g.Members {
			if member.User.ID == user {
				ev["member"] = member
			}
		}
	}
	s.dispatch(m.GuildID, kind, ev)
}

func (s *Server) postThread(r *request) (any, *failure) {
	m, f := s.message(r)
	if f != nil {
		return nil, f
	}
	var name string
	if !r.get("name", &name) || name == "" || len([]rune(name)) > 100 {
		return nil, invalid("name: Must be between 1 and 100 in length.")
	}
	if !s.may(m.ChannelID, CreateThreads) {
		return nil, errMissing
	}
	if s.channel(m.ID) != nil {
		return nil, &failure{400, 160004, "A thread has already been created for this message"}
	}
	return s.startThread(s.channel(m.ChannelID), m, s.bot, name), nil
}

// thread makes a thread; s.mu is held.
func (s *Server) thread(parent *Channel, id string, u *User, name string) *Channel {
	kind := 11
	if parent.Type == 5 {
		kind = 10
	}
	return s.threadOf(parent, kind, id, u, name)
}

func (s *Server) threadOf(parent *Channel, kind int, id string, u *User, name string) *Channel {
	t := &Channel{
		ID: id, Type: kind, GuildID: parent.GuildID, Name: name, ParentID: &parent.ID, OwnerID: u.ID,
		ThreadMetadata: &ThreadMetadata{AutoArchiveDuration: 4320, ArchiveTimestamp: stamp(time.Now())},
		MessageCount:   ptr(0), MemberCount: ptr(1), TotalMessages: ptr(0),
	}
	g := s.guilds[parent.GuildID]
	g.Threads = append(g.Threads, t)
	out := withGuild(t, g.ID)
	out["newly_created"] = true
	s.dispatch(g.ID, "THREAD_CREATE", out)
	return t
}

func (s *Server) startThread(ch *Channel, m *Message, u *User, name string) *Channel {
	id := ""
	if m != nil {
		id = m.ID
	} else {
		id = s.id()
	}
	t := s.thread(ch, id, u, name)
	if m != nil {
		m.Thread = t
		m.Flags |= 1 << 5
		s.dispatch(m.GuildID, "MESSAGE_UPDATE", *m)
		return t
	}
	note := s.newMessage(ch, u, name)
	note.Type = 18
	note.Reference = &Reference{ChannelID: t.ID, GuildID: t.GuildID}
	s.post(ch, note)
	return t
}
