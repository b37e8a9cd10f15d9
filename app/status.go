package app

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

func runStatus(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge status")
	path := configFlag(fs)
	var asJSON bool
	fs.BoolVar(&asJSON, "json", false, "print JSON")
	portals := fs.Bool("portals", false, "list the rooms of each bridge too")
	rest, err := parseFlags(fs, "landbridge status [-c FILE] [-json] [-portals]", args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge status: unexpected argument %q", rest[0])
	}
	st, err := askStatus(ctx, *path)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std, st)
	}
	return printStatus(std.Out, st, *portals, time.Now())
}

// askStatus asks the program that runs.
func askStatus(ctx context.Context, path string) (st statusReply, err error) {
	c, err := running(ctx, path)
	if err != nil {
		return st, err
	}
	defer c.close()
	return st, c.do(ctx, "/bridge/status", lettersCommand{}, &st)
}

// printStatus writes how bridges and application services stand.
func printStatus(out io.Writer, st statusReply, portals bool, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	since := func(t time.Time) string { return now.Sub(t).Round(time.Second).String() }
	if len(st.Bridges) == 0 {
		fmt.Fprintln(w, "No bridges run here.")
	} else {
		fmt.Fprintln(w, "BRIDGE\tMODULE\tSTATE\tFOR\tRESTARTS\tWAITING\tDEAD LETTERS\tLOGINS")
	}
	for _, b := range st.Bridges {
		up := 0
		for _, l := range b.Logins {
			if l.State == "CONNECTED" {
				up++
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d of %d connected\n", b.ID, b.Module, b.State, since(b.Since), b.Restarts, b.Waiting, b.DeadLetters, up, len(b.Logins))
	}
	if len(st.Services) > 0 {
		fmt.Fprintln(w, "\nSERVICE\tREACHABLE\tFOR\tBEHIND\tTRANSACTIONS\tWHY NOT")
	}
	for _, s := range st.Services {
		up := "yes"
		if !s.Reachable {
			up = "no"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", s.ID, up, since(s.Since), s.Behind, s.Transactions, s.LastError)
	}
	if portals {
		fmt.Fprintln(w, "\nBRIDGE\tROOM\tTO REMOTE\tFAILED\tTO MATRIX\tFAILED\tWAITING\tLAST TOOK")
		for _, b := range st.Bridges {
			for _, p := range b.Portals {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%v\n", b.ID, p.Room, p.ToRemote, p.Failed, p.ToMatrix, p.Refused, p.Waiting, p.Latency.Round(time.Microsecond))
			}
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, b := range st.Bridges {
		if b.LastError != "" {
			fmt.Fprintf(out, "Bridge %s failed %s ago: %s\n", b.ID, since(b.FailedAt), b.LastError)
		}
		for _, l := range b.Logins {
			if l.State != "CONNECTED" {
				fmt.Fprintf(out, "Login %s of bridge %s is %s: %s %s\n", l.ID, b.ID, l.State, l.Error, l.Message)
			}
		}
	}
	return nil
}
