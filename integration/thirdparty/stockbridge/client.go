//go:build cgo

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.mau.fi/util/ptr"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
)

// client is the network as one person has it.
type client struct {
	c     *connector
	login *bridgev2.UserLogin
}

var (
	_ bridgev2.BackfillingNetworkAPI         = (*client)(nil)
	_ bridgev2.EditHandlingNetworkAPI        = (*client)(nil)
	_ bridgev2.ReactionHandlingNetworkAPI    = (*client)(nil)
	_ bridgev2.RedactionHandlingNetworkAPI   = (*client)(nil)
	_ bridgev2.ReadReceiptHandlingNetworkAPI = (*client)(nil)
	_ bridgev2.TypingHandlingNetworkAPI      = (*client)(nil)
)

func (n *client) Connect(context.Context) {
	n.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
}
func (n *client) Disconnect()                  {}
func (n *client) IsLoggedIn() bool             { return true }
func (n *client) LogoutRemote(context.Context) {}
func (n *client) IsThisUser(_ context.Context, id networkid.UserID) bool {
	return string(id) == string(n.login.ID)
}

// GetChatInfo is what a chat is like: the login, eve, and fay, who administers it.
func (n *client) GetChatInfo(_ context.Context, p *bridgev2.Portal) (*bridgev2.ChatInfo, error) {
	members := bridgev2.ChatMemberMap{}
	for who, level := range map[string]int{string(n.login.ID): 0, "eve": 0, "fay": 75} {
		m := bridgev2.ChatMember{EventSender: n.sender(who), Membership: event.MembershipJoin}
		if level > 0 {
			m.PowerLevel = ptr.Ptr(level)
		}
		members[networkid.UserID(who)] = m
	}
	return &bridgev2.ChatInfo{Name: ptr.Ptr("Chat " + string(p.ID)), Topic: ptr.Ptr("of the network"), Type: ptr.Ptr(database.RoomTypeDefault), CanBackfill: true,
		Members: &bridgev2.ChatMemberList{IsFull: true, TotalMemberCount: 3, MemberMap: members}}, nil
}

func (n *client) GetUserInfo(_ context.Context, g *bridgev2.Ghost) (*bridgev2.UserInfo, error) {
	return &bridgev2.UserInfo{Name: ptr.Ptr(strings.ToUpper(string(g.ID))), Identifiers: []string{"stock:" + string(g.ID)}, IsBot: ptr.Ptr(false)}, nil
}

func (n *client) GetCapabilities(context.Context, *bridgev2.Portal) *event.RoomFeatures {
	full := event.CapLevelFullySupported
	return &event.RoomFeatures{ID: "org.example.stock", MaxTextLength: 1000, Reply: full, Edit: full, Delete: full, Reaction: full, ReadReceipts: true, TypingNotifications: true}
}

// historySize is how many messages every chat has from before, and pastID names them.
const historySize = 60

func pastID(i int) networkid.MessageID { return networkid.MessageID(fmt.Sprintf("past%02d", i)) }

var began = time.Date(2020, 5, 1, 12, 0, 0, 0, time.UTC)

// FetchMessages gives the history of a chat, which eve and the login have written in turns.
func (n *client) FetchMessages(_ context.Context, p bridgev2.FetchMessagesParams) (*bridgev2.FetchMessagesResponse, error) {
	end := historySize
	if p.Forward && p.AnchorMessage != nil {
		return &bridgev2.FetchMessagesResponse{Forward: true}, nil
	}
	if p.AnchorMessage != nil {
		fmt.Sscanf(string(p.AnchorMessage.ID), "past%d", &end)
	}
	var out []*bridgev2.BackfillMessage
	for i := max(0, end-p.Count); i < end; i++ {
		who := []string{"eve", string(n.login.ID)}[i%2]
		answers := ""
		if i%10 == 3 {
			answers = string(pastID(i - 2))
		}
		m := &bridgev2.BackfillMessage{ConvertedMessage: text(fmt.Sprintf("past %02d", i), answers), Sender: n.sender(who), ID: pastID(i), Timestamp: began.Add(time.Duration(i) * time.Minute)}
		if i%10 == 5 {
			m.Reactions = append(m.Reactions, &bridgev2.BackfillReaction{Sender: n.sender("fay"), Emoji: "👍", EmojiID: ""})
		}
		out = append(out, m)
	}
	return &bridgev2.FetchMessagesResponse{Messages: out, HasMore: end > p.Count, Forward: p.Forward}, nil
}

func heard(words ...any) { fmt.Println(append([]any{"heard"}, words...)...) }

func (n *client) HandleMatrixMessage(_ context.Context, m *bridgev2.MatrixMessage) (*bridgev2.MatrixMessageResponse, error) {
	answers := ""
	if m.ReplyTo != nil {
		answers = string(m.ReplyTo.ID)
	}
	heard("message", m.Content.Body, "answers", answers)
	return &bridgev2.MatrixMessageResponse{DB: &database.Message{ID: networkid.MessageID("mx:" + m.Event.ID), SenderID: networkid.UserID(n.login.ID), Timestamp: time.Now()}}, nil
}

func (n *client) HandleMatrixEdit(_ context.Context, m *bridgev2.MatrixEdit) error {
	heard("edit", m.EditTarget.ID, m.Content.Body)
	return nil
}

func (n *client) PreHandleMatrixReaction(_ context.Context, m *bridgev2.MatrixReaction) (bridgev2.MatrixReactionPreResponse, error) {
	return bridgev2.MatrixReactionPreResponse{SenderID: networkid.UserID(n.login.ID), Emoji: m.Content.RelatesTo.Key}, nil
}

func (n *client) HandleMatrixReaction(_ context.Context, m *bridgev2.MatrixReaction) (*database.Reaction, error) {
	heard("reaction", m.TargetMessage.ID, m.PreHandleResp.Emoji)
	return &database.Reaction{}, nil
}

func (n *client) HandleMatrixReactionRemove(_ context.Context, m *bridgev2.MatrixReactionRemove) error {
	heard("reaction gone", m.TargetReaction.MessageID)
	return nil
}

func (n *client) HandleMatrixMessageRemove(_ context.Context, m *bridgev2.MatrixMessageRemove) error {
	heard("removed", m.TargetMessage.ID)
	return nil
}

func (n *client) HandleMatrixReadReceipt(_ context.Context, m *bridgev2.MatrixReadReceipt) error {
	if m.ExactMessage != nil {
		heard("read", m.ExactMessage.ID)
	}
	return nil
}

func (n *client) HandleMatrixTyping(_ context.Context, m *bridgev2.MatrixTyping) error {
	heard("typing", m.IsTyping)
	return nil
}
