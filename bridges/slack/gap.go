package slack

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// gaps fetches what was said while no events came. Until a channel's gap is filled, its
// new events wait, so that everything comes in order.
type gaps struct {
	w      *workspace
	filled chan gap
	wake   chan struct{}

	mu   sync.Mutex
	todo []string            // channels, those with waiting events first
	deep bool                // what is in todo has been without events for long
	held map[string][]*entry // what waits, by channel whose gap is not filled
}

// gap is what was missed in a channel, oldest first.
type gap struct {
	channel string
	entries []*entry
	// done is nil, or there is more to come, and it is closed when the room has handled this.
	done chan struct{}
}

func newGaps(w *workspace) *gaps {
	return &gaps{w: w, filled: make(chan gap), wake: make(chan struct{}, 1), held: make(map[string][]*entry)}
}

// expect has the events of all channels wait for begin.
func (g *gaps) expect() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, ch := range g.channels() {
		g.held[ch] = nil
	}
}

// channels are those that are bridged.
func (g *gaps) channels() []string {
	g.w.mu.Lock()
	defer g.w.mu.Unlock()
	return slices.Sorted(maps.Keys(g.w.bridged))
}

// begin marks all channels as having a gap; deep says that it may be a long one.
func (g *gaps) begin(deep bool) {
	channels := g.channels()
	g.mu.Lock()
	defer signal(g.wake)
	defer g.mu.Unlock()
	g.deep = g.deep || deep
	for _, ch := range channels {
		if _, ok := g.held[ch]; !ok {
			g.held[ch] = nil
		}
		if !slices.Contains(g.todo, ch) && !g.w.pasts.has(ch) {
			g.todo = append(g.todo, ch)
		}
	}
}

// add marks a channel as having a gap.
func (g *gaps) add(channel string) {
	g.mu.Lock()
	defer signal(g.wake)
	defer g.mu.Unlock()
	if _, ok := g.held[channel]; !ok {
		g.held[channel] = nil
	}
	if !slices.Contains(g.todo, channel) {
		g.todo = append(g.todo, channel)
	}
}

// deepen is add for a channel to whose older messages something may have happened.
func (g *gaps) deepen(channel string) {
	g.mu.Lock()
	g.deep = true
	g.mu.Unlock()
	g.add(channel)
}

// wait has the events of a channel wait.
func (g *gaps) wait(channel string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.held[channel]; !ok {
		g.held[channel] = nil
	}
}

// hold keeps an event back if its channel's gap is not filled.
func (g *gaps) hold(channel string, e *entry) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	list, ok := g.held[channel]
	if !ok {
		return false
	}
	if g.w.pasts.has(channel) {
		g.late(channel, e)
		return true
	}
	if len(list) == 0 { // somebody is talking there: it is next
		if i := slices.Index(g.todo, channel); i > 0 {
			g.todo = slices.Insert(slices.Delete(g.todo, i, i+1), 0, channel)
		}
	}
	g.held[channel] = append(list, e)
	return true
}

// release ends the waiting for a channel and returns what has waited.
func (g *gaps) release(channel string) []*entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := g.held[channel]
	if slices.Contains(g.todo, channel) { // there is another gap already
		g.held[channel] = nil
		return list
	}
	delete(g.held, channel)
	return list
}

// run fills gaps until ctx is done.
func (g *gaps) run(ctx context.Context) {
	for {
		g.mu.Lock()
		channel := ""
		if len(g.todo) > 0 {
			channel, g.todo = g.todo[0], g.todo[1:]
		} else {
			g.deep = false
		}
		deep := g.deep
		g.mu.Unlock()
		if channel == "" {
			select {
			case <-g.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		entries, err := g.fetch(ctx, channel, deep)
		for wait := time.Second; err != nil && transient(err) && ctx.Err() == nil; wait = min(2*wait, time.Minute) {
			g.w.log.Warn("what was missed in a channel cannot be fetched, trying again", "channel", channel, "error", err)
			if sleep(ctx, wait) != nil {
				return
			}
			entries, err = g.fetch(ctx, channel, deep)
		}
		if err != nil && ctx.Err() == nil {
			g.w.log.Error("what was missed in a channel is not shown", "channel", channel, "error", err)
		}
		select {
		case g.filled <- gap{channel: channel, entries: entries}:
		case <-ctx.Done():
			return
		}
	}
}

const (
	// maxGap bounds how many messages of a channel, or of a thread, are fetched after an outage.
	maxGap = 20_000
	// windowPage is how many messages before an outage are looked at for what happened to them during it, and for replies.
	// After a long outage these are more: up to maxWindow in windowAge.
	windowPage = 200
	maxWindow  = 1000
	windowAge  = 7 * 24 * time.Hour
	// threadAge and maxThreads bound the threads that are looked at because they were talked in lately.
	threadAge  = 30 * 24 * time.Hour
	maxThreads = 20
)

// fetch returns the messages of a channel that came after the last one that was handled, and before them what has happened
// to the older ones.
func (g *gaps) fetch(ctx context.Context, channel string, deep bool) ([]*entry, error) {
	cursors, err := g.w.b.store.cursors(ctx, g.w.cfg.ID)
	if err != nil {
		return nil, err
	}
	since := cursors[channel]
	if since == "" {
		return nil, nil
	}
	list, older, err := g.around(ctx, channel, since, deep)
	if err != nil {
		return nil, err
	}
	// Those that came after are among them: the room may have some already, of which was not recorded that they were handled.
	out, err := g.changes(ctx, channel, "", append(slices.Clone(older), list...), since)
	if err != nil {
		return nil, err
	}
	// Threads that began before.
	roots, quiet := make(map[string]bool), make(map[string]bool)
	for _, m := range append(slices.Clone(list), older...) {
		if m.m.ReplyCount > 0 && m.m.LatestReply > since {
			roots[m.m.TS] = true
		} else {
			quiet[m.m.TS] = true
		}
	}
	active, err := g.w.b.store.threads(ctx, channel, time.Now().Add(-threadAge), maxThreads)
	if err != nil {
		return nil, err
	}
	for _, root := range active {
		if deep || !quiet[root] {
			roots[root] = true
		}
	}
	known := make(map[string]bool)
	for _, m := range list {
		known[m.m.TS] = true
	}
	for _, root := range slices.Sorted(maps.Keys(roots)) {
		replies, err := g.history(ctx, channel, values("channel", channel, "ts", root, "limit", "200"), "conversations.replies", maxGap)
		if err != nil && code(err) != "thread_not_found" {
			return nil, err
		}
		changes, err := g.changes(ctx, channel, root, replies, since)
		if err != nil {
			return nil, err
		}
		out = append(out, changes...)
		for _, m := range replies {
			if m.m.TS > since && !known[m.m.TS] {
				known[m.m.TS] = true
				list = append(list, m)
			}
		}
	}
	if len(list)+len(out) > 0 {
		g.w.log.Info("what was missed is taken over", "channel", channel, "messages", len(list), "changes", len(out))
	}
	slices.SortFunc(list, func(a, b fetched) int { return strings.Compare(a.m.TS, b.m.TS) })
	for _, m := range list {
		out = append(out, &entry{raw: m.raw})
		out = append(out, pastReactions(channel, &m.m)...)
	}
	return out, nil
}

// around fetches the messages that came after since, and the newest of those before, which a room has; both newest first.
// One call is enough for most channels: there are many after a start, and Slack allows few calls a minute.
func (g *gaps) around(ctx context.Context, channel, since string, deep bool) (list, older []fetched, err error) {
	const method = "conversations.history"
	args := values("channel", channel, "limit", strconv.Itoa(windowPage))
	page, next, err := g.pageAfter(ctx, channel, args, method)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range page {
		if m.m.TS > since {
			list = append(list, m)
		} else {
			older = append(older, m)
		}
	}
	if len(older) == 0 && next != "" { // more was missed than a page holds
		if list, err = g.history(ctx, channel, values("channel", channel, "oldest", since, "limit", "200"), method, maxGap); err != nil {
			return nil, nil, err
		}
		args["latest"], args["inclusive"] = []string{since}, []string{"true"}
		if older, next, err = g.pageAfter(ctx, channel, args, method); err != nil {
			return nil, nil, err
		}
	}
	for deep && next != "" && len(older) > 0 && len(older) < maxWindow && !tsTime(older[len(older)-1].m.TS).Before(tsTime(since).Add(-windowAge)) {
		args["cursor"] = []string{next}
		if page, next, err = g.pageAfter(ctx, channel, args, method); err != nil {
			return nil, nil, err
		}
		if len(page) == 0 {
			break
		}
		older = append(older, page...)
	}
	return list, older, nil
}

type fetched struct {
	m   message
	raw json.RawMessage
}

// history fetches up to limit messages, with all pages that are needed.
func (g *gaps) history(ctx context.Context, channel string, args map[string][]string, method string, limit int) ([]fetched, error) {
	var out []fetched
	for {
		page, next, err := g.pageAfter(ctx, channel, args, method)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if next == "" || len(out) >= limit {
			return out, nil
		}
		args["cursor"] = []string{next}
	}
}

// page fetches one page, and says whether there is more.
func (g *gaps) page(ctx context.Context, channel string, args map[string][]string, method string) ([]fetched, bool, error) {
	page, next, err := g.pageAfter(ctx, channel, args, method)
	return page, next != "", err
}

// pageAfter fetches one page, and gives the cursor of the next.
func (g *gaps) pageAfter(ctx context.Context, channel string, args map[string][]string, method string) (out []fetched, next string, err error) {
	var resp struct {
		Messages []map[string]json.RawMessage `json:"messages"`
		Meta     struct {
			Next string `json:"next_cursor"`
		} `json:"response_metadata"`
	}
	if err := g.w.reader(channel).call(ctx, method, args, &resp); err != nil {
		return nil, "", err
	}
	name, err := json.Marshal(channel)
	if err != nil {
		return nil, "", err
	}
	for _, o := range resp.Messages {
		o["channel"] = name // which history leaves out
		raw, err := json.Marshal(o)
		if err != nil {
			return nil, "", err
		}
		var m message
		if lenient(raw, &m) == nil && m.TS != "" {
			out = append(out, fetched{m, raw})
		}
	}
	return out, resp.Meta.Next, nil
}
