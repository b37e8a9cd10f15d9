package discord

import (
	"context"
	"sync"

	"github.com/landbridge-im/landbridge/bridges/discord/api"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// hooks are the webhooks through which the bridge writes, one a channel.
type hooks struct {
	n *bot

	mu    sync.Mutex
	app   wire.ID
	list  map[wire.ID]webhook // by channel
	owned map[wire.ID]bool    // all that ever were ours in this run
}

func loadHooks(ctx context.Context, n *bot) (*hooks, error) {
	list, err := n.b.store.webhooks(ctx)
	if err != nil {
		return nil, err
	}
	h := &hooks{n: n, list: list, owned: make(map[wire.ID]bool)}
	for _, w := range list {
		h.owned[w.id] = true
	}
	return h, nil
}

func (h *hooks) setApp(app wire.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.app = app
}

// owns reports whether a webhook is the bridge's.
func (h *hooks) owns(id wire.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.owned[id]
}

// forget drops the webhook of a channel, which is gone.
func (h *hooks) forget(channel wire.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.list, channel)
}

// get returns the webhook of a channel, looking for it and making it if needed. It is
// called by the channel's worker alone.
func (h *hooks) get(ctx context.Context, channel wire.ID) (webhook, error) {
	h.mu.Lock()
	w, ok := h.list[channel]
	app := h.app
	h.mu.Unlock()
	if ok {
		return w, nil
	}
	path := "/channels/" + string(channel) + "/webhooks"
	var list wire.List[wire.Webhook]
	if err := h.n.api.Do(ctx, "GET", path, "", nil, &list); err != nil {
		if !api.IsStatus(err, 404) {
			return w, err
		}
	}
	for _, have := range list {
		if have.Token != "" && app != "" && have.ApplicationID == app {
			w = webhook{have.ID, have.Token}
		}
	}
	if w.id == "" {
		var made wire.Webhook
		if err := h.n.api.Do(ctx, "POST", path, "", map[string]string{"name": h.n.cfg.WebhookName}, &made); err != nil {
			return w, err
		}
		w = webhook{made.ID, made.Token}
	}
	h.mu.Lock()
	h.list[channel], h.owned[w.id] = w, true
	h.mu.Unlock()
	return w, h.n.b.store.setWebhook(ctx, channel, w)
}
