package discordtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Server is the stand-in. All methods are safe for concurrent use.
type Server struct {
	Token string
	// AppID is the id of the bot's application and of its user.
	AppID string

	listener net.Listener
	http     *http.Server
	done     sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{}
	nextID   uint64
	past     uint64 // how often SayAt was called
	bot      *User
	users    map[string]*User
	guilds   map[string]*Guild
	messages map[string][]*Message // by channel
	webhooks map[string]*Webhook
	files    map[string][]byte
	sessions map[string]*session
	conns    map[*conn]bool
	limits   map[string]*limit
	requests map[string]int
	patterns []string       // of requests that are known
	answered map[string]int // requests by pattern that were not refused
	unknown  []string       // requests that are not known
	fail     func(r *http.Request) int
	late     func(r *http.Request) bool
	// held is closed when answers to what begins with heldPrefix are given again; nil for at once.
	held       chan struct{}
	heldPrefix string
	// guildsHeld says that new sessions are not told of guilds yet, by untold.
	guildsHeld bool
	untold     []func()
	// Allowed are the privileged intents that the application may ask for.
	allowed int
	nonces  int
	resumes int
	// Shards is how many connections the bot is to have.
	shards       int
	sessionsLeft int               // how many sessions the bot may begin, as it is told
	noResumes    bool              // sessions are not resumed
	directs      map[string]string // channels of direct messages, with whom
	closed       []string          // who takes none
	commands     []string
	interactions map[string]string  // tokens of those that are not answered
	answers      map[string]string  // by token
	consents     map[string]consent // by code
	redirects    []string           // where people may be sent back to; none: anywhere
	bearers      map[string]string  // whose a token is
}

// New starts a stand-in on an address, such as "127.0.0.1:0".
func New(address string) (*Server, error) {
	s := &Server{
		Token: "bot-token", AppID: "100000000000000001",
		changed: make(chan struct{}), users: map[string]*User{}, guilds: map[string]*Guild{},
		messages: map[string][]*Message{}, webhooks: map[string]*Webhook{}, files: map[string][]byte{},
		sessions: map[string]*session{}, conns: map[*conn]bool{}, limits: map[string]*limit{},
		requests: map[string]int{}, answered: map[string]int{}, allowed: 1<<1 | 1<<8 | 1<<15, shards: 1, sessionsLeft: 999,
		directs: map[string]string{}, interactions: map[string]string{}, answers: map[string]string{},
		consents: map[string]consent{}, bearers: map[string]string{}, redirects: []string{},
	}
	s.bot = &User{ID: s.AppID, Username: "landbridge", Discriminator: "0", Bot: true}
	s.users[s.bot.ID] = s.bot
	if err := s.Listen(address); err != nil {
		return nil, err
	}
	return s, nil
}

// Listen makes the server reachable, again after Close.
func (s *Server) Listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.listener = l
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	s.done.Go(func() { _ = s.http.Serve(l) }) // ends with Close
	return nil
}

// Close makes the server unreachable and breaks all connections; what it knows stays.
func (s *Server) Close() {
	_ = s.http.Close()
	s.DropConnections()
	s.done.Wait()
}

// Addr is host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base of the API.
func (s *Server) URL() string { return "http://" + s.Addr() + "/api/v10" }

// CDN is the base of files.
func (s *Server) CDN() string { return "http://" + s.Addr() + "/cdn" }

// id makes a snowflake of now; s.mu is held.
func (s *Server) id() string {
	now := uint64(time.Now().UnixMilli()-epoch) << 22
	if now <= s.nextID {
		now = s.nextID + 1
	}
	s.nextID = now
	return strconv.FormatUint(now, 10)
}

func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait waits until cond is true; it is called whenever something changes.
func (s *Server) Wait(ctx context.Context, cond func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if cond() {
			return nil
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// AddUser makes an account.
func (s *Server) AddUser(name string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &User{ID: s.id(), Username: name, Discriminator: "0"}
	s.users[u.ID] = u
	return u
}

// AddGuild makes a guild that belongs to owner and has the bot in it. The bot has the
// permissions of a role of its own.
func (s *Server) AddGuild(name string, owner *User) *Guild {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &Guild{ID: s.id(), Name: name, OwnerID: owner.ID}
	g.Roles = append(g.Roles,
		&Role{ID: g.ID, Name: "@everyone", Permissions: bits(Everyday)},
		&Role{ID: s.id(), Name: "Bridge", Position: 1, Permissions: bits(Everyday | ManageWebhooks | ManageMessages), Managed: true})
	g.Members = append(g.Members, s.member(owner), s.member(s.bot))
	g.Members[1].Roles = []string{g.Roles[1].ID}
	s.guilds[g.ID] = g
	return g
}

func (s *Server) member(u *User) *Member {
	return &Member{User: u, Roles: []string{}, JoinedAt: stamp(time.Now())}
}

// AddChannel makes a channel; parent is the id of a category, or "".
func (s *Server) AddChannel(g *Guild, kind int, name, parent string, overwrites ...Overwrite) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := &Channel{ID: s.id(), Type: kind, GuildID: g.ID, Name: name, Position: len(g.Channels), Overwrites: append([]Overwrite{}, overwrites...)}
	if parent != "" {
		ch.ParentID = &parent
	}
	g.Channels = append(g.Channels, ch)
	s.dispatch(g.ID, "CHANNEL_CREATE", ch)
	return ch
}

// UpdateChannel changes a channel.
func (s *Server) UpdateChannel(ch *Channel, f func(*Channel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(ch)
	kind := "CHANNEL_UPDATE"
	if ch.ThreadMetadata != nil {
		kind = "THREAD_UPDATE"
	}
	s.dispatch(ch.GuildID, kind, ch)
}

// DeleteChannel deletes a channel.
func (s *Server) DeleteChannel(ch *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.guilds[ch.GuildID]
	g.Channels = slices.DeleteFunc(g.Channels, func(c *Channel) bool { return c == ch })
	s.dispatch(ch.GuildID, "CHANNEL_DELETE", ch)
}

// AddMember has a user join a guild.
func (s *Server) AddMember(g *Guild, u *User, roles ...string) *Member {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.member(u)
	m.Roles = append(m.Roles, roles...)
	g.Members = append(g.Members, m)
	s.dispatch(g.ID, "GUILD_MEMBER_ADD", withGuild(m, g.ID))
	return m
}

// AddMembers has many accounts be in a guild, of which nobody is told.
func (s *Server) AddMembers(g *Guild, n int) (list []*User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range n {
		u := &User{ID: s.id(), Username: fmt.Sprint("member", i), Discriminator: "0"}
		s.users[u.ID] = u
		g.Members = append(g.Members, s.member(u))
		list = append(list, u)
	}
	return list
}

// UpdateMember changes a member.
func (s *Server) UpdateMember(g *Guild, m *Member, f func(*Member)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(m)
	s.dispatch(g.ID, "GUILD_MEMBER_UPDATE", withGuild(m, g.ID))
}

// RemoveMember has a user leave.
func (s *Server) RemoveMember(g *Guild, u *User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeMember(g, u)
}

// AddRole makes a role.
func (s *Server) AddRole(g *Guild, name string, permissions int64) *Role {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Role{ID: s.id(), Name: name, Position: len(g.Roles), Permissions: bits(permissions)}
	g.Roles = append(g.Roles, r)
	s.dispatch(g.ID, "GUILD_ROLE_CREATE", map[string]any{"guild_id": g.ID, "role": r})
	return r
}

// UpdateRole changes a role.
func (s *Server) UpdateRole(g *Guild, r *Role, f func(*Role)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(r)
	s.dispatch(g.ID, "GUILD_ROLE_UPDATE", map[string]any{"guild_id": g.ID, "role": r})
}

// withGuild is a value's JSON with the guild's id in it.
func withGuild(v any, guild string) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // of the package's own types
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		panic(err)
	}
	m["guild_id"] = guild
	return m
}

// Say has a member write in a channel; f, if not nil, changes the message before it is
// sent.
func (s *Server) Say(ch *Channel, u *User, text string, f func(*Message)) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.newMessage(ch, u, text)
	if f != nil {
		f(m)
	}
	return s.post(ch, m)
}

// newMessage makes a message; s.mu is held.
func (s *Server) newMessage(ch *Channel, u *User, text string) *Message {
	return &Message{
		ID: s.id(), ChannelID: ch.ID, GuildID: ch.GuildID, Author: u, Content: text, Timestamp: stamp(time.Now()),
		Mentions: []*User{}, MentionRoles: []string{}, Attachments: []Attachment{}, Embeds: []map[string]any{}, Components: []map[string]any{},
	}
}

// post adds a message and tells of it; s.mu is held.
func (s *Server) post(ch *Channel, m *Message) *Message {
	s.messages[ch.ID] = append(s.messages[ch.ID], m)
	ch.LastMessageID = &m.ID
	out := *m
	if g := s.guilds[ch.GuildID]; g != nil && m.WebhookID == "" {
		for _, member := range g.Members {
			if member.User.ID == m.Author.ID {
				short := *member
				short.User = nil
				out.Member = &short
			}
		}
	}
	s.dispatch(ch.GuildID, "MESSAGE_CREATE", out)
	return m
}

// Edit changes a message.
func (s *Server) Edit(m *Message, f func(*Message)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(m)
	m.EditedTimestamp = ptr(stamp(time.Now()))
	s.dispatch(m.GuildID, "MESSAGE_UPDATE", *m)
}

// Delete deletes messages of one channel, several of them in bulk.
func (s *Server) Delete(list ...*Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, m := range list {
		ids = append(ids, m.ID)
		s.messages[m.ChannelID] = slices.DeleteFunc(s.messages[m.ChannelID], func(o *Message) bool { return o == m })
	}
	if len(ids) == 1 {
		s.dispatch(list[0].GuildID, "MESSAGE_DELETE", map[string]any{"id": ids[0], "channel_id": list[0].ChannelID, "guild_id": list[0].GuildID})
		return
	}
	s.dispatch(list[0].GuildID, "MESSAGE_DELETE_BULK", map[string]any{"ids": ids, "channel_id": list[0].ChannelID, "guild_id": list[0].GuildID})
}

// React adds a reaction of a user, or removes it. A custom emoji is "name:id", or "a:name:id" if it is animated.
func (s *Server) React(m *Message, u *User, emoji string, add bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.react(m, u.ID, emoji, add)
}

// Messages are the messages of a channel.
func (s *Server) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Message
	for _, m := range s.messages[channel] {
		c := *m
		c.Reactions = nil
		for _, r := range m.Reactions {
			c.Reactions = append(c.Reactions, ptr(*r))
		}
		list = append(list, c)
	}
	return list
}

// Threads are the threads of a guild.
func (s *Server) Threads(g *Guild) []Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Channel
	for _, t := range g.Threads {
		c, md := *t, *t.ThreadMetadata
		c.ThreadMetadata = &md
		list = append(list, c)
	}
	return list
}

// StartThread starts a thread from a message, or, without one, in a channel.
func (s *Server) StartThread(ch *Channel, m *Message, u *User, name string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.startThread(ch, m, u, name)
}

// StartPrivateThread starts a thread that not everybody sees who sees the channel.
func (s *Server) StartPrivateThread(ch *Channel, u *User, name string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.threadOf(ch, 12, s.id(), u, name)
}

// Post starts a post of a forum.
func (s *Server) Post(forum *Channel, u *User, name, text string) (*Channel, *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.thread(forum, s.id(), u, name)
	m := s.newMessage(t, u, text)
	m.ID = t.ID
	return t, s.post(t, m)
}

// SetShards says how many connections the bot is to have; each gets the guilds whose id says so.
func (s *Server) SetShards(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shards = n
}

// DropConnections breaks all connections of the gateway; sessions can be resumed.
func (s *Server) DropConnections() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.ws.Close()
	}
}

// ForgetSessions makes sessions such that they cannot be resumed.
func (s *Server) ForgetSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions = map[string]*session{}
}

// DisallowIntents takes privileged intents away from the application.
func (s *Server) DisallowIntents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed = 0
}

// Limit gives the requests whose path begins with prefix a limit of rates.
func (s *Server) Limit(prefix string, n int, per time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[prefix] = &limit{n: n, per: per}
}

// Fail has f say with which status a request fails before anything is done; 0 for not
// at all.
func (s *Server) Fail(f func(r *http.Request) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// HoldAnswers has requests to paths with a prefix be done and not answered, until ReleaseAnswers.
func (s *Server) HoldAnswers(prefix string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.heldPrefix = make(chan struct{}), prefix
}

// ReleaseAnswers gives the answers.
func (s *Server) ReleaseAnswers() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.held)
	s.held = nil
}

// Find is the message itself of which m is a copy.
func (s *Server) Find(m *Message) *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, have := range s.messages[m.ChannelID] {
		if have.ID == m.ID {
			return have
		}
	}
	return m
}

// FailAfter has f say which requests fail after all has been done: the connection is
// broken instead of an answer.
func (s *Server) FailAfter(f func(r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = f
}

// AddFile puts a file on the file server and returns its address.
func (s *Server) AddFile(path string, data []byte) string {
	s.mu.Lock()
	s.files[path] = data
	s.mu.Unlock()
	return s.CDN() + path
}

// File is a file of the file server.
func (s *Server) File(address string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(address) < len(s.CDN()) {
		return nil
	}
	return s.files[address[len(s.CDN()):]]
}

// Requests is how many requests were made to a pattern.
func (s *Server) Requests(pattern string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[pattern]
}

// Routes are the patterns of all requests that the server knows.
func (s *Server) Routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.patterns)
}

// Answered is how many requests to a pattern were not refused.
func (s *Server) Answered(pattern string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answered[pattern]
}

// Unknown are the requests that the server does not know.
func (s *Server) Unknown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unknown)
}

// DeleteWebhooks deletes all webhooks of a channel, as somebody in its settings would.
func (s *Server) DeleteWebhooks(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, w := range s.webhooks {
		if w.ChannelID == channel {
			delete(s.webhooks, id)
		}
	}
	s.dispatch(s.guildOf(channel), "WEBHOOKS_UPDATE", map[string]any{"channel_id": channel, "guild_id": s.guildOf(channel)})
}

func (s *Server) guildOf(channel string) string {
	if ch := s.channel(channel); ch != nil {
		return ch.GuildID
	}
	return ""
}

// channel finds a channel or a thread; s.mu is held.
func (s *Server) channel(id string) *Channel {
	for _, g := range s.guilds {
		for _, list := range [][]*Channel{g.Channels, g.Threads} {
			for _, ch := range list {
				if ch.ID == id {
					return ch
				}
			}
		}
	}
	return nil
}

// Dispatch sends an event as it is, to all sessions: for what is not as documented.
func (s *Server) Dispatch(guild, kind string, data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dispatch(guild, kind, data)
}
