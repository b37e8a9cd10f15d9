package irc

import (
	"context"
	"slices"
	"sync"
	"time"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/bridgev2/simplevent"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// typing tells who is typing, both ways (+typing). Of Matrix users only those are told who have connections of
// their own.
type typing struct {
	n *network

	mu     sync.Mutex
	active map[typist]time.Time // since when
	wake   chan struct{}
}

// typist is somebody who is typing in a channel.
type typist struct {
	user    id.UserID
	channel string
}

const (
	// typingRepeat is how often it is said; IRCv3: "active" counts for six seconds, and should be sent at most
	// every three.
	typingRepeat = 4 * time.Second
	// typingMost bounds it, should Matrix not say that it is over.
	typingMost = 2 * time.Minute
	// typingShown is how long somebody of IRC is shown to be typing.
	typingShown = 6 * time.Second
)

func newTyping(n *network) *typing {
	return &typing{n: n, active: make(map[typist]time.Time), wake: make(chan struct{}, 1)}
}

// watchTyping hears who is typing in Matrix; the framework tells it of users with logins only.
func (c *Connector) watchTyping() {
	c.watch(event.EphemeralEventTyping, func(ctx context.Context, evt *event.Event) {
		portal, err := c.b.br.GetPortalByMXID(ctx, evt.RoomID)
		if err != nil || portal == nil {
			return
		}
		name, _ := splitPortal(portal.ID)
		login := c.b.br.GetCachedUserLoginByID(networkid.UserLoginID(name))
		if login == nil {
			return
		}
		if n, ok := login.Client.(*network); ok {
			n.typing.onMatrix(portal, evt.Content.AsTyping().UserIDs)
		}
	})
}

// onMatrix takes who is typing in a room now.
func (t *typing) onMatrix(portal *bridgev2.Portal, users []id.UserID) {
	to := ""
	if ch := t.n.channelOf(portal); ch != nil {
		to = ch.Name
	} else if _, _, ghost, ok := splitDirect(portal.PortalKey); ok {
		to, _ = t.n.nickOf(ghost)
	}
	if to == "" || !t.n.cfg.Puppets.Enabled {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for who := range t.active {
		if who.channel == to && !slices.Contains(users, who.user) {
			delete(t.active, who)
			t.say(who, "done")
		}
	}
	for _, user := range users {
		who := typist{user, to}
		if _, known := t.active[who]; !known && len(t.active) < 1000 && t.n.puppets.get(user) != nil {
			t.active[who] = time.Now()
			t.say(who, "active")
		}
	}
	signal(t.wake)
}

func (t *typing) say(who typist, state string) {
	if p := t.n.puppets.get(who.user); p != nil && p.InChannel(who.channel) {
		p.session.Aside(&session.Line{Command: "TAGMSG", Params: []string{who.channel}, Tags: map[string]string{"+typing": state}})
	}
}

// run repeats who is typing, until ctx is done.
func (t *typing) run(ctx context.Context) {
	for {
		t.mu.Lock()
		idle := len(t.active) == 0
		t.mu.Unlock()
		if idle {
			select {
			case <-ctx.Done():
				return
			case <-t.wake:
			}
		}
		if !pause(ctx, typingRepeat) {
			return
		}
		t.mu.Lock()
		for who, since := range t.active {
			if time.Since(since) > typingMost {
				delete(t.active, who)
				continue
			}
			t.say(who, "active")
		}
		t.mu.Unlock()
	}
}

// onIRC shows that somebody of IRC is typing.
func (t *typing) onIRC(e session.Tags) {
	ch := t.n.channel(e.Channel)
	if ch == nil {
		return
	}
	ghost := t.n.ghostOf(e.From.Nick)
	if _, known := t.n.people.name(ghost); !known {
		return // nobody who is in the room
	}
	ev := &simplevent.Typing{EventMeta: t.n.meta(bridgev2.RemoteEventTyping, ch, e.Time, "", ghost)}
	if e.Typing == "active" {
		ev.Timeout = typingShown
	}
	t.n.queue(ev)
}
