package discord

import (
	"context"
	"encoding/json"

	"maunium.net/go/mautrix/bridgev2"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// A thread hangs on a message, which a room may not have: it is older than the room, or the thread begins without one. Then Discord is
// asked for it. What is said in the thread meanwhile waits; nothing else does.

// roots is what is known of the messages on which threads hang. It is the pump's; the zero value is ready for use.
type roots struct {
	// there are threads of which the message was handed to its room.
	there map[wire.ID]bool
	// asked are those of which Discord is being asked, with what waits.
	asked map[wire.ID]*rootless
}

// rootless is what waits for the message on which a thread hangs.
type rootless struct {
	held []*entry
	// more says that messages came that are not held: they are fetched.
	more bool
}

// maxRooted bounds what is remembered of threads.
const maxRooted = 10_000

// add notes that the message of a thread was handed to its room.
func (r *roots) add(thread wire.ID) {
	if r.there == nil || len(r.there) >= maxRooted {
		r.there = make(map[wire.ID]bool)
	}
	r.there[thread] = true
}

// hasRoot reports whether a room has the message on which a thread hangs, or is about to have it. Called by the pump.
func (n *bot) hasRoot(ctx context.Context, thread wire.ID) bool {
	if n.roots.there[thread] || n.ahead.told[thread] {
		return true
	}
	row, err := n.b.br.DB.Message.GetFirstPartByID(ctx, "", messageID(thread))
	if err == nil && row == nil {
		return false
	}
	n.roots.add(thread)
	return true
}

// seekRoot has an event of a thread wait for the message on which the thread hangs, if the room lacks that. It reports whether it
// does. Called by the pump.
func (n *bot) seekRoot(ctx context.Context, e *entry, at place, room, thread wire.ID) bool {
	asked := n.roots.asked[thread]
	switch {
	case asked == nil && (e.kind != "MESSAGE_CREATE" || at.ID == thread || n.hasRoot(ctx, thread)):
		return false
	case asked != nil && len(asked.held) >= maxHeld:
		asked.more = true
		n.inbox.done(handled{seq: e.seq}) // a message is met when what is newer than the cursor is fetched
		return true
	case asked != nil:
		asked.held = append(asked.held, e)
		return true
	}
	if n.roots.asked == nil {
		n.roots.asked = make(map[wire.ID]*rootless)
	}
	n.roots.asked[thread] = &rootless{held: []*entry{e}}
	t, _ := n.guilds.channel(thread)
	t.ID, t.ParentID, t.GuildID = thread, room, at.GuildID
	n.work.Go(func() { n.bringRoot(n.ctx, &t, e.data) })
	return true
}

// bringRoot asks for the message on which a thread hangs, if its room lacks that, and hands it over. first is a message of the thread.
func (n *bot) bringRoot(ctx context.Context, t *wire.Channel, first json.RawMessage) {
	needed, where := false, t.ParentID
	if n.ask(ctx, func(ctx context.Context) {
		if t.IsThread() {
			n.noteThread(ctx, *t) // the title of a post stands over its first message
		}
		needed = !n.ownRoom(t) && !n.hasRoot(ctx, t.ID)
		if ch, known := n.guilds.channel(t.ParentID); known && ch.IsForum() {
			where = t.ID
		}
	}) != nil {
		return // what waits is in the inbox
	}
	var root wire.Message
	if needed {
		path := "/channels/" + string(where) + "/messages/"
		if err := n.question(ctx, path+string(t.ID), path+"id", false, &root); err != nil && ctx.Err() == nil {
			n.log.Debug("a thread has no message to hang on", "thread", t.ID, "error", err)
		}
	}
	_ = n.ask(ctx, func(ctx context.Context) { // in vain only while the bridge is stopping
		if needed {
			n.putRoot(ctx, t, &root, first)
		}
		asked := n.roots.asked[t.ID]
		delete(n.roots.asked, t.ID)
		if asked == nil {
			return
		}
		for _, e := range asked.held {
			n.handleStored(ctx, e)
		}
		if asked.more {
			after, known := n.cursors[t.ID]
			if !known {
				after = wire.ID(prevID(t.ID))
			}
			n.fillGap(ctx, t, after, nil)
		}
	})
}

// putRoot hands the message on which a thread hangs to its room; one that stands for it if there is none. Called by the pump.
func (n *bot) putRoot(ctx context.Context, t *wire.Channel, root *wire.Message, first json.RawMessage) {
	n.roots.add(t.ID)
	room := t.ParentID
	if root.ID == "" {
		*root = wire.Message{ID: t.ID, ChannelID: room, Type: wire.MessageThreadCreated, Content: t.Name}
		var by wire.Message
		_ = wire.Decode(first, &by) // as it was decoded before
		root.Author, root.Member, root.WebhookID = by.Author, by.Member, by.WebhookID
		if m, ok := n.guilds.member(t.GuildID, t.OwnerID); ok {
			root.Author, root.Member, root.WebhookID = m.User, &m, ""
		}
		root.Timestamp.Time = t.ID.Time()
	}
	root.GuildID = t.GuildID
	if n.isOurs(root) || !n.rooms[room] {
		return // on its way to be known
	}
	author := n.meetAuthor(ctx, root, room)
	for i, p := range n.parts(root, room) {
		msg := n.partEvent(root, messageID(t.ID), p, room, author, nil, i == 0)
		msg.PostHandleFunc = func(ctx context.Context, portal *bridgev2.Portal) { n.ensureTaken(ctx, portal, msg, p.id) }
		n.queue(msg)
	}
}
