package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/landbridge-im/landbridge/migration/verify"
)

const migrateVerifyUsage = "landbridge migrate verify EXPORT [-mapping FILE] [-from FORMAT] [-bridge ID] [-workspace ID] [-zone ZONE] [-target URL] [-registration FILE] [-json] [-c FILE]"

func runMigrateVerify(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge migrate verify")
	ef := addExportFlags(fs)
	ef.addTarget(fs)
	asJSON := fs.Bool("json", false, "print the report as JSON")
	return withExport(ctx, fs, ef, migrateVerifyUsage, args, std, func(ctx context.Context, m *migrating, to *destination) error {
		r, err := verify.Verify(ctx, m.export, m.mapping, to.server, nil)
		if err != nil {
			return err
		}
		if *asJSON {
			if err := printJSON(std, r); err != nil {
				return err
			}
		} else if err := showCompared(std, r); err != nil {
			return err
		}
		if len(r.Differences) > 0 {
			return &exitError{exitFailure, fmt.Sprintf("%d differences", len(r.Differences))}
		}
		return nil
	})
}

// showCompared prints what a verification has found.
func showCompared(std stdio, r verify.Report) error {
	fmt.Fprintf(std.Out, "%d events compared, %d are as in the export; %d rooms, %d memberships; %d were edited or deleted here since.\n",
		r.Compared, r.Same, r.Rooms, r.Members, r.Changed)
	rows := [][]string{{"CHANNEL", "MESSAGES", "EVENTS", "AS THERE", "LEFT OUT"}}
	for _, c := range r.Channels {
		var left []string
		for _, l := range c.LeftOut {
			left = append(left, fmt.Sprintf("%d %s", l.Count, l.What))
		}
		rows = append(rows, []string{plainText(c.Name), fmt.Sprint(c.Messages), fmt.Sprint(c.Events), fmt.Sprint(c.Same), strings.Join(left, "; ")})
	}
	if err := table(std, rows); err != nil {
		return err
	}
	for _, d := range r.Differences {
		fmt.Fprintf(std.Out, "! %s: %s\n", plainText(d.Item), plainText(d.What))
	}
	if len(r.Problems) > 0 {
		fmt.Fprintf(std.Out, "The export itself has %d problems:\n", len(r.Problems))
		showProblems(std, r.Problems, 50)
	}
	return nil
}
