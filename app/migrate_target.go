package app

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/migration/elsewhere"
	migrationrun "github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
	"github.com/landbridge-im/landbridge/registration"
)

// destination is where an export goes.
type destination struct {
	target migrationrun.Target
	server verify.Server
	// running tells that our own server runs, and is not only its database.
	running bool
	close   func() error
}

func (f *exportFlags) addTarget(fs *flag.FlagSet) {
	f.target = fs.String("target", "", "`address` of another homeserver, such as https://matrix.example.org, to bring the export into")
	f.registration = fs.String("registration", "", "registration `file` that the homeserver of -target has read; without it, that of the configured bridge")
}

// destination connects to where an export goes.
func (f *exportFlags) destination(ctx context.Context, m *migrating, version string) (*destination, error) {
	if f.target != nil && *f.target != "" {
		return f.elsewhere(m)
	}
	if f.registration != nil && *f.registration != "" {
		return nil, usageError("-registration is for another homeserver: give its address with -target")
	}
	c, err := connect(ctx, *f.config, version)
	if err != nil {
		return nil, err
	}
	console := &migrationrun.Console{Client: c.client}
	return &destination{target: console, server: console, running: c.running, close: c.close}, nil
}

// elsewhere opens another homeserver. Whatever is written here meanwhile, the ledger and what the bridge is told, is locked.
func (f *exportFlags) elsewhere(m *migrating) (_ *destination, err error) {
	to, err := url.Parse(*f.target)
	if err != nil || to.Host == "" {
		return nil, usageError("-target %s: an address like https://matrix.example.org is needed", *f.target)
	}
	reg, err := f.readRegistration(m)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(m.cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	unlock, err := lockDir(m.cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("%w: stop it, and start it again when the export is in", err)
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	if *f.mapping == "" {
		m.mapping.Server = "" // whichever it is
	}
	there, err := elsewhere.New(elsewhere.Options{URL: *f.target, Registration: reg, Bot: m.mapping.Naming.Bot,
		Ledger: filepath.Join(m.cfg.DataDir, "migrations", "elsewhere", url.PathEscape(to.Host)+".db")})
	if err != nil {
		return nil, err
	}
	return &destination{target: there, server: there, close: func() error { defer unlock(); return there.Close() }}, nil
}

// readRegistration reads the registration for another homeserver: the file that is named, or that of the bridge.
func (f *exportFlags) readRegistration(m *migrating) (*registration.Registration, error) {
	name := cmp.Or(*f.registration, filepath.Join(m.bridgeDir(), "registration.yaml"))
	reg, err := registration.ParseFile(name)
	if errors.Is(err, fs.ErrNotExist) && *f.registration == "" {
		return nil, fmt.Errorf("there is no registration for the other homeserver yet: write one with \"landbridge bridge registration\" if a bridge is to go on "+
			"there, or else with \"landbridge migrate registration\", have the homeserver read it, and give it with -registration (%w)", err)
	}
	if err != nil {
		return nil, err
	}
	return reg, nil
}

const migrateRegistrationUsage = "landbridge migrate registration [-server NAME] [-bridge ID] -o FILE [-c FILE]"

// runMigrateRegistration is "landbridge migrate registration".
func runMigrateRegistration(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge migrate registration")
	conf := fs.String("c", "", "configuration `file`; without one, the defaults")
	server := fs.String("server", "", "`name` of the homeserver, as in @user:name; empty is that of the configuration")
	id := fs.String("bridge", "", "`id` of what the accounts belong to, such as slack: as it is given to plan, run and verify")
	out := fs.String("o", "", "the `file` to write, which must not be there yet")
	rest, err := parseFlags(fs, migrateRegistrationUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 || *out == "" || *id == "" {
		return usageError("landbridge migrate registration: -bridge and -o are needed\nUsage: %s", migrateRegistrationUsage)
	}
	cfg, err := config.Load(configPath(*conf), os.Environ())
	if err != nil {
		return err
	}
	for _, b := range cfg.Bridges {
		if b.ID == *id {
			return usageError("the bridge %s is configured: write its registration with \"landbridge bridge registration\", so that it can go on where the export ends", *id)
		}
	}
	reg, err := registration.Generate(registration.Options{ID: *id, ServerName: cmp.Or(*server, cfg.Server.Name)})
	if err != nil {
		return err
	}
	raw, err := reg.Marshal()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the registration: %w", err)
	}
	_, err = file.Write(raw)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing the registration: %w", err)
	}
	_, err = fmt.Fprintf(std.Out, "%s: have the homeserver read this file (Synapse: app_service_config_files), and restart it. Whoever has it can act for these accounts:\n"+
		"take it out again when the export is in.\n", *out)
	return err
}
