package discord

import (
	"context"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// A webhook's message can be reacted to before the answer to the request that sent it is here: Discord knows it, and
// the bridge does not yet. What is early waits until its channel's outbox has done one more thing.

const (
	// maxEarly bounds what waits.
	maxEarly = 1000
	// youngest is how old a message may be for which something waits: older ones are not being sent.
	youngest = time.Hour
)

// early reports whether an event is about a message that may be being sent, and lets it wait if so. Called by the pump.
func (n *bot) early(ctx context.Context, e *entry, room, message wire.ID) bool {
	if !n.sending(ctx, room, message) {
		return false // what was sent a moment ago is known by now; see retry
	}
	if len(n.waiting) >= maxEarly {
		n.log.Warn("too much waits for messages that are being sent; something is passed over", "type", e.kind)
		return false
	}
	n.waiting = append(n.waiting, e)
	return true
}

// sending reports whether a message is not known that may be being sent.
func (n *bot) sending(ctx context.Context, room, message wire.ID) bool {
	if message == "" || !message.After(wire.IDAt(time.Now().Add(-youngest))) {
		return false
	}
	row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, "", n.firstPart(ctx, message))
	if err != nil || row != nil {
		return false
	}
	queue := room
	if ch, ok := n.guilds.channel(room); ok {
		queue = queueOf(&ch)
	}
	return n.outbox.waiting(queue) > 0
}

const (
	// maxSending is how long an answer waits for the message that it answers to be known.
	maxSending = 5 * time.Second
	// sendingPause is how often that is looked at.
	sendingPause = 20 * time.Millisecond
)

// awaitSent has a turn of a room wait for a message that may be being sent, so that an answer to it, or a thread that begins
// with it, finds it.
func (n *bot) awaitSent(ctx context.Context, room, message wire.ID) {
	for end := time.Now().Add(maxSending); n.sending(ctx, room, message) && time.Now().Before(end); {
		if !pause(ctx, sendingPause) {
			return
		}
	}
}

// retry handles what was early once more. Called by the pump.
func (n *bot) retry(ctx context.Context) {
	list := n.waiting
	n.waiting = nil
	for _, e := range list {
		n.handleStored(ctx, e)
	}
}

// freed implements doer: it has what was early looked at again.
func (n *bot) freed(wire.ID) { signal(n.again) }

// firstPart is the id under which a message is known: one of several that a long event from Matrix became is known by
// the first.
func (n *bot) firstPart(ctx context.Context, message wire.ID) networkid.MessageID {
	evt, err := n.b.store.sentFor(ctx, message)
	if err != nil || evt == "" {
		return messageID(message)
	}
	row, err := n.b.br.DB.Message.GetPartByMXID(ctx, evt)
	if err != nil || row == nil {
		return messageID(message)
	}
	return row.ID
}
