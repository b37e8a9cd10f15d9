package irc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
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
	if err := n.b.setAlias(ctx, portal.MXID, alias); err != nil {
		// The room works without it, and by invitation.
		n.log.Error("a room has no alias", "room", portal.MXID, "alias", alias, "error", err)
		return nil
	}
	meta.Alias = alias
	return portal.Save(ctx)
}

// setAlias gives a room its alias and makes that canonical. The framework does
// not know aliases, so this goes to the client of the bridge bot.
func (b *Bridge) setAlias(ctx context.Context, room id.RoomID, localpart string) error {
	intent, ok := b.br.Bot.(*matrix.ASIntent)
	if !ok {
		return errors.New("the Matrix connector cannot make aliases")
	}
	alias := id.NewRoomAlias(localpart, b.br.Matrix.ServerName())
	resp, err := intent.Matrix.ResolveAlias(ctx, alias)
	switch {
	case errors.Is(err, mautrix.MNotFound):
		if _, err := intent.Matrix.CreateAlias(ctx, alias, room); err != nil {
			return fmt.Errorf("create the alias %s: %w", alias, err)
		}
	case err != nil:
		return fmt.Errorf("look up the alias %s: %w", alias, err)
	case resp.RoomID != room:
		return fmt.Errorf("the alias %s belongs to another room, %s", alias, resp.RoomID)
	}
	_, err = b.br.Bot.SendState(ctx, room, event.StateCanonicalAlias, "", &event.Content{
		Parsed: &event.CanonicalAliasEventContent{Alias: alias},
	}, time.Time{})
	if err != nil {
		return fmt.Errorf("make the alias %s canonical: %w", alias, err)
	}
	return nil
}
