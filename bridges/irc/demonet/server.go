package demonet

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on what clients can do.
const (
	maxClients     = 256
	maxChannels    = 256 // on the server
	maxJoined      = 50  // by one client
	maxMembers     = 1000
	nickLen        = 30
	channelLen     = 50
	topicLen       = 390
	maxBans        = 50
	sendQueue      = 4096
	lineLen        = 512
	tagLen         = 4096
	registerWithin = 30 * time.Second
)

// Options configures a server.
type Options struct {
	// Listen is the address to listen on; port 0 takes a free one.
	Listen string
	// Name is the server's name and Network the network's.
	Name, Network string
	// Caps are the capabilities to offer; nil offers all that are implemented.
	Caps []string
	// People makes the scripted people live in the channels of Channels.
	People bool
	// Pace is the mean time between things that people say unasked (default 40 s).
	Pace time.Duration
	// PingEvery is how long a client may be silent (default 90 s).
	PingEvery time.Duration
	Log       *slog.Logger
}

// Channels are the channels in which the scripted people live.
var channelTopics = []struct{ name, topic string }{
	{"#lobby", "Welcome to the demonstration network. Say hello!"},
	{"#garden", "Vegetables, flowers and the weather"},
}

// Channels returns the names of the channels in which the scripted people live.
func Channels() []string {
	names := make([]string, 0, len(channelTopics))
	for _, c := range channelTopics {
		names = append(names, c.name)
	}
	return names
}

// Server is a running IRC server. Its methods are safe for concurrent use.
type Server struct {
	opts    Options
	log     *slog.Logger
	ln      net.Listener
	caps    map[string]bool
	started time.Time
	ids     atomic.Uint64
	work    sync.WaitGroup
	people  *people

	mu       sync.Mutex
	clients  map[*client]bool
	nicks    map[string]*client // registered, by folded nick
	channels map[string]*channel
	closed   bool
}

type channel struct {
	name, topic, topicBy  string
	topicAt, created      time.Time
	key                   string
	moderated, inviteOnly bool
	noExternal, topicLock bool
	bans                  []string
	members               map[*client]*membership
	invited               map[*client]bool
	permanent             bool
}

type membership struct{ op, voice bool }

var allCaps = []string{"message-tags", "server-time", "echo-message", "multi-prefix", "cap-notify"}

// Start starts a server.
func Start(opts Options) (*Server, error) {
	if opts.Name == "" {
		opts.Name = "irc.demo.landbridge"
	}
	if opts.Network == "" {
		opts.Network = "Demo"
	}
	if opts.Pace == 0 {
		opts.Pace = 40 * time.Second
	}
	if opts.PingEvery == 0 {
		opts.PingEvery = 90 * time.Second
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Caps == nil {
		opts.Caps = allCaps
	}
	ln, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, fmt.Errorf("demonstration IRC network: %w", err)
	}
	s := &Server{
		opts: opts, log: opts.Log, ln: ln, started: time.Now(),
		caps:     make(map[string]bool),
		clients:  make(map[*client]bool),
		nicks:    make(map[string]*client),
		channels: make(map[string]*channel),
	}
	for _, name := range opts.Caps {
		s.caps[name] = true
	}
	if opts.People {
		s.people = newPeople(s)
		s.work.Add(1)
		go func() {
			defer s.work.Done()
			s.people.run()
		}()
	}
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		s.accept()
	}()
	return s, nil
}

// Addr is the address that clients connect to.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Close ends the server and waits for its goroutines.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.ln.Close()
	if s.people != nil {
		s.people.stop()
	}
	s.Drop("Server is shutting down")
	s.work.Wait()
}

// Drop ends all connections of clients with the reason.
func (s *Server) Drop(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		if !c.virtual() {
			c.kill(reason)
		}
	}
}

func (s *Server) accept() {
	for {
		nc, err := s.ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed || len(s.clients) >= maxClients {
			s.mu.Unlock()
			_ = nc.SetDeadline(time.Now().Add(time.Second))
			_, _ = nc.Write([]byte("ERROR :This server is full\r\n"))
			nc.Close()
			continue
		}
		c := newClient(s, nc)
		s.clients[c] = true
		s.work.Add(2)
		s.mu.Unlock()
		go func() {
			defer s.work.Done()
			c.write()
		}()
		go func() {
			defer s.work.Done()
			c.read()
		}()
	}
}

// channelOf returns a channel by name, or nil.
func (s *Server) channelOf(name string) *channel { return s.channels[fold(name)] }

// leave removes a client from a channel, and the channel if it is empty.
func (s *Server) leave(ch *channel, c *client) {
	delete(ch.members, c)
	delete(ch.invited, c)
	delete(c.joined, ch)
	if len(ch.members) == 0 && !ch.permanent {
		delete(s.channels, fold(ch.name))
	}
}

// fold is the casemapping ascii.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
