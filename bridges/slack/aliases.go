package slack

import (
	"context"
	"fmt"
	"strings"

	slackgo "github.com/slack-go/slack"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

var _ appservice.AliasOpener = (*Bridge)(nil)

// channelAlias is the localpart of the alias of a channel's room; "" if it has none.
func (w *workspace) channelAlias(ch *slackgo.Channel) string {
	if !w.cfg.Aliases || ch.IsPrivate || ch.IsIM || ch.IsMpIM || ch.Name == "" {
		return ""
	}
	return w.cfg.RoomAlias + "_" + ch.Name
}

// aliasLater gives a channel's room its alias, in a turn of the room. A channel that was renamed keeps its old one, too.
func (w *workspace) aliasLater(ch *slackgo.Channel) {
	alias := w.channelAlias(ch)
	if alias == "" {
		return
	}
	w.turn(ch.ID, nil, "", func(ctx context.Context, portal *bridgev2.Portal) error {
		meta, ok := portal.Metadata.(*PortalMetadata)
		if !ok || portal.MXID == "" || meta.Alias == alias {
			return nil
		}
		if err := appservice.SetAlias(ctx, w.b.br, portal.MXID, alias); err != nil {
			w.log.Warn("a room has no alias", "channel", ch.ID, "alias", alias, "error", err)
			return nil // the room works without
		}
		meta.Alias = alias
		return portal.Save(ctx)
	})
}

// OpenAlias implements appservice.AliasOpener: the bot joins a public channel of which it is not a member yet.
func (b *Bridge) OpenAlias(ctx context.Context, name string) (bool, error) {
	for _, w := range b.workspaces() {
		prefix, ok := strings.CutPrefix(w.cfg.RoomAlias+"_", b.prefix)
		if !ok {
			continue
		}
		channel, ok := strings.CutPrefix(name, prefix)
		if !ok || channel == "" || !w.cfg.Aliases {
			continue
		}
		id := w.dir.channelNamed(channel)
		if id == "" || !w.cfg.wants(id, channel) {
			continue
		}
		ch, err := w.channel(ctx, id)
		if err != nil {
			return false, fmt.Errorf("look at the channel: %w", err)
		}
		if ch.IsPrivate || ch.IsArchived {
			return false, nil
		}
		if !ch.IsMember {
			err := w.api.read(ctx, "conversations.join", func() error {
				_, _, _, err := w.api.slack().JoinConversationContext(ctx, id)
				return err
			})
			if err != nil {
				return false, fmt.Errorf("join the channel: %w", err)
			}
			ch.IsMember = true
		}
		if err := w.bridge(ctx, ch, true); err != nil {
			return false, err
		}
		portal, err := b.br.GetPortalByKey(ctx, channelKey(id))
		if err != nil {
			return false, err
		}
		// The turn that bridge has asked for may come too late for who waits.
		return true, appservice.SetAlias(ctx, b.br, portal.MXID, w.channelAlias(ch))
	}
	return false, nil
}

// workspace returns a workspace by its configured id, or nil.
func (b *Bridge) workspace(name string) *workspace {
	if login := b.br.GetCachedUserLoginByID(networkid.UserLoginID(name)); login != nil {
		if w, ok := login.Client.(*workspace); ok {
			return w
		}
	}
	return nil
}

// workspaces are those that the bridge has started with.
func (b *Bridge) workspaces() (list []*workspace) {
	if b.br == nil {
		return nil
	}
	for _, login := range b.br.GetAllCachedUserLogins() {
		if w, ok := login.Client.(*workspace); ok {
			list = append(list, w)
		}
	}
	return list
}
