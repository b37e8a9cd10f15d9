package discordtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// session is a session of the gateway, which outlives its connection.
type session struct {
	id      string
	intents int
	seq     int64
	events  []frame // for resuming
	conn    *conn
	shard   [2]int // number and count
}

// hears reports whether a session is told of a guild. Discord: "shard_id = (guild_id >> 22) % num_shards"; direct
// messages go to the first.
func (se *session) hears(guild string) bool {
	if guild == "" {
		return se.shard[0] == 0
	}
	id, _ := strconv.ParseUint(guild, 10, 64)
	return int(id>>22)%max(se.shard[1], 1) == se.shard[0]
}

// frame is a payload of the gateway.
type frame struct {
	Op   int    `json:"op"`
	Data any    `json:"d"`
	Seq  *int64 `json:"s"`
	Type any    `json:"t"`
}

// conn is a connection.
type conn struct {
	ws *websocket.Conn
	mu sync.Mutex // of writing
	q  chan frame
}

// keep is how many events a session keeps for resuming.
const keep = 100_000

// intentOf is the intent that an event needs; 0 for none.
func intentOf(kind string) int {
	switch kind {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE":
		return 1 << 1
	case "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		return 1 << 2
	case "WEBHOOKS_UPDATE":
		return 1 << 5
	case "PRESENCE_UPDATE":
		return 1 << 8
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK":
		return 1 << 9
	case "MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI":
		return 1 << 10
	case "TYPING_START":
		return 1 << 11
	case "VOICE_STATE_UPDATE":
		return 1 << 7
	case "GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_UPDATE", "GUILD_SCHEDULED_EVENT_DELETE":
		return 1 << 16
	case "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE":
		return 1 << 24
	case "INTERACTION_CREATE":
		return 0
	case "READY", "RESUMED":
		return 0
	}
	return 1
}

// dispatch sends an event to all sessions that want it; s.mu is held.
func (s *Server) dispatch(guild, kind string, data any) {
	raw, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("an event cannot be encoded: %v", err))
	}
	for _, se := range s.sessions {
		if !se.hears(guild) {
			continue
		}
		need := intentOf(kind)
		if guild == "" && need&(1<<9|1<<10|1<<11) != 0 {
			need <<= 3 // of direct messages
		}
		if need != 0 && se.intents&need == 0 {
			continue
		}
		out := json.RawMessage(raw)
		if se.intents&(1<<15) == 0 && (kind == "MESSAGE_CREATE" || kind == "MESSAGE_UPDATE") {
			var m map[string]any
			_ = json.Unmarshal(raw, &m)
			m["content"], m["embeds"], m["attachments"] = "", []any{}, []any{}
			out, _ = json.Marshal(m)
		}
		se.send(kind, out)
	}
	s.notify()
}

// send numbers an event and sends it if there is a connection.
func (se *session) send(kind string, data any) {
	se.seq++
	seq := se.seq
	f := frame{Op: 0, Data: data, Seq: &seq, Type: kind}
	se.events = append(se.events, f)
	if len(se.events) > keep {
		se.events = se.events[len(se.events)-keep:]
	}
	if se.conn != nil {
		se.conn.push(f)
	}
}

func (c *conn) push(f frame) {
	select {
	case c.q <- f:
	default:
		c.ws.Close() // too slow
	}
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

func (s *Server) serveGateway(w http.ResponseWriter, r *http.Request) {
	if v := r.URL.Query().Get("v"); v != "10" && v != "9" || r.URL.Query().Get("encoding") != "json" {
		http.Error(w, "unknown version or encoding", http.StatusBadRequest)
		return
	}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	resume := strings.Contains(r.URL.Path, "/resume")
	c := &conn{ws: ws, q: make(chan frame, keep)}
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() {
		for {
			select {
			case f := <-c.q:
				if c.write(f) != nil {
					ws.Close()
				}
			case <-done:
				return
			}
		}
	}()
	defer func() {
		close(done)
		ws.Close()
		s.mu.Lock()
		delete(s.conns, c)
		for _, se := range s.sessions {
			if se.conn == c {
				se.conn = nil
			}
		}
		s.mu.Unlock()
	}()
	if c.write(frame{Op: 10, Data: map[string]any{"heartbeat_interval": 41250}}) != nil {
		return
	}
	var se *session
	for {
		var in struct {
			Op   int             `json:"op"`
			Data json.RawMessage `json:"d"`
		}
		if err := ws.ReadJSON(&in); err != nil {
			return
		}
		switch in.Op {
		case 1:
			c.push(frame{Op: 11})
		case 2:
			if se != nil {
				c.close(4005, "Already authenticated.")
				return
			}
			if se = s.identify(c, in.Data); se == nil {
				return
			}
		case 6:
			if se = s.resume(c, in.Data); se != nil && resume {
				s.mu.Lock()
				s.resumes++
				s.mu.Unlock()
			}
		case 3, 4, 8:
			if se == nil {
				c.close(4003, "Not authenticated.")
				return
			}
		default:
			c.close(4001, "Unknown opcode.")
			return
		}
	}
}

func (c *conn) write(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return c.ws.WriteJSON(f)
}

func (c *conn) close(code int, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(time.Second))
}

// identify begins a session.
func (s *Server) identify(c *conn, raw json.RawMessage) *session {
	var d struct {
		Token      string         `json:"token"`
		Intents    int            `json:"intents"`
		Properties map[string]any `json:"properties"`
		Large      int            `json:"large_threshold"`
		Shard      [2]int         `json:"shard"`
	}
	if json.Unmarshal(raw, &d) != nil || d.Properties == nil {
		c.close(4002, "Error while decoding payload.")
		return nil
	}
	if d.Token != "Bot "+s.Token && d.Token != s.Token {
		c.close(4004, "Authentication failed.")
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	const privileged = 1<<1 | 1<<8 | 1<<15
	if d.Intents&privileged&^s.allowed != 0 {
		c.close(4014, "Disallowed intent(s).")
		return nil
	}
	if d.Shard[1] < s.shards && s.shards > 1 {
		c.close(4011, "Sharding required.")
		return nil
	}
	s.nonces++
	se := &session{shard: d.Shard, id: fmt.Sprintf("session-%d", s.nonces), intents: d.Intents, conn: c}
	s.sessions[se.id] = se
	var unavailable []any
	for _, g := range s.guilds {
		if !se.hears(g.ID) {
			continue
		}
		unavailable = append(unavailable, map[string]any{"id": g.ID, "unavailable": true})
	}
	se.send("READY", map[string]any{
		"v": 10, "user": s.bot, "guilds": unavailable, "session_id": se.id,
		"resume_gateway_url": "ws://" + s.Addr() + "/gateway/resume", "application": map[string]any{"id": s.AppID, "flags": 0, "flags_new": "0"}, "shard": []int{d.Shard[0], max(d.Shard[1], 1)},
	})
	large := d.Large
	if large == 0 {
		large = 50
	}
	tell := func() {
		for _, g := range s.guilds {
			if se.hears(g.ID) {
				se.send("GUILD_CREATE", s.guildCreate(g, d.Intents, large))
			}
		}
	}
	if s.guildsHeld {
		s.untold = append(s.untold, tell)
	} else {
		tell()
	}
	s.notify()
	return se
}

// HoldGuilds has new sessions be told of their guilds only by ReleaseGuilds.
func (s *Server) HoldGuilds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guildsHeld = true
}

// ReleaseGuilds tells what HoldGuilds has held back.
func (s *Server) ReleaseGuilds() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tell := range s.untold {
		tell()
	}
	s.guildsHeld, s.untold = false, nil
}

func (s *Server) guildCreate(g *Guild, intents, large int) map[string]any {
	members := []*Member{}
	for _, m := range g.Members {
		if m.User == s.bot || intents&(1<<1) != 0 && len(g.Members) <= large {
			members = append(members, m)
		}
	}
	raw, _ := json.Marshal(map[string]any{
		"id": g.ID, "name": g.Name, "icon": nil, "owner_id": g.OwnerID, "roles": g.Roles, "emojis": []any{}, "features": []any{},
		"channels": g.Channels, "threads": g.active(), "members": members, "member_count": len(g.Members),
		"large": len(g.Members) > large, "joined_at": stamp(time.Now()), "unavailable": false, "presences": []any{}, "voice_states": []any{},
		"description": nil, "premium_tier": 0, "stickers": []any{}, "stage_instances": []any{}, "guild_scheduled_events": []any{},
		"soundboard_sounds": []any{}, "splash": nil, "discovery_splash": nil, "banner": nil, "afk_channel_id": nil, "afk_timeout": 300,
		"verification_level": 1, "default_message_notifications": 1, "explicit_content_filter": 0, "mfa_level": 0, "application_id": nil,
		"system_channel_id": nil, "system_channel_flags": 0, "rules_channel_id": nil, "public_updates_channel_id": nil, "safety_alerts_channel_id": nil,
		"vanity_url_code": nil, "preferred_locale": "en-US", "nsfw_level": 0, "premium_progress_bar_enabled": false, "hub_type": nil,
		"incidents_data": nil, "max_members": 500000, "region": "deprecated", "premium_subscription_count": 0, "widget_enabled": false,
	})
	var m map[string]any
	_ = json.Unmarshal(raw, &m) // a copy that does not change later
	return m
}

// resume continues a session, or says that there is none.
func (s *Server) resume(c *conn, raw json.RawMessage) *session {
	var d struct {
		Token   string `json:"token"`
		Session string `json:"session_id"`
		Seq     int64  `json:"seq"`
	}
	_ = json.Unmarshal(raw, &d)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.noResumes {
		c.close(4000, "Unknown error.")
		return nil
	}
	se := s.sessions[d.Session]
	if se == nil || d.Token != "Bot "+s.Token && d.Token != s.Token {
		c.push(frame{Op: 9, Data: false})
		return nil
	}
	se.conn = c
	for _, f := range se.events {
		if *f.Seq > d.Seq {
			c.push(f)
		}
	}
	se.send("RESUMED", map[string]any{})
	return se
}

// Resumes is how many sessions were resumed at the address that they were given for it.
func (s *Server) Resumes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resumes
}

// Connections is how many connections have a session.
func (s *Server) Connections() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, se := range s.sessions {
		if se.conn != nil {
			n++
		}
	}
	return n
}

// RefuseResumes has attempts to resume end without a reason.
func (s *Server) RefuseResumes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noResumes = true
}

// LimitSessions says how many sessions the bot may begin until it asks again.
func (s *Server) LimitSessions(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessionsLeft = n
}
