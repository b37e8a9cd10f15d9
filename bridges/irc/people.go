package irc

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// person returns the ghost of a nick, which exists in Matrix and has the nick
// for its name from here on.
//
// The framework guards nothing in a ghost, and each room's goroutine reads it,
// so ghosts are written here alone, in the network's pump: before the first
// event of a ghost is queued, or, for a rename, when all rooms have handled what
// came before it. That is also the right order for those who read along.
func (n *network) person(ctx context.Context, nick string) networkid.UserID {
	id := n.ids.ghost(ctx, nick, n.fold(nick))
	n.introduce(ctx, id, nick)
	return id
}

func (n *network) introduce(ctx context.Context, id networkid.UserID, nick string) {
	name, known := n.introduced[id]
	if known && name == nick {
		return
	}
	if known {
		n.settleRooms(ctx)
	}
	ghost, err := n.b.br.GetGhostByID(ctx, id)
	if err != nil {
		n.log.Error("a person is not shown as they should be", "error", err)
		return
	}
	if intent, ok := ghost.Intent.(*matrix.ASIntent); ok {
		if err := intent.Matrix.EnsureRegistered(ctx); err != nil {
			n.log.Error("a ghost is not registered", "error", err)
		}
	}
	if ghost.Name != nick || !ghost.NameSet || !ghost.AvatarSet {
		ghost.UpdateInfo(ctx, userInfo(nick))
	}
	n.introduced[id] = nick
}

// settleWait bounds how long a rename waits for the rooms.
const settleWait = time.Minute

// settleRooms waits until the network's rooms have handled all that was queued.
func (n *network) settleRooms(ctx context.Context) {
	deadline := time.NewTimer(settleWait)
	defer deadline.Stop()
	var waiting []chan struct{}
	for i := range n.cfg.Channels {
		ch := &n.cfg.Channels[i]
		portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(n.cfg.ID, ch.Name))
		if err != nil || portal == nil || portal.MXID == "" {
			continue // handles nothing
		}
		done := make(chan struct{})
		meta := n.meta(bridgev2.RemoteEventUnknown, ch, session.Meta{}, "")
		meta.PreHandleFunc = func(context.Context, *bridgev2.Portal) { close(done) }
		n.queue((*simplevent.EventMeta)(&meta))
		waiting = append(waiting, done)
	}
	for _, done := range waiting {
		select {
		case <-done:
		case <-deadline.C:
			n.log.Warn("a room is slow; a rename does not wait for it longer")
			return
		}
	}
}
