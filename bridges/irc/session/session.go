package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
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
}

// want is a channel that the session should be in.
type want struct {
	name, key string
}

// New makes a session; Run starts it.
func New(cfg Config) *Session {
	cfg = cfg.withDefaults()
	return &Session{cfg: cfg, log: cfg.Log, wanted: make(map[string]*want)}
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
	s.conn = c
	s.mu.Unlock()
}

func (s *Session) current() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// Connected reports whether the session is registered with a server.
func (s *Session) Connected() bool { return s.current() != nil }

// Nick returns the session's present nick, or the configured one.
func (s *Session) Nick() string {
	if c := s.current(); c != nil {
		return c.state.nickName()
	}
	return s.cfg.Nick
}

// Support returns what the present server supports, or the defaults.
func (s *Session) Support() *ISupport {
	if c := s.current(); c != nil {
		return c.state.support()
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
	c := s.current()
	if c == nil {
		return false, false
	}
	modes, known := c.state.modes(channel)
	return modes.Has('t'), known
}

// InChannelWith reports whether the session is in a channel, and somebody else too.
func (s *Session) InChannelWith(channel, nick string) bool {
	c := s.current()
	return c != nil && c.state.isMember(channel, nick)
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

// MaxText returns how many bytes of text fit into one message with the command
// (PRIVMSG or NOTICE) to the target, so that the whole line still fits when the
// server puts the session's real prefix before it.
func (s *Session) MaxText(command, target string) int {
	prefix, lineLen := 0, 512
	if c := s.current(); c != nil {
		prefix, lineLen = c.state.prefixLen()
	} else {
		prefix = worstPrefix(len(s.cfg.Nick))
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
