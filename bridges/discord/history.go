package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// What was said in a channel before it was bridged is brought in oldest first, on the way
// that new messages take, before anything newer of that channel: the room's order is
// Discord's, answers find what they answer, and the cursor tells how far it is, so that a
// restart goes on where it ended. Other channels do not wait. What is said in the channel
// meanwhile is not kept, for it will be met.

const (
	// historyPage is how many messages are fetched at once.
	historyPage = 100
	// historyAtOnce is of how many channels the past is fetched at a time.
	historyAtOnce = 4
	// maxLate bounds what is kept of what happens meanwhile to messages that are being
	// brought in.
	maxLate = 1000
)

// States of a channel's history, in PortalMetadata.
const (
	historyNone    = "none" // the room begins when it was bridged
	historyRunning = "running"
	historyDone    = "done"
)

// since is where the history of channels that are bridged now begins; ok is false if
// there is to be none.
func (c *Config) since(now time.Time) (start wire.ID, ok bool) {
	at, ok := c.History.Start(now)
	if !ok || at.IsZero() {
		return "0", ok
	}
	return wire.ID(prevID(wire.IDAt(at))), true
}

// past is the bringing in of one channel's history, with that of its threads. Its fields
// are the pump's; the goroutine that fetches (fetchPast) has what it was given.
type past struct {
	channel wire.Channel
	// late is what happened to messages of the channel while these were on their way.
	late []*entry
	// dirty are the threads in which something was said meanwhile.
	dirty map[wire.ID]bool
	// authors are those who said something.
	authors map[wire.ID]bool
	total   int
	at      time.Time // of what was said last of what is there
	told    time.Time // when progress was told last
}

// pastPage is what fetchPast hands to the pump.
type pastPage struct {
	room   wire.ID
	stream wire.Channel // the channel itself, or a thread of it
	list   []*entry
	last   bool          // there is nothing more of the channel
	done   chan struct{} // closed when the room has handled the page
}

// beginPast begins, or goes on with, the history of a channel. Called by the pump.
func (n *bot) beginPast(ch wire.Channel) {
	if n.pasts[ch.ID] != nil {
		return
	}
	n.pasts[ch.ID] = &past{channel: ch, dirty: map[wire.ID]bool{}, authors: map[wire.ID]bool{}, told: time.Now()}
	cursors := map[wire.ID]wire.ID{ch.ID: n.cursors[ch.ID]}
	for t, parent := range n.threads {
		if c, known := n.cursors[t]; known && parent == ch.ID {
			cursors[t] = c
		}
	}
	var threads []wire.Channel
	n.guilds.read(ch.GuildID, func(g *guild) {
		for _, t := range g.threads {
			if t.ParentID == ch.ID {
				threads = append(threads, t)
			}
		}
	})
	n.log.Info("bringing in the history of a channel", "channel", ch.ID)
	n.work.Go(func() {
		slot := &slot{all: n.pastSlots}
		defer slot.give()
		if slot.take(n.ctx) {
			n.fetchPast(n.ctx, ch, cursors, threads, slot)
		}
	})
}

// fetchPast fetches the history of a channel, page by page, and hands it to the pump.
func (n *bot) fetchPast(ctx context.Context, ch wire.Channel, cursors map[wire.ID]wire.ID, active []wire.Channel, slot *slot) {
	hand := func(p *pastPage) bool {
		p.room, p.done = ch.ID, make(chan struct{})
		select {
		case n.pages <- p:
		case <-ctx.Done():
			return false
		}
		select {
		case <-p.done:
			return true
		case <-ctx.Done():
			return false
		}
	}
	if !ch.IsForum() && !n.fetchStream(ctx, ch, cursors[ch.ID], slot, hand) {
		return
	}
	threads := append(active, n.archivedThreads(ctx, &ch)...)
	slices.SortFunc(threads, func(a, b wire.Channel) int { return cmp.Compare(a.ID.Uint(), b.ID.Uint()) })
	start, _ := n.cfg.since(time.Now())
	for _, t := range slices.CompactFunc(threads, func(a, b wire.Channel) bool { return a.ID == b.ID }) {
		after, known := cursors[t.ID]
		if !known {
			if after = wire.ID(prevID(t.ID)); start.After(after) {
				after = start
			}
		}
		if t.LastMessageID != "" && !t.LastMessageID.After(after) {
			continue
		}
		t.GuildID = ch.GuildID
		if !n.fetchStream(ctx, t, after, slot, hand) {
			return
		}
	}
	if ctx.Err() == nil {
		hand(&pastPage{stream: ch, last: true})
	}
}

// fetchStream fetches what is newer than after of a channel or a thread. It returns false
// when the bridge is stopping.
func (n *bot) fetchStream(ctx context.Context, stream wire.Channel, after wire.ID, slot *slot, hand func(*pastPage) bool) bool {
	for first := true; ; first = false {
		page, err := n.fetchPage(ctx, &stream, after, slot)
		if first && stream.IsThread() && len(page) > 0 {
			n.bringRoot(ctx, &stream, page[0].raw)
		}
		if ctx.Err() != nil {
			return false
		}
		if err != nil {
			n.log.Warn("the history of a channel cannot be fetched", "channel", stream.ID, "error", err)
			return true
		}
		p := &pastPage{stream: stream}
		for _, m := range page {
			if !m.id.After(after) {
				continue
			}
			after = m.id
			p.list = append(p.list, &entry{kind: "MESSAGE_CREATE", data: m.withGuild(stream.GuildID)})
			p.list = append(p.list, n.pastReactions(ctx, &stream, m)...)
		}
		if len(p.list) > 0 && !hand(p) {
			return false
		}
		if len(p.list) == 0 || !goesOn(&stream, page, after) {
			return true
		}
	}
}

// maxReactors is how many people's reactions with one emoji are fetched.
const maxReactors = 1000

// reactors are those who reacted to a message with an emoji; kind is 1 for super reactions. Discord: "Get Reactions", which has at
// most 100 people, in the order of their ids.
func (n *bot) reactors(ctx context.Context, ch *wire.Channel, m wire.ID, emoji string, kind int) (users wire.List[wire.User], err error) {
	path := "/channels/" + string(ch.ID) + "/messages/" + string(m) + "/reactions/" + url.PathEscape(emoji)
	after := ""
	for len(users) < maxReactors {
		query := url.Values{"limit": {"100"}}
		if kind != 0 {
			query.Set("type", strconv.Itoa(kind))
		}
		if after != "" {
			query.Set("after", after)
		}
		var page wire.List[wire.User]
		if err := n.question(ctx, path+"?"+query.Encode(), "/channels/"+string(ch.ID)+"/reactions", false, &page); err != nil {
			return users, err
		}
		if len(page) == 0 || string(page[len(page)-1].ID) == after { // a server that knows no pages
			break
		}
		users = append(users, page...)
		if after = string(page[len(page)-1].ID); len(page) < 100 {
			break
		}
	}
	return users, nil
}

// pastReactions are the reactions to a message, as the gateway would have told them.
func (n *bot) pastReactions(ctx context.Context, ch *wire.Channel, m rawMessage) (list []*entry) {
	var have struct {
		Reactions wire.List[struct {
			Emoji  wire.Emoji `json:"emoji"`
			Counts struct {
				Burst wire.Int `json:"burst"`
			} `json:"count_details"`
		}] `json:"reactions"`
	}
	if wire.Decode(m.raw, &have) != nil {
		return nil
	}
	for _, r := range have.Reactions {
		name := r.Emoji.Name
		if r.Emoji.ID != "" {
			name += ":" + string(r.Emoji.ID)
		}
		users, err := n.reactors(ctx, ch, m.id, name, 0)
		if err != nil {
			n.log.Warn("who reacted to a message cannot be fetched", "channel", ch.ID, "message", m.id, "error", err)
		}
		if r.Counts.Burst > 0 { // super reactions are another list
			if more, err := n.reactors(ctx, ch, m.id, name, 1); err == nil {
				users = append(users, more...)
			}
		}
		told := map[wire.ID]bool{}
		for _, u := range users {
			if told[u.ID] {
				continue
			}
			told[u.ID] = true
			raw, err := json.Marshal(map[string]any{
				"user_id": u.ID, "channel_id": ch.ID, "message_id": m.id, "guild_id": ch.GuildID,
				"emoji":  map[string]any{"id": r.Emoji.ID, "name": r.Emoji.Name, "animated": r.Emoji.Animated},
				"member": map[string]any{"user": map[string]any{"id": u.ID, "username": u.Username, "global_name": u.GlobalName, "avatar": u.Avatar, "bot": u.Bot}},
			})
			if err == nil {
				list = append(list, &entry{kind: "MESSAGE_REACTION_ADD", data: raw})
			}
		}
	}
	return list
}

// archivedThreads are the threads of a channel that the gateway does not tell of.
func (n *bot) archivedThreads(ctx context.Context, ch *wire.Channel) (all []wire.Channel) {
	for _, kind := range []string{"public", "private"} {
		path := "/channels/" + string(ch.ID) + "/threads/archived/" + kind
		query := "?limit=100"
		for {
			var answer struct {
				Threads wire.List[wire.Channel] `json:"threads"`
				More    bool                    `json:"has_more"`
			}
			if err := n.api.Do(ctx, "GET", path+query, path, nil, &answer); err != nil {
				// Private ones need a right that the bot need not have.
				if kind == "public" && ctx.Err() == nil {
					n.log.Warn("the archived threads of a channel cannot be listed", "channel", ch.ID, "error", err)
				}
				break
			}
			for _, t := range answer.Threads {
				if t.ID != "" && t.IsThread() {
					t.ParentID = ch.ID
					all = append(all, t)
				}
			}
			if !answer.More || len(answer.Threads) == 0 {
				break
			}
			query = "?limit=100&before=" + url.QueryEscape(answer.Threads[len(answer.Threads)-1].Metadata.ArchivedAt.UTC().Format(time.RFC3339Nano))
		}
	}
	return all
}

// onPage takes a page of history to its room. Called by the pump.
func (n *bot) onPage(ctx context.Context, p *pastPage) {
	h := n.pasts[p.room]
	if h == nil {
		close(p.done)
		return
	}
	if p.last {
		n.endPast(ctx, h)
		close(p.done)
		return
	}
	if p.stream.IsThread() {
		n.noteThread(ctx, p.stream)
	}
	if !n.inbox.keep(p.list) {
		return // stopping; what was kept before is fetched again
	}
	for _, e := range p.list {
		n.handleKnown(ctx, e)
		if e.kind == "MESSAGE_CREATE" {
			n.countPast(h, e)
		}
	}
	late := h.late
	h.late = nil
	for _, e := range late {
		n.handleKnown(ctx, e)
	}
	n.after(p.room, func() { close(p.done) })
}

// after calls f when a room has handled what was queued so far.
func (n *bot) after(room wire.ID, f func()) {
	meta := n.meta(bridgev2.RemoteEventUnknown, channelKey(room), time.Now(), "")
	meta.PostHandleFunc = func(context.Context, *bridgev2.Portal) { f() }
	n.queue(&meta)
}

// tellEvery is how often the log says how far a long history is.
const tellEvery = 30 * time.Second

func (n *bot) countPast(h *past, e *entry) {
	var m struct {
		Author    wire.User `json:"author"`
		WebhookID wire.ID   `json:"webhook_id"`
		Timestamp wire.Time `json:"timestamp"`
	}
	h.total++
	if wire.Decode(e.data, &m) != nil {
		return
	}
	if m.WebhookID == "" && m.Author.ID != "" {
		h.authors[m.Author.ID] = true
	}
	h.at = m.Timestamp.Time
	if time.Since(h.told) >= tellEvery {
		h.told = time.Now()
		n.log.Info("bringing in the history of a channel", "channel", h.channel.ID, "messages", h.total, "at", m.Timestamp.Time)
	}
}

// meanwhile decides about an event of the gateway in a channel whose history is being
// brought in. It reports whether the event is taken care of.
func (n *bot) meanwhile(e *entry, at place, room wire.ID) bool {
	h := n.pasts[room]
	if h == nil {
		return false
	}
	if e.kind == "MESSAGE_CREATE" {
		if n.passed(at) {
			return false
		}
		if at.ChannelID != room {
			h.dirty[at.ChannelID] = true
		}
		n.inbox.done(handled{seq: e.seq}) // it will be met
		return true
	}
	// It may be about a message that was fetched as it was before, and not handled yet.
	if h.late = append(h.late, e); len(h.late) > maxLate {
		n.log.Warn("too much happens to a channel while its history comes in; a change is passed over", "channel", room)
		n.inbox.done(handled{seq: h.late[0].seq})
		h.late = h.late[1:]
	}
	return true
}

// passed reports whether a message is not newer than its channel's cursor. One that was left over by an earlier run may be: it will not
// be met when what is newer is fetched.
func (n *bot) passed(at place) bool {
	cursor, known := n.cursors[at.ChannelID]
	return known && !at.ID.After(cursor)
}

// endPast ends the history of a channel: what was said last is fetched while nothing new can come, and from then on
// the channel lives.
func (n *bot) endPast(ctx context.Context, h *past) {
	ch := h.channel
	delete(n.pasts, ch.ID)
	left := 1 + len(h.dirty)
	one := func(ctx context.Context) {
		if left--; left == 0 {
			n.livePast(ctx, h)
		}
	}
	if ch.IsForum() {
		defer one(ctx)
	} else {
		n.fillGap(ctx, &ch, n.cursors[ch.ID], one)
	}
	for id := range h.dirty {
		t, ok := n.guilds.channel(id)
		if !ok {
			t = wire.Channel{ID: id, ParentID: ch.ID, GuildID: ch.GuildID, Type: wire.ThreadPublic}
		}
		after, known := n.cursors[id]
		if !known {
			after = wire.ID(prevID(id))
		}
		n.fillGap(ctx, &t, after, one)
	}
}

// livePast takes to the room what has happened to its messages while the history came in.
func (n *bot) livePast(ctx context.Context, h *past) {
	ch := h.channel
	for _, e := range h.late {
		n.handleKnown(ctx, e)
	}
	raw, err := json.Marshal(map[string]any{"channel_id": ch.ID, "guild_id": ch.GuildID})
	if err == nil && !ch.IsForum() {
		n.onPins(ctx, &entry{kind: "CHANNEL_PINS_UPDATE", data: raw}, ch.ID, ch.ID)
	}
	n.seeOff(&ch, h.authors)
	n.after(ch.ID, func() {
		if err := n.setHistory(context.WithoutCancel(ctx), ch.ID, historyDone); err != nil {
			n.log.Error("the end of a channel's history is not recorded; it is looked through again", "channel", ch.ID, "error", err)
		}
	})
	n.log.Info("the history of a channel is there", "channel", ch.ID, "messages", h.total)
}

// seeOff has those leave a room who have said something and are in the guild no more.
func (n *bot) seeOff(ch *wire.Channel, authors map[wire.ID]bool) {
	list := bridgev2.ChatMemberMap{}
	n.guilds.read(ch.GuildID, func(g *guild) {
		for user := range authors {
			if _, here := g.members[user]; g.whole && !here {
				list[userID(user)] = bridgev2.ChatMember{
					EventSender: bridgev2.EventSender{Sender: userID(user)}, Membership: "leave", PrevMembership: "join",
				}
			}
		}
	})
	n.changeMembers(channelKey(ch.ID), list)
}

// history is the state of a channel's history; "" for a room that was not looked at yet.
func (n *bot) history(ctx context.Context, channel wire.ID) string {
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(channel))
	if err != nil || portal == nil {
		return ""
	}
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok {
		return ""
	}
	return meta.History
}

func (n *bot) setHistory(ctx context.Context, channel wire.ID, state string) error {
	portal, err := n.b.br.GetExistingPortalByKey(ctx, networkid.PortalKey{ID: networkid.PortalID(channel)})
	if err != nil || portal == nil {
		return err
	}
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.History == state {
		return nil
	}
	meta.History = state
	return portal.Save(ctx)
}
