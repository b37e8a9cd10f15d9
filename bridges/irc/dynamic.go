package irc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
)

const (
	connectTime = 10 * time.Second      // how long who wants into a channel waits for the connection
	lookEvery   = 20 * time.Millisecond // how often is looked whether something has come about
)

func loginID(network string) networkid.UserLoginID { return networkid.UserLoginID(network) }

var _ appservice.AliasOpener = (*Bridge)(nil)

// OpenAlias implements appservice.AliasOpener: "libera_#go" is the channel #go of libera, if that network bridges what
// people look for, or the channel is bridged already.
func (b *Bridge) OpenAlias(ctx context.Context, name string) (bool, error) {
	for _, cfg := range b.cfg.Networks {
		rest, ok := strings.CutPrefix(name, cfg.ID+"_")
		if !ok || !validChannelName(rest) {
			continue
		}
		n := b.running(cfg.ID)
		if n == nil {
			return false, nil
		}
		if ch := n.channel(rest); ch == nil && !n.cfg.Dynamic {
			return false, nil
		}
		if _, err := n.open(ctx, rest, ""); err != nil {
			b.log.Info("a channel that somebody looks for is not bridged", "channel", rest, "error", err)
			return false, nil
		}
		return true, nil
	}
	return false, nil
}

// open returns the room of a channel, which it joins and makes if it is not bridged yet. A channel that the bridge
// cannot join has no room.
func (n *network) open(ctx context.Context, name, key string) (*bridgev2.Portal, error) {
	n.opening.Lock() // one after the other: two may want the same
	defer n.opening.Unlock()
	ch := n.channel(name)
	if ch == nil {
		ch = &channel{ChannelConfig: ChannelConfig{Name: name, Key: key, RoomAlias: aliasLocalpart(n.b.aliasPrefix, n.cfg.ID, name)}, added: true}
		if err := n.enter(ctx, ch); err != nil {
			return nil, err
		}
		if err := n.b.store.putChannel(ctx, n.cfg.ID, ch); err != nil {
			return nil, err
		}
	}
	if err := n.ensureRoom(ctx, channelKey(n.cfg.ID, ch.Name), ch.RoomAlias); err != nil {
		return nil, err
	}
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(n.cfg.ID, ch.Name))
	if err == nil && (portal == nil || portal.MXID == "") {
		err = errNotOpen
	}
	return portal, err
}

// enter adds a channel and joins it, and takes it back if the server does not let the bridge in.
func (n *network) enter(ctx context.Context, ch *channel) error {
	if err := n.connected(ctx); err != nil {
		return err
	}
	if !n.channels.add(ch, maxChannels) {
		return fmt.Errorf("%s has as many channels as it may have", n.cfg.Name)
	}
	refused := n.awaitJoin(ch.Name)
	defer n.joinSettled(ch.Name)
	n.session.Join(ch.Name, ch.Key)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var err error
	for !n.session.InChannel(ch.Name) && err == nil {
		select {
		case reason := <-refused:
			err = fmt.Errorf("%w: %s", errNotOpen, plainTopic(reason))
		case <-ctx.Done():
			err = fmt.Errorf("%w: it does not answer", errNotOpen)
		case <-tick.C:
		}
	}
	if err != nil {
		n.session.Leave(ch.Name, "")
		n.channels.remove(ch)
	}
	return err
}

// connected waits for the bridge's own connection, for which a start takes a few seconds at servers that look callers up
// first.
func (n *network) connected(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !n.session.Connected() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not connected at the moment", n.cfg.Name)
		case <-tick.C:
		}
	}
	return nil
}

// awaitJoin has the reason told why a channel cannot be joined.
func (n *network) awaitJoin(channel string) <-chan string {
	n.mu.Lock()
	defer n.mu.Unlock()
	ch := make(chan string, 1)
	n.joining[channelKey(n.cfg.ID, channel).ID] = ch
	return ch
}

func (n *network) joinSettled(channel string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.joining, channelKey(n.cfg.ID, channel).ID)
}

// joinRefused tells who waits for a channel that it cannot be joined.
func (n *network) joinRefused(channel, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ch := n.joining[channelKey(n.cfg.ID, channel).ID]; ch != nil {
		select {
		case ch <- reason:
		default:
		}
	}
}

// plumb ties a room that is there to a channel.
func (n *network) plumb(ctx context.Context, ch *channel) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	portal, err := n.b.br.GetPortalByKey(ctx, channelKey(n.cfg.ID, ch.Name))
	if err != nil {
		return err
	}
	if portal.MXID != "" {
		return fmt.Errorf("the channel has a room already")
	}
	// The room first: what is said in the channel from the first moment on belongs into it.
	if err := n.tie(ctx, portal, ch.room); err != nil {
		return err
	}
	if err := n.enter(ctx, ch); err != nil {
		_ = portal.RemoveMXID(ctx)
		return err
	}
	return n.b.store.putChannel(ctx, n.cfg.ID, ch)
}

// tie gives a portal a room that is there.
func (n *network) tie(ctx context.Context, portal *bridgev2.Portal, room id.RoomID) error {
	err := portal.UpdateMatrixRoomID(ctx, room, bridgev2.UpdateMatrixRoomIDParams{FailIfMXIDSet: true, ChatInfoSource: n.login})
	if err != nil {
		return err
	}
	if err := portal.SetRelay(ctx, n.login); err != nil {
		return fmt.Errorf("set the relay: %w", err)
	}
	n.login.MarkInPortal(ctx, portal)
	return nil
}

// unbridge ends the tie of a channel that was added. Its room stays; those of IRC leave it.
func (n *network) unbridge(ctx context.Context, ch *channel) error {
	n.opening.Lock()
	defer n.opening.Unlock()
	if err := n.b.store.dropChannel(ctx, n.cfg.ID, ch.Name); err != nil {
		return err
	}
	n.session.Leave(ch.Name, "not bridged any more")
	for _, p := range n.puppets.all() {
		n.puppets.leave(p.user, ch, "not bridged any more")
	}
	n.channels.remove(ch)
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(n.cfg.ID, ch.Name))
	if err != nil || portal == nil || portal.MXID == "" {
		return err
	}
	// In a turn of the room: nobody else has it in hands then.
	done := make(chan error, 1)
	n.queueTurn(ch, func(ctx context.Context, portal *bridgev2.Portal) { done <- n.empty(ctx, portal) })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// empty takes the people of IRC out of a room and ends its tie.
func (n *network) empty(ctx context.Context, portal *bridgev2.Portal) error {
	members, err := n.b.br.Matrix.GetMembers(ctx, portal.MXID)
	if err != nil {
		return err
	}
	var list []networkid.UserID
	for user := range members {
		if ghost, ok := n.b.br.Matrix.ParseGhostMXID(user); ok && ghost != "" {
			list = append(list, ghost)
		}
	}
	each(n, list, func(ghost networkid.UserID) {
		if g, err := n.b.br.GetGhostByID(ctx, ghost); err == nil {
			_ = n.leave(ctx, portal, g, g.Intent, "", time.Time{})
		}
	})
	room := portal.MXID
	if err := portal.RemoveMXID(ctx); err != nil {
		return fmt.Errorf("end the tie of %s: %w", room, err)
	}
	return nil
}
