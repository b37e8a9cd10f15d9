package discord

import (
	"context"

	"maunium.net/go/mautrix/bridgev2/status"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// onReady takes over who the bot is, when a session begins.
func (n *bot) onReady(ctx context.Context, e *entry) {
	var ready struct {
		User        wire.User `json:"user"`
		Application struct {
			ID wire.ID `json:"id"`
		} `json:"application"`
		Guilds wire.List[struct {
			ID wire.ID `json:"id"`
		}] `json:"guilds"`
	}
	n.reacted.forget()
	if n.decode(e, &ready) && ready.User.ID != "" {
		n.self, n.app = ready.User.ID, ready.Application.ID
		if n.app == "" {
			n.app = n.self
		}
		n.hooks.setApp(n.app)
		self := n.self
		n.me.Store(&self)
		n.register(ctx)
		wanted := 0
		for _, g := range ready.Guilds {
			if n.cfg.wants(g.ID) {
				wanted++
			}
			if n.guilds.read(g.ID, func(*guild) {}) {
				// What comes of it waits for what was missed, in whatever order both come.
				n.stale[g.ID] = true
			}
		}
		if wanted > 1 {
			n.many.Store(true)
		}
	}
	n.report(status.StateConnected, "", "")
	n.outbox.poke()
}

// selfID is the bot's user, "" before the first session.
func (n *bot) selfID() wire.ID {
	if id := n.me.Load(); id != nil {
		return *id
	}
	return ""
}

// appID is the bot's application; its user's id, which is the same for all but very old ones, before the first session.
func (n *bot) appID() wire.ID {
	n.hooks.mu.Lock()
	defer n.hooks.mu.Unlock()
	if n.hooks.app != "" {
		return n.hooks.app
	}
	return n.selfID()
}
