package community

import (
	"errors"
	"fmt"
	"strings"
)

// Members says whose ghosts are in a room.
type Members string

// The policies.
const (
	// All are those that the module names: everybody in the channel, within the module's own limits.
	All Members = "all"
	// Active are those who have said something, until they leave the channel.
	Active Members = "active"
	// None shows no comings and goings: who says something comes in for that, and stays.
	None Members = "none"
)

// Mapping says what rooms the channels of a bridge have.
type Mapping struct {
	// Members is for all rooms that say nothing of their own; empty means All.
	Members  Members
	Channels []Channel
}

// Channel is what one channel of a remote network is to be on Matrix.
type Channel struct {
	// Channel is how the module names it: what the command "id" tells in its room.
	Channel string
	// Room is an existing room, its id or an alias, in which the channel is to be; empty for one that the bridge makes.
	// Its name, topic, rules and rights stay as they are.
	Room string
	// Aliases are localparts. The first one is canonical in a room that the bridge made.
	Aliases []string
	// Space is a space, its id or an alias, in which the room is beside the network's own.
	Space string
	// Members is the room's own policy.
	Members Members
}

// Check finds what cannot be.
func (m Mapping) Check() error {
	var errs []error
	seen := map[string]string{}
	once := func(what, value, where string) {
		if other, ok := seen[what+value]; ok {
			errs = append(errs, fmt.Errorf("%s: the %s %q is of %s, too", where, what, value, other))
		}
		seen[what+value] = where
	}
	if !m.Members.valid() {
		errs = append(errs, fmt.Errorf("members: %q must be all, active or none", m.Members))
	}
	for i, c := range m.Channels {
		where := fmt.Sprintf("channels[%d]", i)
		if c.Channel == "" {
			errs = append(errs, fmt.Errorf("%s: channel is missing", where))
			continue
		}
		once("channel", strings.ToLower(c.Channel), where)
		if !c.Members.valid() {
			errs = append(errs, fmt.Errorf("%s: members: %q must be all, active or none", where, c.Members))
		}
		for key, name := range map[string]string{"room": c.Room, "space": c.Space} {
			if name != "" && !isRoom(name) {
				errs = append(errs, fmt.Errorf("%s: %s %q must be a room id (!...) or an alias (#name:server)", where, key, name))
			}
		}
		if c.Room != "" {
			once("room", c.Room, where)
		}
		for _, a := range c.Aliases {
			if a == "" || len(a) > 200 || strings.ContainsAny(a, ":#\x00 ") {
				errs = append(errs, fmt.Errorf("%s: alias %q must be the part between # and : of an alias", where, a))
			}
			once("alias", a, where)
		}
	}
	return errors.Join(errs...)
}

func (m Members) valid() bool { return m == "" || m == All || m == Active || m == None }

// isRoom reports whether a name is a room id or an alias.
func isRoom(name string) bool {
	local, server, ok := strings.Cut(name, ":")
	switch {
	case len(name) < 2 || len(name) > 255 || strings.ContainsAny(name, " \x00"):
		return false
	case name[0] == '#':
		return ok && len(local) > 1 && server != ""
	}
	return name[0] == '!' // room ids have no server from version 12 on
}

// Find is what is said of a channel.
func (m Mapping) Find(channel string) (Channel, bool) {
	for _, c := range m.Channels {
		if strings.EqualFold(c.Channel, channel) {
			return c, true
		}
	}
	return Channel{}, false
}

// MembersOf is the policy for a channel.
func (m Mapping) MembersOf(channel string) Members {
	policy := m.Members
	if c, ok := m.Find(channel); ok && c.Members != "" {
		policy = c.Members
	}
	if policy == "" {
		return All
	}
	return policy
}

// Rule is what a bridge may do in a room.
type Rule struct {
	// Kept rooms are not of the bridge's making; what they are like stays as it is.
	Kept    bool
	Members Members
}

// RuleOf is the rule for a room that is made for a channel.
func (m Mapping) RuleOf(channel string) Rule { return Rule{Members: m.MembersOf(channel)} }

// Trivial reports whether nothing follows from the mapping.
func (m Mapping) Trivial() bool {
	return len(m.Channels) == 0 && (m.Members == "" || m.Members == All)
}
