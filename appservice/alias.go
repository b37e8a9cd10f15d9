package appservice

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// SetAlias gives a room an alias on the homeserver, and makes it the canonical one; bridgev2 does not know
// aliases. The localpart should begin with Env.AliasPrefix, or others may have it. An alias that leads to
// the room already is fine; one that leads to another room is an error, unless that was the bridge's and is no more.
func SetAlias(ctx context.Context, br *bridgev2.Bridge, room id.RoomID, localpart string) error {
	return setAlias(ctx, br, room, localpart, true)
}

// setAlias is SetAlias; without canonical the room's canonical alias stays.
func setAlias(ctx context.Context, br *bridgev2.Bridge, room id.RoomID, localpart string, canonical bool) error {
	intent, ok := br.Bot.(*matrix.ASIntent)
	if !ok {
		return errors.New("the Matrix connector cannot make aliases")
	}
	alias := id.NewRoomAlias(localpart, br.Matrix.ServerName())
	// Not looked up first: a homeserver may ask the bridge about an alias that it does not find, and the
	// bridge may be here because it was asked.
	if _, err := intent.Matrix.CreateAlias(ctx, alias, room); err != nil {
		var refused mautrix.HTTPError
		if !errors.As(err, &refused) || !refused.IsStatus(http.StatusConflict) {
			return fmt.Errorf("make the alias %s: %w", alias, err)
		}
		found, err := intent.Matrix.ResolveAlias(ctx, alias)
		if err != nil {
			return fmt.Errorf("look up the alias %s: %w", alias, err)
		}
		if found.RoomID != room {
			if err := takeAlias(ctx, br, intent, alias, found.RoomID, room); err != nil {
				return err
			}
		}
	}
	if !canonical {
		return nil
	}
	var now event.CanonicalAliasEventContent
	if err := intent.Matrix.StateEvent(ctx, room, event.StateCanonicalAlias, "", &now); err == nil && now.Alias == alias {
		return nil
	}
	content := &event.Content{Parsed: &event.CanonicalAliasEventContent{Alias: alias}}
	if _, err := br.Bot.SendState(ctx, room, event.StateCanonicalAlias, "", content, time.Time{}); err != nil {
		return fmt.Errorf("make the alias %s canonical: %w", alias, err)
	}
	return nil
}

// takeAlias takes an alias from a room that the bridge has left, such as one from which a channel has moved.
func takeAlias(ctx context.Context, br *bridgev2.Bridge, intent *matrix.ASIntent, alias id.RoomAlias, from, to id.RoomID) error {
	other := fmt.Errorf("the alias %s belongs to another room, %s", alias, from)
	portal, err := br.GetPortalByMXID(ctx, from)
	if err != nil || portal != nil {
		return other
	}
	var end event.TombstoneEventContent
	if err := intent.Matrix.StateEvent(ctx, from, event.StateTombstone, "", &end); err != nil || end.ReplacementRoom != to {
		return other
	}
	if _, err := intent.Matrix.DeleteAlias(ctx, alias); err != nil {
		return fmt.Errorf("take the alias %s from %s: %w", alias, from, err)
	}
	if _, err := intent.Matrix.CreateAlias(ctx, alias, to); err != nil {
		return fmt.Errorf("make the alias %s: %w", alias, err)
	}
	return nil
}
