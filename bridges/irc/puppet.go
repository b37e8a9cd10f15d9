package irc

import (
	"context"
	"crypto/tls"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// puppet is a Matrix user's own connection to a network. Its nick is theirs, and what they say
// goes through it, without their name before it.
//
// What everybody can see comes from the bridge's own connection, the listener. A puppet's
// connection is listened to for what is for its user alone: private messages, kicks, refusals.
type puppet struct {
	n       *network
	user    id.UserID
	log     *slog.Logger
	session *session.Session
	outbox  *outbox

	mu         sync.Mutex
	nick       string    // that the server knows, or the one that is asked for
	channels   []string  // that it should be in, as configured
	lastNotice string    // of a server
	identify   string    // what is said to NickServ where there is no SASL; empty for nothing
	failures   int       // attempts to connect since the last that succeeded
	asked      bool      // the user wants to hear how logging in ends
	told       bool      // the user has heard that it has failed
	account    string    // as whom the connection is logged in; empty for as nobody
	turnedAway []string  // channels that did not let the user in before they were logged in
	active     time.Time // when the user was last heard of
	stop       context.CancelFunc
	done       chan struct{} // closed when it has ended; nil before it was started
}

var (
	_ session.Handler = (*puppet)(nil)
	_ session.Syncer  = (*puppet)(nil)
	_ sender          = (*puppet)(nil)
)

// outboxKey is under which network the messages of a puppet are stored.
func outboxKey(network string, user id.UserID) string { return network + "|" + string(user) }

func newPuppet(n *network, user id.UserID, nick string, channels []string) *puppet {
	p := &puppet{n: n, user: user, log: n.log.With("user", user), nick: nick, channels: channels, active: time.Now()}
	secure := withoutCertificate(n.cfg.TLS)
	var sasl session.Mechanism
	a, err := n.b.store.account(context.WithoutCancel(n.b.br.BackgroundCtx), n.cfg.ID, user)
	if err != nil {
		p.log.Error("a user is connected without what they have chosen", "error", err)
	}
	if a.nick != "" {
		nick, p.nick = a.nick, a.nick
	}
	if pair, err := a.secret.certificate(); err == nil && pair != nil && secure != nil {
		secure.Certificates = []tls.Certificate{*pair}
		sasl = &session.External{}
	}
	if a.secret != nil && a.secret.Password != "" {
		sasl = &session.Plain{User: a.secret.User, Password: a.secret.Password, AllowCleartext: n.cfg.TLS == nil && n.cfg.Puppets.Cleartext}
		p.identify = "IDENTIFY " + a.secret.User + " " + a.secret.Password
		if n.cfg.TLS == nil && !n.cfg.Puppets.Cleartext {
			sasl, p.identify = nil, ""
		}
	}
	p.session = session.New(session.Config{
		Addr: n.cfg.Address, TLS: secure, Nick: nick, Username: puppetUsername(user), Realname: string(user),
		SASL: sasl, SASLOptional: true, Dial: p.dial, Gate: n.gate.wait, Reader: n.cfg.reader(), Writer: n.cfg.writer(),
		Password: n.cfg.ServerPassword, Burst: n.cfg.Burst, PerSecond: n.cfg.PerSecond, PingInterval: n.cfg.PingInterval, PingTimeout: n.cfg.PingInterval / 2, Backoff: n.b.backoff, SelfOnly: true, Go: n.b.spawn, Handler: p, Log: p.log,
	})
	for _, name := range channels {
		if ch := n.channel(name); ch != nil {
			p.session.Join(ch.Name, ch.Key)
		}
	}
	p.outbox = newOutbox(outboxKey(n.cfg.ID, user), n.b.store, p, p.log, n.cfg.Queue, n.settled)
	p.outbox.spawn, p.outbox.paces = n.b.spawn, n.paces
	p.outbox.isKnown = n.isOther
	return p
}

// withoutCertificate is the setting for a connection that is not the bridge's own account's.
func withoutCertificate(cfg *tls.Config) *tls.Config {
	if cfg == nil {
		return nil
	}
	cfg = cfg.Clone()
	cfg.Certificates = nil
	return cfg
}

// start connects, until ctx is done or end is called.
func (p *puppet) start(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done != nil {
		return
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.done = make(chan struct{})
	p.n.work.Go(func() {
		defer close(p.done)
		p.run(ctx)
	})
}

func (p *puppet) run(ctx context.Context) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := p.outbox.load(ctx)
		if err == nil {
			break
		}
		p.log.Error("cannot read what a user has left to say, trying again", "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
	// The session ends first: its last words are still settled.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.outbox.start(sending)
	p.session.Run(ctx)
	cancel()
	p.outbox.stop()
}

// end disconnects. It does not wait for it.
func (p *puppet) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
	}
}

// Nick returns the puppet's nick.
func (p *puppet) Nick() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nick
}

func (p *puppet) setNick(nick string) {
	p.mu.Lock()
	changed := p.nick != nick
	p.nick = nick
	p.mu.Unlock()
	if changed {
		p.n.puppets.store(p)
	}
}

// join brings the puppet into a channel, and reports whether it was to be there already.
func (p *puppet) join(ch *channel) (already bool) {
	p.mu.Lock()
	already = slices.Contains(p.channels, ch.Name)
	if !already {
		p.channels = append(p.channels, ch.Name)
	}
	p.mu.Unlock()
	if !already {
		p.session.Join(ch.Name, ch.Key)
	}
	return already
}

// part takes the puppet out of a channel, and returns in how many it is left.
func (p *puppet) part(ch *channel, reason string) int {
	p.mu.Lock()
	was := slices.Contains(p.channels, ch.Name)
	p.channels = slices.DeleteFunc(p.channels, func(name string) bool { return name == ch.Name })
	left := len(p.channels)
	p.mu.Unlock()
	if was {
		p.session.Leave(ch.Name, reason)
	}
	return left
}

func (p *puppet) stored() storedPuppet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return storedPuppet{user: p.user, nick: p.nick, channels: slices.Clone(p.channels)}
}

// Send implements sender.
func (p *puppet) Send(ctx context.Context, l *session.Line) error { return p.session.Send(ctx, l) }

// InChannel implements sender: people can be talked to from anywhere.
func (p *puppet) InChannel(target string) bool {
	if !isChannel(target) {
		return p.session.Connected()
	}
	return p.session.InChannel(target)
}

// MaxText implements sender.
func (p *puppet) MaxText(command, target string) int { return p.session.MaxText(command, target) }

// TopicLock implements sender.
func (p *puppet) TopicLock(channel string) (on, known bool) { return p.session.TopicLock(channel) }

// HasCap implements sender.
func (p *puppet) HasCap(name string) bool { return p.session.HasCap(name) }

// ClientTag implements sender.
func (p *puppet) ClientTag(name string) bool { return p.session.ClientTag(name) }

// Multiline implements sender.
func (p *puppet) Multiline() (bytes, lines int) { return p.session.Multiline() }

// RelaySeparator implements sender: a puppet speaks for itself.
func (p *puppet) RelaySeparator() string { return "" }

// History implements sender.
func (p *puppet) History(ctx context.Context, target string, after time.Time, limit int) ([]session.Message, error) {
	return p.session.History(ctx, target, after, limit)
}

func isChannel(target string) bool {
	return target != "" && strings.IndexByte("#&!+", target[0]) >= 0
}

// giveUpAfter is how many attempts to connect may fail before who waits for them is told.
const giveUpAfter = 3

// HandleEvent implements session.Handler.
func (p *puppet) HandleEvent(e session.Event) {
	switch e := e.(type) {
	case session.Registered:
		p.mu.Lock()
		p.failures, p.turnedAway = 0, nil
		p.mu.Unlock()
		p.n.gate.ended(nil)
		if p.identify != "" && !p.session.HasCap("sasl") {
			p.session.Aside(&session.Line{Command: "PRIVMSG", Params: []string{"NickServ", p.identify}})
		}
		p.setNick(e.Nick)
		p.outbox.unblockAll()
	case session.LoggedIn:
		p.loggedIn(e)
	case session.Disconnected:
		p.n.standbys.lost(p, "")
		p.disconnected(e)
	case session.NickChange:
		if e.Self {
			p.setNick(e.New)
		}
	case session.Names:
		p.outbox.unblock(e.Channel)
		p.n.standbys.present(p, e.Channel)
	case session.Join:
		if p.n.isListener(e.User.Nick) {
			p.n.standbys.listenerJoined(p, e.Channel)
		}
	case session.Part:
		if e.Self {
			p.n.standbys.lost(p, e.Channel)
		}
	case session.JoinFailed:
		p.outbox.block(e.Channel, e.Text)
		if e.Code != "477" || !p.mayYet(e.Channel) {
			p.n.puppets.refused(p, e)
		}
	case session.Kick:
		if e.Self {
			p.n.standbys.lost(p, e.Channel)
			p.n.puppets.kicked(p, e)
		}
	case session.Invite:
		if e.Self {
			if out := p.n.invitation(p.user, e); out != nil {
				p.n.inbox.put(out)
			}
		}
	case session.Notice:
		p.noticed(e)
	case session.Message:
		if e.Channel != "" {
			p.n.standbys.hears(p, e)
		} else if !e.Echo {
			p.touch()
			if out := p.n.privateEntry(p.user, e); out != nil {
				p.n.inbox.put(out)
			}
		}
	}
}

// noticed hears what a server says to a user alone; it is kept for who asks why something does not work.
func (p *puppet) noticed(e session.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastNotice = plainTopic(e.Text)
}

// Sync implements session.Syncer.
func (p *puppet) Sync() { p.n.inbox.sync() }

// disconnected tells who waits that it will take longer, when it does.
func (p *puppet) disconnected(e session.Disconnected) {
	p.mu.Lock()
	p.failures++
	if e.WasRegistered {
		p.failures = 1
	}
	failures, tell := p.failures, e.BadCredentials && !p.told
	p.account, p.told = "", p.told || e.BadCredentials
	p.mu.Unlock()
	p.n.gate.ended(e.Err)
	if tell {
		p.n.tell(p.user, "You are not let in to "+p.n.cfg.Name+": "+e.Err.Error()+". `storepass` stores another password, `removepass` forgets it; until then you cannot speak there.")
	}
	if e.BadCredentials || failures >= giveUpAfter {
		p.outbox.blockAll("your own connection to " + p.n.cfg.Name + " cannot be made: " + e.Err.Error())
	}
}
