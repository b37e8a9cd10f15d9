package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
)

// bridgePlan is what the configuration means for the channels of one bridge.
type bridgePlan struct {
	Bridge string            `json:"bridge"`
	Steps  []appservice.Step `json:"steps"`
	// Error is why there is no plan.
	Error string `json:"error,omitempty"`
}

func runBridgePlan(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge plan")
	path := configFlag(fs)
	var asJSON bool
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge bridge plan [-c FILE] [-json] [BRIDGE]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usageError("landbridge bridge plan: name one bridge, or none for all")
	}
	only := ""
	if len(rest) == 1 {
		only = rest[0]
	}
	file := configPath(*path)
	cfg, err := config.Load(file, os.Environ())
	if err != nil {
		return err
	}
	c, err := dial(ctx, cfg)
	if err != nil {
		return err
	}
	var plans []bridgePlan
	if c == nil {
		fmt.Fprintln(std.Err, "Nothing runs with this configuration, so this is compared with nothing.")
		host, err := appservice.New(appservice.Options{Dir: filepath.Join(cfg.DataDir, "bridges"), Modules: std.build.Modules,
			Homeserver: appservice.Homeserver{URL: "http://in-process", Domain: cfg.Server.Name}, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		if plans, err = planBridges(ctx, host, cfg, only); err != nil {
			return err
		}
	} else {
		defer c.close()
		if file != "" {
			if file, err = filepath.Abs(file); err != nil {
				return fmt.Errorf("find the configuration: %w", err)
			}
		}
		if err := c.do(ctx, "/bridge/plan", lettersCommand{Bridge: only, File: file}, &plans); err != nil {
			return err
		}
	}
	if asJSON {
		return printJSON(std, plans)
	}
	printPlan(plans, std)
	for _, p := range plans {
		if p.Error != "" {
			return errors.New("not all bridges could be looked at")
		}
	}
	return nil
}

// planBridges compares the bridges of a configuration with what is there; only, if not empty, names one of them.
func planBridges(ctx context.Context, host *appservice.Host, cfg *config.Config, only string) ([]bridgePlan, error) {
	out := []bridgePlan{}
	for _, b := range enabled(cfg.Bridges) {
		if only != "" && b.ID != only {
			continue
		}
		p := bridgePlan{Bridge: b.ID, Steps: []appservice.Step{}}
		steps, err := host.Plan(ctx, instance(b))
		if err != nil {
			p.Error = err.Error()
		}
		p.Steps = append(p.Steps, steps...)
		out = append(out, p)
	}
	if only != "" && len(out) == 0 {
		return nil, fmt.Errorf("the configuration has no bridge %q", only)
	}
	return out, nil
}

// printPlan shows what would be different, and counts the rest.
func printPlan(plans []bridgePlan, std stdio) {
	signs := map[string]string{"make": "+", "plumb": "+", "move": "~", "keep": "=", "leave": "-"}
	for _, p := range plans {
		fmt.Fprintf(std.Out, "%s:\n", p.Bridge)
		if p.Error != "" {
			fmt.Fprintf(std.Out, "  ! %s\n", p.Error)
		}
		same := 0
		for _, s := range p.Steps {
			if s.Action == "keep" && len(s.Changes)+len(s.Problems) == 0 {
				same++
				continue
			}
			name := ""
			if s.Name != "" && s.Name != s.Channel {
				name = fmt.Sprintf(" (%s)", s.Name)
			}
			if s.Room != "" {
				name += " " + string(s.Room)
			}
			fmt.Fprintf(std.Out, "  %s %-5s %s%s\n", signs[s.Action], s.Action, s.Channel, name)
			for _, c := range s.Changes {
				fmt.Fprintf(std.Out, "          %s\n", c)
			}
			for _, c := range s.Problems {
				fmt.Fprintf(std.Out, "        ! %s\n", c)
			}
		}
		fmt.Fprintf(std.Out, "  %d as they are\n", same)
	}
}
