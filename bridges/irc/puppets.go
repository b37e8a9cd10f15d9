package irc

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// PuppetConfig says whether Matrix users have connections of their own.
type PuppetConfig struct {
	Enabled bool
	// Nick is the template of their nicks; see puppetNick.
	Nick string
	// Cleartext permits users' passwords on connections without TLS.
	Cleartext bool
	// Prefix, if valid, is of addresses, of which each user has one.
	Prefix netip.Prefix
	// Max is how many there may be; those who come later are relayed.
	Max int
	// Spread is how far apart connections are made after a start or an outage.
	Spread time.Duration
	// Idle is after how long without a word from its user a connection ends, until they speak; 0: never.
	Idle time.Duration
}

// puppets are the connections of Matrix users to a network.
type puppets struct {
	n *network

	hosts sync.Mutex // held while a user gets an address

	mu     sync.Mutex
	list   map[id.UserID]*puppet
	ctx    context.Context            // while the network runs
	rests  map[id.UserID]storedPuppet // whose connections have ended until they speak; see rest
	former map[string]formerNick
}

// formerNick is a nick that a puppet had.
type formerNick struct {
	user id.UserID
	at   time.Time
	// free says that the listener has seen the puppet go: the nick may be somebody else's from now on.
	free bool
}

// formerTime is how long a nick that a puppet had is known as such: the listener may hear of its end
// later than the puppet.
const formerTime = 10 * time.Minute

func newPuppets(n *network) *puppets {
	return &puppets{n: n, list: make(map[id.UserID]*puppet), rests: make(map[id.UserID]storedPuppet), former: make(map[string]formerNick)}
}

// load takes over who had a connection, and connects them when the network starts.
func (ps *puppets) load(ctx context.Context) error {
	if !ps.n.cfg.Puppets.Enabled {
		return nil
	}
	list, err := ps.n.b.store.puppets(ctx, ps.n.cfg.ID)
	if err != nil {
		return err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, s := range list {
		if ps.list[s.user] == nil {
			ps.list[s.user] = newPuppet(ps.n, s.user, s.nick, s.channels)
		}
	}
	return nil
}

// run connects the puppets, each a little after the one before, until ctx is done.
func (ps *puppets) run(ctx context.Context) {
	ps.mu.Lock()
	ps.ctx = ctx
	var list []*puppet
	for _, p := range ps.list {
		list = append(list, p)
	}
	ps.mu.Unlock()
	slices.SortFunc(list, func(a, b *puppet) int {
		if a.user < b.user {
			return -1
		}
		return 1
	})
	for _, p := range list {
		ps.startOne(p) // the gate lets one after the other connect
	}
	ps.lookForIdle(ctx)
	ps.mu.Lock()
	ps.ctx = nil
	ps.mu.Unlock()
}

// startOne connects a puppet, unless the network is not running.
func (ps *puppets) startOne(p *puppet) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.ctx != nil && ps.ctx.Err() == nil && ps.list[p.user] == p {
		p.start(ps.ctx)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// of returns a user's puppet in a channel, made if needed. It is nil where users are relayed.
func (ps *puppets) of(user id.UserID, name string, ch *channel) *puppet {
	if !ps.n.cfg.Puppets.Enabled {
		return nil
	}
	ps.mu.Lock()
	p := ps.list[user]
	if p == nil {
		if len(ps.list) >= ps.n.cfg.Puppets.Max {
			ps.mu.Unlock()
			return nil
		}
		if s, rests := ps.rests[user]; rests {
			delete(ps.rests, user)
			p = newPuppet(ps.n, user, ps.freeNick(s.nick), s.channels)
		} else {
			p = newPuppet(ps.n, user, ps.freeNick(puppetNick(ps.n.cfg.Puppets.Nick, name, user)), nil)
		}
		ps.list[user] = p
	}
	p.touch()
	ps.mu.Unlock()
	if ch != nil && !p.join(ch) {
		ps.store(p)
	}
	ps.startOne(p)
	return p
}

// get returns a user's puppet, if there is one.
func (ps *puppets) get(user id.UserID) *puppet {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.list[user]
}

// freeNick is a nick that no other puppet has. ps.mu is held.
func (ps *puppets) freeNick(nick string) string {
	taken := func(nick string) bool {
		for _, p := range ps.list {
			if ps.n.fold(p.Nick()) == ps.n.fold(nick) {
				return true
			}
		}
		return false
	}
	for taken(nick) {
		nick += "_"
	}
	return nick
}

// leave takes a user's puppet out of a channel, and off the network when it was the last.
func (ps *puppets) leave(user id.UserID, ch *channel, reason string) {
	ps.mu.Lock()
	p := ps.list[user]
	ps.mu.Unlock()
	if p == nil {
		ps.leaveResting(user, ch)
		return
	}
	ps.n.ranksChanged(ch) // who has gone has no rank
	if p.part(ch, reason) > 0 {
		ps.store(p)
		return
	}
	ps.mu.Lock()
	delete(ps.list, user)
	ps.formerly(p.Nick(), user)
	ps.mu.Unlock()
	p.end()
	ps.forget(user)
}

func (ps *puppets) forget(user id.UserID) {
	if err := ps.n.b.store.dropPuppet(context.WithoutCancel(ps.n.b.br.BackgroundCtx), ps.n.cfg.ID, user); err != nil {
		ps.n.log.Error("a connection is not forgotten; it is made again at the next start", "user", user, "error", err)
	}
}

func (ps *puppets) store(p *puppet) { ps.remember(p.stored()) }

func (ps *puppets) remember(s storedPuppet) {
	if err := ps.n.b.store.setPuppet(context.WithoutCancel(ps.n.b.br.BackgroundCtx), ps.n.cfg.ID, s); err != nil {
		ps.n.log.Error("a connection is not remembered", "user", s.user, "error", err)
	}
}

// byNick returns the user whose puppet has a nick.
func (ps *puppets) byNick(nick string) (id.UserID, bool) {
	cm := ps.n.session.Support().Casemapping // once: this is asked for each line that is read
	folded := cm.Fold(nick)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for user, p := range ps.list {
		if cm.Fold(p.Nick()) == folded {
			return user, true
		}
	}
	return "", false
}

// has reports whether a nick is, or was a moment ago, that of a puppet.
func (ps *puppets) has(nick string) bool {
	if _, ok := ps.byNick(nick); ok {
		return true
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	f, ok := ps.former[ps.n.fold(nick)]
	return ok && !f.free && time.Since(f.at) < formerTime
}

// lately returns the user whose puppet has a nick or had it last.
func (ps *puppets) lately(nick string) (id.UserID, bool) {
	if user, ok := ps.byNick(nick); ok {
		return user, true
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	f, ok := ps.former[ps.n.fold(nick)]
	return f.user, ok && f.user != "" && time.Since(f.at) < formerTime
}

// formerly notes that a user's puppet has or had a nick. ps.mu is held.
func (ps *puppets) formerly(nick string, user id.UserID) {
	for nick, f := range ps.former {
		if time.Since(f.at) > formerTime {
			delete(ps.former, nick)
		}
	}
	ps.former[ps.n.fold(nick)] = formerNick{user: user, at: time.Now()}
}

// renamed notes that the listener has seen a puppet change its nick, which the puppet may hear of
// later.
func (ps *puppets) renamed(from, to string) {
	user, _ := ps.lately(from)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.formerly(from, user)
	ps.formerly(to, user)
}

// gone notes that the listener has seen a puppet go: the nick may be somebody else's from now on.
func (ps *puppets) gone(nick string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if f, ok := ps.former[ps.n.fold(nick)]; ok {
		f.free = true
		ps.former[ps.n.fold(nick)] = f
	}
}

// hides reports whether an event of the listener is about a puppet, of whom Matrix knows itself.
func (ps *puppets) hides(e session.Event) bool {
	if !ps.n.cfg.Puppets.Enabled {
		return false
	}
	switch e := e.(type) {
	case session.Message:
		return e.Channel != "" && ps.has(e.From.Nick)
	case session.Tags:
		return e.Channel != "" && ps.has(e.From.Nick)
	case session.Redaction:
		return ps.has(e.From.Nick)
	case session.Join:
		return ps.has(e.User.Nick)
	case session.Part:
		return !e.Self && ps.has(e.User.Nick)
	case session.Kick:
		return !e.Self && ps.has(e.Nick)
	case session.Quit:
		if ps.has(e.User.Nick) {
			ps.gone(e.User.Nick)
			return true
		}
	case session.NickChange:
		if !e.Self && ps.has(e.Old) {
			ps.renamed(e.Old, e.New)
			return true
		}
	}
	return false
}

// kicked takes a Matrix user out of a room whose channel they were kicked from.
func (ps *puppets) kicked(p *puppet, e session.Kick) {
	reason := "kicked from " + e.Channel + " by " + e.By.Nick
	if e.Reason != "" && e.Reason != e.By.Nick {
		reason += ": " + plainTopic(e.Reason)
	}
	ps.remove(p, e.Channel, reason)
}

// refused takes a Matrix user out of a room whose channel they are not let into: it is full or by
// invitation, they are banned, lack the key or an account.
func (ps *puppets) refused(p *puppet, e session.JoinFailed) {
	switch e.Code {
	case "471", "473", "474", "475", "477":
		ps.remove(p, e.Channel, "cannot join "+e.Channel+": "+e.Text)
	}
}

// remove takes a Matrix user out of a channel's room.
func (ps *puppets) remove(p *puppet, channel, reason string) {
	ch := ps.n.channel(channel)
	if ch == nil {
		return
	}
	ps.n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) {
		ps.n.insist(ctx, "the removal of a Matrix user", func() error {
			now, err := memberNow(ctx, portal, p.user)
			if err != nil || now.Membership != event.MembershipJoin {
				return err
			}
			content := &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipLeave, Reason: reason}}
			_, err = portal.Bridge.Bot.SendState(ctx, portal.MXID, event.StateMember, string(p.user), content, time.Time{})
			return err
		})
		ps.leave(p.user, ch, "")
	})
}

// onMember follows a Matrix user who comes into a channel's room or leaves it.
func (ps *puppets) onMember(ctx context.Context, portal *bridgev2.Portal, evt *event.Event) {
	ch := ps.n.channelOf(portal)
	if ch == nil || !ps.n.cfg.Puppets.Enabled {
		return
	}
	user, content := id.UserID(evt.GetStateKey()), evt.Content.AsMember()
	switch content.Membership {
	case event.MembershipJoin:
		ps.of(user, content.Displayname, ch)
	case event.MembershipLeave, event.MembershipBan:
		reason := content.Reason
		if reason == "" {
			reason = "left"
		}
		ps.leave(user, ch, cutBytes(plainTopic(reason), maxReason))
	}
}

// mentioned are the Matrix users whose nicks a text names.
func (ps *puppets) mentioned(text string) (users []id.UserID) {
	if !ps.n.cfg.Puppets.Enabled {
		return nil
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return nickChars(string(r)) == "" }) {
		if user, ok := ps.byNick(word); ok && !slices.Contains(users, user) {
			users = append(users, user)
		}
	}
	return users
}
