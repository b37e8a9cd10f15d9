package plan

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/landbridge-im/landbridge/migration/model"
)

// Audiences of a room: who may come in.
const (
	Anyone  = "anyone"  // everybody, also from other servers where there is federation
	Space   = "space"   // the members of the community's space
	Invited = "invited" // who is invited
)

// Naming says how things are called here. It is that of the bridge that may go on.
type Naming struct {
	// Service is the id of the bridge, to which the accounts belong.
	Service string `yaml:"bridge"`
	// Bot and Ghosts are the localpart of the bridge's bot and the prefix of the others.
	Bot    string `yaml:"bot"`
	Ghosts string `yaml:"ghosts"`
	// Aliases begins the addresses of rooms.
	Aliases string `yaml:"aliases"`
}

// Mapping is what the administrator decides. What it does not name is as Default has it.
type Mapping struct {
	// Source is what the mapping is for, so that it is not used for another export.
	Source string `yaml:"source"`
	// Name is that of the space.
	Name string `yaml:"name"`
	// Server is the server that was planned for, "" for any.
	Server string `yaml:"server,omitempty"`
	Naming Naming `yaml:"naming"`
	// Admins are users of this server who own the space and what is open to its members.
	Admins []string `yaml:"admins"`
	// SpaceAudience is who may come into the space.
	SpaceAudience string `yaml:"space_audience"`
	// Files says whether files are fetched that are not in the export itself.
	Files    bool      `yaml:"fetch_files"`
	People   []Person  `yaml:"people"`
	Channels []Channel `yaml:"channels"`
}

// Person says who somebody is here.
type Person struct {
	ID       string `yaml:"id"`
	Username string `yaml:"username,omitempty"`
	Name     string `yaml:"name"`
	// Account is a user id of this server: what the person said is said by it.
	Account string `yaml:"account,omitempty"`
	// Without leaves out what the person said.
	Without bool   `yaml:"leave_out,omitempty"`
	Note    string `yaml:"note,omitempty"`
}

// Channel says what becomes of a channel.
type Channel struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	// Audience is who may come into the room.
	Audience string `yaml:"audience"`
	// Alias is the room's address without # and server; "" for none.
	Alias   string `yaml:"alias,omitempty"`
	Without bool   `yaml:"leave_out,omitempty"`
	Note    string `yaml:"note,omitempty"`
}

// Default is the mapping that nobody has edited, together with the name clashes that it solves.
func Default(x model.Export, n Naming, server string) (*Mapping, []string) {
	src := x.Source()
	m := &Mapping{Source: src.Key(), Name: src.Name, Server: server, Naming: n, Admins: []string{}, SpaceAudience: Invited, Files: true}
	var clashes []string
	names, people := map[string][]string{}, map[string]string{}
	for _, p := range x.People() {
		names[p.Name] = append(names[p.Name], first(p.Username, p.ID))
		people[p.Ghost] = p.Name
		m.People = append(m.People, Person{ID: p.ID, Username: p.Username, Name: p.Name, Note: note(p)})
	}
	for name, who := range names {
		if len(who) > 1 {
			clashes = append(clashes, fmt.Sprintf("%d people are called %q (%s); they keep the name and differ in their user ids", len(who), name, strings.Join(who[:min(len(who), 5)], ", ")))
		}
	}
	slices.Sort(clashes)
	taken := map[string]string{}
	channels := slices.Clone(x.Channels())
	// Who has the name now keeps it; those who had it before get another.
	slices.SortStableFunc(channels, func(a, b model.Channel) int {
		if a.Archived != b.Archived {
			if a.Archived {
				return 1
			}
			return -1
		}
		return strings.Compare(a.Key, b.Key)
	})
	for _, c := range channels {
		e := Channel{ID: c.ID, Name: roomName(c, people), Audience: Invited, Note: string(c.Kind)}
		if c.Kind == model.Public || c.Kind == model.Section || c.Kind == model.Thread {
			e.Audience = Space
		}
		if c.Kind == model.Public {
			e.Alias = aliasOf(n.Aliases, src.ID, c.Name)
			if other, clash := taken[e.Alias]; clash || e.Alias == "" {
				e.Alias = aliasOf(n.Aliases, src.ID, strings.Trim(c.Name+"-"+strings.ToLower(c.ID), "-"))
				if clash {
					clashes = append(clashes, fmt.Sprintf("the channels %s and %s are both called %q; the second one's address is #%s", other, c.ID, c.Name, e.Alias))
				}
			}
			taken[e.Alias] = c.ID
		}
		m.Channels = append(m.Channels, e)
	}
	return m, clashes
}

func note(p model.Person) string {
	var out []string
	for _, f := range []struct {
		is   bool
		what string
	}{{p.Bot, "bot"}, {p.Guest, "guest"}, {p.Deactivated, "deactivated"}, {p.Stranger, "of another community"}, {p.Power >= 75, "owner"}, {p.Power > 0 && p.Power < 75, "admin"}} {
		if f.is {
			out = append(out, f.what)
		}
	}
	return strings.Join(out, ", ")
}

// membersNamed is how many members a conversation without a name is called by.
const membersNamed = 8

// roomName is what a room is called.
func roomName(c model.Channel, people map[string]string) string {
	name := c.Name
	if name == "" {
		var who []string
		for _, m := range c.Members {
			who = append(who, first(people[m], m))
		}
		slices.Sort(who)
		name = strings.Join(who[:min(len(who), membersNamed)], ", ")
		if len(who) > membersNamed {
			name += fmt.Sprintf(" and %d more", len(who)-membersNamed)
		}
	}
	if name == "" {
		name = c.ID
	}
	if c.Archived {
		name += " (archived)"
	}
	return name
}

// aliasOf makes the localpart of an alias; "" if nothing of the name can be in one.
func aliasOf(prefix, source, name string) string {
	clean := strings.Map(func(r rune) rune {
		if r == ':' || r == '#' || unicode.IsSpace(r) || unicode.IsControl(r) {
			return '-'
		}
		return unicode.ToLower(r)
	}, name)
	if strings.Trim(clean, "-") == "" {
		return ""
	}
	if len(clean) > 120 {
		clean = strings.ToValidUTF8(clean[:120], "")
	}
	return prefix + source + "_" + clean
}

func first(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}

// Fill adds what an export has and the mapping does not list.
func (m *Mapping) Fill(x model.Export) {
	d, _ := Default(x, m.Naming, m.Server)
	have := map[string]bool{}
	for _, p := range m.People {
		have[p.ID] = true
	}
	for _, p := range d.People {
		if !have[p.ID] {
			m.People = append(m.People, p)
		}
	}
	clear(have)
	for _, c := range m.Channels {
		have[c.ID] = true
	}
	for _, c := range d.Channels {
		if !have[c.ID] {
			m.Channels = append(m.Channels, c)
		}
	}
	m.Name = first(m.Name, d.Name)
}
