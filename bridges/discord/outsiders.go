package discord

import (
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// What follows is for imports of history, too: what a guild and its messages are outside of a running bridge.

// Rights are what people may do in a guild. It is safe for concurrent use.
type Rights struct{ g *guild }

// NewRights knows a guild with its roles, channels and threads.
func NewRights(g wire.Guild) *Rights { return &Rights{newGuilds().set(g)} }

// Level is the power level of a member with some roles, in all rooms of the guild: 100 for those who administrate, 50 for
// those who moderate, 0 for the others.
func (r *Rights) Level(user wire.ID, roles []wire.ID) int {
	return level(r.g.permissions(user, roles, nil), false)
}

// Sees reports whether a member with some roles sees a channel. Nobody in particular ("", nil) sees what everybody does.
func (r *Rights) Sees(user wire.ID, roles []wire.ID, ch *wire.Channel) bool {
	return r.g.permissions(user, roles, ch)&permView != 0
}

// Writes reports whether a member with some roles may write in a channel.
func (r *Rights) Writes(user wire.ID, roles []wire.ID, ch *wire.Channel) bool {
	return r.g.permissions(user, roles, ch)&permSend != 0
}

// PortalOf is what is kept with the room of a channel, or with that of a thread of the channel parent.
func PortalOf(parent string) *PortalMetadata { return &PortalMetadata{Parent: wire.ID(parent)} }

// SystemText is what a message of Discord itself says, to be read after its author's name, by its type and content;
// "" for messages of people.
func SystemText(kind wire.Int, content string) string {
	return systemText(&wire.Message{Type: kind, Content: content})
}

// ExtraText is what else of a message is text, as Discord's markdown: its components, its poll, and how a poll ended.
func ExtraText(m *wire.Message) string {
	md := ""
	if m.Type == messagePollResult {
		md = pollResult(m)
	}
	md = withComponents(md, m.Components)
	if m.Poll != nil {
		md = strings.TrimPrefix(md+"\n"+pollText(m.Poll), "\n")
	}
	return md
}
