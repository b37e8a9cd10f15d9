package app

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"
)

func runDeadLetters(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge bridge dead-letters", []command{
		{"list", "list the messages that did not get across, and why", listDeadLetters},
		{"retry", "try them again, all or those named", func(ctx context.Context, args []string, std stdio) error {
			return changeDeadLetters(ctx, "retry", "%d to be tried again.", args, std)
		}},
		{"drop", "forget them, all or those named", func(ctx context.Context, args []string, std stdio) error {
			return changeDeadLetters(ctx, "drop", "%d forgotten.", args, std)
		}},
	}, args, std)
}

func listDeadLetters(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge bridge dead-letters list")
	path := configFlag(fs)
	var asJSON bool
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	rest, err := parseFlags(fs, "landbridge bridge dead-letters list [-c FILE] [-json] BRIDGE", args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usageError("landbridge bridge dead-letters list: name one bridge")
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer c.close()
	var list []letter
	if err := c.do(ctx, "/bridge/dead-letters", lettersCommand{Bridge: rest[0]}, &list); err != nil {
		return err
	}
	if asJSON {
		return printJSON(std, list)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(std.Out, "No dead letters.")
		return err
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WHEN\tTRIES\tEVENT\tROOM\tSENDER\tTYPE\tREASON")
	for _, l := range list {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", l.At.Format(time.DateTime), l.Tries, l.EventID, l.RoomID, l.Sender, l.Type, l.Reason)
	}
	return w.Flush()
}

func changeDeadLetters(ctx context.Context, verb, done string, args []string, std stdio) error {
	fs := newFlags("landbridge bridge dead-letters " + verb)
	asJSON := fs.Bool("json", false, "print JSON")
	path := configFlag(fs)
	rest, err := parseFlags(fs, fs.Name()+" [-json] [-c FILE] BRIDGE [EVENT...]", args, std)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return usageError("%s: name a bridge", fs.Name())
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer c.close()
	var out letterCount
	if err := c.do(ctx, "/bridge/"+verb, lettersCommand{Bridge: rest[0], Events: rest[1:]}, &out); err != nil {
		return err
	}
	if err := tell(std, *asJSON, out, done, out.Count); err != nil {
		return err
	}
	if out.Failed != "" {
		return fmt.Errorf("not all: %s", out.Failed)
	}
	return nil
}
