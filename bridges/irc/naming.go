package irc

import (
	"context"
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// nameWait bounds how long an answer waits for what it answers to have its name.
const nameWait = 2 * time.Second

// awaitName waits until a message is known by the name that the network gave it. What was said from Matrix gets it when
// the server's confirmation has been handled, and a program on IRC may have answered before that. It is called before an
// answer or reaction is handled, and waits only while something is under way.
func (n *network) awaitName(ctx context.Context, portal *bridgev2.Portal, name networkid.MessageID) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.NewTimer(nameWait)
	defer late.Stop()
	for {
		busy := n.unsettled() // asked first: what has its name since is found then
		part, err := portal.Bridge.DB.Message.GetFirstPartByID(ctx, portal.Receiver, name)
		if err != nil || part != nil || !busy {
			return
		}
		select {
		case <-tick.C:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// unsettled tells whether the outcome of something that was sent to the network is not handled yet.
func (n *network) unsettled() bool {
	return n.outbox.unsettled() || slices.ContainsFunc(n.puppets.all(), func(p *puppet) bool { return p.outbox.unsettled() })
}

func (b *outbox) unsettled() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flying > 0 || len(b.results) > 0 || b.settling > 0
}

// busy reports whether something is to be sent or settled.
func (b *outbox) busy() bool {
	b.mu.Lock()
	waiting := len(b.queue) > 0
	b.mu.Unlock()
	return waiting || b.unsettled()
}
