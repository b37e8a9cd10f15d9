package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"maunium.net/go/mautrix/bridgev2/database"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// A gateway that was not listened to does not tell afterwards what was edited, deleted or
// reacted to. So the messages of the last week of each channel are compared with what Matrix has when
// a session begins, newest first and in pages, and what differs is handled as if the gateway had told it. That is
// harmless if it is told twice.

const (
	// recheckAge is how old messages may be that are compared, but for the newest page, and recheckPages how many pages they may be.
	recheckAge   = 7 * 24 * time.Hour
	recheckPages = 10
)

// recheckTries is how often a channel is looked at anew because something happened to it
// meanwhile.
const recheckTries = 3

// snapshot is what the newest messages of a channel were like at a time.
type snapshot struct {
	stream wire.Channel
	upto   wire.ID // newer ones are not in it
	page   []rawMessage
	// reacted are the changes of reactions, by message.
	reacted map[wire.ID][]*entry
	tries   int // that are left
}

// recheck begins to compare a channel with what Matrix has of it. Called by the pump.
func (n *bot) recheck(ch wire.Channel, upto wire.ID, tries, pages int) {
	if upto.Uint() == 0 || tries == 0 {
		return
	}
	delete(n.changed, ch.ID)
	n.work.Go(func() {
		for range pages {
			s := n.lookBack(n.ctx, ch, upto, tries-1)
			if s == nil {
				return
			}
			oldest := s.oldest()
			select {
			case n.snapshots <- s:
			case <-n.ctx.Done():
				return
			}
			if upto = wire.ID(prevID(oldest)); oldest.Uint() == 0 || time.Since(oldest.Time()) > recheckAge {
				return
			}
		}
	})
}

// lookBack is what a page of a channel is like, up to a message; nil if that cannot be had.
func (n *bot) lookBack(ctx context.Context, ch wire.Channel, upto wire.ID, tries int) *snapshot {
	page, err := n.fetchNewest(ctx, &ch, upto)
	if err != nil {
		if ctx.Err() == nil {
			n.log.Warn("what was changed in a channel meanwhile cannot be fetched", "channel", ch.ID, "error", err)
		}
		return nil
	}
	s := &snapshot{stream: ch, upto: upto, page: page, tries: tries, reacted: make(map[wire.ID][]*entry)}
	have, err := n.b.store.reactions(ctx, channelKey(n.streamRoom(&ch)), s.oldest())
	if err != nil {
		n.log.Error("the reactions of a channel cannot be compared with those of its room", "channel", ch.ID, "error", err)
		return nil
	}
	for _, m := range page {
		s.reacted[m.id] = n.reactionChanges(ctx, &ch, m, have[m.id])
	}
	return s
}

// oldest is the id from which on a snapshot has all messages.
func (s *snapshot) oldest() wire.ID {
	if len(s.page) < historyPage {
		return "0"
	}
	return s.page[0].id
}

// newestTries is how often the newest messages of a channel are asked for in vain.
const newestTries = 5

// fetchNewest fetches the newest messages of a channel up to one, oldest first.
func (n *bot) fetchNewest(ctx context.Context, ch *wire.Channel, upto wire.ID) (page wire.List[rawMessage], err error) {
	path := "/channels/" + string(ch.ID) + "/messages"
	for try := range newestTries {
		if err = n.question(ctx, path+"?limit=100&before="+nextID(upto), path, try > 0, &page); err == nil || api.Refused(err) {
			break
		}
		if !pause(ctx, time.Second<<try) {
			return nil, ctx.Err()
		}
	}
	slices.SortFunc(page, func(a, b rawMessage) int { return cmp.Compare(a.id.Uint(), b.id.Uint()) })
	return page, err
}

// onSnapshot handles what is different from what Matrix has. Called by the pump.
func (n *bot) onSnapshot(ctx context.Context, s *snapshot) {
	if n.changed[s.stream.ID] {
		n.recheck(s.stream, s.upto, s.tries, 1) // it may be older than what was handled since
		return
	}
	list, err := n.differences(ctx, s)
	if err != nil {
		n.log.Error("a channel cannot be compared with its room", "channel", s.stream.ID, "error", err)
		return
	}
	if len(list) == 0 || !n.inbox.keep(list) {
		return
	}
	n.log.Info("a channel was changed meanwhile", "channel", s.stream.ID, "changes", len(list))
	for _, e := range list {
		n.handleStored(ctx, e)
	}
}

// differences are the events that a room needs to be as a snapshot is.
func (n *bot) differences(ctx context.Context, s *snapshot) (list []*entry, err error) {
	if len(s.page) == 0 {
		return nil, nil // as it is, too, for who may not read the history
	}
	room := n.streamRoom(&s.stream)
	var from time.Time
	oldest := s.oldest()
	if len(s.page) >= historyPage {
		from = oldest.Time().Add(-time.Hour) // the row of a message from Matrix has Matrix's time
	}
	rows, err := n.b.br.DB.Message.GetMessagesBetweenTimeQuery(ctx, channelKey(room), from, s.upto.Time().Add(time.Hour))
	if err != nil {
		return nil, err
	}
	have := make(map[wire.ID][]*database.Message)
	for _, row := range rows {
		id := wire.ID(row.ID)
		if at := metaOf(row).Channel; id.Uint() == 0 || at != s.stream.ID || id.After(s.upto) || oldest.After(id) || row.HasFakeMXID() {
			continue
		}
		have[id] = append(have[id], row)
	}
	for _, m := range s.page {
		rows := have[m.id]
		delete(have, m.id)
		var msg wire.Message
		if len(rows) == 0 || wire.Decode(m.raw, &msg) != nil {
			continue
		}
		if !n.isOurs(&msg) && n.differs(rows, &msg, room) {
			list = append(list, &entry{kind: "MESSAGE_UPDATE", data: m.withGuild(s.stream.GuildID)})
		}
		list = append(list, s.reacted[m.id]...)
	}
	var old []wire.ID
	for id := range have {
		switch _, thread := n.threads[id]; {
		case thread:
			// The room's row for a thread that begins with no message.
		case s.page[0].id.After(id):
			old = append(old, id) // older than all that came, though there was place for it
		default:
			list = append(list, deleted(&s.stream, id))
		}
	}
	n.lookFor(&s.stream, old)
	return list, nil
}

// maxLookFor is how many messages of a channel are looked for one by one.
const maxLookFor = 20

// lookFor asks for messages that a page should have had. Those that are not there are deleted; somebody may also give less
// than was asked for.
func (n *bot) lookFor(ch *wire.Channel, list []wire.ID) {
	if len(list) == 0 || len(list) > maxLookFor {
		return
	}
	n.work.Go(func() {
		path := "/channels/" + string(ch.ID) + "/messages/"
		for _, id := range list {
			if err := n.question(n.ctx, path+string(id), path+"id", false, nil); api.IsCode(err, codeUnknownMessage) {
				n.inbox.put(deleted(ch, id))
			}
		}
	})
}

// deleted is the event by which a message ends.
func deleted(ch *wire.Channel, message wire.ID) *entry {
	raw, _ := json.Marshal(map[string]any{"id": message, "channel_id": ch.ID, "guild_id": ch.GuildID}) // of strings; cannot fail
	return &entry{kind: "MESSAGE_DELETE", data: raw}
}

// differs reports whether a message was edited since Matrix got it.
func (n *bot) differs(rows []*database.Message, m *wire.Message, room wire.ID) bool {
	if title, _ := n.headline(m, room); title == "" && m.Edited.IsZero() && m.Poll == nil && len(richEmbeds(m)) == 0 {
		return false
	}
	for _, row := range rows {
		if row.PartID == "" && metaOf(row).Hash != n.hashOf(m, room) {
			return true
		}
		if row.PartID != "" && row.PartID[0] == 'a' && len(m.Snapshots) == 0 &&
			!slices.ContainsFunc(m.Attachments, func(a wire.Attachment) bool { return "a"+string(a.ID) == string(row.PartID) }) {
			return true
		}
	}
	return false
}

// reactionChanges are the reactions that were added to a message or taken away, if their
// numbers differ from those in Matrix, by emoji and user.
func (n *bot) reactionChanges(ctx context.Context, ch *wire.Channel, m rawMessage, have []reactionRow) (list []*entry) {
	var msg struct {
		Reactions wire.List[struct {
			Count  wire.Int   `json:"count"`
			Me     bool       `json:"me"`
			Emoji  wire.Emoji `json:"emoji"`
			Counts struct {
				Burst wire.Int `json:"burst"`
			} `json:"count_details"`
		}] `json:"reactions"`
	}
	if wire.Decode(m.raw, &msg) != nil {
		return nil
	}
	known := make(map[string]map[wire.ID]bool)
	for _, r := range have {
		if known[r.emoji] == nil {
			known[r.emoji] = make(map[wire.ID]bool)
		}
		known[r.emoji][r.user] = true
	}
	for _, r := range msg.Reactions {
		key := string(emojiID(r.Emoji))
		count := int(r.Count)
		if r.Me {
			count-- // the bot's stands for those of Matrix
		}
		users := known[key]
		delete(known, key)
		if count == len(users) || count > 100 {
			continue
		}
		raw, err := json.Marshal(map[string]any{"reactions": []any{map[string]any{"count_details": map[string]any{"burst": r.Counts.Burst}, "emoji": map[string]any{"id": r.Emoji.ID, "name": r.Emoji.Name, "animated": r.Emoji.Animated}}}})
		if err != nil {
			continue
		}
		for _, e := range n.pastReactions(ctx, ch, rawMessage{id: m.id, raw: raw}) {
			var ev wire.ReactionEvent
			if wire.Decode(e.data, &ev) != nil {
				continue
			}
			if !users[ev.UserID] {
				list = append(list, e)
			}
			delete(users, ev.UserID)
		}
		for user := range users {
			list = append(list, unreacted(ch, m.id, user, map[string]any{"id": r.Emoji.ID, "name": r.Emoji.Name}))
		}
	}
	for key, users := range known { // nobody has these any more
		emoji := map[string]any{"name": key}
		if wire.ID(key).Uint() != 0 {
			emoji = map[string]any{"id": key, "name": "gone"}
		}
		for user := range users {
			list = append(list, unreacted(ch, m.id, user, emoji))
		}
	}
	return list
}

// unreacted is the event by which somebody's reaction ends.
func unreacted(ch *wire.Channel, message, user wire.ID, emoji map[string]any) *entry {
	raw, _ := json.Marshal(map[string]any{ // of strings; cannot fail
		"user_id": user, "channel_id": ch.ID, "message_id": message, "guild_id": ch.GuildID, "emoji": emoji,
	})
	return &entry{kind: "MESSAGE_REACTION_REMOVE", data: raw}
}
