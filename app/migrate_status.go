package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver/claims"
	"github.com/landbridge-im/landbridge/homeserver/console"
)

const migrateStatusUsage = "landbridge migrate status [-bridge ID] [-people] [-state STATE] [-search TEXT] [-json] [-c FILE]"

// moveStatus is what "migrate status" prints as JSON.
type moveStatus struct {
	claims.Overview
	List []claims.Status `json:"list,omitempty"`
}

// runMigrateStatus shows who has moved.
func runMigrateStatus(ctx context.Context, args []string, std stdio) (err error) {
	fs := newFlags("landbridge migrate status")
	path := configFlag(fs)
	bridge := fs.String("bridge", "", "`id` of the bridge; without it, all")
	people := fs.Bool("people", false, "list the people")
	state := fs.String("state", "", "list those in this `state`: moved, invited, waiting, stopped or unreachable")
	search := fs.String("search", "", "list those in whose names this `text` is")
	asJSON := fs.Bool("json", false, "print JSON")
	rest, err := parseFlags(fs, migrateStatusUsage, args, std)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usageError("landbridge migrate status: unexpected argument %q", rest[0])
	}
	switch *state {
	case "", claims.StateMoved, claims.StateInvited, claims.StateWaiting, claims.StateStopped, claims.StateUnreachable:
	default:
		return usageError("-state %s: write moved, invited, waiting, stopped or unreachable", *state)
	}
	cfg, err := config.Load(configPath(*path), os.Environ())
	if err != nil {
		return err
	}
	ids := []string{*bridge}
	if *bridge == "" {
		ids = ids[:0]
		for _, b := range enabled(cfg.Bridges) {
			ids = append(ids, b.ID)
		}
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	all := []moveStatus{}
	for _, id := range ids {
		var s moveStatus
		if err := c.do(ctx, "/claims/overview", console.ClaimsOf{Service: id}, &s.Overview); err != nil {
			return err
		}
		if *people || *state != "" || *search != "" {
			for q := (claims.Query{Service: id, State: *state, Search: *search, Limit: 1000}); ; q.Offset += q.Limit {
				var part claims.People
				if err := c.do(ctx, "/claims/list", q, &part); err != nil {
					return err
				}
				if s.List = append(s.List, part.People...); len(part.People) < q.Limit {
					break
				}
			}
		}
		all = append(all, s)
	}
	if *asJSON {
		return printJSON(std, all)
	}
	for _, s := range all {
		if err := showMove(std, s); err != nil {
			return err
		}
	}
	return nil
}

func showMove(std stdio, s moveStatus) error {
	const width = 30
	full := 0
	if s.People > 0 {
		full = width * s.Moved / s.People
	}
	fmt.Fprintf(std.Out, "%s (%s): %d of %d have moved [%s%s]\n", s.Service, plainText(s.Network), s.Moved, s.People, strings.Repeat("#", full), strings.Repeat(".", width-full))
	fmt.Fprintf(std.Out, "  not yet: %d invited, %d not invited, %d want no messages, %d can't be reached\n", s.Invited, s.Waiting, s.Stopped, s.Unreachable)
	fmt.Fprintf(std.Out, "  last 30 days: %d said something, %d of them have moved; %d messages, %d of those who have moved\n", s.Active, s.ActiveMoved, s.Messages, s.MessagesMoved)
	if len(s.List) == 0 {
		return nil
	}
	rows := [][]string{{"PERSON", "NAME", "STATE", "ACCOUNT", "SINCE", "MESSAGES", "LAST", "WRITTEN TO", ""}}
	for _, p := range s.List {
		note := p.Failed
		if len(p.Notes) > 0 {
			note = fmt.Sprintf("not in %d rooms", len(p.Notes))
		} else if p.Moving {
			note = "on the way into the rooms"
		}
		rows = append(rows, []string{plainText(p.Person), plainText(p.Name), p.State, p.Account, when(p.SinceTS, ""), strconv.FormatInt(p.Messages, 10), when(p.LastTS, "never"),
			strconv.FormatInt(p.Sent, 10), note})
	}
	return table(std, rows)
}
