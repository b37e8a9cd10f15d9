package appservice

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/community"
)

// RemoteChannel is a channel of a network that a configuration bridges.
type RemoteChannel struct {
	Key   networkid.PortalKey
	Name  string // as its room is called; empty if that isn't known
	Alias string // the localpart that the module gives its room; empty for none
}

// Lister is implemented by a Bridge that can tell which channels its configuration bridges. It is called on a
// Bridge that was not started, too.
type Lister interface {
	Channels(ctx context.Context) ([]RemoteChannel, error)
}

// Step is what a configuration means for one channel.
type Step struct {
	Channel string    `json:"channel"`
	Name    string    `json:"name,omitempty"`
	Room    id.RoomID `json:"room_id,omitempty"` // where it is now
	// Action is make (a room), plumb (into a room that is there), move (from its room into another), keep, or leave: the
	// channel is not configured any more, and its room stays.
	Action string `json:"action"`
	// Changes are sentences of what else would be different.
	Changes []string `json:"changes,omitempty"`
	// Problems are what stands against it, or what the bot lacks.
	Problems []string `json:"problems,omitempty"`
}

// Plan tells what a configuration of an instance would change, and changes nothing. Of an instance that is not in the
// host nothing is there yet; one that is must run.
func (h *Host) Plan(ctx context.Context, cfg Instance) ([]Step, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	in, err := h.prepare(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	var wanted Bridge
	err = guard("check configuration", func() (err error) {
		wanted, err = h.modules[cfg.Module].New(ctx, in.env(cfg, nil))
		return err
	})
	if err != nil {
		return nil, err
	}
	p := planner{wanted: wanted, mapping: cfg.Rooms, domain: h.opts.Homeserver.Domain}
	if _, err := h.instance(cfg.ID); err == nil {
		r, err := h.runOf(cfg.ID)
		if err != nil {
			return nil, err
		}
		p.br, p.run = r.br, r
	}
	return p.steps(ctx)
}

// planner compares a configuration with what is there.
type planner struct {
	wanted  Bridge
	mapping community.Mapping
	br      *bridgev2.Bridge // nil if nothing is there
	run     *run             // br's
	domain  string
}

func (p *planner) steps(ctx context.Context) (out []Step, err error) {
	there := map[networkid.PortalID]*bridgev2.Portal{}
	if p.br != nil {
		list, err := p.br.GetAllPortalsWithMXID(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the portals: %w", err)
		}
		for _, portal := range list {
			there[portal.ID] = portal
		}
	}
	listed, complete := map[networkid.PortalID]RemoteChannel{}, false
	var order []networkid.PortalID
	if l, ok := p.wanted.(Lister); ok {
		list, err := l.Channels(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the channels: %w", err)
		}
		complete = true
		for _, c := range list {
			listed[c.Key.ID] = c
			order = append(order, c.Key.ID)
		}
	}
	named := map[networkid.PortalID]community.Channel{}
	for _, ch := range p.mapping.Channels {
		key, err := portalKey(p.wanted, ch.Channel)
		if err != nil {
			return nil, fmt.Errorf("channel %s: %w", ch.Channel, err)
		}
		named[key.ID] = ch
		if _, ok := listed[key.ID]; !ok {
			order = append(order, key.ID)
		}
	}
	var rest []networkid.PortalID
	for key := range there {
		if _, ok := listed[key]; !ok && named[key].Channel == "" {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	for _, key := range append(order, rest...) {
		known, isListed := listed[key]
		s := p.step(ctx, key, known, named[key], there[key])
		switch {
		case complete && !isListed && named[key].Channel == "":
			s.Action = "leave"
		case complete && !isListed && there[key] == nil:
			s.Problems = append(s.Problems, "the module's configuration does not bridge this channel")
		}
		out = append(out, s)
	}
	return out, nil
}

// step is for one channel.
func (p *planner) step(ctx context.Context, key networkid.PortalID, known RemoteChannel, ch community.Channel, portal *bridgev2.Portal) Step {
	s := Step{Channel: string(key), Name: known.Name, Action: "make"}
	if portal != nil {
		s.Room, s.Action = portal.MXID, "keep"
		if s.Name == "" {
			s.Name = portal.Name
		} else if portal.Name != "" && portal.Name != s.Name && ch.Room == "" {
			s.Changes = append(s.Changes, fmt.Sprintf("its name becomes %q (now %q)", s.Name, portal.Name))
		}
	}
	room := s.Room
	if ch.Room != "" {
		s.Action = "plumb"
		target, err := p.resolve(ctx, ch.Room)
		switch {
		case err != nil:
			s.Problems = append(s.Problems, err.Error())
		case s.Room == target:
			s.Action = "keep"
		case s.Room != "":
			s.Action = "move"
			s.Changes = append(s.Changes, fmt.Sprintf("from %s to %s; the old room stays, with a pointer to the new one", s.Room, target))
		default:
			s.Changes = append(s.Changes, fmt.Sprintf("into %s", target))
		}
		room = target
		if err == nil {
			p.rights(ctx, &s, key, target)
		}
	}
	aliases := slices.Clone(ch.Aliases)
	if known.Alias != "" && ch.Room == "" {
		aliases = append(aliases, known.Alias)
	}
	for _, a := range aliases {
		p.alias(ctx, &s, a, room)
	}
	if ch.Space != "" {
		p.space(ctx, &s, ch.Space, room)
	}
	if policy := p.mapping.MembersOf(string(key)); policy != community.All && portal == nil {
		s.Changes = append(s.Changes, fmt.Sprintf("members: %s", policy))
	}
	return s
}

func (p *planner) resolve(ctx context.Context, name string) (id.RoomID, error) {
	if p.br == nil {
		if strings.HasPrefix(name, "!") {
			return id.RoomID(name), nil
		}
		return "", fmt.Errorf("whether there is %s shows when the bridge runs", name)
	}
	return resolve(ctx, p.br, name)
}

// rights says what the bot lacks in a room that was there.
func (p *planner) rights(ctx context.Context, s *Step, key networkid.PortalID, room id.RoomID) {
	if p.br == nil {
		return
	}
	members, err := p.br.Matrix.GetMembers(ctx, room)
	if me := members[p.br.Bot.GetMXID()]; err != nil || me == nil || me.Membership != event.MembershipJoin {
		s.Problems = append(s.Problems, fmt.Sprintf("the bot is not in the room: invite %s, unless everybody may join", p.br.Bot.GetMXID()))
		return
	}
	lacks, err := missing(ctx, p.br, room)
	if err != nil {
		lacks = []string{err.Error()}
	}
	s.Problems = append(s.Problems, lacks...)
	if other := p.run.rival(ctx, room, key); other != "" {
		s.Problems = append(s.Problems, fmt.Sprintf("%s bridges this channel to the room already", other))
	}
}

func (p *planner) alias(ctx context.Context, s *Step, localpart string, room id.RoomID) {
	alias := id.NewRoomAlias(localpart, p.domain)
	var has id.RoomID
	if p.br != nil {
		if intent, ok := p.br.Bot.(*matrix.ASIntent); ok {
			if found, err := intent.Matrix.ResolveAlias(ctx, alias); err == nil {
				has = found.RoomID
			}
		}
	}
	switch {
	case has == "":
		s.Changes = append(s.Changes, fmt.Sprintf("gets the alias %s", alias))
	case has != room || room == "":
		s.Problems = append(s.Problems, fmt.Sprintf("the alias %s belongs to another room, %s", alias, has))
	}
}

func (p *planner) space(ctx context.Context, s *Step, name string, room id.RoomID) {
	space, err := p.resolve(ctx, name)
	if err != nil {
		s.Problems = append(s.Problems, err.Error())
		return
	}
	var child event.SpaceChildEventContent
	if p.br != nil && room != "" {
		if intent, ok := p.br.Bot.(*matrix.ASIntent); ok && intent.Matrix.StateEvent(ctx, space, event.StateSpaceChild, string(room), &child) == nil && len(child.Via) > 0 {
			return
		}
	}
	s.Changes = append(s.Changes, fmt.Sprintf("is put into the space %s", name))
	if p.br == nil {
		return
	}
	levels, err := p.br.Matrix.GetPowerLevels(ctx, space)
	switch {
	case err != nil:
		s.Problems = append(s.Problems, fmt.Sprintf("the bot is not in the space %s: invite %s", name, p.br.Bot.GetMXID()))
	case levels.GetUserLevel(p.br.Bot.GetMXID()) < levels.GetEventLevel(event.StateSpaceChild):
		s.Problems = append(s.Problems, fmt.Sprintf("the bot may not put rooms into the space %s: it takes power level %d", name, levels.GetEventLevel(event.StateSpaceChild)))
	}
}
