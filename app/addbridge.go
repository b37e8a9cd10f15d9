package app

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/internal/sentence"
	"github.com/landbridge-im/landbridge/web/console"
)

// ProbeIRC implements console.Backend.
func (b backend) ProbeIRC(ctx context.Context, address string, encrypted bool, nick string) (console.IRCFound, error) {
	f, err := irc.Probe(ctx, address, encrypted, nick)
	out := console.IRCFound{Network: f.Network, Nick: f.Nick, More: f.More}
	for _, c := range f.Channels {
		out.Channels = append(out.Channels, console.IRCChannel{Name: c.Name, Topic: c.Topic, People: c.People})
	}
	return out, err
}

// changed is the configuration file with another bridge, not yet in its place.
type changed struct {
	file string // where it goes
	temp string
	conf *config.Config
}

// withBridge writes the configuration with another bridge beside the file, and checks all of it. The
// caller removes or renames temp.
func (s *serving) withBridge(ctx context.Context, entry string) (out changed, err error) {
	out.file = s.file()
	var text []byte
	if out.file == "" {
		// Without a file the demonstration runs; it goes on with the one that is made now.
		out.file = defaultFile(s.current.Load())
		text = []byte("# Made by the console. `landbridge config example` has every key.\nbridges:\n  - id: irc\n    module: irc\n")
	} else if text, err = os.ReadFile(out.file); err != nil {
		return out, sentence.Errorf("reading the configuration: %s", err)
	}
	if text, err = config.AddBridge(text, entry); err != nil {
		return out, err
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(out.file); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(out.file), ".landbridge-*.yaml")
	if err != nil {
		return out, sentence.Errorf("writing the configuration: %s", err)
	}
	out.temp = f.Name()
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		out.conf, err = config.Load(out.temp, os.Environ())
	}
	if err == nil {
		err = checkBridges(ctx, out.file, out.conf, s.std.build.Modules)
	}
	if err != nil {
		return out, errors.Join(err, os.Remove(out.temp))
	}
	return out, nil
}

// CheckBridge implements console.Backend.
func (b backend) CheckBridge(ctx context.Context, entry string) (string, error) {
	c, err := b.s.withBridge(ctx, entry)
	if err != nil {
		return c.file, err
	}
	return c.file, os.Remove(c.temp)
}

// AddBridge implements console.Backend.
func (b backend) AddBridge(ctx context.Context, entry string) (string, error) {
	s := b.s
	s.reloading.Lock()
	defer s.reloading.Unlock()
	c, err := s.withBridge(ctx, entry)
	if err != nil {
		return c.file, err
	}
	if err := os.Rename(c.temp, c.file); err != nil {
		return c.file, errors.Join(sentence.Errorf("writing the configuration: %s", err), os.Remove(c.temp))
	}
	if s.file() == "" {
		s.cfg.Bridges = []config.Bridge{demoBridge} // it is in the file now
		s.path.Store(&c.file)
	}
	return c.file, s.takeOver(ctx, c.conf)
}
