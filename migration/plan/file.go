package plan

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/id"
)

const header = `# What a migration makes of people and channels. Edit it, and give it to
# "landbridge migrate run -mapping FILE". What is not listed is made as if it were.
#
#   admins:   users of this server who own the space and what is open to its members
#   people:   account    a user of this server, who then has said what this person said
#             leave_out  true leaves out what this person said
#   channels: audience   anyone, space (the members of the space) or invited
#             alias      the room's address, without # and the server's name
#             leave_out  true leaves the channel out
`

// YAML is what a file with the mapping has.
func (m *Mapping) YAML() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(header)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(m), enc.Close()); err != nil {
		return nil, fmt.Errorf("writing the mapping: %w", err)
	}
	return b.Bytes(), nil
}

// Save writes a mapping to a file, which must not be there yet unless over.
func (m *Mapping) Save(name string, over bool) error {
	raw, err := m.YAML()
	if err != nil {
		return err
	}
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if over {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return fmt.Errorf("writing the mapping: %w", err)
	}
	_, err = f.Write(raw)
	return errors.Join(err, f.Close())
}

var localpart = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9._=/+-]{1,200}$`) })

// Load reads a mapping and checks it. Errors name the line.
func Load(name string) (*Mapping, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the mapping: %w", err)
	}
	return Parse(name, raw)
}

// Parse reads a mapping; name is that of its file.
func Parse(name string, raw []byte) (*Mapping, error) {
	m := &Mapping{Files: true, SpaceAudience: Invited}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c := &checking{name: name, root: &root}
	for i, a := range m.Admins {
		if _, _, err := id.UserID(a).ParseAndValidateRelaxed(); err != nil {
			c.bad("admins", i, "the admin %q must be a user id such as @ann:example.org", a)
		}
	}
	c.people(m.People)
	c.channels(m.Channels)
	if m.SpaceAudience != Anyone && m.SpaceAudience != Invited {
		c.errs = append(c.errs, fmt.Errorf("%s: space_audience is %q, but must be anyone or invited", name, m.SpaceAudience))
	}
	if !localpart().MatchString(m.Naming.Bot) || !localpart().MatchString(m.Naming.Ghosts) || m.Naming.Service == "" {
		c.errs = append(c.errs, fmt.Errorf("%s: naming needs a bridge, a bot and a prefix of ghosts, in lower-case letters, digits and ._=/+-", name))
	}
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// checking looks for mistakes in a mapping.
type checking struct {
	name string
	root *yaml.Node
	errs []error
}

func (c *checking) bad(list string, i int, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s:%d: %s", c.name, line(c.root, list, i), fmt.Sprintf(format, args...)))
}

func (c *checking) people(list []Person) {
	seen := map[string]bool{}
	for i, p := range list {
		switch {
		case p.ID == "":
			c.bad("people", i, "somebody has no id")
		case seen[p.ID]:
			c.bad("people", i, "%s is there twice", p.ID)
		}
		seen[p.ID] = true
		if p.Account == "" {
			continue
		}
		if _, _, err := id.UserID(p.Account).ParseAndValidateRelaxed(); err != nil {
			c.bad("people", i, "the account of %s is %q, but must be a user id such as @ann:example.org", p.ID, p.Account)
		}
	}
}

func (c *checking) channels(list []Channel) {
	seen, aliases := map[string]bool{}, map[string]string{}
	for i, ch := range list {
		switch {
		case ch.ID == "":
			c.bad("channels", i, "a channel has no id")
		case seen[ch.ID]:
			c.bad("channels", i, "%s is there twice", ch.ID)
		case !slices.Contains([]string{Anyone, Space, Invited}, ch.Audience):
			c.bad("channels", i, "the audience of %s is %q, but must be anyone, space or invited", ch.ID, ch.Audience)
		case strings.ContainsAny(ch.Alias, ":# \x00"):
			c.bad("channels", i, "the alias of %s is %q, but must be the part between # and :", ch.ID, ch.Alias)
		case ch.Alias != "" && aliases[ch.Alias] != "":
			c.bad("channels", i, "%s and %s have the same alias %q", aliases[ch.Alias], ch.ID, ch.Alias)
		}
		seen[ch.ID] = true
		aliases[ch.Alias] = ch.ID
	}
}

// line is where a list's entry stands.
func line(root *yaml.Node, list string, i int) int {
	if len(root.Content) == 0 {
		return 1
	}
	top := root.Content[0]
	for n := 0; n+1 < len(top.Content); n += 2 {
		if top.Content[n].Value == list && i < len(top.Content[n+1].Content) {
			return top.Content[n+1].Content[i].Line
		}
	}
	return 1
}
