package modern

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Caps are what the server offers, with values, if Options do not say otherwise.
func Caps() []string {
	return []string{
		"account-notify", "account-tag", "away-notify", "batch", "cap-notify", "chghost", "draft/chathistory",
		"draft/event-playback", "draft/message-redaction", "draft/multiline=max-bytes=4096,max-lines=24",
		"draft/relaymsg=/", "echo-message", "extended-join", "invite-notify", "labeled-response", "message-tags",
		"multi-prefix", "sasl=PLAIN,EXTERNAL,SCRAM-SHA-256", "server-time", "setname", "standard-replies", "userhost-in-names",
	}
}

// Options say how a server is.
type Options struct {
	// Caps are offered instead of those of Caps.
	Caps []string
	// Accounts are the passwords of accounts.
	Accounts map[string]string
	// Refuse, if set, is asked for each line of a client; an answer that is not empty is sent instead
	// of what the line asks for, with {label} for its label.
	Refuse func(nick, line string) string
	// MaxUnread, if not zero, kills a client that has sent so many bytes which the server, at Rate lines a second after
	// a burst of ten, has not handled yet.
	MaxUnread int
	Rate      float64
	// Ident, if not empty, is the address of the ident server of all clients, which is asked who they are.
	Ident string
	// MaxPerHost, if not zero, is how many clients one address may have.
	MaxPerHost int
}

// Server is a running server.
type Server struct {
	Addr string

	t    testing.TB
	opts Options
	ln   net.Listener
	work sync.WaitGroup

	mu       sync.Mutex
	clients  map[*client]bool
	nicks    map[string]*client
	channels map[string]*channel
	ids      int
	killed   []string
	from     map[string]string // addresses of connections, by nick
}

type channel struct {
	name, topic string
	key         string
	modes       map[byte]bool
	bans        []string
	members     map[*client]string // with their ranks, such as "o"
	invited     map[string]bool
	history     []item
}

// item is something in the history of a channel.
type item struct {
	id, from, account, command string
	tags                       map[string]string
	at                         time.Time
	lines                      []part
	gone                       bool
}

// part is a line of a message.
type part struct {
	text   string
	concat bool
}

// Start starts a server that ends with the test.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if opts.Caps == nil {
		opts.Caps = Caps()
	}
	s := &Server{
		Addr: ln.Addr().String(), t: t, opts: opts, ln: ln, clients: make(map[*client]bool),
		nicks: make(map[string]*client), channels: make(map[string]*channel), from: make(map[string]string),
	}
	s.work.Go(s.accept)
	t.Cleanup(func() {
		ln.Close()
		s.DropAll()
		s.work.Wait()
	})
	return s
}

func (s *Server) accept() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		c := newClient(s, conn, host)
		s.mu.Lock()
		n := 1
		for other := range s.clients {
			if other.host == host {
				n++
			}
		}
		refused := s.opts.MaxPerHost > 0 && n > s.opts.MaxPerHost
		if !refused {
			s.clients[c] = true
		}
		s.mu.Unlock()
		if refused {
			_, _ = conn.Write([]byte("ERROR :Closing link: Too many connections from your host\r\n"))
			conn.Close()
			continue
		}
		s.work.Go(c.write)
		s.work.Go(func() {
			if s.opts.Ident != "" {
				c.identify()
			}
			c.read()
		})
	}
}

// Drop breaks the connection of a nick, without a word.
func (s *Server) Drop(nick string) {
	s.mu.Lock()
	c := s.nicks[fold(nick)]
	s.mu.Unlock()
	if c != nil {
		c.conn.Close()
	}
}

// Freeze has the connection of a nick die without anybody being told: it stays open, but nothing gets through any more.
func (s *Server) Freeze(nick string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.nicks[fold(nick)]; c != nil {
		c.frozen.Store(true)
	}
}

// Kill ends the connection of a nick as an operator does.
func (s *Server) Kill(nick, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.nicks[fold(nick)]; c != nil {
		c.send(fmt.Sprintf(":oper!o@h KILL %s :%s", c.nick, reason))
		s.end(c, "Killed ("+reason+")")
	}
}

// DropAll breaks all connections.
func (s *Server) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.clients {
		c.conn.Close()
	}
}

// Killed are those whom the server has killed for flooding.
func (s *Server) Killed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.killed)
}

// Nicks are all who are there, sorted.
func (s *Server) Nicks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.nicks {
		out = append(out, c.nick)
	}
	slices.Sort(out)
	return out
}

// Where is the address from which a nick has connected, and what it was called at first.
func (s *Server) Where(nick string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from[fold(nick)]
}

// Mode changes modes of a channel, as a server does.
func (s *Server) Mode(channel, modes string, args ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setModes(s.channel(channel), "modern.test.example", modes, args)
}

// Said returns what was said in a channel that is still in its history, each "nick: text".
func (s *Server) Said(channel string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, it := range s.channel(channel).history {
		if it.gone || it.command != "PRIVMSG" {
			continue
		}
		nick, _, _ := strings.Cut(it.from, "!")
		out = append(out, nick+": "+it.text())
	}
	return out
}

// Past puts something into the history of a channel that nobody has heard.
func (s *Server) Past(channel, nick, text string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channel(channel)
	ch.history = append(ch.history, item{
		id: s.nextID(), from: nick + "!" + nick + "@host", command: "PRIVMSG", at: at, lines: []part{{text: text}},
	})
}

func (it *item) text() string {
	var b strings.Builder
	for i, p := range it.lines {
		if i > 0 && !p.concat {
			b.WriteByte('\n')
		}
		b.WriteString(p.text)
	}
	return b.String()
}

// channel returns a channel, made if there is none. s.mu is held.
func (s *Server) channel(name string) *channel {
	ch := s.channels[fold(name)]
	if ch == nil {
		ch = &channel{name: name, modes: map[byte]bool{'n': true, 't': true}, members: make(map[*client]string), invited: make(map[string]bool)}
		s.channels[fold(name)] = ch
	}
	return ch
}

func (s *Server) nextID() string {
	s.ids++
	return fmt.Sprintf("id%d", s.ids)
}

func fold(name string) string { return strings.ToLower(name) }

// end ends a client's connection; s.mu is held.
func (s *Server) end(c *client, reason string) {
	if !s.clients[c] {
		return
	}
	delete(s.clients, c)
	if s.nicks[fold(c.nick)] == c {
		delete(s.nicks, fold(c.nick))
	}
	told := map[*client]bool{c: true}
	for _, ch := range s.channels {
		if _, in := ch.members[c]; !in {
			continue
		}
		delete(ch.members, c)
		for other := range ch.members {
			if !told[other] {
				told[other] = true
				other.from(c, nil, "QUIT", reason)
			}
		}
	}
	c.send("ERROR :Closing link: " + reason)
	c.hangUp()
}
