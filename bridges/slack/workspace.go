package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/appservice"
)

// workspace is one configured workspace: the client of its one UserLogin.
type workspace struct {
	b     *Bridge
	cfg   *WorkspaceConfig
	login *bridgev2.UserLogin
	log   *slog.Logger

	api    *api
	dir    *directory
	inbox  *inbox
	outbox *outbox
	people people
	gaps   *gaps
	pasts  *pasts
	marks  *bookmarks
	// What has happened in this run: messages that were said and deleted, by channel and ts, reactions that were taken back, and
	// who has come into a channel or left it.
	said, gone, unreacted, moved happened
	early                        early
	again                        chan struct{} // has the rooms looked at anew

	prepared chan struct{} // closed when the rooms are there
	notify   appservice.Work

	mu      sync.Mutex
	self    *slackgo.AuthTestResponse // who the bot is; nil until known
	team    string
	icon    string          // the address of the workspace's picture
	roots   map[string]bool // older roots of threads that were asked for
	bridged map[string]bool // channels that have rooms
	// caught has the channels of which all that was missed is in their rooms, closeLater those that are archived and of
	// which it is not.
	caught, closeLater map[string]bool
	down               time.Time                        // since when no events come; zero if they do
	direct             map[string]networkid.UserLoginID // direct messages that have rooms, and who reads them
	toBot              map[string]bool                  // direct messages, whether they are the bot's
	app                string                           // the app's id, if known
	live               bool                             // events come
	alarmed            bool                             // the administrators know that the token is not good
	ready              bool                             // the framework has started
	wanted             bool                             // Connect was called
	stop               context.CancelFunc
	work               appservice.Work
}

var (
	_ bridgev2.NetworkAPI                  = (*workspace)(nil)
	_ bridgev2.EditHandlingNetworkAPI      = (*workspace)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI  = (*workspace)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI = (*workspace)(nil)
	_ receiver                             = (*workspace)(nil)
)

func newWorkspace(b *Bridge, cfg *WorkspaceConfig, login *bridgev2.UserLogin) *workspace {
	w := &workspace{b: b, cfg: cfg, login: login, log: b.log.With("workspace", cfg.ID), bridged: make(map[string]bool),
		caught: make(map[string]bool), closeLater: make(map[string]bool)}
	w.api = newAPI(cfg, b.http)
	w.dir = newDirectory(w.api, w.log)
	w.inbox = newInbox(cfg.ID, b.store, w.log)
	w.outbox = newOutbox(w)
	w.work.By, w.notify.By = b.spawn, b.spawn
	w.people.shown, w.people.status = make(map[networkid.UserID]string), make(map[string]bool)
	w.gaps, w.pasts, w.marks = newGaps(w), newPasts(w), newBookmarks(w)
	w.again, w.prepared = make(chan struct{}, 1), make(chan struct{})
	w.roots = make(map[string]bool)
	w.direct, w.toBot = make(map[string]networkid.UserLoginID), make(map[string]bool)
	return w
}

func (w *workspace) isReady() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ready
}

// Connect implements bridgev2.NetworkAPI. The connection is made once the framework
// has started.
func (w *workspace) Connect(context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted = true
	if !w.ready || w.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(w.b.br.BackgroundCtx)
	w.stop = cancel
	if err := w.outbox.load(ctx); err != nil {
		w.log.Error("messages of an earlier run are not sent", "error", err)
	}
	w.work.Go(func() { w.run(ctx) })
}

// Disconnect implements bridgev2.NetworkAPI.
func (w *workspace) Disconnect() {
	w.mu.Lock()
	stop := w.stop
	w.wanted = false
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
	w.work.Wait()
	w.notify.Wait()
	w.mu.Lock()
	w.stop = nil
	w.mu.Unlock()
}

// run prepares the rooms and then takes events until ctx is done.
func (w *workspace) run(ctx context.Context) {
	work := appservice.Work{By: w.b.spawn}
	defer work.Wait()
	work.Go(func() { w.outbox.run(ctx) })
	w.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnecting})
	for wait := time.Second; ; wait = min(2*wait, 5*time.Minute) {
		err := w.prepare(ctx)
		if err == nil {
			w.alarm(nil)
			break
		}
		if ctx.Err() != nil {
			return
		}
		w.disconnected(err)
		if sleep(ctx, wait) != nil {
			return
		}
	}
	select {
	case <-w.prepared: // before, and connected anew
	default:
		close(w.prepared)
	}
	work.Go(func() {
		w.keep(ctx, botToken(w.cfg.ID), func(t token) { w.api.setToken(t.Access) }, func(err error) { w.disconnected(fmt.Errorf("%w: %w", errRevoked, err)) })
	})
	if err := w.inbox.load(ctx); err != nil {
		w.log.Error("what was said in an earlier run is not shown", "error", err)
	}
	if err := w.pasts.load(ctx); err != nil {
		w.log.Error("the past of channels does not come in", "error", err)
	}
	// What waits in the inbox is newer than a gap that was being filled when an earlier
	// run ended.
	w.gaps.expect()
	work.Go(func() { w.inbox.run(ctx) })
	work.Go(func() { w.gaps.run(ctx) })
	work.Go(func() { w.pasts.run(ctx) })
	work.Go(func() { w.marks.run(ctx) })
	work.Go(func() { w.lookAgain(ctx) })
	work.Go(func() { w.pump(ctx) })
	work.Go(func() {
		if err := w.dir.fillUsers(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("the list of people is not complete", "error", err)
		}
	})
	w.outbox.poke()
	if w.cfg.Events == "http" {
		if w.cfg.Listen == "" { // they come to the bridge's public address
			w.connected()
			<-ctx.Done()
			return
		}
		w.listen(ctx)
		return
	}
	client := w.b.http
	if client == nil {
		client = http.DefaultClient
	}
	(&socketMode{api: w.api, http: client, to: w, log: w.log, command: w.b.command, spawn: w.b.spawn}).run(ctx)
}

// listen takes events over HTTP until ctx is done.
func (w *workspace) listen(ctx context.Context) {
	mux := http.NewServeMux()
	mux.Handle(w.cfg.Path, &webhook{secrets: w.b.signingSecrets, to: func(string) receiver { return w }, command: w.b.command, log: w.log, now: time.Now})
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelWarn),
	}
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		l, err := net.Listen("tcp", w.cfg.Listen)
		if err == nil {
			w.connected()
			stop := context.AfterFunc(ctx, func() {
				sctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
				defer cancel()
				if err := srv.Shutdown(sctx); err != nil {
					srv.Close()
				}
			})
			err = srv.Serve(l)
			if !stop() {
				<-ctx.Done()
				return
			}
		}
		w.disconnected(err)
		if sleep(ctx, wait) != nil {
			return
		}
	}
}

// fillTime is how long the list of people is waited for, before those who are not known yet are asked for one by one.
const fillTime = 30 * time.Second

// prepare finds out who the bot is and what it may, and makes the rooms.
func (w *workspace) prepare(ctx context.Context) error {
	switch tok, ok, err := w.b.tokens.get(botToken(w.cfg.ID)); {
	case err != nil:
		return err
	case ok:
		w.api.setToken(tok.Access)
	case w.api.bearer() == "":
		return errNoToken
	}
	var self *slackgo.AuthTestResponse
	err := w.api.read(ctx, "auth.test", func() (err error) {
		self, err = w.api.slack().AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return err
	}
	meta, ok := w.login.Metadata.(*LoginMetadata)
	if !ok {
		return errors.New("the login has no metadata")
	}
	if meta.TeamID != "" && meta.TeamID != self.TeamID {
		return fmt.Errorf("the token is of the workspace %s (%s), but %s was bridged to another, %s, before", self.Team, self.TeamID, w.cfg.ID, meta.TeamID)
	}
	if missing, _ := w.api.lacking(); len(missing) > 0 {
		w.log.Error("the app lacks scopes: add them in its settings and install it again", "missing", missing)
	}
	if self.BotID != "" {
		var resp struct {
			Bot struct {
				App string `json:"app_id"`
			} `json:"bot"`
		}
		if err := w.api.call(ctx, "bots.info", values("bot", self.BotID), &resp); err != nil {
			w.log.Warn("the app's id is not known", "error", err)
		}
		w.mu.Lock()
		w.app = resp.Bot.App
		w.mu.Unlock()
	}
	name, icon := w.lookUpTeam(ctx, self.Team)
	w.mu.Lock()
	w.self, w.team, w.icon = self, name, icon
	w.mu.Unlock()
	if meta.TeamID == "" || w.login.RemoteName != name {
		meta.TeamID, w.login.RemoteName = self.TeamID, name
		if err := w.login.Save(ctx); err != nil {
			return err
		}
	}
	if err := w.dir.fillGroups(ctx); err != nil {
		w.log.Warn("user groups are not known", "error", err)
	}
	if err := w.dir.fillEmoji(ctx); err != nil {
		w.log.Warn("custom emoji are not known", "error", err)
	}
	w.dir.refill()
	fctx, cancel := context.WithTimeout(ctx, fillTime)
	if err := w.dir.fillUsers(fctx); err != nil && ctx.Err() == nil {
		w.log.Info("the list of people comes later", "error", err)
	}
	cancel()
	// Events are not to wait until Slack has told everything about each of a thousand channels.
	return w.ensureRooms(ctx, false)
}

// receive implements receiver.
func (w *workspace) receive(ctx context.Context, team, eventID string, event json.RawMessage) error {
	if to, ok := w.b.route(team).(*workspace); ok {
		w = to // an app that is installed in several workspaces has all their events on any of its connections
	}
	return w.inbox.put(ctx, eventID, event)
}

// appID is the id of the app; "" if it is not known.
func (w *workspace) appID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.app
}

// several implements receiver.
func (w *workspace) several(several bool) { w.inbox.setPatience(several) }

// connected implements receiver.
func (w *workspace) connected() {
	w.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
	w.mu.Lock()
	clear(w.caught)
	first := w.down.IsZero()
	long := !first && time.Since(w.down) > shortOutage
	w.down, w.live = time.Time{}, true
	w.mu.Unlock()
	w.gaps.begin(first || long)
	for _, p := range w.persons() {
		signal(p.again)
	}
	if long { // names, members and the like may have changed, too
		signal(w.again)
	}
}

// shortOutage is how long no events may come without the channels being looked at anew.
const shortOutage = 20 * time.Second

// lookAgain brings the rooms up to date after outages, until ctx is done.
func (w *workspace) lookAgain(ctx context.Context) {
	for {
		select {
		case <-w.again:
		case <-ctx.Done():
			return
		}
		if err := w.ensureRooms(ctx, true); err != nil && ctx.Err() == nil {
			w.log.Error("after an outage, the channels cannot be looked at", "error", err)
			continue
		}
		for _, channel := range w.gaps.channels() {
			w.onPins(ctx, nil, channel)
		}
	}
}

// isLive reports whether events come.
func (w *workspace) isLive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.live
}

// disconnected implements receiver.
func (w *workspace) disconnected(err error) {
	w.mu.Lock()
	w.live = false
	if w.down.IsZero() {
		w.down = time.Now()
	}
	w.mu.Unlock()
	state := status.BridgeState{StateEvent: status.StateTransientDisconnect, Error: "slack-disconnected"}
	if badToken(err) {
		state.StateEvent, state.Error = status.StateBadCredentials, "slack-bad-credentials"
		w.alarm(err)
	}
	state.Message = fmt.Sprintf("Not connected to the Slack workspace %s: %v", w.cfg.ID, err)
	w.log.Error("not connected to Slack", "error", err)
	w.login.BridgeState.Send(state)
}

// own reports whether somebody is the bridge's own bot.
func (w *workspace) own(user, bot string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.self != nil && (user != "" && user == w.self.UserID || bot != "" && bot == w.self.BotID)
}

// selfID is the sender of what the bridge itself says; no ghost of it is ever shown.
func (w *workspace) selfID() networkid.UserID {
	return networkid.UserID("b00000." + strings.ReplaceAll(w.cfg.ID, "-", "."))
}

// LogoutRemote implements bridgev2.NetworkAPI.
func (w *workspace) LogoutRemote(context.Context) { w.Disconnect() }

// IsLoggedIn implements bridgev2.NetworkAPI: messages are taken also while Slack is
// away.
func (w *workspace) IsLoggedIn() bool { return true }

// IsThisUser implements bridgev2.NetworkAPI.
func (w *workspace) IsThisUser(_ context.Context, user networkid.UserID) bool {
	return user == w.selfID() || w.own(slackID(user), "")
}

// GetCapabilities implements bridgev2.NetworkAPI.
func (w *workspace) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return roomFeatures()
}
