package console

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/internal/sentence"
)

// IRCFound is what was learned of an IRC network.
type IRCFound struct {
	Network, Nick string
	Channels      []IRCChannel
	More          bool
}

// IRCChannel is a channel of a network.
type IRCChannel struct {
	Name, Topic string
	People      int
}

// setup shows what can be set up.
func (c *Console) setup(v *visit) error {
	return v.show("/setup", say("Set up a bridge"), "setup", nil)
}

// ircDraft is an IRC network as it is being described. All of it is in the form: nothing is kept
// here between the steps.
type ircDraft struct {
	ID, Name, Address, Nick string
	TLS                     bool
	Channels                []string
	Others                  string
}

// Steps of setting a network up.
const (
	stepConnect  = "connect"
	stepChannels = "channels"
	stepReview   = "review"
	stepDone     = "done"
)

type ircView struct {
	ircDraft
	Step   string
	Error  sentence.Text
	Found  IRCFound
	Picked map[string]bool
	YAML   string
	File   string
	Server string
	Rooms  []ircRoom
	// Examine is the key of what the doctor can look at.
	Examine string
}

// ircRoom is a room that a bridge will make.
type ircRoom struct{ Channel, Alias string }

func draftOf(f url.Values) ircDraft {
	d := ircDraft{ID: strings.TrimSpace(f.Get("id")), Name: strings.TrimSpace(f.Get("name")), Address: strings.TrimSpace(f.Get("address")), Nick: strings.TrimSpace(f.Get("nick")),
		TLS: f.Get("tls") == "yes", Channels: f["channel"], Others: f.Get("others")}
	return d
}

// all are the channels that were picked or written, each once.
func (d ircDraft) all() []string {
	var out []string
	seen := map[string]bool{}
	for _, name := range append(d.Channels, strings.FieldsFunc(d.Others, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' || r == '\t' })...) {
		if !strings.ContainsAny(name[:1], "#&+!") {
			name = "#" + name
		}
		if !seen[strings.ToLower(name)] {
			seen[strings.ToLower(name)] = true
			out = append(out, name)
		}
	}
	return out
}

// check says what is missing in the first step.
func (d ircDraft) check() error {
	switch {
	case d.ID == "" || strings.Trim(d.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(d.ID) > 30:
		return problemf("The short name is part of addresses: use lower-case letters, digits and hyphens, such as libera.")
	case d.Address == "":
		return problemf("Write the server's address, such as irc.libera.chat:6697.")
	case d.Nick == "" || strings.ContainsAny(d.Nick, " \r\n:,@!"):
		return problemf("Choose a nick for the bridge, without spaces.")
	}
	return nil
}

// entry is the bridge as the configuration file will have it.
func (d ircDraft) entry() (string, error) {
	type network struct {
		ID       string   `yaml:"id"`
		Name     string   `yaml:"name"`
		Address  string   `yaml:"address"`
		TLS      bool     `yaml:"tls"`
		Nick     string   `yaml:"nick"`
		Channels []string `yaml:"channels"`
	}
	type entry struct {
		ID     string `yaml:"id"`
		Module string `yaml:"module"`
		Config struct {
			Networks []network `yaml:"networks"`
		} `yaml:"config"`
	}
	e := entry{ID: "irc-" + d.ID, Module: "irc"}
	e.Config.Networks = []network{{d.ID, cmp.Or(d.Name, d.ID), d.Address, d.TLS, d.Nick, d.all()}}
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(e); err != nil {
		return "", fmt.Errorf("writing the entry: %w", err)
	}
	return b.String(), enc.Close()
}

// rooms are what the bridge will make.
func (d ircDraft) rooms(server string) (out []ircRoom) {
	for _, c := range d.all() {
		out = append(out, ircRoom{c, "#irc-" + d.ID + "_" + d.ID + "_" + c + ":" + server})
	}
	return out
}

// setupIRC goes through the steps. A step that fails shows the one before with what is wrong.
func (c *Console) setupIRC(v *visit) error {
	f := v.r.PostForm
	if f == nil {
		return c.ircPage(v, ircView{Step: stepConnect, ircDraft: ircDraft{ID: "libera", Name: "Libera Chat", Address: "irc.libera.chat:6697", TLS: true, Nick: "landbridge"}})
	}
	out := ircView{ircDraft: draftOf(f), Step: stepConnect}
	if err := out.check(); err != nil {
		out.Error = sentence.Of(err)
		return c.ircPage(v, out)
	}
	if f.Get("step") == stepChannels {
		return c.ircChannels(v, out)
	}
	if len(out.all()) == 0 {
		out.Error = say("Pick a channel, or write one.")
		return c.ircChannels(v, out)
	}
	var err error
	if out.YAML, err = out.entry(); err != nil {
		return err
	}
	out.Rooms = out.rooms(c.o.Server)
	if out.File, err = c.o.Backend.CheckBridge(v.ctx, out.YAML); err != nil {
		out.Error = sentence.Of(err)
		return c.ircChannels(v, out)
	}
	if out.Step = stepReview; f.Get("step") != stepDone {
		out.Examine = c.examinees.put(c.o.Now(), v.who.User, out.YAML)
		return c.ircPage(v, out)
	}
	id := "irc-" + out.ID
	return v.act("set up", "bridge "+id, out.YAML, freshBridge(id, len(out.all())), say("The bridge is written to %s and has been started.", out.File), func() error {
		_, err := c.o.Backend.AddBridge(context.WithoutCancel(v.ctx), out.YAML)
		return err
	})
}

// freshBridge is the page of a bridge that was just set up, and is to make so many rooms; 0 if that is not known.
func freshBridge(id string, rooms int) string {
	return Path + "/bridges/show?" + url.Values{"id": {id}, "fresh": {"yes"}, "of": {strconv.Itoa(rooms)}}.Encode()
}

// ircChannels looks at the network and shows its channels, or, if that fails, the step before.
func (c *Console) ircChannels(v *visit, out ircView) error {
	found, err := c.o.Backend.ProbeIRC(v.ctx, out.Address, out.TLS, out.Nick)
	if err != nil {
		out.Error, out.Step = sentence.Of(err), stepConnect
		return c.ircPage(v, out)
	}
	out.Found, out.Step = found, stepChannels
	return c.ircPage(v, out)
}

func (c *Console) ircPage(v *visit, out ircView) error {
	out.Server, out.Picked = c.o.Server, map[string]bool{}
	for _, name := range out.Channels {
		out.Picked[name] = true
	}
	titles := map[string]sentence.Text{stepConnect: say("Set up IRC: the network"), stepChannels: say("Set up IRC: the channels"), stepReview: say("Set up IRC: look it over")}
	return v.show("/setup", titles[out.Step], "setup-irc", out)
}
