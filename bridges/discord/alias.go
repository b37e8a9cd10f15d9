package discord

import (
	"context"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

var _ appservice.AliasOpener = (*Bridge)(nil)

// OpenAlias implements appservice.AliasOpener. Rooms are made when the bridge learns of their channels; somebody may be
// quicker, and a room that could not be made then can be made now. Aliases are for channels that everybody on
// Discord may see.
func (b *Bridge) OpenAlias(ctx context.Context, name string) (made bool, err error) {
	n := b.client()
	if n == nil || wire.ID(name).Uint() == 0 || !n.cfg.Public {
		return false, nil
	}
	err = n.ask(ctx, func(ctx context.Context) {
		ch, ok := n.guilds.channel(wire.ID(name))
		if !ok || !ch.HasMessages() || ch.IsThread() || !n.cfg.wants(ch.GuildID) || !n.bridged(&ch) {
			return
		}
		visible := false
		n.guilds.read(ch.GuildID, func(g *guild) { visible = g.permissions("", nil, &ch)&permView != 0 })
		if !visible {
			return
		}
		n.ensureChannel(ctx, &ch)
		made = n.rooms[ch.ID]
	})
	return made, err
}
