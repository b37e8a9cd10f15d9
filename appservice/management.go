package appservice

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/format"
	"maunium.net/go/mautrix/id"
)

// invited takes the bot into a room into which somebody invites it who may give it commands. A room of the two
// alone becomes that person's management room, where commands need no prefix: the newest one counts, since the one
// before may be lost to them. bridgev2's own handling keeps the first, and speaks of log-ins that a community has not.
func (p *pump) invited(ctx context.Context, evt *event.Event, user *bridgev2.User) error {
	if err := p.br.Bot.EnsureJoined(ctx, evt.RoomID); err != nil {
		return fmt.Errorf("join the room: %w", err)
	}
	members, err := p.conn.Bot.JoinedMembers(ctx, evt.RoomID)
	if err != nil {
		return fmt.Errorf("ask who is in the room: %w", err)
	}
	_, there := members.Joined[evt.Sender]
	alone := there && len(members.Joined) == 2
	if alone {
		user.ManagementRoom = evt.RoomID
		if err := user.Save(ctx); err != nil {
			return fmt.Errorf("save the management room: %w", err)
		}
	}
	content := format.RenderMarkdown(p.welcome(ctx, evt.RoomID, alone), true, false)
	content.MsgType = event.MsgNotice
	if _, err := p.br.Bot.SendMessage(ctx, evt.RoomID, event.EventMessage, &event.Content{Parsed: &content}, nil); err != nil {
		return fmt.Errorf("greet: %w", err)
	}
	return nil
}

// bridged ends somebody's having their management room in a room that has become a channel's: what they say there is said to people.
func (p *pump) bridged(ctx context.Context, evt *event.Event, user *bridgev2.User) error {
	if user.ManagementRoom != evt.RoomID {
		return nil
	}
	portal, err := p.br.GetPortalByMXID(ctx, evt.RoomID)
	if err != nil || portal == nil {
		return err
	}
	user.ManagementRoom = ""
	return user.Save(ctx)
}

func (p *pump) welcome(ctx context.Context, room id.RoomID, alone bool) string {
	prefix, name := p.br.Config.CommandPrefix, p.br.Network.GetName().DisplayName
	var text string
	if alone {
		text = fmt.Sprintf("Hello, I am the bridge to %s. Write `help` here to see what I can do; no prefix is needed in this room. In other rooms begin with `%s`.", name, prefix)
	} else {
		text = fmt.Sprintf("Hello, I am the bridge to %s. Write `%s help` to see what I can do.", name, prefix)
	}
	var how event.EncryptionEventContent
	if err := p.conn.Bot.StateEvent(ctx, room, event.StateEncryption, "", &how); p.conn.Crypto == nil && err == nil && how.Algorithm != "" {
		text += "\n\nThis room is encrypted, and I am not set up to read that: please make a room without encryption for us."
	}
	return text
}

// errNobody means that the sender of an event can't be known.
var errNobody = errors.New("the sender is not known")

// command prepares what may be a command. True means that the event is done with.
func (p *pump) command(ctx context.Context, evt *event.Event) bool {
	user, err := p.refresh(ctx, evt)
	if err == nil && user == nil {
		err = errNobody
	}
	if err != nil {
		// bridgev2 goes by what it knows; that is no more than the configuration says.
		p.metrics.failed("permission")
		p.log.Error("cannot find out what somebody may do", "user_id", evt.Sender, "error", err)
		return false
	}
	if err := p.bridged(ctx, evt, user); err != nil {
		p.log.Error("cannot find out whether somebody's room for commands has become a channel's", "room_id", evt.RoomID, "user_id", evt.Sender, "error", err)
	}
	if !p.invitesBot(evt) || !user.Permissions.Commands {
		return false
	}
	if err := p.invited(ctx, evt, user); err != nil {
		p.metrics.failed("invite")
		p.log.Error("cannot follow an invitation", "room_id", evt.RoomID, "user_id", evt.Sender, "error", err)
	}
	return true
}
