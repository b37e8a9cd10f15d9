package irc

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/bridgev2/status"
	"maunium.net/go/mautrix/event"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// outage tells people when a network is away: as the login's bridge state at
// once, and in the rooms once it has lasted for a while, and again when it is
// over.
type outage struct {
	n *network

	down  bool
	timer *time.Timer
	// told holds the channels whose rooms know that they are cut off.
	told map[string]bool
	// reason is why the network is away.
	reason string
}

func (o *outage) connecting(e session.Connecting) {
	if e.Attempt == 1 {
		o.n.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnecting})
	}
}

func (o *outage) registered(session.Registered) {
	o.down = false
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	o.n.login.BridgeState.Send(status.BridgeState{StateEvent: status.StateConnected})
}

func (o *outage) disconnected(e session.Disconnected) {
	state := status.BridgeState{
		StateEvent: status.StateTransientDisconnect, Error: "irc-disconnected",
		Message: fmt.Sprintf("Not connected to %s: %v", o.n.cfg.Name, e.Err),
	}
	if e.BadCredentials {
		state.StateEvent, state.Error = status.StateBadCredentials, "irc-bad-credentials"
	}
	if e.RetryIn == 0 {
		return // stopped on purpose
	}
	o.n.login.BridgeState.Send(state)
	o.reason = e.Err.Error()
	if o.down {
		return
	}
	o.down = true
	o.timer = time.NewTimer(o.n.cfg.OutageNotice)
}

// due is ready when the rooms are to be told that the network is away.
func (o *outage) due() <-chan time.Time {
	if o.timer == nil {
		return nil
	}
	return o.timer.C
}

// tell says in all rooms that the network is away.
func (o *outage) tell() {
	o.timer = nil
	if o.told == nil {
		o.told = make(map[string]bool)
	}
	for _, ch := range o.n.channels.all() {
		o.told[ch.Name] = true
		o.say(ch, fmt.Sprintf(
			"⚠️ The connection to %s is lost (%s). What you write is kept and sent when it is back.", o.n.cfg.Name, o.reason))
	}
}

// joined says in a room that it is connected again, if it was told otherwise.
func (o *outage) joined(ch *channel) {
	told := o.told[ch.Name]
	delete(o.told, ch.Name)
	if told {
		o.say(ch, fmt.Sprintf("The connection to %s on %s is back.", ch.Name, o.n.cfg.Name))
	}
}

// cannotJoin says once in a room that its channel cannot be joined.
func (o *outage) cannotJoin(ch *channel, e session.JoinFailed) {
	if o.mark(ch) {
		o.say(ch, fmt.Sprintf("⚠️ The bridge cannot join %s: %s. It keeps trying.", ch.Name, e.Text))
	}
}

// kicked says once in a room that the bridge was removed from its channel.
func (o *outage) kicked(ch *channel, e session.Kick) {
	if o.mark(ch) {
		o.say(ch, fmt.Sprintf("⚠️ The bridge was kicked from %s by %s (%s). It tries to return.", ch.Name, e.By.Nick, e.Reason))
	}
}

// mark reports whether a room is to be told that it is cut off.
func (o *outage) mark(ch *channel) bool {
	if o.told == nil {
		o.told = make(map[string]bool)
	}
	first := !o.told[ch.Name]
	o.told[ch.Name] = true
	return first
}

func (o *outage) stop() {
	if o.timer != nil {
		o.timer.Stop()
	}
}

// say sends a notice of the bridge bot to a channel's room.
func (o *outage) say(ch *channel, text string) {
	br := o.n.b.br
	ctx, cancel := context.WithTimeout(br.BackgroundCtx, 30*time.Second)
	defer cancel()
	portal, err := br.GetExistingPortalByKey(ctx, channelKey(o.n.cfg.ID, ch.Name))
	if err != nil || portal == nil || portal.MXID == "" {
		return
	}
	content := &event.MessageEventContent{MsgType: event.MsgNotice, Body: text, Mentions: &event.Mentions{}}
	if _, err := br.Bot.SendMessage(ctx, portal.MXID, event.EventMessage, &event.Content{Parsed: content}, nil); err != nil {
		o.n.log.Warn("a room is not told of the state of its channel", "error", err)
	}
}
