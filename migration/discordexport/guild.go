package discordexport

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
	"github.com/landbridge-im/landbridge/migration/discordfetch"
	"github.com/landbridge-im/landbridge/migration/model"
)

const (
	// guildFile is what discordfetch writes beside the messages.
	guildFile = "guild.json"
	// maxGuildFile bounds it; a member has less than a kilobyte.
	maxGuildFile = 1 << 30
	// maxEverywhere is the most members that a server may have for all of them to be in each channel that everybody sees. In
	// those of larger servers are who has said something there, as in the bridge; others can come in.
	maxEverywhere = 2000
)

// server is what guild.json tells.
type server struct {
	from    string // the file
	guild   wire.Guild
	emojis  []wire.Emoji
	rights  *discord.Rights
	members []wire.Member
	// known tells that members are all that there are.
	known bool
	// channels are also threads, and within those in private threads, by id.
	channels map[string]*wire.Channel
	within   map[string][]string
}

// describe reads guild.json, if there is one.
func (e *Export) describe() {
	for _, n := range e.a.Names() {
		if path.Base(n) != guildFile {
			continue
		}
		d, err := e.description(n)
		if err != nil {
			e.problem(n, "can't be read: "+err.Error(), true)
			continue
		}
		s := &server{from: n, known: d.MembersKnown, within: d.ThreadMembers, channels: map[string]*wire.Channel{}}
		var with struct {
			Emojis wire.List[wire.Emoji] `json:"emojis"`
		}
		if wire.Decode(d.Guild, &s.guild) != nil || wire.Decode(d.Guild, &with) != nil || wire.Decode(d.Channels, &s.guild.Channels) != nil {
			e.problem(n, "does not say what the server is", true)
			continue
		}
		if string(s.guild.ID) != e.source.ID {
			e.problem(n, "is of another server", true)
			continue
		}
		s.emojis = with.Emojis
		unread := 0
		for _, raw := range d.Threads {
			var t wire.Channel
			if wire.Decode(raw, &t) != nil || t.ID == "" {
				unread++
				continue
			}
			s.guild.Threads = append(s.guild.Threads, t)
		}
		seen := map[wire.ID]bool{}
		for _, raw := range d.Members {
			var m wire.Member
			if wire.Decode(raw, &m) != nil || !validID(string(m.User.ID)) || seen[m.User.ID] {
				unread++
				continue
			}
			seen[m.User.ID] = true
			s.members = append(s.members, m)
		}
		if unread > 0 {
			e.problem(n, fmt.Sprintf("has %d members or threads that can't be read", unread), true)
		}
		for _, list := range [...]wire.List[wire.Channel]{s.guild.Channels, s.guild.Threads} {
			for i := range list {
				s.channels[string(list[i].ID)] = &list[i]
			}
		}
		s.rights = discord.NewRights(s.guild)
		e.server = s
		return
	}
}

func (e *Export) description(name string) (*discordfetch.Description, error) {
	raw, err := e.a.Read(name, maxGuildFile)
	if err != nil {
		return nil, err
	}
	d, ok := discordfetch.ReadDescription(raw)
	if !ok {
		return nil, errors.New("it is no description of a server")
	}
	return d, nil
}

// settle makes the channels what guild.json says they are.
func (e *Export) settle() {
	s := e.server
	hidden := map[string]bool{}
	list := e.channels[:0]
	for _, c := range e.channels {
		w := s.channels[c.ID]
		if w == nil {
			if c.Kind == model.Private {
				e.problem(s.from, fmt.Sprintf("does not have the channel %s; it is private here", c.Name), false)
			}
			list = append(list, c)
			continue
		}
		open := s.rights.Sees("", nil, w)
		c.Order = s.order(w)
		if w.Name != "" {
			c.Name = w.Name
		}
		if c.Kind == model.Section {
			if !open {
				// Its name is not for everybody, and nobody would be in its space.
				hidden[c.Key] = true
				continue
			}
			list = append(list, c)
			continue
		}
		c.Topic = first(w.Topic, c.Topic)
		if c.Kind == model.Private && open {
			c.Kind = model.Public
		}
		e.inhabit(&c, w, open)
		list = append(list, c)
	}
	for i := range list {
		if hidden[list[i].Parent] {
			list[i].Parent = ""
		}
	}
	// Old first would do, but they are listed to people, too.
	slices.SortStableFunc(list, func(a, b model.Channel) int {
		if a.Order == "" || b.Order == "" {
			return cmp.Compare(b2i(a.Order == ""), b2i(b.Order == ""))
		}
		return strings.Compare(a.Order, b.Order)
	})
	e.channels = list
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// maxWriters bounds who is named in a room's power levels, which have to fit into an event.
const maxWriters = 500

// inhabit says who is in a channel and who may write there.
func (e *Export) inhabit(c *model.Channel, w *wire.Channel, open bool) {
	s := e.server
	c.ReadOnly = !s.rights.Writes("", nil, w) && open
	if w.IsThread() {
		// Discord, "Threads": in a private one are its members, and who may manage threads sees it.
		c.Members, c.MembersKnown = s.within[c.ID], s.within[c.ID] != nil
		c.Members = slices.DeleteFunc(slices.Clone(c.Members), func(id string) bool { return !validID(id) })
		c.ReadOnly = w.Metadata.Locked
		return
	}
	everybody := open && len(s.members) > maxEverywhere
	c.MembersKnown = s.known && !everybody
	for _, m := range s.members {
		if !s.rights.Sees(m.User.ID, m.Roles, w) {
			continue
		}
		if c.MembersKnown {
			c.Members = append(c.Members, string(m.User.ID))
		}
		if c.ReadOnly && s.rights.Writes(m.User.ID, m.Roles, w) && s.rights.Level(m.User.ID, m.Roles) == 0 {
			c.Writers = append(c.Writers, string(m.User.ID))
		}
	}
	if !open && !c.ReadOnly {
		// Some of those who see it may be there to read only.
		var silent, writers []string
		for _, m := range s.members {
			if !s.rights.Sees(m.User.ID, m.Roles, w) || s.rights.Level(m.User.ID, m.Roles) > 0 {
				continue
			}
			if s.rights.Writes(m.User.ID, m.Roles, w) {
				writers = append(writers, string(m.User.ID))
			} else {
				silent = append(silent, string(m.User.ID))
			}
		}
		if len(silent) > 0 {
			c.ReadOnly, c.Writers = true, writers
		}
	}
	if len(c.Writers) > maxWriters {
		e.problem(s.from, fmt.Sprintf("%d people may write in #%s and others may not, which are too many for the room's power levels; everybody in the room may write", len(c.Writers), c.Name), true)
		c.ReadOnly, c.Writers = false, nil
	}
}

// order is where a channel stands: Discord shows channels without a category first, then the categories with theirs.
func (s *server) order(w *wire.Channel) string {
	if w.IsThread() {
		parent := s.channels[string(w.ParentID)]
		if parent == nil {
			return ""
		}
		return s.order(parent) + "." + string(w.ID)
	}
	place := func(w *wire.Channel) string {
		return fmt.Sprintf("%05d.%020d", min(max(w.Position, 0), 99_999), w.ID.Uint())
	}
	if w.Type == wire.ChannelCategory {
		return "1" + place(w)
	}
	if cat := s.channels[string(w.ParentID)]; cat != nil {
		return "1" + place(cat) + "." + voice(w) + place(w)
	}
	return "0" + voice(w) + place(w)
}

// voice orders channels to talk in behind those to write in.
func voice(w *wire.Channel) string {
	if w.Type == wire.ChannelVoice || w.Type == wire.ChannelStage {
		return "1"
	}
	return "0"
}

// member is a member as a person.
func (e *Export) member(m *wire.Member) model.Person {
	s, u := e.server, m.User
	p := model.Person{Ghost: string(u.ID), ID: string(u.ID), Name: first(m.Nick, u.GlobalName, u.Username, string(u.ID)), Username: u.Username, Bot: u.Bot,
		Power: s.rights.Level(u.ID, m.Roles)}
	if name, address := discordfetch.AvatarFile(e.source.ID, u, m); name != "" {
		f := e.beside(name, address, "avatar")
		p.Avatar = &f
	}
	return p
}

// beside is a file that discordfetch has brought, or that is still at Discord.
func (e *Export) beside(name, address, called string) model.File {
	if e.a.Has(path.Join(path.Dir(e.server.from), name)) {
		address = name
	}
	return e.file(called+"/"+address, called, address, e.server.from)
}

// People implements model.Export: members, if they are known. Others are told of by their messages.
func (e *Export) People() []model.Person { return e.people }

// Emoji implements model.Export: those of the server, by their ids. Others come with reactions.
func (e *Export) Emoji() []model.Emoji { return e.emoji }

// gather makes the lists of people and emoji.
func (e *Export) gather() {
	for i := range e.server.members {
		e.people = append(e.people, e.member(&e.server.members[i]))
	}
	for _, x := range e.server.emojis {
		if x.ID == "" {
			continue
		}
		name, address := discordfetch.EmojiFile(x)
		f := e.beside(name, address, "emoji")
		f.ID = "emoji/" + string(x.ID)
		e.emoji = append(e.emoji, model.Emoji{Name: string(x.ID), Shortcode: x.Name, File: f})
	}
	if about := e.server.guild.Description; about != "" {
		e.source.Description = about
	}
}
