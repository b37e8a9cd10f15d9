package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/doctor"
	"github.com/landbridge-im/landbridge/internal/sentence"
)

// newBridge has a module make a bridge, which is not started. It may keep files of its own in dir.
func newBridge(ctx context.Context, b config.Bridge, modules []appservice.Module, dir string) (appservice.Bridge, error) {
	var names []string
	for _, m := range modules {
		if m.Name == b.Module {
			return m.New(ctx, appservice.Env{ID: b.ID, Config: b.Config, Log: slog.New(slog.DiscardHandler), Zerolog: zerolog.Nop(), HTTP: http.DefaultClient,
				DataDir: dir, AliasPrefix: b.ID + "_", Go: func(f func()) { go f() }})
		}
		names = append(names, m.Name)
	}
	return nil, fmt.Errorf("there is no module %q; there are: %s", b.Module, strings.Join(names, ", "))
}

// examineTime bounds the examination of one bridge.
const examineTime = time.Minute

// verdicts are a bridge's, as the doctor has them.
var verdicts = map[appservice.Verdict]doctor.Verdict{appservice.Good: doctor.Good, appservice.Doubtful: doctor.Doubt, appservice.Bad: doctor.Bad}

// examineBridge has a bridge look for what keeps it from working, and tells what it finds. What goes wrong is a
// finding, too.
func examineBridge(ctx context.Context, b config.Bridge, modules []appservice.Module, dataDir string, tell func(doctor.Finding)) {
	ctx, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	area := sentence.Say("bridge %s", b.ID)
	made, err := newBridge(ctx, b, modules, filepath.Join(dataDir, "bridges", b.ID))
	if err != nil {
		tell(doctor.Finding{Area: area, Verdict: doctor.Bad, Text: sentence.Say("The configuration is not good: %s", err), Mend: sentence.Say("Change it; landbridge config check names the line.")})
		return
	}
	tell(doctor.Finding{Area: area, Verdict: doctor.Good, Text: sentence.Say("The configuration is good.")})
	x, ok := made.(appservice.Examiner)
	if !ok {
		tell(doctor.Finding{Area: area, Verdict: doctor.Skipped, Text: sentence.Say("The module %s can't look further.", b.Module)})
		return
	}
	err = x.Examine(ctx, func(f appservice.Finding) {
		v, ok := verdicts[f.Verdict]
		if !ok {
			v = doctor.Doubt
		}
		tell(doctor.Finding{Area: sentence.Say("%s: %s", area, sentence.Say(f.What)), Verdict: v, Text: sentence.Say(f.Detail), Mend: sentence.Say(f.Remedy)})
	})
	if err != nil {
		text := sentence.Say("The examination could not be finished: %s", err)
		if errors.Is(err, context.DeadlineExceeded) {
			text = sentence.Say("The examination took longer than %s.", examineTime)
		}
		tell(doctor.Finding{Area: area, Verdict: doctor.Bad, Text: text, Mend: sentence.Say("Look whether the network can be reached from here, and try again.")})
	}
}

// bridgesNamed are the configured bridges of a module, or the one with an id.
func bridgesNamed(c *config.Config, name string) (out []config.Bridge, err error) {
	var ids []string
	for _, b := range c.Bridges {
		if b.ID == name || b.Module == name {
			out = append(out, b)
		}
		ids = append(ids, b.ID+" ("+b.Module+")")
	}
	if len(out) == 0 {
		err = usageError("landbridge doctor: no bridge or module %q is configured; there are: %s", name, strings.Join(ids, ", "))
	}
	return out, err
}

// examineNamed is "landbridge doctor NAME".
func examineNamed(ctx context.Context, cfg *config.Config, names []string, std stdio, asJSON, quiet bool) error {
	var list []config.Bridge
	for _, name := range names {
		found, err := bridgesNamed(cfg, name)
		if err != nil {
			return err
		}
		list = append(list, found...)
	}
	var all []doctor.Finding
	for _, b := range list {
		examineBridge(ctx, b, std.build.Modules, cfg.DataDir, func(f doctor.Finding) {
			all = append(all, f)
			if !asJSON && !quiet {
				fmt.Fprintf(std.Err, "\r\033[Klooked at %s", plainText(f.Area.String()))
			}
		})
	}
	if !asJSON && !quiet {
		fmt.Fprint(std.Err, "\r\033[K")
	}
	return concludeFindings(std, all, asJSON, quiet)
}

// concludeFindings prints findings; an error is for a bad one.
func concludeFindings(std stdio, found []doctor.Finding, asJSON, quiet bool) error {
	if err := tellFindings(std, found, asJSON, quiet); err != nil {
		return err
	}
	if doctor.Worst(found) == doctor.Bad {
		return &exitError{code: exitFailure}
	}
	return nil
}

// ExamineBridge implements console.Backend.
func (b backend) ExamineBridge(ctx context.Context, id string, tell func(doctor.Finding)) error {
	for _, c := range b.s.bridges(b.s.current.Load()) {
		if c.ID == id {
			examineBridge(ctx, c, b.s.std.build.Modules, b.s.current.Load().DataDir, tell)
			return nil
		}
	}
	return sentence.Errorf("There is no bridge %q.", id)
}

// ExamineEntry implements console.Backend.
func (b backend) ExamineEntry(ctx context.Context, entry string, tell func(doctor.Finding)) error {
	c, err := b.s.withBridge(ctx, entry)
	if err != nil {
		return err
	}
	if err := os.Remove(c.temp); err != nil {
		return err
	}
	added := c.conf.Bridges[len(c.conf.Bridges)-1]
	examineBridge(ctx, added, b.s.std.build.Modules, c.conf.DataDir, tell)
	return nil
}
