package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
)

// A room begins with its channel's past, as far back as is wanted. Slack gives that newest first,
// and a room needs it oldest first: so it is fetched into the bridge's database, with the replies
// in threads, and from there goes the way of new messages, of which the channel's cursor tells how
// far it is. A restart goes on with any of this where it ended. What is said in the channel
// meanwhile is fetched like that of an outage when its past is there.

const (
	// pastAtOnce is of how many channels of a workspace the past is brought in at a time.
	pastAtOnce = 2
	// pastChunk is how many messages are handed to a room at once.
	pastChunk = 200
	// maxLate bounds what is kept of what happens meanwhile to a channel's messages.
	maxLate = 1000
	// tellEvery is how often the log says how far a long past is.
	tellEvery = 30 * time.Second
)

// pasts brings in the past of channels.
type pasts struct {
	w    *workspace
	wake chan struct{}

	mu   sync.Mutex
	todo []string
	busy map[string]bool // all that are not done, those in todo too
	done map[string]string
}

func newPasts(w *workspace) *pasts {
	return &pasts{w: w, wake: make(chan struct{}, 1), busy: make(map[string]bool), done: make(map[string]string)}
}

// load takes over what an earlier run has left.
func (p *pasts) load(ctx context.Context) error {
	list, err := p.w.b.store.pasts(ctx, p.w.cfg.ID)
	if err != nil {
		return err
	}
	for _, channel := range list {
		if p.w.isBridged(channel) { // a direct message can only be read when who has it is there
			p.add(channel)
		}
	}
	return nil
}

// add has a channel's past brought in.
func (p *pasts) add(channel string) {
	p.mu.Lock()
	if !p.busy[channel] {
		p.busy[channel] = true
		p.todo = append(p.todo, channel)
	}
	p.mu.Unlock()
	signal(p.wake)
}

// has reports whether a channel's past is being brought in.
func (p *pasts) has(channel string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy[channel]
}

// run works until ctx is done.
func (p *pasts) run(ctx context.Context) {
	work := appservice.Work{By: p.w.b.spawn}
	defer work.Wait()
	slots := make(chan struct{}, pastAtOnce)
	for {
		p.mu.Lock()
		channel := ""
		if len(p.todo) > 0 {
			channel, p.todo = p.todo[0], p.todo[1:]
		}
		p.mu.Unlock()
		if channel == "" {
			select {
			case <-p.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		work.Go(func() {
			defer func() { <-slots }()
			p.bring(ctx, channel)
		})
	}
}

// bring brings in a channel's past. If that fails for good the room goes on without.
func (p *pasts) bring(ctx context.Context, channel string) {
	log := p.w.log.With("channel", channel)
	log.Info("bringing in the past of a channel")
	err := p.steps(ctx, channel)
	for wait := time.Second; err != nil && ctx.Err() == nil && transient(err); wait = min(2*wait, 5*time.Minute) {
		log.Warn("the past of a channel cannot be fetched, trying again", "error", err, "in", wait)
		if sleep(ctx, wait) != nil {
			return
		}
		err = p.steps(ctx, channel)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		log.Error("the past of a channel cannot be fetched; its room goes on without", "error", err)
	}
	if err := p.w.b.store.endPast(ctx, p.w.cfg.ID, channel); err != nil {
		log.Error("the end of a channel's past is not recorded; it is looked through again", "error", err)
	}
	p.mu.Lock()
	delete(p.busy, channel)
	delete(p.done, channel)
	p.mu.Unlock()
	p.w.gaps.add(channel) // what was said meanwhile
}

// tell notes how far a channel's past is, for who asks.
func (p *pasts) tell(channel, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[channel] = text
}

// progress says how far the pasts are that are not there yet, one a line.
func (p *pasts) progress() (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, channel := range slices.Sorted(maps.Keys(p.busy)) {
		name := firstNonEmpty(p.w.dir.channel(channel), channel)
		lines = append(lines, fmt.Sprintf("#%s: %s", name, firstNonEmpty(p.done[channel], "waits for others")))
	}
	return lines
}

func (p *pasts) steps(ctx context.Context, channel string) error {
	st, name := p.w.b.store, p.w.cfg.ID
	state, ok, err := st.past(ctx, name, channel)
	if err != nil || !ok {
		return err
	}
	if state.step == stepMessages {
		if err := p.fetchMessages(ctx, channel, &state); err != nil {
			return err
		}
	}
	if state.step == stepReplies {
		if err := p.fetchReplies(ctx, channel, &state); err != nil {
			return err
		}
	}
	return p.hand(ctx, channel)
}

// fetchMessages fetches what was said in a channel, newest first.
func (p *pasts) fetchMessages(ctx context.Context, channel string, state *pastState) error {
	for total := 0; ; {
		args := values("channel", channel, "oldest", state.oldest, "limit", "200", "include_all_metadata", "true")
		if state.reached != "" {
			args["latest"] = []string{state.reached}
		}
		page, more, err := p.w.gaps.page(ctx, channel, args, "conversations.history")
		if err != nil {
			return err
		}
		for _, m := range page {
			if state.reached == "" || m.m.TS < state.reached {
				state.reached = m.m.TS
			}
		}
		if !more || len(page) == 0 {
			state.step = stepReplies
		}
		kept := *state
		kept.step = stepMessages // of the messages; the next step is stored after them
		if err := p.w.b.store.keepPast(ctx, p.w.cfg.ID, channel, page, kept); err != nil {
			return err
		}
		if state.step != stepMessages {
			return p.w.b.store.setPast(ctx, p.w.cfg.ID, channel, *state)
		}
		total += len(page)
		p.tell(channel, fmt.Sprintf("%d messages fetched, back to %s", total, tsTime(state.reached).UTC().Format(time.DateOnly)))
		if total%10_000 < len(page) {
			p.w.log.Info("fetching the past of a channel", "channel", channel, "messages", total, "back_to", tsTime(state.reached))
		}
	}
}

// fetchReplies fetches what was said in threads.
func (p *pasts) fetchReplies(ctx context.Context, channel string, state *pastState) error {
	for {
		root, err := p.w.b.store.unanswered(ctx, p.w.cfg.ID, channel)
		if err != nil {
			return err
		}
		if root == "" {
			state.step = stepRooms
			return p.w.b.store.setPast(ctx, p.w.cfg.ID, channel, *state)
		}
		replies, err := p.w.gaps.history(ctx, channel, values("channel", channel, "ts", root, "limit", "200", "include_all_metadata", "true"), "conversations.replies", maxGap)
		if err != nil && code(err) != "thread_not_found" {
			return err
		}
		if err := p.w.b.store.answered(ctx, p.w.cfg.ID, channel, root, replies, *state); err != nil {
			return err
		}
	}
}

// hand hands what was fetched to the pump, oldest first.
func (p *pasts) hand(ctx context.Context, channel string) error {
	st, name := p.w.b.store, p.w.cfg.ID
	cursors, err := st.cursors(ctx, name)
	if err != nil {
		return err
	}
	told := time.Now()
	for after, total := cursors[channel], 0; ; {
		list, err := st.nextPast(ctx, name, channel, after, pastChunk)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			p.w.log.Info("the past of a channel is there", "channel", channel, "messages", total)
			return p.tidy(ctx, channel)
		}
		g := gap{channel: channel, done: make(chan struct{})}
		for _, m := range list {
			g.entries = append(g.entries, &entry{raw: m.raw})
			g.entries = append(g.entries, pastReactions(channel, &m.m)...)
		}
		select {
		case p.w.gaps.filled <- g:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-g.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		after = list[len(list)-1].m.TS
		total += len(list)
		p.tell(channel, fmt.Sprintf("%d messages in the room, up to %s", total, tsTime(after).UTC().Format(time.DateOnly)))
		if time.Since(told) >= tellEvery {
			told = time.Now()
			p.w.log.Info("bringing in the past of a channel", "channel", channel, "messages", total, "at", tsTime(after))
		}
	}
}

// tidy has those leave a room who have said something and are in the channel no more, and pins
// what is pinned.
func (p *pasts) tidy(ctx context.Context, channel string) error {
	ch, err := p.w.channel(ctx, channel)
	if err != nil {
		return err
	}
	if ch.IsIM || ch.IsMpIM {
		return nil
	}
	info, err := p.w.channelInfo(ctx, ch, true)
	if err != nil {
		return err
	}
	p.w.update(channel, info)
	p.w.onPins(ctx, nil, channel)
	return nil
}

// pastReactions are the reactions to a message, as the events that told of them.
func pastReactions(channel string, m *message) (list []*entry) {
	for _, r := range m.Reactions {
		for _, user := range r.Users {
			raw, err := json.Marshal(map[string]any{
				"type": "reaction_added", "user": user, "reaction": r.Name, "event_ts": m.TS,
				"item": map[string]any{"type": "message", "channel": channel, "ts": m.TS},
			})
			if err == nil {
				list = append(list, &entry{raw: raw})
			}
		}
	}
	return list
}

// late keeps what happens to a channel's messages while its past comes in; new messages are
// fetched afterwards. g.mu is held.
func (g *gaps) late(channel string, e *entry) {
	var head eventHead
	if lenient(e.raw, &head) == nil && head.Type == "message" && head.Subtype != "message_changed" && head.Subtype != "message_deleted" {
		g.w.inbox.finish(e, "", "")
		return
	}
	list := append(g.held[channel], e)
	if len(list) > maxLate {
		g.w.log.Warn("too much happens to a channel while its past comes in; a change is passed over", "channel", channel)
		g.w.inbox.finish(list[0], "", "")
		list = slices.Delete(list, 0, 1)
	}
	g.held[channel] = list
}
