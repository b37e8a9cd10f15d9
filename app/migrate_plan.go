package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/landbridge-im/landbridge/migration/plan"
)

const migratePlanUsage = "landbridge migrate plan EXPORT [-o NEW] [-html REPORT] [-mapping FILE] [-from FORMAT] [-bridge ID] [-workspace ID] [-zone ZONE] [-json] [-c FILE]"

func runMigratePlan(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge migrate plan")
	ef := addExportFlags(fs)
	out := fs.String("o", "", "write the mapping to this `file`, which must not be there yet")
	page := fs.String("html", "", "write the report as a page to this `file`")
	asJSON := fs.Bool("json", false, "print the report as JSON")
	rest, err := parseFlags(fs, migratePlanUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("landbridge migrate plan: one export is needed\nUsage: %s", migratePlanUsage)
	}
	m, err := ef.open(rest[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.export.Close()) }()
	r, err := plan.Make(ctx, m.export, m.mapping, m.clashes, nil)
	if err != nil {
		return err
	}
	if *asJSON {
		std.Out, err = std.Err, printJSON(std, r) // what else there is to say is not for programs
	} else {
		err = r.Text(std.Out)
	}
	if err != nil {
		return err
	}
	if *page != "" {
		if err := writePage(*page, r); err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "\nThe whole report is in %s.\n", *page)
	}
	if *out != "" {
		if err := m.mapping.Save(*out, false); err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "\nThe mapping is in %s. Edit it, and run: landbridge migrate run %s -mapping %s\n", *out, rest[0], *out)
	}
	return nil
}

func writePage(name string, r *plan.Report) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return r.HTML(f)
}
