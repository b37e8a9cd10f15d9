package linechat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/ptr"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

// client is what bridgev2 does through the login.
type client struct {
	b     *bridge
	login *bridgev2.UserLogin
}

var _ bridgev2.NetworkAPI = (*client)(nil)

// Connect implements bridgev2.NetworkAPI; bridge.Start has connected.
func (c *client) Connect(context.Context) {
	c.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
}

// Disconnect, IsLoggedIn, LogoutRemote and IsThisUser implement bridgev2.NetworkAPI.
func (c *client) Disconnect()                                       {}
func (c *client) IsLoggedIn() bool                                  { return true }
func (c *client) LogoutRemote(context.Context)                      {}
func (c *client) IsThisUser(context.Context, networkid.UserID) bool { return false }

// GetChatInfo implements bridgev2.NetworkAPI: what a room is to be like.
func (c *client) GetChatInfo(_ context.Context, p *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	return &bridgev2.ChatInfo{
		Name:     ptr.Ptr(string(p.ID)),
		Type:     ptr.Ptr(database.RoomTypeDefault),
		JoinRule: &event.JoinRulesEventContent{JoinRule: event.JoinRulePublic},
		Members:  &bridgev2.ChatMemberList{},
	}, nil
}

// GetUserInfo implements bridgev2.NetworkAPI: what a ghost is to be like.
func (c *client) GetUserInfo(_ context.Context, ghost *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return &bridgev2.UserInfo{Name: ptr.Ptr(string(ghost.ID))}, nil
}

// GetCapabilities implements bridgev2.NetworkAPI. PerMessageProfileRelay says that HandleMatrixMessage names
// who spoke by itself.
func (c *client) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	return &event.RoomFeatures{ID: "im.landbridge.linechat", MaxTextLength: maxLine / 2, PerMessageProfileRelay: true}
}

// maxLine bounds a line, in bytes.
const maxLine = 4096

// HandleMatrixMessage implements bridgev2.NetworkAPI: somebody in Matrix has said something. An error is told to
// them, and makes a dead letter.
func (c *client) HandleMatrixMessage(_ context.Context, msg *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	nick := string(msg.Event.Sender)
	if msg.OrigSender != nil {
		nick = msg.OrigSender.DisambiguatedName
	}
	if err := c.b.write(string(msg.Portal.ID), nick, msg.Content.Body); err != nil {
		return nil, err
	}
	// The network gives its messages no names; the event's will do.
	return &bridgev2.MatrixMessageResponse{DB: &database.Message{ID: networkid.MessageID(msg.Event.ID), SenderID: networkid.UserID(loginID), Timestamp: time.Now()}}, nil
}

// read takes in what the network says until the connection ends, and gives the reason.
func (b *bridge) read(ctx context.Context, lines *bufio.Scanner) error {
	lines.Buffer(nil, maxLine)
	for n := 0; lines.Scan(); n++ {
		channel, rest, _ := strings.Cut(lines.Text(), " ")
		nick, text, ok := strings.Cut(rest, " ")
		if !ok || nick == "" || len(nick) > 100 {
			b.env.Log.Warn("a line that is none", "bytes", len(lines.Text()))
			continue
		}
		if channel == "@"+botNick {
			b.commanded(ctx, nick, text)
			continue
		}
		if strings.HasPrefix(channel, "@") {
			continue // for somebody else's eyes
		}
		now := time.Now()
		b.login.QueueRemoteEvent(&simplevent.PreConvertedMessage{
			EventMeta: simplevent.EventMeta{
				Type:      bridgev2.RemoteEventMessage,
				PortalKey: portalKey(channel),
				Sender:    bridgev2.EventSender{Sender: networkid.UserID(nick)},
				Timestamp: now,
			},
			ID: networkid.MessageID(fmt.Sprintf("%d-%d", now.UnixNano(), n)),
			Data: &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
				Type:    event.EventMessage,
				Content: &event.MessageEventContent{MsgType: event.MsgText, Body: text},
			}}},
		})
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read from the network: %w", err)
	}
	return errors.New("the network has closed the connection")
}
