package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/internal/safedial"
	migrationrun "github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/takeover"
)

const migrateRunUsage = "landbridge migrate run EXPORT [-mapping FILE] [-no-files] [-no-bridge] [-from FORMAT] [-bridge ID] [-workspace ID] [-zone ZONE] [-target URL] [-registration FILE] [-json] [-c FILE]"

func runMigrateRun(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge migrate run")
	ef := addExportFlags(fs)
	ef.addTarget(fs)
	noFiles := fs.Bool("no-files", false, "do not fetch files that are not in the export")
	alone := fs.Bool("no-bridge", false, "do not tell the configured bridge what has been brought in")
	asJSON := fs.Bool("json", false, "print the summary as JSON")
	return withExport(ctx, fs, ef, migrateRunUsage, args, std, func(ctx context.Context, m *migrating, to *destination) (err error) {
		o := migrationrun.Options{Export: m.export, Mapping: m.mapping, Target: to.target}
		if !*noFiles {
			o.HTTP = fileClient()
		}
		if m.goesOn() && !*alone {
			if to.running && m.configured.Enabled {
				return fmt.Errorf("the bridge %s runs, and has to be told what is brought in while it does not: set its \"enabled\" to false, reload the server (SIGHUP), "+
					"run this again, and set it to true afterwards. Or use -no-bridge if it is never to go on in these rooms", m.configured.ID)
			}
			b, err := m.takeover(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, b.Close()) }()
			o.Recorder = b
		}
		if to.running {
			beModest()
		}
		s, err := runShown(ctx, migrationrun.New(o), std)
		if err != nil {
			return fmt.Errorf("%w\nNothing is lost: run the same command again to go on", err)
		}
		if *asJSON {
			return printJSON(std, s)
		}
		fmt.Fprintf(std.Out, "%d messages in %d rooms by %d people, in %s. %d events are new, %d were there; %d files (%s).\n",
			s.Messages, s.Rooms, s.People, s.Took.Round(time.Second), s.Fresh, s.Events-s.Fresh, s.Files, bytesText(s.FileBytes))
		if len(s.Problems) > 0 {
			fmt.Fprintf(std.Out, "%d things are not as in the export:\n", len(s.Problems))
			showProblems(std, s.Problems, 50)
		}
		return nil
	})
}

// runShown runs a migration and shows how far it is.
func runShown(ctx context.Context, r *migrationrun.Runner, std stdio) (migrationrun.Summary, error) {
	done, shown := make(chan struct{}), make(chan struct{})
	go func() { defer close(shown); showProgress(std, r, done) }()
	s, err := r.Run(ctx)
	close(done)
	<-shown
	return s, err
}

// goesOn tells whether a bridge is configured that can go on where the export ends.
func (m *migrating) goesOn() bool { return m.configured != nil }

// takeover opens the database of the bridge that goes on where the export ends. The bridge must not run.
func (m *migrating) takeover(ctx context.Context) (*takeover.Bridge, error) {
	if m.mapping.Naming.Service != m.configured.ID {
		return nil, fmt.Errorf("the mapping names the bridge %s, and the configuration has %s", m.mapping.Naming.Service, m.configured.ID)
	}
	switch m.network {
	case "slack":
		return takeover.Slack(ctx, m.bridgeDir(), m.configured.ID, m.export.Source().ID)
	case "discord":
		return takeover.Discord(ctx, m.bridgeDir(), m.configured.ID, m.export.Source().ID)
	case "irc":
		return takeover.IRC(ctx, m.bridgeDir(), m.configured.ID, m.export.Source().ID)
	}
	return nil, fmt.Errorf("bridges of %s can't be told; use -no-bridge", m.network)
}

// fileTimeout bounds how long one file may take.
const fileTimeout = 10 * time.Minute

// fileClient fetches files from the world, and from nowhere near.
func fileClient() *http.Client {
	return &http.Client{Timeout: fileTimeout, Transport: safedial.Policy{}.Transport()}
}

// showProgress shows a line that moves, or on what is no terminal a line now and then.
func showProgress(std stdio, r *migrationrun.Runner, done <-chan struct{}) {
	terminal, every := false, 10*time.Second
	if f, ok := std.Err.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			terminal, every = true, 500*time.Millisecond
		}
	}
	t := time.NewTicker(every)
	defer t.Stop()
	began := time.Now()
	for {
		select {
		case <-t.C:
		case <-done:
			if terminal {
				fmt.Fprint(std.Err, "\r\033[K")
			}
			return
		}
		p := r.Progress()
		share := 0.0
		if p.AllBytes > 0 {
			share = float64(p.Bytes) / float64(p.AllBytes)
		}
		line := fmt.Sprintf("%3.0f%% %d of %d channels, %d messages (%.0f/s), %d files", 100*share, p.Channels, p.AllChannels, p.Messages,
			float64(p.Messages)/time.Since(began).Seconds(), p.Files)
		if !terminal {
			fmt.Fprintln(std.Err, line)
			continue
		}
		const width = 30
		full := int(share * width)
		fmt.Fprintf(std.Err, "\r\033[K[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", width-full), line)
	}
}
