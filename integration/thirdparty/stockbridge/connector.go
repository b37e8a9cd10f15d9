//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.mau.fi/util/configupgrade"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
)

// connector is the network as a whole.
type connector struct {
	br *bridgev2.Bridge

	mu     sync.Mutex
	logins []*client
}

var _ bridgev2.NetworkConnector = (*connector)(nil)

func (c *connector) Init(br *bridgev2.Bridge)    { c.br = br }
func (c *connector) Start(context.Context) error { return nil }
func (c *connector) GetName() bridgev2.BridgeName {
	return bridgev2.BridgeName{DisplayName: "Stock", NetworkURL: "https://example.org", NetworkIcon: "", NetworkID: "stock", BeeperBridgeType: "stock", DefaultPort: 29300}
}
func (c *connector) GetDBMetaTypes() database.MetaTypes { return database.MetaTypes{} }
func (c *connector) GetCapabilities() *bridgev2.NetworkGeneralCapabilities {
	return &bridgev2.NetworkGeneralCapabilities{}
}
func (c *connector) GetConfig() (string, any, configupgrade.Upgrader) {
	return "", nil, configupgrade.NoopUpgrader
}
func (c *connector) GetBridgeInfoVersion() (info, capabilities int) { return 1, 1 }

func (c *connector) LoadUserLogin(_ context.Context, login *bridgev2.UserLogin) error {
	n := &client{c: c, login: login}
	login.Client = n
	c.mu.Lock()
	c.logins = append(c.logins, n)
	c.mu.Unlock()
	return nil
}

// said is something that happens on the network.
type said struct {
	Kind   string // message, edit, remove, react, unreact, typing, sync
	Chat   string
	ID     string
	Sender string
	Text   string
	Target string // of what is not a message, and what a message answers
}

// listen has the network speak.
func (c *connector) listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var s said
		if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.logins) == 0 {
			http.Error(w, "nobody is logged in", http.StatusConflict)
			return
		}
		login := c.logins[len(c.logins)-1]
		login.login.QueueRemoteEvent(login.happened(s))
	}))
	return nil
}

func (n *client) sender(who string) bridgev2.EventSender {
	return bridgev2.EventSender{Sender: networkid.UserID(who), IsFromMe: who == string(n.login.ID), SenderLogin: networkid.UserLoginID(who)}
}

func text(body string, answers string) *bridgev2.ConvertedMessage {
	m := &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{Type: event.EventMessage, Content: &event.MessageEventContent{MsgType: event.MsgText, Body: body}}}}
	if answers != "" {
		m.ReplyTo = &networkid.MessageOptionalPartID{MessageID: networkid.MessageID(answers)}
	}
	return m
}

// happened is what the network says, for the bridge.
func (n *client) happened(s said) bridgev2.RemoteEvent {
	meta := simplevent.EventMeta{PortalKey: networkid.PortalKey{ID: networkid.PortalID(s.Chat)}, Sender: n.sender(s.Sender), CreatePortal: true, Timestamp: time.Now()}
	switch s.Kind {
	case "message":
		meta.Type = bridgev2.RemoteEventMessage
		return &simplevent.PreConvertedMessage{EventMeta: meta, ID: networkid.MessageID(s.ID), Data: text(s.Text, s.Target)}
	case "edit":
		meta.Type = bridgev2.RemoteEventEdit
		return &simplevent.Message[string]{EventMeta: meta, ID: networkid.MessageID(s.ID), TargetMessage: networkid.MessageID(s.Target), Data: s.Text,
			ConvertEditFunc: func(_ context.Context, _ *bridgev2.Portal, _ bridgev2.MatrixAPI, existing []*database.Message, body string) (*bridgev2.ConvertedEdit, error) {
				return &bridgev2.ConvertedEdit{ModifiedParts: []*bridgev2.ConvertedEditPart{text(body, "").Parts[0].ToEditPart(existing[0])}}, nil
			}}
	case "remove":
		meta.Type = bridgev2.RemoteEventMessageRemove
		return &simplevent.MessageRemove{EventMeta: meta, TargetMessage: networkid.MessageID(s.Target)}
	case "react", "unreact":
		meta.Type = map[string]bridgev2.RemoteEventType{"react": bridgev2.RemoteEventReaction, "unreact": bridgev2.RemoteEventReactionRemove}[s.Kind]
		return &simplevent.Reaction{EventMeta: meta, TargetMessage: networkid.MessageID(s.Target), Emoji: s.Text}
	case "typing":
		meta.Type = bridgev2.RemoteEventTyping
		return &simplevent.Typing{EventMeta: meta, Timeout: 20 * time.Second}
	case "sync":
		meta.Type = bridgev2.RemoteEventChatResync
		return &simplevent.ChatResync{EventMeta: meta, GetChatInfoFunc: n.GetChatInfo, LatestMessageTS: time.Now()}
	}
	panic(fmt.Sprintf("what is %q?", s.Kind))
}
