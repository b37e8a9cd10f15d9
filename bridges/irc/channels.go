package irc

import (
	"context"
	"slices"
	"sync"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/id"
)

// channel is a bridged channel: one of the configuration, or one that was added since.
type channel struct {
	ChannelConfig
	// added says that it is not of the configuration, but was added by a command or because somebody
	// looked for its alias.
	added bool
	// room, if not empty, is a room that was there before, to which the channel was tied by a command.
	room id.RoomID
	// arrivals are those whose joins are under way; they belong to the turns of the room's portal.
	arrivals arrivals
}

// channels are the bridged channels of a network. It is safe for concurrent use.
type channels struct {
	mu   sync.Mutex
	list []*channel
}

func newChannels(configured []ChannelConfig) *channels {
	cs := new(channels)
	for _, cfg := range configured {
		cs.list = append(cs.list, &channel{ChannelConfig: cfg})
	}
	return cs
}

// all returns the channels there are now.
func (cs *channels) all() []*channel {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(cs.list)
}

func (cs *channels) find(match func(*channel) bool) *channel {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if i := slices.IndexFunc(cs.list, match); i >= 0 {
		return cs.list[i]
	}
	return nil
}

// add adds a channel, unless there are too many.
func (cs *channels) add(ch *channel, most int) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.list) >= most {
		return false
	}
	cs.list = append(cs.list, ch)
	return true
}

func (cs *channels) remove(ch *channel) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.list = slices.DeleteFunc(cs.list, func(other *channel) bool { return other == ch })
}

// channel returns the bridged channel that an IRC name means, or nil.
func (n *network) channel(name string) *channel {
	fold := n.session.Support().Casemapping.Fold
	folded := fold(name)
	return n.channels.find(func(ch *channel) bool { return fold(ch.Name) == folded })
}

// channelOf returns the bridged channel of a portal, or nil.
func (n *network) channelOf(portal *bridgev2.Portal) *channel {
	return n.channels.find(func(ch *channel) bool { return channelKey(n.cfg.ID, ch.Name) == portal.PortalKey })
}

// loadChannels takes over those that were added.
func (n *network) loadChannels(ctx context.Context) error {
	list, err := n.b.store.channels(ctx, n.cfg.ID)
	if err != nil {
		return err
	}
	for _, ch := range list {
		key := channelKey(n.cfg.ID, ch.Name)
		if n.channels.find(func(other *channel) bool { return channelKey(n.cfg.ID, other.Name) == key }) == nil {
			n.channels.add(ch, maxChannels)
		}
	}
	return nil
}

// maxChannels bounds the channels of a network.
const maxChannels = 5000
