package slacktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// socket is one connection of the app by Socket Mode.
type socket struct {
	conn *websocket.Conn
	ctx  context.Context
	stop context.CancelFunc
	once sync.Once
}

func (c *socket) close() { c.once.Do(func() { c.stop(); c.conn.CloseNow() }) }

// envelope is an event on its way.
type envelope struct {
	id      string
	payload Object
	sent    time.Time
	attempt int
}

func (s *Server) openConnection(w http.ResponseWriter, r *http.Request) {
	f := form(r)
	token := f["token"]
	if token == "" {
		token = bearer(r)
	}
	s.mu.Lock()
	s.calls = append(s.calls, Call{"apps.connections.open", nil})
	s.touch()
	limited := s.limits["apps.connections.open"].hit(w)
	s.mu.Unlock()
	if limited {
		return
	}
	if token != AppToken {
		reply(w, Object{"ok": false, "error": "invalid_auth"})
		return
	}
	reply(w, s.watched("apps.connections.open", Object{"ok": true, "url": strings.Replace(s.http.URL, "http", "ws", 1) + "/link/?ticket=1&app_id=" + App}))
}

func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &socket{conn: conn, ctx: ctx, stop: stop}
	defer c.close()
	s.mu.Lock()
	select {
	case <-s.closed:
		s.mu.Unlock()
		return
	default:
	}
	s.socks = append(s.socks, c)
	n := len(s.socks)
	c.send(Object{
		"type": "hello", "num_connections": n, "connection_info": Object{"app_id": App},
		"debug_info": Object{"host": "applink-1", "build_number": 1, "approximate_connection_time": 3600},
	})
	s.touch()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		for i, x := range s.socks {
			if x == c {
				s.socks = append(s.socks[:i:i], s.socks[i+1:]...)
				break
			}
		}
		s.touch()
		s.mu.Unlock()
	}()
	for {
		_, raw, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var ack struct {
			EnvelopeID string `json:"envelope_id"`
			Payload    struct {
				Text string `json:"text"`
			} `json:"payload"`
		}
		if json.Unmarshal(raw, &ack) != nil {
			continue
		}
		s.mu.Lock()
		delete(s.pending, ack.EnvelopeID)
		if answer := s.answers[ack.EnvelopeID]; answer != nil {
			delete(s.answers, ack.EnvelopeID)
			answer <- ack.Payload.Text
		}
		s.touch()
		s.mu.Unlock()
	}
}

func (c *socket) send(o Object) {
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(c.ctx, 5*time.Second)
	defer cancel()
	if c.conn.Write(ctx, websocket.MessageText, raw) != nil {
		c.close()
	}
}

// dispatchIn tells the app of something in a channel, if its bot is there.
func (s *Server) dispatchIn(ch *channel, e Object) {
	if ch.members[BotUser] || ch.isDirect() && s.seesDirect(ch) {
		s.dispatch(e)
		return
	}
	s.touch()
}

// dispatch tells the app of something; s.mu is held. If it is not connected it never
// learns of it, as with Slack after its few attempts.
func (s *Server) dispatch(e Object) {
	s.touch()
	s.events++
	if e["event_ts"] == nil {
		e["event_ts"] = s.ts()
	}
	payload := Object{
		"token": "verification", "team_id": s.teamID, "api_app_id": App, "type": "event_callback",
		"event_id": fmt.Sprintf("Ev%s%08d", s.teamID, s.events), "event_time": time.Now().Unix(), "event": clone(e),
		"authorizations":        []Object{s.authorization()},
		"is_ext_shared_channel": false, "event_context": "4-test",
	}
	if s.Watch != nil {
		subtype, _ := e["subtype"].(string)
		s.Watch("event", fmt.Sprintf("%v.%s", e["type"], subtype), e)
	}
	env := &envelope{id: s.id("envelope-"), payload: payload}
	if s.hook != "" {
		s.pending[env.id] = env
		s.work.Go(func() { s.sendHook(env) })
		return
	}
	if to := s.through; to != nil {
		to.mu.Lock()
		defer to.mu.Unlock()
		to.pending[env.id] = env
		to.sendEnvelope(env)
		return
	}
	if len(s.socks) == 0 {
		return
	}
	s.pending[env.id] = env
	s.sendEnvelope(env)
}

// authorization is the installation that is told of events.
func (s *Server) authorization() Object {
	o := Object{"enterprise_id": nil, "team_id": s.teamID, "user_id": BotUser, "is_bot": true, "is_enterprise_install": false}
	if s.org != "" {
		o["enterprise_id"], o["team_id"], o["is_enterprise_install"] = s.org, nil, true
	}
	return o
}

func (s *Server) sendEnvelope(env *envelope) {
	if len(s.socks) == 0 {
		return
	}
	env.sent = time.Now()
	if s.keeping {
		s.kept = append(s.kept, env)
		return
	}
	s.socks[s.events%len(s.socks)].send(Object{
		"envelope_id": env.id, "type": "events_api", "payload": env.payload, "accepts_response_payload": false,
		"retry_attempt": env.attempt, "retry_reason": map[bool]string{true: "timeout"}[env.attempt > 0],
	})
}

// repeat sends again what is not acknowledged.
func (s *Server) repeat() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.closed:
			return
		case <-tick.C:
		}
		s.mu.Lock()
		for _, env := range s.pending {
			if s.hook == "" && len(s.socks) > 0 && time.Since(env.sent) > s.AckTimeout {
				env.attempt++
				s.sendEnvelope(env)
			}
		}
		s.mu.Unlock()
	}
}

// Keep has events wait from now on.
func (s *Server) Keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keeping = true
}

// Release sends what waits, the newest first, and all of it twice.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.kept
	s.keeping, s.kept = false, nil
	for range 2 {
		for _, env := range slices.Backward(list) {
			s.sendEnvelope(env)
		}
	}
}

// Again delivers the last event of some kind once more, as Slack does at times.
func (s *Server) Again(event Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch(event)
}

// AwaitConnected waits until the app has so many connections.
func (s *Server) AwaitConnected(t interface {
	Helper()
	Fatalf(string, ...any)
}, n int) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		s.mu.Lock()
		ok, changed := len(s.socks) == n, s.changed
		s.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("the app has not %d connections", n)
		}
	}
}

// Waiting is Unacknowledged for who has the workspace locked.
func (s *Server) Waiting() int { return len(s.pending) }

// Unacknowledged returns how many events the app has not acknowledged.
func (s *Server) Unacknowledged() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending)
}

// Refresh asks the app to connect anew, as Slack does every few hours; then the old
// connection ends.
func (s *Server) Refresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.socks {
		c.send(Object{"type": "disconnect", "reason": "refresh_requested", "debug_info": Object{"host": "applink-1"}})
	}
}

// Warn says that a connection will soon end.
func (s *Server) Warn() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.socks {
		c.send(Object{"type": "disconnect", "reason": "warning", "debug_info": Object{"host": "applink-1"}})
	}
}

// HangUp ends all connections without a word.
func (s *Server) HangUp() {
	s.mu.Lock()
	socks := s.socks
	s.socks = nil
	s.pending = make(map[string]*envelope)
	s.mu.Unlock()
	for _, c := range socks {
		c.close()
	}
}

// SendTo has events go by HTTP to an address from now on.
func (s *Server) SendTo(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = url
}

// sendHook posts an event, up to four times, as Slack does, only sooner.
func (s *Server) sendHook(env *envelope) {
	raw, err := json.Marshal(env.payload)
	if err != nil {
		panic(err)
	}
	for attempt := range 4 {
		req, err := http.NewRequest(http.MethodPost, s.hook, bytes.NewReader(raw))
		if err != nil {
			panic(err)
		}
		Sign(req, raw, time.Now())
		if attempt > 0 {
			req.Header.Set("X-Slack-Retry-Num", strconv.Itoa(attempt))
			req.Header.Set("X-Slack-Retry-Reason", "http_error")
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				s.mu.Lock()
				delete(s.pending, env.id)
				s.touch()
				s.mu.Unlock()
				return
			}
		}
		select {
		case <-s.closed:
			return
		case <-time.After(time.Duration(attempt+1) * 100 * time.Millisecond):
		}
	}
}

// Sign signs a request as Slack does.
func Sign(r *http.Request, body []byte, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(SigningSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}
