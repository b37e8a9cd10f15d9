package slack

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"
)

// errRevoked says that the app may do nothing any more.
var errRevoked = errors.New("the app was removed from the workspace, or its token revoked")

// tell writes to somebody of Matrix in their room with the bridge's bot.
func (b *Bridge) tell(ctx context.Context, account id.UserID, markdown string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := func() error {
		user, err := b.br.GetUserByMXID(ctx, account)
		if err != nil {
			return err
		}
		room, err := user.GetManagementRoom(ctx)
		if err != nil {
			return err
		}
		content := format.RenderMarkdown(markdown, true, false)
		content.MsgType = event.MsgNotice
		_, err = b.br.Bot.SendMessage(ctx, room, event.EventMessage, &event.Content{Parsed: &content}, nil)
		return err
	}()
	if err != nil {
		b.log.Error("somebody is not told of something", "account", account, "error", err)
	}
}

// tellAdmins writes to the bridge's administrators.
func (b *Bridge) tellAdmins(ctx context.Context, markdown string) {
	config := b.br.Config.Permissions
	for _, who := range slices.Sorted(maps.Keys(config)) {
		if level := config[who]; level != nil && level.Admin && strings.HasPrefix(who, "@") {
			b.tell(ctx, id.UserID(who), markdown)
		}
	}
}

// alarm tells the administrators once that the workspace's token is good no more, and once that it is again.
func (w *workspace) alarm(err error) {
	w.mu.Lock()
	was := w.alarmed
	w.alarmed = err != nil
	w.mu.Unlock()
	ctx := w.b.br.BackgroundCtx
	switch {
	case err != nil && !was:
		text := "⚠️ Slack does not let the bridge into the workspace **" + w.cfg.ID + "** any more: " + err.Error() + ". Messages from Matrix wait until it does."
		if address, err := w.b.pages.installURL(w); err == nil {
			text += " To install the app again, open " + address
		} else {
			text += " Install the app again at https://api.slack.com/apps, put the new token into the configuration and restart the bridge."
		}
		w.notify.Go(func() { w.b.tellAdmins(ctx, text) })
	case err == nil && was:
		w.notify.Go(func() { w.b.tellAdmins(ctx, "The bridge is connected to the Slack workspace **"+w.cfg.ID+"** again.") })
	}
}
