package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
)

// personScopes are the rights that a person gives to act in their name.
var personScopes = [...]string{
	"channels:read", "channels:write", "chat:write", "files:read", "files:write", "groups:history", "groups:read", "groups:write",
	"im:history", "im:read", "im:write", "mpim:history", "mpim:read", "mpim:write", "reactions:write", "users:read",
}

// personEvents are those of which the app is told in the name of persons: their direct and group messages.
var personEvents = [...]string{"message.im", "message.mpim"}

var errSignedOut = errors.New("you are not signed in to Slack any more; use the command login")

// person is somebody of Matrix who has let the bridge act as them in Slack: the client of their UserLogin. What they say
// goes by their own token; what is said in channels comes by the workspace's bot.
type person struct {
	b     *Bridge
	login *bridgev2.UserLogin
	meta  *LoginMetadata

	again chan struct{} // has the person's conversations looked at anew

	mu   sync.Mutex
	api  *api // nil while there is no token
	stop context.CancelFunc
	work appservice.Work
}

var (
	_ bridgev2.NetworkAPI                    = (*person)(nil)
	_ bridgev2.EditHandlingNetworkAPI        = (*person)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI    = (*person)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI   = (*person)(nil)
	_ bridgev2.IdentifierResolvingNetworkAPI = (*person)(nil)
	_ bridgev2.RoomNameHandlingNetworkAPI    = (*person)(nil)
	_ bridgev2.RoomTopicHandlingNetworkAPI   = (*person)(nil)
)

func (p *person) workspace() *workspace { return p.b.workspace(p.meta.Workspace) }

// voice is what makes calls in the person's name; nil while they are not signed in.
func (p *person) voice() *api {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.api
}

func (p *person) ghost() networkid.UserID { return ghostID(p.meta.User) }

// Connect implements bridgev2.NetworkAPI.
func (p *person) Connect(context.Context) {
	w := p.workspace()
	if w == nil {
		p.lost(errors.New("the workspace is not configured any more"))
		return
	}
	tok, ok, err := p.b.tokens.get(userToken(string(p.login.ID)))
	if err != nil || !ok {
		p.lost(errSignedOut)
		return
	}
	a := newAPI(w.cfg, p.b.http)
	a.setToken(tok.Access)
	ctx, cancel := context.WithCancel(p.b.br.BackgroundCtx)
	p.mu.Lock()
	if p.stop != nil {
		p.mu.Unlock()
		cancel()
		return
	}
	p.api, p.stop = a, cancel
	p.mu.Unlock()
	p.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
	p.work.Go(func() { w.keep(ctx, userToken(string(p.login.ID)), func(t token) { a.setToken(t.Access) }, p.lost) })
	p.work.Go(func() {
		err := a.read(ctx, "auth.test", func() error {
			_, err := a.slack().AuthTestContext(ctx)
			return err
		})
		if badToken(err) {
			p.lost(err)
			return
		}
		select {
		case <-w.prepared:
		case <-ctx.Done():
			return
		}
		p.attend(ctx)
	})
}

// Disconnect implements bridgev2.NetworkAPI.
func (p *person) Disconnect() {
	p.mu.Lock()
	stop := p.stop
	p.api, p.stop = nil, nil
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.work.Wait()
}

// lost says that the person's token is good no more.
func (p *person) lost(err error) {
	p.mu.Lock()
	p.api = nil
	p.mu.Unlock()
	p.b.log.Warn("somebody is not signed in to Slack any more", "login", p.login.ID, "error", err)
	p.login.BridgeState.Send(status.BridgeState{
		StateEvent: status.StateBadCredentials, Error: "slack-bad-credentials", Message: "You are not signed in to Slack any more. Use the command login.",
	})
	if p.b.br.BackgroundCtx.Err() == nil {
		p.b.tell(p.b.br.BackgroundCtx, p.login.UserMXID, "⚠️ You are not signed in to Slack any more: what you write goes there under the bridge's name. Use the command `login` to sign in again.")
	}
}

// enter has the person speak for themselves in a room, and invites them if they are to be told.
func (p *person) enter(ctx context.Context, portal *bridgev2.Portal, invite bool) {
	p.login.MarkInPortal(ctx, portal)
	if !invite {
		return
	}
	if err := p.b.br.Bot.EnsureInvited(ctx, portal.MXID, p.login.UserMXID); err != nil {
		p.b.log.Warn("somebody is not invited to a room of theirs", "room", portal.MXID, "login", p.login.ID, "error", err)
	}
}

// leave has the person be relayed in a room from now on.
func (p *person) leave(ctx context.Context, portal *bridgev2.Portal) {
	if err := p.b.br.DB.UserPortal.Delete(ctx, database.UserPortalFor(p.login.UserLogin, portal.PortalKey)); err != nil {
		p.b.log.Error("somebody is still taken for a member of a channel", "login", p.login.ID, "error", err)
	}
}

// LogoutRemote implements bridgev2.NetworkAPI.
func (p *person) LogoutRemote(ctx context.Context) {
	if a := p.voice(); a != nil {
		if err := a.call(ctx, "auth.revoke", values(), &struct{}{}); err != nil {
			p.b.log.Warn("a token is not revoked", "login", p.login.ID, "error", err)
		}
	}
	if err := p.b.tokens.set(userToken(string(p.login.ID)), token{}); err != nil {
		p.b.log.Error("a token is not forgotten", "login", p.login.ID, "error", err)
	}
	p.Disconnect()
}

// IsLoggedIn implements bridgev2.NetworkAPI. Who is not is relayed.
func (p *person) IsLoggedIn() bool { return p.voice() != nil }

// IsThisUser implements bridgev2.NetworkAPI.
func (p *person) IsThisUser(_ context.Context, user networkid.UserID) bool { return user == p.ghost() }

// GetChatInfo implements bridgev2.NetworkAPI.
func (p *person) GetChatInfo(ctx context.Context, portal *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	w := p.workspace()
	if w == nil {
		return nil, errNoChannel
	}
	return w.GetChatInfo(ctx, portal)
}

// GetUserInfo implements bridgev2.NetworkAPI.
func (p *person) GetUserInfo(ctx context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	w := p.workspace()
	if w == nil {
		return nil, nil
	}
	return w.GetUserInfo(ctx, ghost)
}

// GetCapabilities implements bridgev2.NetworkAPI.
func (p *person) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return roomFeatures()
}

// HandleMatrixMessage implements bridgev2.NetworkAPI.
func (p *person) HandleMatrixMessage(ctx context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	w := p.workspace()
	if w == nil {
		return nil, refusal(errNoChannel)
	}
	return w.takeMessage(ctx, msg, p)
}

// HandleMatrixEdit implements bridgev2.EditHandlingNetworkAPI.
func (p *person) HandleMatrixEdit(ctx context.Context, msg *bridgev2.MatrixEdit) error {
	w := p.workspace()
	if w == nil {
		return refusal(errNoChannel)
	}
	return w.takeEdit(ctx, msg, p)
}

// HandleMatrixMessageRemove implements bridgev2.RedactionHandlingNetworkAPI.
func (p *person) HandleMatrixMessageRemove(ctx context.Context, msg *bridgev2.MatrixMessageRemove) error {
	w := p.workspace()
	if w == nil {
		return refusal(errNoChannel)
	}
	return w.takeRemove(ctx, msg, p)
}

// PreHandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (p *person) PreHandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	w := p.workspace()
	if w == nil {
		return bridgev2.MatrixReactionPreResponse{}, errNoChannel
	}
	name, ok := w.emojiName(msg.Content, msg.Event.Content.Raw)
	if !ok {
		return bridgev2.MatrixReactionPreResponse{}, errNoEmoji
	}
	if _, err := p.b.br.GetGhostByID(ctx, p.ghost()); err != nil {
		return bridgev2.MatrixReactionPreResponse{}, err
	}
	return bridgev2.MatrixReactionPreResponse{SenderID: p.ghost(), EmojiID: networkid.EmojiID(name), Emoji: msg.Content.RelatesTo.Key}, nil
}

// HandleMatrixReaction implements bridgev2.ReactionHandlingNetworkAPI.
func (p *person) HandleMatrixReaction(ctx context.Context, msg *bridgev2.MatrixReaction) (*database.Reaction, error) {
	w := p.workspace()
	if w == nil {
		return nil, errNoChannel
	}
	return w.takeReaction(ctx, msg, p)
}

// HandleMatrixReactionRemove implements bridgev2.ReactionHandlingNetworkAPI.
func (p *person) HandleMatrixReactionRemove(ctx context.Context, msg *bridgev2.MatrixReactionRemove) error {
	w := p.workspace()
	if w == nil {
		return errNoChannel
	}
	return w.takeReactionRemove(ctx, msg, p)
}

// HandleMatrixRoomName implements bridgev2.RoomNameHandlingNetworkAPI.
func (p *person) HandleMatrixRoomName(ctx context.Context, msg *bridgev2.MatrixRoomName) (bool, error) {
	w := p.workspace()
	if w == nil {
		return false, refusal(errNoChannel)
	}
	return w.HandleMatrixRoomName(ctx, msg)
}

// HandleMatrixRoomTopic implements bridgev2.RoomTopicHandlingNetworkAPI.
func (p *person) HandleMatrixRoomTopic(ctx context.Context, msg *bridgev2.MatrixRoomTopic) (bool, error) {
	w := p.workspace()
	if w == nil {
		return false, refusal(errNoChannel)
	}
	return w.HandleMatrixRoomTopic(ctx, msg)
}

// ResolveIdentifier implements bridgev2.IdentifierResolvingNetworkAPI: an id, a ghost's id, or a name with or without @.
func (p *person) ResolveIdentifier(ctx context.Context, identifier string, createChat bool) (*bridgev2.ResolveIdentifierResponse, error) {
	w, a := p.workspace(), p.voice()
	if w == nil || a == nil {
		return nil, errSignedOut
	}
	u := w.dir.user(ctx, strings.ToUpper(identifier))
	if u == nil {
		u = w.dir.named(strings.TrimPrefix(identifier, "@"))
	}
	if u == nil {
		return nil, fmt.Errorf("there is nobody called %s in the workspace", identifier)
	}
	ghost, err := p.b.br.GetGhostByID(ctx, ghostID(u.ID))
	if err != nil {
		return nil, err
	}
	resp := &bridgev2.ResolveIdentifierResponse{Ghost: ghost, UserID: ghost.ID, UserInfo: w.userInfo(u)}
	if !createChat {
		return resp, nil
	}
	var ch *slackgo.Channel
	err = a.read(ctx, "conversations.open", func() (err error) {
		ch, _, _, err = a.slack().OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{u.ID}, ReturnIM: true})
		return err
	})
	if err != nil {
		return nil, err
	}
	portal, err := w.openDirect(ctx, ch.ID, p)
	if err != nil {
		return nil, err
	}
	resp.Chat = &bridgev2.CreateChatResponse{PortalKey: portal.PortalKey, Portal: portal}
	return resp, nil
}

// persons are those who are signed in to a workspace.
func (w *workspace) persons() (list []*person) {
	for _, login := range w.b.br.GetAllCachedUserLogins() {
		if p, ok := login.Client.(*person); ok && p.meta.Workspace == w.cfg.ID && p.voice() != nil {
			list = append(list, p)
		}
	}
	return list
}

// personBy returns who is signed in as somebody of Slack, or whom an account is there; nil if nobody.
func (w *workspace) personBy(user string, account id.UserID) *person {
	for _, p := range w.persons() {
		if user != "" && p.meta.User == user || account != "" && p.login.UserMXID == account {
			return p
		}
	}
	return nil
}

// speaker is what makes the calls of an action.
func (w *workspace) speaker(a *action) (*api, error) {
	if a.As == "" {
		return w.api, nil
	}
	login := w.b.br.GetCachedUserLoginByID(networkid.UserLoginID(a.As))
	if login != nil {
		if p, ok := login.Client.(*person); ok {
			if v := p.voice(); v != nil {
				return v, nil
			}
		}
	}
	return nil, errSignedOut
}
