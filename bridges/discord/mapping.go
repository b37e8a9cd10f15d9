package discord

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// bridged reports whether a channel is bridged: what a command has said counts more than the configuration.
// Called by the pump.
func (n *bot) bridged(ch *wire.Channel) bool {
	if yes, said := n.choices[ch.ID]; said {
		return yes
	}
	return n.cfg.bridged(ch)
}

// commandBridge is "bridge" and "unbridge".
func (n *bot) commandBridge(ce *commands.Event) {
	name := ""
	switch {
	case len(ce.Args) == 1:
		name = ce.Args[0]
	case ce.Command == "unbridge" && ce.Portal != nil && len(ce.Args) == 0:
		_, channel := splitPortal(ce.Portal.ID)
		name = string(channel)
	default:
		ce.Reply("Usage: `$cmdprefix %s CHANNEL`, with its id", ce.Command)
		return
	}
	list := n.find(name)
	if len(list) != 1 || !list[0].HasMessages() {
		ce.Reply("There is no channel %s, or several of that name. With Discord's developer mode, a channel's menu has *Copy Channel ID*.", name)
		return
	}
	ch, yes := list[0], ce.Command == "bridge"
	var failed error
	err := n.ask(ce.Ctx, func(ctx context.Context) {
		if failed = n.b.store.setChoice(ctx, ch.ID, yes); failed != nil {
			return
		}
		n.choices[ch.ID] = yes
		if yes {
			n.ensureChannel(ctx, &ch)
			if n.rooms[ch.ID] {
				n.catchUp(ctx, &ch)
			}
		} else {
			failed = n.unbridge(ctx, &ch)
		}
	})
	if err == nil {
		err = failed
	}
	room, link := n.roomOf(ce.Ctx, ch.ID)
	switch {
	case err != nil:
		n.log.Error("a command is not carried out", "command", ce.Command, "error", err)
		ce.Reply("That did not work: %v", err)
	case yes && room == "":
		ce.Reply("That did not work; the log says why. Perhaps the bot does not see the channel.")
	case yes:
		ce.Reply("%s is bridged: %s", escapeMarkdown(ch.Name), link)
	default:
		ce.Reply("%s is not bridged any more. Its room stays, without the people of Discord.", escapeMarkdown(ch.Name))
	}
}

// unbridge ends the bridging of a channel. The room and what was said in it stay; the people of Discord leave it. Called by
// the pump.
func (n *bot) unbridge(ctx context.Context, ch *wire.Channel) error {
	n.setRoom(ch.ID, false)
	portal, err := n.b.br.GetExistingPortalByKey(ctx, channelKey(ch.ID))
	if err != nil || portal == nil || portal.MXID == "" {
		return err
	}
	room := portal.MXID
	n.unlist(ctx, portal)
	if err := portal.Delete(ctx); err != nil {
		return fmt.Errorf("forget the room: %w", err)
	}
	intent, ok := n.b.br.Bot.(*matrix.ASIntent)
	if !ok {
		return nil
	}
	members, err := intent.Matrix.JoinedMembers(ctx, room)
	if err != nil {
		return fmt.Errorf("list who is in the room: %w", err)
	}
	for member := range members.Joined {
		ghost, err := n.b.br.GetGhostByMXID(ctx, member)
		if err != nil || ghost == nil {
			continue
		}
		if gi := appservice.GhostItself(ghost.Intent); gi != nil {
			if _, err := gi.Matrix.LeaveRoom(ctx, room); err != nil {
				n.log.Warn("somebody of Discord does not leave a room", "room", room, "error", err)
			}
		}
	}
	return nil
}

// unlist takes a room out of its space, and its alias away, so that the channel may have another room later.
func (n *bot) unlist(ctx context.Context, portal *bridgev2.Portal) {
	intent, ok := n.b.br.Bot.(*matrix.ASIntent)
	if !ok {
		return
	}
	if portal.Parent != nil && portal.Parent.MXID != "" {
		if _, err := n.b.br.Bot.SendState(ctx, portal.Parent.MXID, event.StateSpaceChild, string(portal.MXID), &event.Content{Raw: map[string]any{}}, time.Time{}); err != nil {
			n.log.Warn("a room is not taken out of its space", "room", portal.MXID, "error", err)
		}
	}
	meta, ok := portal.Metadata.(*PortalMetadata)
	if !ok || meta.Alias == "" {
		return
	}
	alias := id.NewRoomAlias(meta.Alias, n.b.br.Matrix.ServerName())
	if _, err := intent.Matrix.DeleteAlias(ctx, alias); err != nil {
		n.log.Warn("a room keeps its alias", "room", portal.MXID, "error", err)
	}
}

// choices are what commands have said of channels.
func (s *store) choices(ctx context.Context) (map[wire.ID]bool, error) {
	rows, err := s.db.Query(ctx, "SELECT channel_id, bridged FROM discord_choice WHERE bridge_id=$1", s.bridge)
	out := make(map[wire.ID]bool)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var channel string
		var bridged bool
		err := row.Scan(&channel, &bridged)
		out[wire.ID(channel)] = bridged
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("read what commands have said of channels: %w", err)
	}
	return out, nil
}

func (s *store) setChoice(ctx context.Context, channel wire.ID, bridged bool) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO discord_choice (bridge_id, channel_id, bridged) VALUES ($1, $2, $3)
		ON CONFLICT (bridge_id, channel_id) DO UPDATE SET bridged=excluded.bridged
	`, s.bridge, string(channel), bridged)
	if err != nil {
		return fmt.Errorf("store what a command has said of a channel: %w", err)
	}
	return nil
}
