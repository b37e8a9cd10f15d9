package discord

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// permWriting is all by which people say something in a channel.
const permWriting = permSend | permSendInThreads | permCreateThreads | permCreatePrivateThreads

// before is what a channel was like before it was closed.
type before struct {
	Topic      string                    `json:"topic"`
	Overwrites wire.List[wire.Overwrite] `json:"overwrites"`
	// Changed are the ids of those that were changed.
	Changed []wire.ID `json:"changed,omitempty"`
	// Told says that the notice was said.
	Told bool `json:"told,omitempty"`
}

// apply has a channel look as it did before. A nil before changes nothing.
func (b *before) apply(ch *wire.Channel) {
	if b != nil {
		ch.Topic, ch.Overwrites = b.Topic, b.Overwrites
	}
}

var _ appservice.Freezer = (*Bridge)(nil)

// Freeze implements appservice.Freezer: in each channel the bot says the notice, puts it into the topic, and takes from
// everybody the right to write. In Matrix the rooms stay as they are.
func (b *Bridge) Freeze(ctx context.Context, notice string) ([]string, error) {
	return b.eachChannel(ctx, func(n *bot, ch *wire.Channel) []string { return n.freeze(ctx, ch, notice) })
}

var _ appservice.Announcer = (*Bridge)(nil)

// Announce implements appservice.Announcer.
func (b *Bridge) Announce(ctx context.Context, key, text string) ([]string, error) {
	parts := format.Split(format.FromText(text).Text, format.MaxLength)
	return b.eachChannel(ctx, func(n *bot, ch *wire.Channel) []string {
		if ch.IsForum() {
			return []string{fmt.Sprintf("#%s: a forum has no place for an announcement.", ch.Name)}
		}
		for i, part := range parts {
			key := fmt.Sprintf("announce/%s/%s/%d", ch.ID, key, i)
			begun, done, err := n.b.store.direct(ctx, key)
			if err == nil && !done {
				err = n.sayOnce(ctx, ch.ID, ch.ID, key, part, begun)
			}
			if err != nil {
				n.log.Warn("something was not announced in a channel", "channel", ch.ID, "error", err)
				return []string{fmt.Sprintf("#%s: it was not announced: %v.", ch.Name, err)}
			}
		}
		return nil
	})
}

// Thaw implements appservice.Freezer.
func (b *Bridge) Thaw(ctx context.Context) ([]string, error) {
	return b.eachChannel(ctx, func(n *bot, ch *wire.Channel) []string { return n.thaw(ctx, ch) })
}

// eachChannel calls f for each channel that is bridged, and gathers what it could not do.
func (b *Bridge) eachChannel(ctx context.Context, f func(*bot, *wire.Channel) []string) (undone []string, err error) {
	n := b.client()
	if n == nil {
		return nil, errNotRunning
	}
	n.freezing.Lock()
	defer n.freezing.Unlock()
	for _, guildID := range n.guilds.ids() {
		for _, ch := range n.openChannels(guildID) {
			if err := ctx.Err(); err != nil {
				return undone, err
			}
			undone = append(undone, f(n, &ch)...)
		}
	}
	return undone, nil
}

// current asks Discord what a channel is like now.
func (n *bot) current(ctx context.Context, ch *wire.Channel) (wire.Channel, error) {
	var now wire.Channel
	err := n.api.Do(ctx, "GET", "/channels/"+string(ch.ID), "", nil, &now)
	if err == nil && now.ID == "" {
		err = errors.New("the answer of Discord names no channel")
	}
	return now, err
}

func (n *bot) freeze(ctx context.Context, ch *wire.Channel, notice string) (undone []string) {
	fail := func(what string, err error) {
		if err != nil {
			n.log.Warn("a channel is not closed wholly", "channel", ch.ID, "what", what, "error", err)
			undone = append(undone, fmt.Sprintf("#%s: %s: %s.", ch.Name, what, why(err)))
		}
	}
	now, err := n.current(ctx, ch)
	if err != nil {
		fail("it was not closed", err)
		return undone
	}
	n.guilds.mu.RLock()
	was := n.guilds.frozen[ch.ID]
	n.guilds.mu.RUnlock()
	if was == nil {
		was = &before{Topic: now.Topic, Overwrites: now.Overwrites}
	} else {
		copied := *was
		was = &copied
	}
	// The notice first: then nobody can wonder. What is to be undone is stored before it is done.
	if err := n.setFrozen(ctx, ch, was); err != nil {
		fail("it was not closed", err)
		return undone
	}
	if !was.Told && !ch.IsForum() {
		body := map[string]any{
			"content": cutRunes(notice, 2000), "allowed_mentions": map[string]any{"parse": []string{}},
			"nonce": hash("freeze" + string(ch.ID) + notice)[:25], "enforce_nonce": true,
		}
		err := n.api.Do(ctx, "POST", "/channels/"+string(ch.ID)+"/messages", "", body, nil)
		if fail("the notice was not said", err); err == nil {
			was.Told = true
			fail("that the notice was said is not recorded", n.setFrozen(ctx, ch, was))
		}
	}
	topic := cutRunes(notice, 1024)
	if now.Topic != topic && hasTopic(ch) {
		fail("the topic was not set", n.api.Do(ctx, "PATCH", "/channels/"+string(ch.ID), "", map[string]any{"topic": topic}, nil))
	}
	for _, o := range closing(&now, ch.GuildID) {
		if !slices.Contains(was.Changed, o.ID) {
			was.Changed = append(was.Changed, o.ID)
			if err := n.setFrozen(ctx, ch, was); err != nil {
				fail("people can still write", err)
				continue
			}
		}
		fail("people can still write", n.setOverwrite(ctx, ch.ID, o))
	}
	return undone
}

// hasTopic reports whether a channel can have a topic.
func hasTopic(ch *wire.Channel) bool {
	return ch.Type != wire.ChannelVoice && ch.Type != wire.ChannelStage && !ch.IsThread()
}

// closing are the overwrites by which nobody may write in a channel: those of @everyone deny it, and no role or member is
// allowed it.
func closing(ch *wire.Channel, guildID wire.ID) (list []wire.Overwrite) {
	everyone := wire.Overwrite{ID: guildID, Type: wire.OverwriteRole}
	for _, o := range ch.Overwrites {
		switch {
		case o.ID == guildID:
			everyone = o
		case o.Allow&permWriting != 0:
			o.Allow &^= permWriting
			list = append(list, o)
		}
	}
	if everyone.Deny&permWriting != permWriting {
		everyone.Allow &^= permWriting
		everyone.Deny |= permWriting
		list = append(list, everyone)
	}
	return list
}

func (n *bot) setOverwrite(ctx context.Context, channel wire.ID, o wire.Overwrite) error {
	path := "/channels/" + string(channel) + "/permissions/"
	body := map[string]any{"type": o.Type, "allow": strconv.FormatInt(int64(o.Allow), 10), "deny": strconv.FormatInt(int64(o.Deny), 10)}
	return n.api.Do(ctx, "PUT", path+string(o.ID), path+"id", body, nil)
}

func (n *bot) thaw(ctx context.Context, ch *wire.Channel) (undone []string) {
	n.guilds.mu.RLock()
	was := n.guilds.frozen[ch.ID]
	n.guilds.mu.RUnlock()
	if was == nil {
		return nil
	}
	fail := func(what string, err error) {
		if err != nil {
			n.log.Warn("a channel is not opened wholly", "channel", ch.ID, "what", what, "error", err)
			undone = append(undone, fmt.Sprintf("#%s: %s: %s.", ch.Name, what, why(err)))
		}
	}
	if hasTopic(ch) {
		fail("the topic is not as it was", n.api.Do(ctx, "PATCH", "/channels/"+string(ch.ID), "", map[string]any{"topic": was.Topic}, nil))
	}
	path := "/channels/" + string(ch.ID) + "/permissions/"
	for _, changed := range was.Changed {
		i := slices.IndexFunc(was.Overwrites, func(o wire.Overwrite) bool { return o.ID == changed })
		if i < 0 {
			err := n.api.Do(ctx, "DELETE", path+string(changed), path+"id", nil, nil)
			if api.IsStatus(err, 404) {
				err = nil
			}
			fail("who may write is not as it was", err)
			continue
		}
		fail("who may write is not as it was", n.setOverwrite(ctx, ch.ID, was.Overwrites[i]))
	}
	if len(undone) == 0 {
		fail("that it is open again is not recorded", n.setFrozen(ctx, ch, nil))
	}
	return undone
}

// setFrozen records what a channel was like before it was closed, or, with nil, that it is open.
func (n *bot) setFrozen(ctx context.Context, ch *wire.Channel, was *before) error {
	if err := n.b.store.setFrozen(ctx, ch.ID, was); err != nil {
		return err
	}
	n.guilds.mu.Lock()
	defer n.guilds.mu.Unlock()
	if was == nil {
		delete(n.guilds.frozen, ch.ID)
		return nil
	}
	copied := *was
	n.guilds.frozen[ch.ID] = &copied
	return nil
}

// why says for people why something did not work.
func why(err error) string {
	if api.IsStatus(err, 403) {
		return "the bot may not do it; it needs Manage Channels and Manage Permissions there"
	}
	return err.Error()
}

// CatchUp implements appservice.Freezer: it asks Discord for what the rooms do not have, and waits until they have it.
func (b *Bridge) CatchUp(ctx context.Context) error {
	n := b.client()
	if n == nil {
		return errNotRunning
	}
	for {
		var waiting []chan struct{}
		busy := false
		err := n.ask(ctx, func(ctx context.Context) {
			busy = len(n.pasts)+len(n.gaps) > 0 || len(n.held) > 0 || len(n.guilds.ids()) == 0
			if busy {
				return
			}
			for _, guildID := range n.guilds.ids() {
				waiting = append(waiting, n.catchUpGuild(ctx, guildID)...)
			}
		})
		if err != nil {
			return err
		}
		for _, done := range waiting {
			select {
			case <-done:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if !busy {
			return nil
		}
		// The history of a channel is being brought in, or the guilds are not known yet.
		if !pause(ctx, 200*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// catchUpGuild begins to fetch what is newer than what was handled in the channels of a guild, and returns for each what is
// closed when its room has it. Called by the pump.
func (n *bot) catchUpGuild(ctx context.Context, guildID wire.ID) (waiting []chan struct{}) {
	fill := func(ch *wire.Channel) {
		done := make(chan struct{})
		n.fillGap(ctx, ch, n.cursors[ch.ID], func(context.Context) { n.afterIn(n.streamRoom(ch), func() { close(done) }) })
		waiting = append(waiting, done)
	}
	var threads []wire.Channel
	n.guilds.read(guildID, func(g *guild) {
		for _, t := range g.threads {
			threads = append(threads, t)
		}
	})
	for _, ch := range n.bridgedChannels(guildID) {
		if !ch.IsForum() && !ch.IsThread() {
			fill(&ch)
		}
	}
	for _, t := range threads {
		if n.cursors[t.ID] != "" && n.rooms[t.ParentID] {
			fill(&t)
		}
	}
	return waiting
}
