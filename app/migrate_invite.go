package app

import (
	"context"
	"encoding/csv"
	"encoding/json/v2"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/console"
	"github.com/landbridge-im/landbridge/migration/desk"
	"github.com/landbridge-im/landbridge/migration/model"
)

const migrateInviteUsage = "landbridge migrate invite -bridge ID [-by dm|mail|list] [-export EXPORT [-from FORMAT] [-mapping FILE] [-workspace ID] [-zone ZONE]] [-only PERSON,...] [-o FILE] [-again] [-dry-run] [-json] [-c FILE]"

// runMigrateInvite invites people of a bridged network to have an account here.
func runMigrateInvite(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge migrate invite")
	ef := addExportFlags(fs)
	by := fs.String("by", claims.ByMessage, "`way`: dm (the bridge's bot writes to them), mail (to the addresses in the export), or list (you hand out the links)")
	export := fs.String("export", "", "invite those in this `export`, with the addresses in it; without it, everybody whom the bridge knows")
	only := fs.String("only", "", "invite these alone: `ids` of the network, with commas between them")
	file := fs.String("o", "", "with -by list: write the links into this `file`, as CSV, or as JSON if its name ends in .json; they are secrets")
	again := fs.Bool("again", false, "write also to those who were invited before")
	try := fs.Bool("dry-run", false, "say what would be done, and do nothing")
	asJSON := fs.Bool("json", false, "print the answer as JSON")
	rest, err := parseFlags(fs, migrateInviteUsage, args, std)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usageError("landbridge migrate invite: unexpected argument %q", rest[0])
	case *by != claims.ByMessage && *by != claims.ByMail && *by != claims.ByList:
		return usageError("-by %s: write dm, mail or list", *by)
	case *by == claims.ByMail && *export == "":
		return usageError("-by mail: the addresses are in an export: add -export EXPORT")
	case *by == claims.ByList && *file == "" && !*asJSON && !*try:
		return usageError("-by list: where shall the links go? Add -o FILE.csv")
	}
	q := claims.Invitations{Service: ef.choice.Bridge, By: *by, Again: *again, Try: *try}
	if *export != "" {
		m, err := ef.open(*export)
		if err != nil {
			return err
		}
		q.People = invitees(desk.Others(m.export.People(), m.mapping))
		if q.Service == "" {
			q.Service = m.mapping.Naming.Service
		}
		if err := m.export.Close(); err != nil {
			return err
		}
		if len(q.People) == 0 {
			return &exitError{exitFailure, "the export names nobody to invite"}
		}
	}
	if q.Service == "" {
		return usageError("landbridge migrate invite: which bridge? Add -bridge ID")
	}
	if *only != "" {
		q.People = onlyThose(q.People, strings.Split(*only, ","))
	}
	c, err := running(ctx, *ef.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	var out claims.Invited
	if err := c.do(ctx, "/claims/invite", q, &out); err != nil {
		return err
	}
	if *file != "" {
		if err := writeLinks(*file, out.Links); err != nil {
			return err
		}
	}
	if *asJSON {
		return printJSON(std, out)
	}
	verb := map[string]string{claims.ByMessage: "are written to now, one after the other", claims.ByMail: "get an e-mail now, one after the other", claims.ByList: "have a link"}[*by]
	if *try {
		verb = "would be invited"
	}
	fmt.Fprintf(std.Out, "%d people %s.\n", out.Queued, verb)
	for _, n := range []struct {
		count int
		text  string
	}{{out.Linked, "have an account already"}, {out.Before, "were invited before (-again writes to them once more)"}, {out.Stopped, "want no messages"},
		{out.NoAddress, "have no e-mail address in the export"}} {
		if n.count > 0 {
			fmt.Fprintf(std.Out, "%d %s.\n", n.count, n.text)
		}
	}
	return nil
}

// invitees are those people of an export who can be invited.
func invitees(list []model.Person) (out []claims.Invitee) {
	for _, p := range list {
		if !p.Bot && !p.Deactivated && !p.Stranger {
			out = append(out, claims.Invitee{Person: p.Ghost, Name: p.Name, Email: p.Email})
		}
	}
	return out
}

// onlyThose are those of a list with these ids, or the ids alone where there is no list.
func onlyThose(people []claims.Invitee, ids []string) (out []claims.Invitee) {
	by := map[string]claims.Invitee{}
	for _, p := range people {
		by[p.Person] = p
	}
	for _, id := range ids {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		p, ok := by[id]
		if !ok {
			p = claims.Invitee{Person: id}
		}
		out = append(out, p)
	}
	return out
}

// writeLinks writes links to hand out into a file that nobody else may read.
func writeLinks(path string, links []claims.Link) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the links: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if strings.HasSuffix(path, ".json") {
		return json.MarshalWrite(f, links)
	}
	return linksCSV(f, links)
}

// linksCSV writes a table. A field that spreadsheets would take for a formula is one of somebody's choosing: it
// begins with an apostrophe then.
func linksCSV(w io.Writer, links []claims.Link) error {
	plain := func(s string) string {
		if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
			return "'" + s
		}
		return s
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"person", "name", "email", "url", "code"}); err != nil {
		return err
	}
	for _, l := range links {
		if err := out.Write([]string{plain(l.Person), plain(l.Name), plain(l.Email), l.URL, l.Code}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// runMigrateRemind writes to those who were invited and have not come.
func runMigrateRemind(ctx context.Context, args []string, std stdio) error {
	return claimsOrder(ctx, args, std, "remind", "landbridge migrate remind -bridge ID [-json] [-c FILE]", 0, func(ctx context.Context, c *commander, bridge string, _ []string, asJSON bool) error {
		var out console.Reminded
		if err := c.do(ctx, "/claims/remind", console.ClaimsOf{Service: bridge}, &out); err != nil {
			return err
		}
		return tell(std, asJSON, out, "%d people are reminded now, one after the other.", out.Count)
	})
}

// runMigrateUnlink takes the tie between somebody and their account away.
func runMigrateUnlink(ctx context.Context, args []string, std stdio) error {
	return claimsOrder(ctx, args, std, "unlink", "landbridge migrate unlink -bridge ID PERSON [-json] [-c FILE]", 1, func(ctx context.Context, c *commander, bridge string, args []string, asJSON bool) error {
		if err := c.do(ctx, "/claims/unlink", console.ClaimsOf{Service: bridge, Person: args[0]}, &struct{}{}); err != nil {
			return err
		}
		return tell(std, asJSON, console.ClaimsOf{Service: bridge, Person: args[0]}, "%s has no account here any more.", plainText(args[0]))
	})
}

// claimsOrder is a subcommand of migrate about one bridge of the running server.
func claimsOrder(ctx context.Context, args []string, std stdio, verb, usage string, want int, do func(ctx context.Context, c *commander, bridge string, args []string, asJSON bool) error) (err error) {
	name := "landbridge migrate " + verb
	fs := newFlags(name)
	path := configFlag(fs)
	bridge := fs.String("bridge", "", "`id` of the bridge")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, usage, args, std)
	if err != nil {
		return err
	}
	if *bridge == "" {
		return usageError("%s: which bridge? Add -bridge ID", name)
	}
	if len(rest) != want {
		return usageError("%s: wrong number of arguments\nUsage: %s", name, usage)
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return do(ctx, c, *bridge, rest, *asJSON)
}
