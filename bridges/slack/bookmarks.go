package slack

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
)

// Slack tells apps nothing of bookmarks when they change, so they are asked for from time to time.

const (
	// bookmarkPause is between two channels' bookmarks, and bookmarkAge how old what is known of a channel's may get.
	bookmarkPause = 2 * time.Second
	bookmarkAge   = 15 * time.Minute
	// maxBookmarks is how many of a channel are shown.
	maxBookmarks = 50
)

// stateBookmarks is the room state that has a channel's bookmarks.
var stateBookmarks = event.Type{Type: "im.landbridge.bookmarks", Class: event.StateEventType}

// bookmark is a link that stands above a channel.
type bookmark struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Link  string `json:"link,omitempty"`
	Emoji string `json:"emoji,omitempty"`
}

// bookmarks keeps channels' bookmarks in their rooms.
type bookmarks struct {
	w    *workspace
	wake chan struct{}

	mu    sync.Mutex
	todo  []string
	known map[string][]bookmark
	asked map[string]time.Time
}

func newBookmarks(w *workspace) *bookmarks {
	return &bookmarks{w: w, wake: make(chan struct{}, 1), known: make(map[string][]bookmark), asked: make(map[string]time.Time)}
}

// add has a channel's bookmarks asked for soon.
func (b *bookmarks) add(channel string) {
	if b.w.cfg.Bookmarks == "off" {
		return
	}
	b.mu.Lock()
	if !slices.Contains(b.todo, channel) {
		b.todo = append(b.todo, channel)
	}
	b.mu.Unlock()
	signal(b.wake)
}

// used has a channel's bookmarks asked for again, if that was long ago: something happens there.
func (b *bookmarks) used(channel string) {
	b.mu.Lock()
	at, ok := b.asked[channel]
	b.mu.Unlock()
	if ok && time.Since(at) > bookmarkAge {
		b.add(channel)
	}
}

// run asks until ctx is done, or Slack says that the app may not.
func (b *bookmarks) run(ctx context.Context) {
	for {
		b.mu.Lock()
		channel := ""
		if len(b.todo) > 0 {
			channel, b.todo = b.todo[0], b.todo[1:]
			b.asked[channel] = time.Now()
		}
		b.mu.Unlock()
		if channel == "" {
			select {
			case <-b.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		switch err := b.ask(ctx, channel); {
		case ctx.Err() != nil:
			return
		case code(err) == "missing_scope":
			b.w.log.Warn("bookmarks are not shown: the app lacks the scope bookmarks:read")
			return
		case err != nil:
			b.w.log.Warn("the bookmarks of a channel are not known", "channel", channel, "error", err)
		}
		if sleep(ctx, bookmarkPause) != nil {
			return
		}
	}
}

func (b *bookmarks) ask(ctx context.Context, channel string) error {
	var resp struct {
		Bookmarks []bookmark `json:"bookmarks"`
	}
	if err := b.w.api.call(ctx, "bookmarks.list", values("channel_id", channel), &resp); err != nil {
		return err
	}
	list := slices.DeleteFunc(resp.Bookmarks, func(m bookmark) bool { return m.Title == "" && m.Link == "" })
	list = list[:min(len(list), maxBookmarks)]
	b.mu.Lock()
	was, known := b.known[channel]
	b.known[channel] = list
	b.mu.Unlock()
	if known && slices.Equal(was, list) {
		return nil
	}
	if b.w.cfg.Bookmarks == "topic" {
		b.w.refresh(ctx, nil, channel, "", "")
		return nil
	}
	b.w.turn(channel, nil, "", func(ctx context.Context, portal *bridgev2.Portal) error { return b.show(ctx, portal, list) })
	return nil
}

// show puts bookmarks into a room's state.
func (b *bookmarks) show(ctx context.Context, portal *bridgev2.Portal, list []bookmark) error {
	if list == nil {
		list = []bookmark{}
	}
	if state, ok := portal.Bridge.Matrix.(bridgev2.MatrixConnectorWithArbitraryRoomState); ok {
		evt, err := state.GetStateEvent(ctx, portal.MXID, stateBookmarks, "")
		switch {
		case err == nil && evt != nil && same(evt.Content.Raw["bookmarks"], list):
			return nil
		case (err == nil && evt == nil || err != nil && isNotFound(err)) && len(list) == 0:
			return nil
		}
	}
	_, err := portal.Bridge.Bot.SendState(ctx, portal.MXID, stateBookmarks, "", &event.Content{Raw: map[string]any{"bookmarks": list}}, time.Time{})
	return err
}

// same reports whether a room's state has some bookmarks already.
func same(raw any, list []bookmark) bool {
	items, ok := raw.([]any)
	if !ok || len(items) != len(list) {
		return false
	}
	for i, item := range items {
		o, _ := item.(map[string]any)
		text := func(key string) string { s, _ := o[key].(string); return s }
		if (bookmark{text("id"), text("title"), text("link"), text("emoji")}) != list[i] {
			return false
		}
	}
	return true
}

func isNotFound(err error) bool { return errors.Is(err, mautrix.MNotFound) }

// bookmarkLines are a channel's bookmarks as lines of its room's topic, if they are to be there.
func (w *workspace) bookmarkLines(channel string) string {
	if w.cfg.Bookmarks != "topic" {
		return ""
	}
	w.marks.mu.Lock()
	defer w.marks.mu.Unlock()
	var lines []string
	for _, m := range w.marks.known[channel] {
		lines = append(lines, strings.TrimSpace(m.Title+" "+m.Link))
	}
	return strings.Join(lines, "\n")
}
