package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ErrDisconnected is returned when something is to be sent without a registered
// connection.
var ErrDisconnected = errors.New("not connected to the IRC network")

// Session is one client of one network over any number of connections. Its
// methods are safe for concurrent use.
type Session struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex
	conn   *conn            // the registered connection, or nil
	wanted map[string]*want // by name as wanted, ASCII-folded

	support *ISupport // by mu: of the last connection
	last    string    // by mu: the nick of the last connection

	nick   string        // by mu: the one that is wanted
	asking chan struct{} // held by who asks; see Ask
}

// want is a channel that the session should be in.
type want struct {
	name, key string
}

// New makes a session; Run starts it.
func New(cfg Config) *Session {
	cfg = cfg.withDefaults()
	return &Session{cfg: cfg, log: cfg.Log, wanted: make(map[string]*want), asking: make(chan struct{}, 1), nick: cfg.Nick}
}

// Run keeps the session connected until ctx is done. It must be called once.
func (s *Session) Run(ctx context.Context) {
	failures := 0
	for attempt := 1; ctx.Err() == nil; attempt++ {
		s.cfg.Handler.HandleEvent(Connecting{Attempt: attempt})
		registered, err := s.runConn(ctx)
		if ctx.Err() != nil {
			s.cfg.Handler.HandleEvent(Disconnected{Err: ctx.Err(), WasRegistered: registered})
			return
		}
		if registered {
			failures = 0
		}
		failures++
		wait := s.cfg.Backoff.delay(failures)
		var auth *authError
		bad := errors.As(err, &auth)
		if bad {
			wait = max(wait, s.cfg.Backoff.Max)
		}
		s.log.Info("disconnected from the IRC network", "error", err, "retry_in", wait)
		s.cfg.Handler.HandleEvent(Disconnected{Err: err, WasRegistered: registered, BadCredentials: bad, RetryIn: wait})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Join adds a channel to those that the session should be in, now and after
// each reconnect.
func (s *Session) Join(name, key string) {
	s.mu.Lock()
	s.wanted[CasemapASCII.Fold(name)] = &want{name: name, key: key}
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.control(joinLine(name, key))
	}
}

// Leave removes a channel from those that the session should be in.
func (s *Session) Leave(name, reason string) {
	s.mu.Lock()
	delete(s.wanted, CasemapASCII.Fold(name))
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.control("PART " + name + " :" + reason)
	}
}

func (s *Session) wants() []*want {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*want, 0, len(s.wanted))
	for _, w := range s.wanted {
		list = append(list, w)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list
}

// wantOf returns the wanted channel of that name under a casemapping.
func (s *Session) wantOf(cm Casemapping, channel string) *want {
	s.mu.Lock()
	defer s.mu.Unlock()
	folded := cm.Fold(channel)
	for _, w := range s.wanted {
		if cm.Fold(w.name) == folded {
			return w
		}
	}
	return nil
}

func (s *Session) setConn(c *conn) {
	s.mu.Lock()
	if s.conn != nil {
		s.support, s.last = s.conn.state.support(), s.conn.state.nickName()
	}
	s.conn = c
	s.mu.Unlock()
}

func (s *Session) current() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

func (s *Session) wantedNick() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nick
}

// SetNick asks for another nick, now and after each reconnect.
func (s *Session) SetNick(nick string) {
	s.mu.Lock()
	s.nick = nick
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.control("NICK " + nick)
	}
}

// Connected reports whether the session is registered with a server.
func (s *Session) Connected() bool { return s.current() != nil }

// Nick returns the session's present nick, or that of the last connection, or the configured one.
func (s *Session) Nick() string {
	s.mu.Lock()
	c, last, wanted := s.conn, s.last, s.nick
	s.mu.Unlock()
	if c != nil {
		return c.state.nickName()
	}
	return cmp.Or(last, wanted)
}

// Support returns what the present server supports, or the last one, or the defaults.
func (s *Session) Support() *ISupport {
	s.mu.Lock()
	c, last := s.conn, s.support
	s.mu.Unlock()
	if c != nil {
		return c.state.support()
	}
	if last != nil {
		return last
	}
	return newISupport()
}

// Present reports whether a nick is in a channel that the session is in.
func (s *Session) Present(nick string) bool {
	c := s.current()
	return c != nil && c.state.present(nick)
}

// InChannel reports whether the session is in a channel.
func (s *Session) InChannel(channel string) bool {
	c := s.current()
	return c != nil && c.state.inChannel(channel)
}

// Topic returns a channel's topic, if the session is in it.
func (s *Session) Topic(channel string) (string, bool) {
	c := s.current()
	if c == nil {
		return "", false
	}
	return c.state.topic(channel)
}

// TopicLock returns whether only a channel's operators may change its topic, and
// whether that is known.
func (s *Session) TopicLock(channel string) (on, known bool) {
	modes, known := s.Modes(channel)
	return modes.Has('t'), known
}

// Modes returns the modes of a channel, and whether they are known.
func (s *Session) Modes(channel string) (modes Modes, known bool) {
	c := s.current()
	if c == nil {
		return "", false
	}
	return c.state.modes(channel)
}

// InChannelWith reports whether the session is in a channel, and somebody else too.
func (s *Session) InChannelWith(channel, nick string) bool {
	c := s.current()
	return c != nil && c.state.isMember(channel, nick)
}

// Member returns what is known of somebody in a channel.
func (s *Session) Member(channel, nick string) (Member, bool) {
	c := s.current()
	if c == nil {
		return Member{}, false
	}
	return c.state.member(channel, nick)
}

// HostCount returns how many in a channel have a host.
func (s *Session) HostCount(channel, host string) int {
	c := s.current()
	if c == nil {
		return 0
	}
	return c.state.hostCount(channel, host)
}

// OwnHost returns the session's host as others see it, or empty while it is not known.
func (s *Session) OwnHost() string {
	c := s.current()
	if c == nil {
		return ""
	}
	c.state.mu.RLock()
	defer c.state.mu.RUnlock()
	return c.state.host
}

// Bans returns the bans of a channel, as far as they are known.
func (s *Session) Bans(channel string) []string {
	c := s.current()
	if c == nil {
		return nil
	}
	return c.state.bans(channel)
}

// Count returns how many are in a channel, or 0 if the session is not.
func (s *Session) Count(channel string) int {
	c := s.current()
	if c == nil {
		return 0
	}
	return c.state.countOf(channel)
}

// Ranked returns the members of a channel that have a rank, such as operators.
func (s *Session) Ranked(channel string) []Member {
	c := s.current()
	if c == nil {
		return nil
	}
	return c.state.ranked(channel)
}

// HasCap reports whether a capability is enabled on the present connection.
func (s *Session) HasCap(name string) bool {
	c := s.current()
	return c != nil && c.hasCap(name)
}

// Multiline returns how long a message of several lines may be on the present connection, in bytes and lines;
// zero lines mean that there are none.
func (s *Session) Multiline() (bytes, lines int) {
	c := s.current()
	if c == nil || !c.hasCap("draft/multiline") || !c.hasCap("batch") {
		return 0, 0
	}
	bytes, lines = 0, maxBatchLines
	for _, limit := range strings.Split(c.offer1("draft/multiline"), ",") {
		name, value, _ := strings.Cut(limit, "=")
		n, err := strconv.Atoi(value)
		switch {
		case err != nil || n <= 0:
		case name == "max-bytes":
			bytes = n
		case name == "max-lines":
			lines = min(n, lines)
		}
	}
	if bytes == 0 {
		return 0, 0 // it must be told
	}
	return bytes, lines
}

// RelaySeparator returns the character that the nicks of those whose messages are relayed (RELAYMSG) must
// contain, or empty if the server does not relay.
func (s *Session) RelaySeparator() string {
	c := s.current()
	if c == nil || !c.hasCap("draft/relaymsg") {
		return ""
	}
	separators := c.offer1("draft/relaymsg")
	if separators == "" {
		return "/"
	}
	return separators[:1]
}

// ClientTag reports whether the server passes a tag of clients on, such as draft/react (CLIENTTAGDENY).
func (s *Session) ClientTag(name string) bool {
	if !s.HasCap("message-tags") {
		return false
	}
	denied := strings.Split(s.Support().Tokens["CLIENTTAGDENY"], ",")
	return !slices.Contains(denied, name) && (!slices.Contains(denied, "*") || slices.Contains(denied, "-"+name))
}

// Aside sends a line if there is room for it beside what matters more; nobody hears what became of it.
func (s *Session) Aside(line *Line) {
	c := s.current()
	if c == nil || len(line.Tags) > 0 && !c.hasCap("message-tags") {
		return
	}
	text, err := line.format()
	if err != nil {
		return
	}
	var tags []string
	for name, value := range line.Tags {
		tags = append(tags, name+"="+escapeTag(value))
	}
	if len(tags) > 0 {
		text = "@" + strings.Join(tags, ";") + " " + text
	}
	c.query(text)
}

// Caps returns what the present connection has of the capabilities of IRCv3, sorted.
func (s *Session) Caps() []string {
	c := s.current()
	if c == nil {
		return nil
	}
	c.capMu.Lock()
	defer c.capMu.Unlock()
	return slices.Sorted(maps.Keys(c.enabled))
}

// MaxText returns how many bytes of text fit into one message with the command
// (PRIVMSG or NOTICE) to the target, so that the whole line still fits when the
// server puts the session's real prefix before it.
func (s *Session) MaxText(command, target string) int {
	prefix, lineLen := 0, 512
	if c := s.current(); c != nil {
		prefix, lineLen = c.state.prefixLen()
	} else {
		prefix = worstPrefix(len(s.wantedNick()))
	}
	n := lineLen - len(": ") - prefix - len(command) - len(target) - len("  :\r\n")
	return max(n, 64)
}

// worstPrefix is the length of nick!user@host for what is not known: user names
// are up to 10 bytes with a ~, hosts up to 63.
func worstPrefix(nick int) int { return nick + len("!~") + 10 + len("@") + 63 }

// Send queues a line. It waits while the queue is full, and returns
// ErrDisconnected, without calling any of the line's functions, if there is no
// registered connection.
func (s *Session) Send(ctx context.Context, line *Line) error {
	c := s.current()
	if c == nil {
		return ErrDisconnected
	}
	return c.enqueue(ctx, line)
}

func joinLine(name, key string) string {
	if key != "" {
		return "JOIN " + name + " " + key
	}
	return "JOIN " + name
}

// authError is a refusal of the password or of SASL.
type authError struct{ reason string }

func (e *authError) Error() string { return "the server refused the credentials: " + e.reason }

// serverError is an ERROR line or a refusal to register.
type serverError struct{ reason string }

func (e *serverError) Error() string { return fmt.Sprintf("closed by the server: %s", e.reason) }
