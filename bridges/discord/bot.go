package discord

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// intents are what the gateway is asked to tell: guilds, members, moderation, who is in voice channels, messages,
// reactions, typing, direct messages, contents of messages, scheduled events, polls.
const intents = 1 | 1<<1 | 1<<2 | 1<<7 | 1<<9 | 1<<10 | 1<<11 | 1<<12 | 1<<15 | 1<<16 | 1<<24

// intentPresences is the one for who is online.
const intentPresences = 1 << 8

// bot is the client of the one login.
type bot struct {
	b     *Bridge
	cfg   *Config
	login *bridgev2.UserLogin
	log   *slog.Logger

	api    *api.Client
	guilds *guilds
	inbox  *inbox
	outbox *outbox
	people people
	hooks  *hooks

	// By the pump alone:
	self    wire.ID                 // the bot's user; others ask selfID
	app     wire.ID                 // its application
	cursors map[wire.ID]wire.ID     // newest message that was handed to a room
	threads map[wire.ID]wire.ID     // channels of threads
	held    map[wire.ID][]*entry    // of guilds that are not known yet
	stale   map[wire.ID]bool        // guilds of which a new session has not told yet
	seeking map[wire.ID][]*entry    // of channels that are not known
	sought  map[wire.ID]bool        // channels that are none of ours
	gaps    map[wire.ID]*gap        // channels and threads of which something is being fetched
	rooms   map[wire.ID]bool        // channels whose rooms exist; others ask hasRoom
	writers map[[2]wire.ID]struct{} // channel and user: may write in a room that is read-only
	pasts   map[wire.ID]*past       // channels whose history is being brought in

	dressed  map[[2]wire.ID]look // channel and user: how somebody was shown there in this run
	timeouts timeouts
	me       atomic.Pointer[wire.ID]
	many     atomic.Bool // there are several guilds

	changed map[wire.ID]bool // channels in which something was changed since they were looked at

	pages     chan *pastPage             // history, to the pump
	snapshots chan *snapshot             // what channels are like, to the pump
	presences chan [2]string             // users and who they are, to be shown
	errands   chan struct{}              // holds a token for each person who is being answered
	asks      chan func(context.Context) // to be done by the pump
	pastSlots chan struct{}              // holds a token for each channel whose history is fetched
	questions chan struct{}              // holds a token for each request in the background
	// askedAgain holds one for each that is made again.
	askedAgain chan struct{}

	choices map[wire.ID]bool // by the pump: what commands have said of channels

	ahead   ahead         // about messages that have not come yet
	reacted reacted       // by the pump: what was told last of reactions
	roots   roots         // by the pump: of threads
	waiting []*entry      // by the pump: about messages that may be being sent
	again   chan struct{} // they are to be looked at

	polls map[wire.ID]bool // by the pump: polls whose numbers are about to be looked at

	registered bool // by the pump: the slash commands are

	freezing sync.Mutex   // held while channels are closed or opened
	roomsMu  sync.RWMutex // of changing rooms
	directs  sync.Mutex   // held while the bot writes to somebody

	mu      sync.Mutex
	ready   bool // Start was called
	wanted  bool // Connect was called
	running bool
	stop    func()
	ctx     context.Context // of the background work, while running
	work    appservice.Work
}

var (
	_ bridgev2.NetworkAPI                   = (*bot)(nil)
	_ bridgev2.EditHandlingNetworkAPI       = (*bot)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI  = (*bot)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI   = (*bot)(nil)
	_ bridgev2.MembershipHandlingNetworkAPI = (*bot)(nil)
)

func newBot(ctx context.Context, b *Bridge, login *bridgev2.UserLogin) (*bot, error) {
	n := &bot{
		b: b, cfg: b.cfg, login: login, log: b.log, guilds: newGuilds(), people: people{known: make(map[networkid.UserID]shown)},
		rooms: make(map[wire.ID]bool), writers: make(map[[2]wire.ID]struct{}),
		dressed: make(map[[2]wire.ID]look), timeouts: newTimeouts(), asks: make(chan func(context.Context)), errands: make(chan struct{}, errands),
		presences: make(chan [2]string, 256), polls: make(map[wire.ID]bool), again: make(chan struct{}, 1),
		changed: make(map[wire.ID]bool), snapshots: make(chan *snapshot), pages: make(chan *pastPage), pastSlots: make(chan struct{}, historyAtOnce),
		questions: make(chan struct{}, questionsAtOnce), askedAgain: make(chan struct{}, againAtOnce),
	}
	var err error
	wanted := intents
	if b.cfg.Presence {
		wanted |= intentPresences
	}
	n.api, err = api.New(api.Options{
		Token: b.cfg.Token, APIURL: b.cfg.APIURL, GatewayURL: b.cfg.GatewayURL, CDNURL: b.cfg.CDNURL, Intents: wanted,
		HTTP: b.deps.HTTP, Log: b.log, BackoffMin: b.deps.BackoffMin, BackoffMax: b.deps.BackoffMax,
		Go: b.deps.Go,
	})
	if err != nil {
		return nil, err
	}
	if n.cursors, err = b.store.cursors(ctx); err != nil {
		return nil, err
	}
	if n.threads, err = b.store.threads(ctx); err != nil {
		return nil, err
	}
	if n.choices, err = b.store.choices(ctx); err != nil {
		return nil, err
	}
	if n.guilds.frozen, err = b.store.frozen(ctx); err != nil {
		return nil, err
	}
	if n.hooks, err = loadHooks(ctx, n); err != nil {
		return nil, err
	}
	n.inbox = newInbox(b.store, b.log)
	n.outbox = newOutbox(b.store, b.log, b.cfg.Queue, n)
	n.work.By, n.outbox.work.By = b.deps.Go, b.deps.Go
	return n, nil
}

// Connect implements bridgev2.NetworkAPI. The connection is made when the module has
// been started.
func (n *bot) Connect(context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted = true
	n.startLocked()
}

func (n *bot) start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = true
	n.startLocked()
}

func (n *bot) startLocked() {
	if !n.wanted || !n.ready || n.running {
		return
	}
	n.running = true
	// The gateway ends first: its last words are still stored.
	online, hangUp := context.WithCancel(n.b.br.BackgroundCtx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(online))
	n.seeking, n.sought = make(map[wire.ID][]*entry), make(map[wire.ID]bool)
	n.stop, n.ctx, n.pasts, n.gaps = hangUp, ctx, make(map[wire.ID]*past), make(map[wire.ID]*gap)
	n.held, n.stale, n.waiting, n.ahead = make(map[wire.ID][]*entry), make(map[wire.ID]bool), nil, ahead{} // all of it is in the inbox
	n.reacted, n.roots = reacted{}, roots{}
	if err := n.outbox.load(ctx); err != nil {
		n.log.Error("messages of an earlier run are not sent", "error", err)
	}
	if err := n.inbox.load(ctx); err != nil {
		n.log.Error("what was said in an earlier run is not shown", "error", err)
	}
	n.report(status.StateConnecting, "", "")
	n.work.Go(func() {
		defer cancel()
		err := n.api.Run(online, func(e api.Event) {
			told := e.Seq
			if told <= 0 {
				told = unnumbered
			}
			n.inbox.put(&entry{kind: e.Type, data: e.Data, told: told})
		})
		var fatal *api.Fatal
		if errors.As(err, &fatal) {
			n.log.Error("Discord refuses the bot", "code", fatal.Code, "reason", fatal.Msg)
			n.report(status.StateBadCredentials, "discord-refused", fatal.Msg)
			// The host starts the bridge again, after a while that grows.
			select {
			case n.b.failed <- fmt.Errorf("the bot is refused: %w", err):
			default:
			}
			<-online.Done()
		}
	})
	for _, run := range []func(context.Context){n.inbox.run, n.pump, n.outbox.run, n.showPresences} {
		n.work.Go(func() { run(ctx) })
	}
}

// report tells the state of the connection.
func (n *bot) report(state status.BridgeStateEvent, code status.BridgeStateErrorCode, message string) {
	n.login.BridgeState.Send(status.BridgeState{StateEvent: state, Error: code, Message: message})
}

// Disconnect implements bridgev2.NetworkAPI.
func (n *bot) Disconnect() {
	n.mu.Lock()
	n.wanted = false
	stop := n.stop
	n.mu.Unlock()
	if stop != nil {
		stop()
	}
	n.work.Wait()
	n.mu.Lock()
	n.running, n.stop = false, nil
	n.mu.Unlock()
}

// LogoutRemote implements bridgev2.NetworkAPI.
func (n *bot) LogoutRemote(context.Context) { n.Disconnect() }

// IsLoggedIn implements bridgev2.NetworkAPI: messages are taken also while Discord is
// away.
func (n *bot) IsLoggedIn() bool { return true }

// IsThisUser implements bridgev2.NetworkAPI.
func (n *bot) IsThisUser(context.Context, networkid.UserID) bool { return false }

// GetCapabilities implements bridgev2.NetworkAPI.
func (n *bot) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return roomFeatures()
}

// GetUserInfo implements bridgev2.NetworkAPI: ghosts look as they should before anything of theirs is handed to a
// room (see people), and rooms change them no more.
func (n *bot) GetUserInfo(context.Context, *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return nil, nil
}

// GetChatInfo implements bridgev2.NetworkAPI.
func (n *bot) GetChatInfo(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	guildID, channel := splitPortal(portal.ID)
	if channel == "" {
		if info := n.guildInfo(guildID, portal); info != nil {
			return info, nil
		}
		return nil, fmt.Errorf("the guild %s is not known", guildID)
	}
	if info := n.channelInfo(ctx, channel, portal); info != nil {
		return info, nil
	}
	return nil, fmt.Errorf("the channel %s is not known", channel)
}

// spaceType is the type of rooms that are spaces.
func spaceType() *database.RoomType {
	kind := database.RoomTypeSpace
	return &kind
}

// ask has f called by the pump, and waits until it has returned.
func (n *bot) ask(ctx context.Context, f func(context.Context)) error {
	n.mu.Lock()
	life := n.ctx
	n.mu.Unlock()
	if life == nil {
		return errNotRunning
	}
	done := make(chan struct{})
	select {
	case n.asks <- func(ctx context.Context) { defer close(done); f(ctx) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-life.Done():
		return errNotRunning
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errNotRunning = errors.New("the bridge is not running")
