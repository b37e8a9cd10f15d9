package app

import (
	"context"
	"errors"
	"fmt"

	migrationrun "github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/verify"
)

const migrateVerifyUsage = "landbridge migrate verify EXPORT [-mapping FILE] [-from FORMAT] [-bridge ID] [-workspace ID] [-zone ZONE] [-json] [-c FILE]"

func runMigrateVerify(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge migrate verify")
	ef := addExportFlags(fs)
	asJSON := fs.Bool("json", false, "print the report as JSON")
	rest, err := parseFlags(fs, migrateVerifyUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("landbridge migrate verify: one export is needed\nUsage: %s", migrateVerifyUsage)
	}
	m, err := ef.open(rest[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.export.Close()) }()
	c, err := connect(ctx, *ef.config, std.build.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	r, err := verify.Verify(ctx, m.export, m.mapping, &migrationrun.Console{Client: c.client})
	if err != nil {
		return err
	}
	if *asJSON {
		if err := printJSON(std, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(std.Out, "%d events compared, %d are as in the export; %d rooms, %d memberships; %d were edited or deleted here since.\n",
			r.Compared, r.Same, r.Rooms, r.Members, r.Changed)
		for _, d := range r.Differences {
			fmt.Fprintf(std.Out, "! %s: %s\n", plainText(d.Item), plainText(d.What))
		}
		if len(r.Problems) > 0 {
			fmt.Fprintf(std.Out, "The export itself has %d problems:\n", len(r.Problems))
			showProblems(std, r.Problems, 50)
		}
	}
	if len(r.Differences) > 0 {
		return &exitError{exitFailure, fmt.Sprintf("%d differences", len(r.Differences))}
	}
	return nil
}
