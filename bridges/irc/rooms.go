package irc

import (
	"context"
	"fmt"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/appservice"
)

// ensureLogin returns the login of a network, which belongs to the bridge bot.
func (b *Bridge) ensureLogin(ctx context.Context, cfg NetworkConfig) (*bridgev2.UserLogin, error) {
	bot, err := b.br.GetUserByMXID(ctx, b.br.Bot.GetMXID())
	if err != nil {
		return nil, fmt.Errorf("load the bridge bot's user: %w", err)
	}
	login, err := b.br.GetExistingUserLoginByID(ctx, networkid.UserLoginID(cfg.ID))
	if err != nil {
		return nil, fmt.Errorf("load the login of %s: %w", cfg.ID, err)
	}
	if login != nil {
		return login, nil
	}
	login, err = bot.NewLogin(ctx, &database.UserLogin{ID: networkid.UserLoginID(cfg.ID), RemoteName: cfg.Name}, nil)
	if err != nil {
		return nil, fmt.Errorf("make the login of %s: %w", cfg.ID, err)
	}
	return login, nil
}

// ensureRooms makes the space and the rooms of a network that do not exist yet,
// and gives all of them their relay and alias.
func (n *network) ensureRooms(ctx context.Context) error {
	if err := n.ensureRoom(ctx, spaceKey(n.cfg.ID), n.cfg.RoomAlias); err != nil {
		return fmt.Errorf("make the space of %s: %w", n.cfg.ID, err)
	}
	for _, ch := range n.channels.all() {
		if err := n.ensureRoom(ctx, channelKey(n.cfg.ID, ch.Name), ch.RoomAlias); err != nil {
			return fmt.Errorf("make the room of %s %s: %w", n.cfg.ID, ch.Name, err)
		}
	}
	return nil
}

func (n *network) ensureRoom(ctx context.Context, key networkid.PortalKey, alias string) error {
	portal, err := n.b.br.GetPortalByKey(ctx, key)
	if err != nil {
		return err
	}
	if portal.MXID == "" {
		info, err := n.GetChatInfo(ctx, portal)
		if err != nil {
			return err
		}
		if err := portal.CreateMatrixRoom(ctx, n.login, info); err != nil {
			return err
		}
	}
	if portal.Relay != n.login {
		if err := portal.SetRelay(ctx, n.login); err != nil {
			return fmt.Errorf("set the relay: %w", err)
		}
	}
	n.login.MarkInPortal(ctx, portal)
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Alias == alias {
		return nil
	}
	if err := appservice.SetAlias(ctx, n.b.br, portal.MXID, alias); err != nil {
		// The room works without it, and by invitation.
		n.log.Error("a room has no alias", "room", portal.MXID, "alias", alias, "error", err)
		return nil
	}
	meta.Alias = alias
	return portal.Save(ctx)
}
