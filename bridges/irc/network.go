package irc

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// network is one configured network: the client of its one UserLogin.
type network struct {
	b     *Bridge
	cfg   NetworkConfig
	login *bridgev2.UserLogin
	log   *slog.Logger

	session *session.Session
	outbox  *outbox
	ids     *identities
	outage  *outage
	// incoming holds events between the connection and the portals. When it is
	// full the connection is read no further.
	incoming chan session.Event
	// introduced holds the names of the ghosts that Matrix knows of in this run;
	// it belongs to the pump.
	introduced map[networkid.UserID]string

	mu      sync.Mutex
	wanted  bool // Connect was called
	ready   bool // the rooms exist
	running bool
	cancel  context.CancelFunc
	work    sync.WaitGroup
}

var (
	_ bridgev2.NetworkAPI                  = (*network)(nil)
	_ bridgev2.EditHandlingNetworkAPI      = (*network)(nil)
	_ bridgev2.RoomTopicHandlingNetworkAPI = (*network)(nil)
	_ session.Handler                      = (*network)(nil)
)

// incomingBuffer is how many events may wait for the homeserver.
const incomingBuffer = 10_000

func newNetwork(ctx context.Context, b *Bridge, cfg NetworkConfig, login *bridgev2.UserLogin) (*network, error) {
	n := &network{b: b, cfg: cfg, login: login, log: b.log.With("network", cfg.ID),
		incoming:   make(chan session.Event, incomingBuffer),
		introduced: make(map[networkid.UserID]string),
	}
	n.session = session.New(session.Config{
		Addr: cfg.Address, TLS: cfg.TLS, Nick: cfg.Nick, Username: cfg.Username, Realname: cfg.Realname,
		Password: cfg.ServerPassword, SASL: cfg.SASL, Burst: cfg.Burst, PerSecond: cfg.PerSecond,
		Backoff: b.backoff, Handler: n, Log: n.log,
	})
	for _, ch := range cfg.Channels {
		n.session.Join(ch.Name, ch.Key)
	}
	n.outbox = newOutbox(cfg.ID, b.store, n.session, n.log, cfg.Queue, n.settled)
	n.outage = &outage{n: n}
	ids, err := loadIdentities(ctx, cfg.ID, b.store, n.log, n.session.Present)
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
	ctx, cancel := context.WithCancel(n.b.br.BackgroundCtx)
	n.cancel = cancel
	if err := n.outbox.load(ctx); err != nil {
		n.log.Error("messages of an earlier run are not sent", "error", err)
	}
	for _, run := range []func(context.Context){n.session.Run, n.outbox.run, n.pump} {
		n.work.Add(1)
		go func() {
			defer n.work.Done()
			run(ctx)
		}()
	}
}

// Disconnect implements bridgev2.NetworkAPI.
func (n *network) Disconnect() {
	n.mu.Lock()
	n.wanted = false
	cancel := n.cancel
	n.mu.Unlock()
	if cancel == nil {
		return
	}
	cancel()
	n.work.Wait()
	n.mu.Lock()
	n.running, n.cancel = false, nil
	n.mu.Unlock()
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

// channel returns the configured channel that an IRC name means, or nil.
func (n *network) channel(name string) *ChannelConfig {
	fold := n.session.Support().Casemapping.Fold
	folded := fold(name)
	for i := range n.cfg.Channels {
		if fold(n.cfg.Channels[i].Name) == folded {
			return &n.cfg.Channels[i]
		}
	}
	return nil
}

// channelOf returns the configured channel of a portal, or nil.
func (n *network) channelOf(portal *bridgev2.Portal) *ChannelConfig {
	for i := range n.cfg.Channels {
		if channelKey(n.cfg.ID, n.cfg.Channels[i].Name) == portal.PortalKey {
			return &n.cfg.Channels[i]
		}
	}
	return nil
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

// channelPower lets everybody propose a topic: whether the channel takes one is for IRC to decide,
// and if it does not, the old topic is put back and the sender told.
func channelPower() *bridgev2.PowerLevelOverrides {
	return &bridgev2.PowerLevelOverrides{Events: map[event.Type]int{event.StateTopic: 0}}
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
	return &bridgev2.UserInfo{Name: &nick, IsBot: &bot, Identifiers: []string{"irc:" + nick}}
}

// GetCapabilities implements bridgev2.NetworkAPI.
func (n *network) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return roomFeatures()
}

// fold folds a nick by the network's casemapping.
func (n *network) fold(nick string) string { return n.session.Support().Casemapping.Fold(nick) }
