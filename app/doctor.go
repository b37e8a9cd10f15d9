package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/doctor"
)

// runDoctor is "landbridge doctor".
func runDoctor(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge doctor")
	path := configFlag(fs)
	asJSON := fs.Bool("json", false, "print JSON, a finding a line")
	quiet := fs.Bool("q", false, "print only what is doubtful or bad")
	rest, err := parseFlags(fs, "landbridge doctor [-q] [-json] [-c FILE] [BRIDGE|discord|slack|irc...]", args, std)
	if err != nil {
		return err
	}
	cfg, err := loadConfig(*path)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return examineNamed(ctx, cfg, rest, std, *asJSON, *quiet)
	}
	o, err := doctorOptions(cfg, std.build.Version)
	if err != nil {
		return err
	}
	o.Ask = func(ctx context.Context) (*doctor.Running, error) { return askRunning(ctx, cfg) }
	return concludeFindings(std, doctor.Examine(ctx, o), *asJSON, *quiet)
}

// doctorOptions are what a configuration says of examinations.
func doctorOptions(c *config.Config, version string) (doctor.Options, error) {
	roots, err := extraRoots(c.Federation)
	if err != nil {
		return doctor.Options{}, err
	}
	f, err := federationOptions(c.Federation, roots)
	return doctor.Options{Config: c, Version: version, Roots: f.RootCAs, Private: f.AllowPrivate}, err
}

// askRunning asks the server that runs with a configuration; nil if none does.
func askRunning(ctx context.Context, cfg *config.Config) (_ *doctor.Running, err error) {
	c, err := dial(ctx, cfg)
	if c == nil || err != nil {
		return nil, nil // the data folder has been looked at by itself
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var out doctor.Running
	if err := c.do(ctx, "/status", struct{}{}, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// statusCommand is the command /status.
func (s *serving) statusCommand(w http.ResponseWriter, _ *http.Request) {
	reply(w, s.running(), nil)
}

// running is what this server says of itself.
func (s *serving) running() doctor.Running {
	w := s.hs.Store().WriterStats()
	out := doctor.Running{Version: s.std.build.Version, Queue: w.Waiting, QueueMax: w.WaitingMax, Bridges: []doctor.Bridge{}}
	behind := map[string]int64{}
	own := map[string]bool{}
	for _, st := range s.host.Status() {
		own[st.ID] = true
	}
	for _, st := range s.hs.Services().Status() {
		behind[st.ID] = st.Behind
		if own[st.ID] {
			continue
		}
		b := doctor.Bridge{ID: st.ID, Up: st.Reachable, Text: "reachable", Behind: st.Behind}
		if !st.Reachable {
			b.Text = "can't be reached: " + st.LastError
		}
		out.Bridges = append(out.Bridges, b)
	}
	for _, st := range s.host.Status() {
		b := doctor.Bridge{ID: st.ID, Up: st.State == "running", Text: st.Module + ": " + string(st.State), Behind: behind[st.ID] + int64(st.Waiting)}
		if !b.Up && st.LastError != "" {
			b.Text += ": " + st.LastError
		}
		for _, l := range st.Logins {
			b.Text += fmt.Sprintf("; %s %s", l.Name, strings.ToLower(string(l.State)))
			if l.Message != "" {
				b.Text += " (" + l.Message + ")"
			}
			if l.State != "CONNECTED" {
				b.Up = false
			}
		}
		out.Bridges = append(out.Bridges, b)
	}
	return out
}

// tellFindings prints findings.
func tellFindings(std stdio, found []doctor.Finding, asJSON, quiet bool) error {
	marks := map[doctor.Verdict]string{doctor.Good: "ok  ", doctor.Skipped: "-   ", doctor.Doubt: "?   ", doctor.Bad: "BAD "}
	count := map[doctor.Verdict]int{}
	for _, f := range found {
		count[f.Verdict]++
		if quiet && (f.Verdict == doctor.Good || f.Verdict == doctor.Skipped) {
			continue
		}
		if asJSON {
			if err := printJSON(std, f); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(std.Out, "%s%s: %s\n", marks[f.Verdict], plainText(f.Area.String()), plainText(f.Text.String()))
		if !f.Mend.IsZero() {
			fmt.Fprintf(std.Out, "      -> %s\n", plainText(f.Mend.String()))
		}
	}
	if asJSON {
		return nil
	}
	_, err := fmt.Fprintf(std.Out, "%d good, %d doubtful, %d bad, %d not looked at\n", count[doctor.Good], count[doctor.Doubt], count[doctor.Bad], count[doctor.Skipped])
	return err
}
