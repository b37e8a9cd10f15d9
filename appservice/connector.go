package appservice

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// connector is bridgev2's Matrix connector, with the host listening to what is
// reported through it.
type connector struct {
	*matrix.Connector
	metrics *instanceMetrics
	letters *letters     // set before the bridge starts
	links   Links        // nil if nobody keeps ties
	checks  *checkpoints // nil: none

	mu          sync.Mutex
	logins      map[networkid.UserLoginID]status.BridgeState
	global      status.BridgeState
	redelivered map[id.EventID]bool
}

var (
	_ bridgev2.MatrixConnector                           = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithServer                 = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithArbitraryRoomState     = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithPostRoomBridgeHandling = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithPublicMedia            = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithNameDisambiguation     = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithBridgeIdentifier       = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithURLPreviews            = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithAnalytics              = (*connector)(nil)
	_ bridgev2.MatrixConnectorWithBeeperStreams          = (*connector)(nil)
)

func newConnector(mx *matrix.Connector, metrics *instanceMetrics) *connector {
	return &connector{
		Connector:   mx,
		metrics:     metrics,
		logins:      make(map[networkid.UserLoginID]status.BridgeState),
		redelivered: make(map[id.EventID]bool),
	}
}

// Init implements bridgev2.MatrixConnector.
func (c *connector) Init(br *bridgev2.Bridge) {
	// Init looks for the encryption that needs cgo, and would warn that there is
	// none. The host brings its own, after this.
	allow := c.Config.Encryption.Allow
	c.Config.Encryption.Allow = false
	c.Connector.Init(br)
	c.Config.Encryption.Allow = allow
	// mautrix's own version of this command insists on its own connector type.
	processor := br.Commands.(*commands.Processor)
	c.setCommands(processor)
	processor.AddHandler(&commands.FullHandler{
		Name:    "discard-megolm-session",
		Aliases: []string{"discard-session"},
		Help: commands.HelpMeta{
			Section:     commands.HelpSectionAdmin,
			Description: "Discard the Megolm session in the room",
		},
		RequiresAdmin: true,
		Func: func(ce *commands.Event) {
			if c.Crypto == nil {
				ce.Reply("This bridge does not take part in encrypted rooms.")
				return
			}
			c.Crypto.ResetSession(ce.Ctx, ce.RoomID)
			ce.Reply("The room's session is discarded; the next message from the remote network begins a new one.")
		},
	})
}

// hideMatrix hides commands of the Matrix connector.
func (c *connector) hideMatrix(hide func(when, string, ...*commands.FullHandler), why string) {
	hide(loggedIn, why, matrix.CommandLoginMatrix, matrix.CommandPingMatrix, matrix.CommandLogoutMatrix)
}

// GetCapabilities implements bridgev2.MatrixConnector. Batches are not sent,
// whatever the homeserver offers; see doc.go.
func (c *connector) GetCapabilities() *bridgev2.MatrixCapabilities {
	caps := *c.Connector.GetCapabilities()
	caps.BatchSending = false
	return &caps
}

// GetMemberInfo implements bridgev2.MatrixConnector. The list of members that the
// bridge remembers is fetched once, and somebody who joins at that moment can be
// missing from it; so the homeserver is asked for whom it does not know to be in
// the room. Ghosts are there when the bridge says so.
func (c *connector) GetMemberInfo(ctx context.Context, room id.RoomID, user id.UserID) (*event.MemberEventContent, error) {
	known, err := c.AS.StateStore.TryGetMember(ctx, room, user)
	_, ghost := c.ParseGhostMXID(user)
	if err != nil || known != nil && (known.Membership == event.MembershipJoin || ghost) {
		return known, err
	}
	content := &event.MemberEventContent{}
	err = c.Bot.StateEvent(ctx, room, event.StateMember, string(user), content) // remembers it, too
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, mautrix.MNotFound) || known != nil:
		return c.Connector.GetMemberInfo(ctx, room, user)
	default:
		return nil, fmt.Errorf("ask for a member of the room: %w", err)
	}
}

// SendMessageStatus implements bridgev2.MatrixConnector.
func (c *connector) SendMessageStatus(ctx context.Context, ms *bridgev2.MessageStatus, evt *bridgev2.MessageStatusEventInfo) {
	// Neither a marker nor a command, and not from somebody who may not speak to the bridge.
	if evt.SourceEventID != "" && ms.Step != status.MsgStepCommand && ms != &bridgev2.ErrNoPermissionForCommands && ms != &bridgev2.ErrNoPermissionToInteract {
		switch ms.Status {
		case event.MessageStatusSuccess:
			c.metrics.toRemote("ok")
		case event.MessageStatusPending:
			c.metrics.toRemote("pending")
		default:
			c.metrics.toRemote("failed")
		}
		if !evt.EventType.IsState() {
			c.metrics.traffic.toRemote(evt.RoomID, ms.Status)
		}
		c.letters.note(ms, evt)
		c.checks.add(ms.ToCheckpoint(evt))
	}
	c.Connector.SendMessageStatus(ctx, ms, evt)
}

// SendBridgeStatus implements bridgev2.MatrixConnector.
func (c *connector) SendBridgeStatus(ctx context.Context, state *status.BridgeState) error {
	c.mu.Lock()
	if state.RemoteID == "" {
		c.global = *state
	} else {
		c.logins[state.RemoteID] = *state
	}
	c.mu.Unlock()
	return c.Connector.SendBridgeStatus(ctx, state)
}

// loginStatus is what the logins have last reported.
func (c *connector) loginStatus() []LoginStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []LoginStatus
	for login, state := range c.logins {
		list = append(list, LoginStatus{
			ID:      login,
			User:    state.UserID,
			Name:    state.RemoteName,
			State:   state.StateEvent,
			Error:   string(state.Error),
			Message: state.Message,
			Since:   state.Timestamp.Time,
		})
	}
	return list
}

func (c *connector) setRedelivered(evt id.EventID, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is {
		c.redelivered[evt] = true
	} else {
		delete(c.redelivered, evt)
	}
}

// Redelivered reports whether the handling of a Matrix event had perhaps begun
// before the process died: the remote network may have the message already. A
// module that can ask its network about it should, before it sends; where the
// answer is in the bridge's database the host has asked already. It is valid
// while the event is being handled.
func Redelivered(br *bridgev2.Bridge, evt id.EventID) bool {
	c, ok := br.Matrix.(*connector)
	if !ok {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.redelivered[evt]
}

// PrependHandler lets a module see events of a type before bridgev2 does, for what
// bridgev2 drops. It is called in the module's Start; see Bridge. The handler is called
// in the turn of the event's room, and the event counts as handled when it returns.
func (c *connector) PrependHandler(kind event.Type, h func(context.Context, *event.Event)) {
	c.EventProcessor.PrependHandler(kind, h)
}
