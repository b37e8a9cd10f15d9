package app

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/migration/discordexport"
	"github.com/landbridge-im/landbridge/migration/irclog"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/plan"
	"github.com/landbridge-im/landbridge/migration/slackexport"
)

// runMigrate is "landbridge migrate".
func runMigrate(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge migrate", []command{
		{"fetch", "make an export of a Discord server, with a bot's token", runMigrateFetch},
		{"plan", "show what an export will become, and write the mapping to edit", runMigratePlan},
		{"registration", "write the registration by which another homeserver lets an export in", runMigrateRegistration},
		{"run", "bring an export in; it can be cut off and run again", runMigrateRun},
		{"verify", "compare an export with the rooms", runMigrateVerify},
		{"invite", "invite people of a bridged network to have an account here", runMigrateInvite},
		{"remind", "write to those who were invited and have not come", runMigrateRemind},
		{"status", "show who has moved, who has not, and how active they are", runMigrateStatus},
		{"announce", "tell the community, here and there, that it will move", runMigrateAnnounce},
		{"freeze", "close the network's side", runMigrateFreeze},
		{"finish", "take a bridge out of its rooms, which stay as they are", runMigrateFinish},
		{"confirm", "make that final: the bot leaves", runMigrateConfirm},
		{"undo", "go back to before announce, freeze and finish", runMigrateUndo},
		{"report", "say how far the end of a bridge has come", runMigrateReport},
		{"unlink", "end that somebody of a network is an account here", runMigrateUnlink},
	}, args, std)
}

// exportFlags are those of all commands that read an export.
type exportFlags struct {
	config, mapping *string
	choice          desk.Choice
	// target and registration say where to, if that is not our own server; only commands that go there have them.
	target, registration *string
}

func addExportFlags(fs *flag.FlagSet) *exportFlags {
	f := &exportFlags{
		config:  fs.String("c", "", "configuration `file`; without one, the defaults"),
		mapping: fs.String("mapping", "", "mapping `file` that \"migrate plan\" has written"),
	}
	fs.StringVar(&f.choice.Network, "from", "", "`network` of the export: slack, discord or irc; the first two are found out if empty")
	fs.StringVar(&f.choice.Workspace, "workspace", "", "the `id` of the workspace (Slack) or network (IRC) in the bridge's configuration")
	fs.StringVar(&f.choice.Zone, "zone", "UTC", "`time zone` of IRC logs, such as Europe/Berlin")
	fs.StringVar(&f.choice.Bridge, "bridge", "", "`id` of the bridge that goes on, or is to")
	return f
}

// open reads the configuration, the export and the mapping.
func (f *exportFlags) open(name string) (*migrating, error) {
	cfg, err := config.Load(configPath(*f.config), os.Environ())
	if err != nil {
		return nil, err
	}
	return openExport(cfg, name, *f.mapping, f.choice)
}

// withExport runs what is to be done with an export and a server: it reads the arguments, of which the export is the only
// one, opens the export, and connects.
func withExport(ctx context.Context, fs *flag.FlagSet, ef *exportFlags, usage string, args []string, std stdio,
	do func(ctx context.Context, m *migrating, to *destination) error) (err error) {
	rest, err := parseFlags(fs, usage, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("%s: one export is needed\nUsage: %s", fs.Name(), usage)
	}
	m, err := ef.open(rest[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.export.Close()) }()
	to, err := ef.destination(ctx, m, std.build.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	return do(ctx, m, to)
}

// migrating is an export together with where it goes.
type migrating struct {
	cfg     *config.Config
	export  model.Export
	mapping *plan.Mapping
	clashes []string
	network string
	// configured is the bridge that goes on; nil if there is none in the configuration.
	configured *config.Bridge
}

// openExport opens an export. mapping is a file, or "" for the default.
func openExport(cfg *config.Config, name, mapping string, c desk.Choice) (_ *migrating, err error) {
	m := &migrating{cfg: cfg, network: c.Network}
	if m.network == "" {
		m.network = "slack"
		if x, err := discordexport.Open(name); err == nil {
			m.network = "discord"
			if err := x.Close(); err != nil {
				return nil, err
			}
		}
	}
	bridge := m.bridge(m.network, c.Bridge)
	switch m.network {
	case "slack":
		m.export, err = slackexport.Open(name, slackexport.Options{Workspace: cmp.Or(c.Workspace, workspaceOf(bridge))})
	case "discord":
		m.export, err = discordexport.Open(name)
	case "irc":
		zone, zerr := time.LoadLocation(c.Zone)
		if zerr != nil {
			return nil, usageError("-zone: %v", zerr)
		}
		m.export, err = irclog.Open(name, irclog.Options{Network: cmp.Or(c.Workspace, networkOf(bridge)), Zone: zone})
	default:
		return nil, usageError("-from %s: exports of slack and discord and logs of irc can be read", m.network)
	}
	if err != nil && c.Network == "" {
		return nil, whatElse(name, err)
	} else if err != nil {
		return nil, err
	}
	if mapping != "" {
		if m.mapping, err = plan.Load(mapping); err != nil {
			return nil, errors.Join(err, m.export.Close())
		}
		m.mapping.Fill(m.export)
		return m, nil
	}
	n := plan.Naming{Service: bridge.ID, Bot: bridge.ID + "bot", Ghosts: bridge.ID + "_", Aliases: bridge.ID + "_"}
	m.mapping, m.clashes = plan.Default(m.export, n, m.cfg.Server.Name)
	return m, nil
}

// bridge is the bridge of a network in the configuration, or what one would be.
func (m *migrating) bridge(network, id string) config.Bridge {
	for _, b := range m.cfg.Bridges {
		if b.Module == network && (id == "" || b.ID == id) {
			m.configured = &b
			return b
		}
	}
	if id == "" {
		id = network
	}
	return config.Bridge{ID: id, Module: network}
}

// workspaceOf is the first workspace of a bridge's configuration; "" if there is none.
func workspaceOf(b config.Bridge) string {
	var c struct {
		Workspaces []struct {
			ID string `yaml:"id"`
		} `yaml:"workspaces"`
	}
	if b.Config == nil || b.Config.Decode(&c) != nil || len(c.Workspaces) == 0 {
		return ""
	}
	return c.Workspaces[0].ID
}

// networkOf is the first network of an IRC bridge's configuration; "" if there is none.
func networkOf(b config.Bridge) string {
	var c struct {
		Networks []struct {
			ID string `yaml:"id"`
		} `yaml:"networks"`
	}
	if b.Config == nil || b.Config.Decode(&c) != nil || len(c.Networks) == 0 {
		return ""
	}
	return c.Networks[0].ID
}

// bridgeDir is where the host keeps a bridge's files.
func (m *migrating) bridgeDir() string {
	return filepath.Join(m.cfg.DataDir, "bridges", m.mapping.Naming.Service)
}

// showProblems prints the first problems, those that say the same as one, and how many there are more.
func showProblems(std stdio, list []model.Problem, max int) {
	times := map[model.Problem]int{}
	said := func(p model.Problem) model.Problem { return model.Problem{What: p.What, Lost: p.Lost} }
	for _, p := range list {
		times[said(p)]++
	}
	shown, left := 0, 0
	for _, p := range list {
		n := times[said(p)]
		delete(times, said(p))
		switch {
		case n == 0: // told with another one
			continue
		case shown == max:
			left += n
			continue
		}
		shown++
		mark := " "
		if p.Lost {
			mark = "!"
		}
		where := plainText(p.Where)
		if n > 1 {
			where += fmt.Sprintf(" and %d more", n-1)
		}
		fmt.Fprintf(std.Out, "%s %s: %s\n", mark, where, plainText(p.What))
	}
	if left > 0 {
		fmt.Fprintf(std.Out, "  ... and %d more\n", left)
	}
}

// plainText keeps what strangers have written from playing tricks with a terminal.
func plainText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
