package app

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// runMan is "landbridge man".
func runMan(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge man")
	dir := fs.String("o", "", "the `folder` to write a page for each command to, such as /usr/share/man/man1; without it, one page with everything is printed")
	rest, err := parseFlags(fs, "landbridge man [-o FOLDER]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge man: unexpected argument %q", rest[0])
	}
	d, err := describe(ctx)
	if err != nil {
		return err
	}
	if *dir == "" {
		var b strings.Builder
		d.head(&b, std.build.Version)
		for _, c := range d.all() {
			c.section(&b)
		}
		_, err := fmt.Fprint(std.Out, b.String())
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	pages := append([]*description{d}, d.subs...)
	for _, p := range pages {
		var b strings.Builder
		p.head(&b, std.build.Version)
		p.section(&b)
		if p != d {
			for _, s := range p.subs {
				s.section(&b)
			}
		}
		p.seeAlso(&b, pages)
		if err := os.WriteFile(filepath.Join(*dir, p.page()+".1"), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// page is the name of the manual page.
func (d *description) page() string { return strings.ReplaceAll(d.name, " ", "-") }

// roff escapes text.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func (d *description) head(b *strings.Builder, version string) {
	fmt.Fprintf(b, ".TH %s 1 \"\" \"Landbridge %s\" \"Landbridge\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(roff(d.page())), roff(version), roff(d.page()), roff(d.short))
}

// section is what there is to say of a command.
func (d *description) section(b *strings.Builder) {
	fmt.Fprintf(b, ".SH %s\n%s.\n.PP\n.B %s\n", strings.ToUpper(roff(d.name)), roff(d.short), roff(d.usage))
	for _, s := range d.subs {
		fmt.Fprintf(b, ".TP\n.B %s\n%s\n", roff(s.last()), roff(s.short))
	}
	for _, f := range d.flags {
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.BR \\-%s \" %s\"\n%s\n", roff(f.Name), roff(value), roff(usage))
		switch f.DefValue {
		case "", "false", "0", "0s":
		default:
			fmt.Fprintf(b, "(default %s)\n", roff(f.DefValue))
		}
	}
}

func (d *description) seeAlso(b *strings.Builder, pages []*description) {
	b.WriteString(".SH SEE ALSO\n")
	var names []string
	for _, p := range pages {
		if p != d {
			names = append(names, fmt.Sprintf(".BR %s (1)", roff(p.page())))
		}
	}
	b.WriteString(strings.Join(names, ",\n") + "\n")
}
