package irc

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// network is one configured network: the client of its one UserLogin.
type network struct {
	b     *Bridge
	cfg   NetworkConfig
	login *bridgev2.UserLogin
	log   *slog.Logger

	session *session.Session
	paces   *paces
	outbox  *outbox
	ids     *identities
	outage  *outage
	inbox   *inbox
	people  *people
	splits  *splits
	puppets *puppets
	// standbys hear along with the session.
	standbys *standbys
	// channels are those that are bridged.
	channels *channels
	typing   *typing
	gate     *gate
	opening  sync.Mutex // held while a channel is added or ended
	speakers *speakers
	frozen   freezer

	mu sync.Mutex
	// ranksDue are the channels whose ranks are about to be shown.
	ranksDue map[string]bool
	// ranked are, by channel, the ghosts that are shown with a rank.
	ranked  map[string]map[networkid.UserID]bool
	joining map[networkid.PortalID]chan string // who waits for a channel to be joined
	wanted  bool                               // Connect was called
	ready   bool                               // the rooms exist
	running bool
	closing bool // no more work is begun
	stop    func()
	ctx     context.Context // of the background work, while running
	work    appservice.Work
}

var (
	_ bridgev2.NetworkAPI                  = (*network)(nil)
	_ bridgev2.EditHandlingNetworkAPI      = (*network)(nil)
	_ bridgev2.RoomTopicHandlingNetworkAPI = (*network)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI  = (*network)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI = (*network)(nil)
	_ session.Handler                      = (*network)(nil)
	_ session.Syncer                       = (*network)(nil)
)

func newNetwork(ctx context.Context, b *Bridge, cfg NetworkConfig, login *bridgev2.UserLogin) (*network, error) {
	n := &network{b: b, cfg: cfg, login: login, log: b.log.With("network", cfg.ID),
		people: newPeople(), channels: newChannels(cfg.Channels), speakers: newSpeakers(), ranksDue: make(map[string]bool),
		ranked: make(map[string]map[networkid.UserID]bool),
	}
	n.typing = newTyping(n)
	if err := n.loadChannels(ctx); err != nil {
		return nil, err
	}
	n.joining = make(map[networkid.PortalID]chan string)
	n.gate = &gate{spread: cfg.Puppets.Spread}
	n.session = session.New(session.Config{
		Addr: cfg.Address, TLS: cfg.TLS, Nick: cfg.Nick, Username: cfg.Username, Realname: cfg.Realname,
		Password: cfg.ServerPassword, SASL: cfg.SASL, Burst: cfg.Burst, PerSecond: cfg.PerSecond,
		PingInterval: cfg.PingInterval, PingTimeout: cfg.PingInterval / 2,
		Backoff: b.backoff, Handler: n, Log: n.log, Since: n.heardLast,
		Reader: cfg.reader(), Writer: cfg.writer(), Go: b.spawn,
	})
	n.puppets = newPuppets(n)
	n.standbys = newStandbys(n)
	for _, ch := range n.channels.all() {
		n.session.Join(ch.Name, ch.Key)
	}
	n.outbox = newOutbox(cfg.ID, b.store, n.session, n.log, cfg.Queue, n.settled)
	n.paces = newPaces(cfg.UserPace, cfg.ChannelPace)
	n.outbox.paces = n.paces
	n.work.By, n.outbox.spawn = b.spawn, b.spawn
	n.outbox.isKnown = n.isOther
	n.outage = &outage{n: n}
	n.splits = newSplits(cfg.NetsplitWait)
	n.inbox = newInbox(cfg.ID, b.store, n.log)
	ids, err := loadIdentities(ctx, cfg.ID, b.store, n.present)
	if err != nil {
		return nil, err
	}
	n.ids = ids
	return n, nil
}

// Connect implements bridgev2.NetworkAPI. The connection is made once the
// network's rooms exist.
func (n *network) Connect(context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = true
	n.startLocked()
}

// roomsReady lets the connection be made.
func (n *network) roomsReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = true
	n.startLocked()
}

func (n *network) startLocked() {
	if !n.wanted || !n.ready || n.running {
		return
	}
	n.running = true
	// The session ends first: its last words are still stored.
	online, hangUp := context.WithCancel(n.b.br.BackgroundCtx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(online))
	n.stop, n.ctx = hangUp, ctx
	n.work.Go(func() {
		defer cancel()
		if !n.load(online) {
			return
		}
		for _, run := range []func(context.Context){n.outbox.run, n.inbox.run, n.pump, n.runSplits, n.typing.run} {
			n.work.Go(func() { run(ctx) })
		}
		n.work.Go(func() { n.puppets.run(online) })
		n.session.Run(online)
	})
}

// load takes over what an earlier run has left, and does not go on without it. It
// returns false when ctx is done.
func (n *network) load(ctx context.Context) bool {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := n.outbox.load(ctx)
		if err == nil {
			err = n.inbox.load(ctx)
		}
		if err == nil {
			err = n.puppets.load(ctx)
		}
		if err == nil {
			err = n.loadFrozen(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return ctx.Err() == nil
		}
		n.log.Error("cannot read what an earlier run has left, trying again", "error", err, "in", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}

// Disconnect implements bridgev2.NetworkAPI.
func (n *network) Disconnect() {
	n.mu.Lock()
	n.wanted, n.closing = false, true
	stop := n.stop
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
	n.work.Wait()
	n.mu.Lock()
	n.running, n.closing, n.stop = false, false, nil
	n.mu.Unlock()
}

// background runs f beside the rest, unless the network is being disconnected.
func (n *network) background(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running && !n.closing {
		n.work.Go(f)
	}
}

// LogoutRemote implements bridgev2.NetworkAPI.
func (n *network) LogoutRemote(context.Context) { n.Disconnect() }

// IsLoggedIn implements bridgev2.NetworkAPI: messages are taken also while the
// network is away.
func (n *network) IsLoggedIn() bool { return true }

// IsThisUser implements bridgev2.NetworkAPI.
func (n *network) IsThisUser(_ context.Context, user networkid.UserID) bool {
	return user == selfID(n.cfg.ID)
}

// GetChatInfo implements bridgev2.NetworkAPI.
func (n *network) GetChatInfo(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	info := &bridgev2.ChatInfo{Members: &bridgev2.ChatMemberList{MemberMap: bridgev2.ChatMemberMap{}}}
	if portal.MXID == "" {
		// The framework sends a join rule each time it is given.
		info.JoinRule = &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic}
	}
	if portal.PortalKey == spaceKey(n.cfg.ID) {
		info.Name = &n.cfg.Name
		topic := fmt.Sprintf("Channels of the IRC network %s", n.cfg.Name)
		info.Topic = &topic
		kind := database.RoomTypeSpace
		info.Type = &kind
		return info, nil
	}
	if portal.PortalKey == networkRoomKey(n.cfg.ID) {
		return n.networkRoomInfo(), nil
	}
	if _, _, ghost, ok := splitDirect(portal.PortalKey); ok {
		return n.directInfo(ghost), nil
	}
	ch := n.channelOf(portal)
	if ch == nil {
		return nil, fmt.Errorf("%s is no configured channel of %s", portal.ID, n.cfg.ID)
	}
	info.Name = &ch.Name
	info.Members.PowerLevels = channelPower()
	parent := spaceKey(n.cfg.ID).ID
	info.ParentID = &parent
	if topic, ok := n.session.Topic(ch.Name); ok {
		topic = plainTopic(topic)
		info.Topic = &topic
	}
	return info, nil
}

// GetUserInfo implements bridgev2.NetworkAPI.
func (n *network) GetUserInfo(_ context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	nick, ok := n.ids.nick(ghost.ID)
	if !ok {
		_, nick, ok = splitGhost(ghost.ID)
	}
	if !ok || nick == "" {
		return nil, nil
	}
	return userInfo(nick), nil
}

func userInfo(nick string) *bridgev2.UserInfo {
	bot := false
	return &bridgev2.UserInfo{Name: &nick, IsBot: &bot, Identifiers: identifiers(nick)}
}

// GetCapabilities implements bridgev2.NetworkAPI.
func (n *network) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return roomFeatures()
}

// fold folds a nick by the network's casemapping.
func (n *network) fold(nick string) string { return n.session.Support().Casemapping.Fold(nick) }

// present reports whether a folded nick is in a channel, or was until the network was
// split; without a connection, where nobody can know, everybody is.
func (n *network) present(nick string) bool {
	return n.session.Present(nick) || n.splits.has(nick) || !n.session.Connected()
}
