package appservice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/community"
)

// ChannelNamer is implemented by a Bridge whose portals' ids are not just what people write for a channel. It is
// called on a Bridge that was not started, too.
type ChannelNamer interface {
	// PortalKey is the portal of a channel as people write it in a mapping.
	PortalKey(channel string) (networkid.PortalKey, error)
}

// portalKey is the portal of a channel of a mapping.
func portalKey(b Bridge, channel string) (networkid.PortalKey, error) {
	if n, ok := b.(ChannelNamer); ok {
		return n.PortalKey(channel)
	}
	return networkid.PortalKey{ID: networkid.PortalID(channel)}, nil
}

// mapRooms puts channels into the rooms that the mapping names, before the module makes others. What cannot be done
// is said in the log and in the plan; the bridge goes on.
func (r *run) mapRooms(ctx context.Context) error {
	if r.guard == nil {
		return nil
	}
	portals, err := r.br.GetAllPortalsWithMXID(ctx)
	if err != nil {
		return fmt.Errorf("list the portals: %w", err)
	}
	for _, p := range portals {
		r.guard.Know(p.MXID, string(p.ID), r.kept.has(p.MXID))
	}
	for _, ch := range r.mapping.Channels {
		if ch.Room == "" {
			continue
		}
		if err := r.plumb(ctx, ch); err != nil {
			r.log.Error("a channel cannot be put into its room", "channel", ch.Channel, "room", ch.Room, "error", err)
		}
	}
	return nil
}

// plumb puts a channel into an existing room.
func (r *run) plumb(ctx context.Context, ch community.Channel) error {
	key, err := portalKey(r.bridge, ch.Channel)
	if err != nil {
		return err
	}
	room, err := resolve(ctx, r.br, ch.Room)
	if err != nil {
		return err
	}
	portal, err := r.br.GetPortalByKey(ctx, key)
	if err != nil {
		return fmt.Errorf("load the portal: %w", err)
	}
	if portal.MXID == room && !r.kept.has(room) {
		return nil // the bridge's own room, by its name
	}
	if err := r.kept.add(room); err != nil {
		return err
	}
	r.guard.Know(room, ch.Channel, true)
	if err := r.br.Bot.EnsureJoined(ctx, room); err != nil {
		// It follows an invitation later; what the network says until then does not come over.
		r.log.Warn("the bot is not in the room of a channel: invite it", "channel", ch.Channel, "room", room, "bot", r.br.Bot.GetMXID(), "error", err)
	} else if lacks, err := missing(ctx, r.br, room); err == nil && len(lacks) > 0 {
		r.log.Warn("the bot lacks rights in the room of a channel", "channel", ch.Channel, "room", room, "missing", strings.Join(lacks, "; "))
	}
	if portal.MXID == room {
		return nil
	}
	if other := r.rival(ctx, room, key.ID); other != "" {
		return fmt.Errorf("%s bridges this channel to the room already: everything would come twice, and for ever", other)
	}
	err = portal.UpdateMatrixRoomID(ctx, room, bridgev2.UpdateMatrixRoomIDParams{TombstoneOldRoom: true})
	if err != nil {
		return fmt.Errorf("take the room: %w", err)
	}
	r.log.Info("a channel is in a room that was there", "channel", ch.Channel, "room", room)
	return nil
}

// resolve finds a room by its id or alias.
func resolve(ctx context.Context, br *bridgev2.Bridge, name string) (id.RoomID, error) {
	if strings.HasPrefix(name, "!") {
		return id.RoomID(name), nil
	}
	intent, ok := br.Bot.(*matrix.ASIntent)
	if !ok {
		return "", errors.New("the Matrix connector knows no aliases")
	}
	found, err := intent.Matrix.ResolveAlias(ctx, id.RoomAlias(name))
	if err != nil {
		return "", fmt.Errorf("look up %s: %w", name, err)
	}
	return found.RoomID, nil
}

// missing names what the bot may not do in a room and should.
func missing(ctx context.Context, br *bridgev2.Bridge, room id.RoomID) (out []string, err error) {
	levels, err := br.Matrix.GetPowerLevels(ctx, room)
	if err != nil {
		return nil, fmt.Errorf("ask for the power levels: %w", err)
	}
	mine, ghosts := levels.GetUserLevel(br.Bot.GetMXID()), levels.UsersDefault
	for _, need := range []struct {
		have, level int
		what        string
	}{
		{mine, levels.GetEventLevel(event.EventMessage), "the bot may not write messages"},
		{ghosts, levels.GetEventLevel(event.EventMessage), "people of the network may not write messages (they have the usual power level)"},
		{mine, levels.Invite(), "the bot may not invite people of the network"},
		{mine, levels.GetEventLevel(event.StateBridge), "the bot may not say in the room that it is bridged (m.bridge)"},
		{mine, levels.Redact(), "the bot may not remove messages that were deleted on the network"},
		{mine, levels.Kick(), "the bot may not remove people who were removed on the network"},
	} {
		if need.have < need.level {
			out = append(out, fmt.Sprintf("%s: it takes power level %d, and it is %d", need.what, need.level, need.have))
		}
	}
	return out, nil
}

// rival is the bot of another bridge that bridges the channel to the room already: one of the host's, or one that
// has left its mark there. Empty if there is none.
func (r *run) rival(ctx context.Context, room id.RoomID, channel networkid.PortalID) id.UserID {
	protocol := r.br.Network.GetName().AsBridgeInfoSection().ID
	for _, other := range r.others() {
		if other.br == nil || other.br.Network.GetName().AsBridgeInfoSection().ID != protocol {
			continue
		}
		if p, err := other.br.GetPortalByMXID(ctx, room); err == nil && p != nil && strings.EqualFold(string(p.ID), string(channel)) {
			return other.br.Bot.GetMXID()
		}
	}
	return marked(ctx, r.br, room, channel)
}

// maxBridgeMarks bounds the marks of bridges that are looked at in a room.
const maxBridgeMarks = 100

// marked is the bot of another bridge that bridges a channel of that id of the same network to a room, by the
// marks (m.bridge, MSC2346) that bridges leave there; empty if there is none.
func marked(ctx context.Context, br *bridgev2.Bridge, room id.RoomID, channel networkid.PortalID) id.UserID {
	intent, ok := br.Bot.(*matrix.ASIntent)
	if !ok {
		return ""
	}
	filter := &mautrix.FilterPart{Types: []event.Type{event.StateBridge}}
	page, err := intent.Matrix.Messages(ctx, room, "", "", mautrix.DirectionBackward, filter, maxBridgeMarks)
	if err != nil {
		return "" // the bot is not in the room yet, and can't see what is there
	}
	protocol := br.Network.GetName().AsBridgeInfoSection().ID
	seen := map[string]bool{}
	for _, e := range page.Chunk {
		if e.Type.Type != event.StateBridge.Type || e.StateKey == nil || seen[*e.StateKey] {
			continue
		}
		seen[*e.StateKey] = true // the newest comes first
		e.Type.Class = event.StateEventType
		if err := e.Content.ParseRaw(e.Type); err != nil {
			continue
		}
		info, ok := e.Content.Parsed.(*event.BridgeEventContent)
		if ok && info.BridgeBot != br.Bot.GetMXID() && info.Protocol.ID == protocol && strings.EqualFold(info.Channel.ID, string(channel)) {
			return info.BridgeBot
		}
	}
	return ""
}

// roomCheck is how often the rooms of a mapping are looked at that are not there yet.
const roomCheck = time.Second

// tendRooms gives the channels of the mapping what they are to have as soon as they have a room: modules make rooms
// when they have found the channels. It ends when all are done, or with ctx.
func (r *run) tendRooms(ctx context.Context) {
	todo := r.mapping.Channels
	tick := time.NewTicker(roomCheck)
	defer tick.Stop()
	for {
		var rest []community.Channel
		for _, ch := range todo {
			if done := r.tend(ctx, ch); !done {
				rest = append(rest, ch)
			}
		}
		if todo = rest; len(todo) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tend does what the mapping says of one channel; false if there is no room yet.
func (r *run) tend(ctx context.Context, ch community.Channel) bool {
	key, err := portalKey(r.bridge, ch.Channel)
	if err != nil {
		r.log.Error("the mapping names a channel that cannot be", "channel", ch.Channel, "error", err)
		return true
	}
	portal, err := r.br.GetExistingPortalByKey(ctx, key)
	if err != nil || portal == nil || portal.MXID == "" || portal.Relay == nil {
		return false
	}
	if ch.Room != "" {
		r.introduce(ctx, portal)
	}
	for i, alias := range ch.Aliases {
		if err := setAlias(ctx, r.br, portal.MXID, alias, i == 0 && ch.Room == ""); err != nil {
			r.log.Error("a room has not got its alias", "channel", ch.Channel, "alias", alias, "error", err)
		}
	}
	if ch.Space != "" {
		if err := r.putIntoSpace(ctx, portal, ch); err != nil {
			r.log.Error("a room is not in its space", "channel", ch.Channel, "space", ch.Space, "error", err)
		}
	}
	return true
}

// introduce tells a room that was there what it is bridged to, and brings the network's people into it.
func (r *run) introduce(ctx context.Context, portal *bridgev2.Portal) {
	info, err := portal.Relay.Client.GetChatInfo(ctx, portal)
	if err != nil || info == nil {
		r.log.Warn("what a channel is like is not known", "channel", portal.ID, "error", err)
		return
	}
	// The error is that of the bridge's end.
	_ = waitHandled(ctx, r.br, portal.MXID, r.br.Bot.GetMXID(), func() {
		portal.UpdateInfo(ctx, info, portal.Relay, nil, time.Time{})
		portal.UpdateCapabilities(ctx, portal.Relay, true)
		portal.UpdateBridgeInfo(ctx)
	})
}

// putIntoSpace puts a room into a space that is not the bridge's.
func (r *run) putIntoSpace(ctx context.Context, portal *bridgev2.Portal, ch community.Channel) error {
	space, err := resolve(ctx, r.br, ch.Space)
	if err != nil {
		return err
	}
	if err := r.br.Bot.EnsureJoined(ctx, space); err != nil {
		return fmt.Errorf("the bot is not in the space; invite %s: %w", r.br.Bot.GetMXID(), err)
	}
	via := []string{r.br.Matrix.ServerName()}
	var now event.SpaceChildEventContent
	intent, ok := r.br.Bot.(*matrix.ASIntent)
	if ok && intent.Matrix.StateEvent(ctx, space, event.StateSpaceChild, string(portal.MXID), &now) == nil && len(now.Via) > 0 {
		return nil
	}
	child := &event.Content{Parsed: &event.SpaceChildEventContent{Via: via}}
	if _, err := r.br.Bot.SendState(ctx, space, event.StateSpaceChild, string(portal.MXID), child, time.Time{}); err != nil {
		return fmt.Errorf("put it there (the bot needs the power level for m.space.child): %w", err)
	}
	if ch.Room != "" {
		return nil
	}
	parent := &event.Content{Parsed: &event.SpaceParentEventContent{Via: via}}
	if _, err := r.br.Bot.SendState(ctx, portal.MXID, event.StateSpaceParent, string(space), parent, time.Time{}); err != nil {
		return fmt.Errorf("name the space in the room: %w", err)
	}
	return nil
}
