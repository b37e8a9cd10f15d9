package appservice

import (
	"context"
	"maps"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/store"
)

// Standing is what somebody is on the homeserver.
type Standing int

const (
	// Stranger has no account for people there: a user of another server, a guest, a ghost or a bot of a bridge.
	Stranger Standing = iota
	// Resident has an account.
	Resident
	// Administrator runs the homeserver.
	Administrator
)

// permissions says who may do what with one bridge.
type permissions struct {
	named    map[string]string // Instance.Permissions
	domain   string            // the homeserver's
	resident bridgeconfig.Permissions
	standing func(context.Context, id.UserID) (Standing, error)
}

// config is what bridgev2 is told. It knows no standing; refresh sees to that.
func (p *permissions) config(bot id.UserID) bridgeconfig.PermissionConfig {
	out := bridgeconfig.PermissionConfig{
		"*":      ptr(bridgeconfig.PermissionLevelRelay),
		p.domain: ptr(p.resident),
	}
	for who, level := range p.named {
		out[who] = ptr(permissionLevels[level])
	}
	// Markers are sent by the bot, which must therefore be let through.
	out[string(bot)] = ptr(bridgeconfig.PermissionLevelRelay)
	return out
}

// of is what somebody may do. Who is named is what the name says; an administrator of the homeserver is one of
// the bridge; people of the homeserver may what its name says, but its ghosts and bots, behind which is anybody of
// another network, are relayed at most.
func (p *permissions) of(ctx context.Context, user id.UserID) (bridgeconfig.Permissions, error) {
	if level, ok := p.named[string(user)]; ok {
		return permissionLevels[level], nil
	}
	all := p.config("")
	if user.Homeserver() != p.domain {
		return all.Get(user), nil
	}
	standing, err := p.standing(ctx, user)
	switch {
	case err != nil:
		return bridgeconfig.PermissionLevelRelay, err
	case standing == Administrator:
		return bridgeconfig.PermissionLevelAdmin, nil
	case standing == Stranger && all.Get(user).SendEvents:
		return bridgeconfig.PermissionLevelRelay, nil
	}
	return all.Get(user), nil
}

// standingOf is Options.Standing, or what can be told without it: who is of the homeserver and not one of the
// host's own.
func (h *Host) standingOf(ctx context.Context, user id.UserID) (Standing, error) {
	if h.opts.Standing != nil {
		return h.opts.Standing(ctx, user)
	}
	local, server, err := user.Parse()
	if err != nil || server != h.opts.Homeserver.Domain {
		return Stranger, nil
	}
	h.mu.Lock()
	list := maps.Clone(h.instances)
	h.mu.Unlock()
	for _, in := range list {
		in.mu.Lock()
		bot, ghosts := in.config.BotLocalpart, in.config.GhostPrefix
		in.mu.Unlock()
		if local == bot || strings.HasPrefix(local, ghosts) {
			return Stranger, nil
		}
	}
	return Resident, nil
}

// refresh has bridgev2 know what the sender of an event may do now, if it may be a command or an invitation of
// the bot. bridgev2 asks once for each user and life of a bridge; who administers a homeserver can change.
func (p *pump) refresh(ctx context.Context, evt *event.Event) (*bridgev2.User, error) {
	user, err := p.br.GetUserByMXID(ctx, evt.Sender)
	if err != nil || user == nil {
		return nil, err
	}
	return user, p.allow(ctx, user)
}

// allow has bridgev2 know what somebody may do now.
func (p *pump) allow(ctx context.Context, user *bridgev2.User) error {
	may, err := p.may.of(ctx, user.MXID)
	if err != nil {
		return err
	}
	// Written when it changes only: others read it without a lock.
	if user.Permissions != may {
		user.Permissions = may
	}
	return nil
}

// commanding reports whether an event may be a command, or asks the bot into a room.
func (p *pump) commanding(ctx context.Context, evt *event.Event, kind store.Kind) bool {
	switch {
	case kind != store.KindEvent || p.isOwn(evt):
		return false
	case evt.Type == event.EventEncrypted, p.invitesBot(evt):
		return true
	case evt.Type != event.EventMessage:
		return false
	case strings.HasPrefix(evt.Content.AsMessage().Body, p.br.Config.CommandPrefix):
		return true
	}
	user, err := p.br.GetExistingUserByMXID(ctx, evt.Sender)
	return err == nil && user != nil && user.ManagementRoom == evt.RoomID
}

func (p *pump) invitesBot(evt *event.Event) bool {
	return evt.Type == event.StateMember && evt.GetStateKey() == string(p.conn.Bot.UserID) && evt.Content.AsMember().Membership == event.MembershipInvite
}
