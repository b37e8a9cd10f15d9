package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/console"
	"github.com/landbridge-im/landbridge/homeserver/cutover"
)

// cutoverLook is how often is asked how far it is.
const cutoverLook = 200 * time.Millisecond

// runMigrateAnnounce tells a community that it will move.
func runMigrateAnnounce(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "announce", cutover.StateAnnounced)
}

// runMigrateFreeze closes the old side.
func runMigrateFreeze(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "freeze", cutover.StateFrozen)
}

// runMigrateFinish takes a bridge out of its rooms.
func runMigrateFinish(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "finish", cutover.StateDetached)
}

// runMigrateConfirm makes that final.
func runMigrateConfirm(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "confirm", cutover.StateConfirmed)
}

// runMigrateUndo goes back to where it began.
func runMigrateUndo(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "undo", cutover.StateOpen)
}

// runMigrateReport says how far the end of a bridge has come.
func runMigrateReport(ctx context.Context, args []string, std stdio) error {
	return runCutover(ctx, args, std, "report", "")
}

// runCutover has a state reached, and waits for it. It may be cut off: the server goes on.
func runCutover(ctx context.Context, args []string, std stdio, verb, state string) (err error) {
	name := "landbridge migrate " + verb
	usage := name + " -bridge ID"
	fs := newFlags(name)
	path := configFlag(fs)
	bridge := fs.String("bridge", "", "`id` of the bridge")
	asJSON := fs.Bool("json", false, "print the report as JSON")
	w := cutover.Wish{State: state}
	var text, notice, admins *string
	switch state {
	case cutover.StateAnnounced:
		usage += " -text TEXT"
		text = fs.String("text", "", "what is announced, here and on the network")
	case cutover.StateFrozen, cutover.StateDetached:
		usage += " [-notice TEXT]"
		notice = fs.String("notice", "", "what the network's side says when it is closed")
	}
	if state == cutover.StateDetached {
		usage += " -admin USER[,USER...]"
		admins = fs.String("admin", "", "who owns the rooms afterwards: `users` of this server, with commas between them")
	}
	usage += " [-json] [-c FILE]"
	rest, err := parseFlags(fs, usage, args, std)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usageError("%s: unexpected argument %q", name, rest[0])
	case *bridge == "":
		return usageError("%s: which bridge? Add -bridge ID", name)
	case text != nil && *text == "":
		return usageError("%s: what is to be announced? Add -text TEXT", name)
	}
	w.Service = *bridge
	if text != nil {
		w.Text = *text
	}
	if notice != nil {
		w.Notice = *notice
	}
	c, err := running(ctx, *path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if admins != nil && *admins != "" {
		for _, who := range strings.Split(*admins, ",") {
			var u console.User
			if err := c.do(ctx, "/user/show", console.Named{Name: strings.TrimSpace(who)}, &u); err != nil {
				return err
			}
			w.Admins = append(w.Admins, u.ID)
		}
	}
	var r cutover.Report
	if state == "" {
		err = c.do(ctx, "/cutover/report", console.ClaimsOf{Service: *bridge}, &r)
	} else if err = c.do(ctx, "/cutover/want", w, &r); err == nil {
		r, err = awaitCutover(ctx, r, func(ctx context.Context) (now cutover.Report, err error) {
			err = c.do(ctx, "/cutover/report", console.ClaimsOf{Service: *bridge}, &now)
			return now, err
		}, func(line string) { fmt.Fprintln(std.Err, line) })
		if err != nil && r.Error != "" {
			err = &exitError{exitFailure, r.Error + "\nThe server tries it again by itself. landbridge migrate report -bridge " + *bridge + " says how far it is."}
		}
	}
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(std, r)
	}
	return showCutover(std, r)
}

// awaitCutover waits until what is wanted has been reached, or has failed; it asks for reports and tells how far it is.
func awaitCutover(ctx context.Context, r cutover.Report, ask func(context.Context) (cutover.Report, error), tell func(line string)) (cutover.Report, error) {
	last := ""
	for r.Working() {
		if r.Error != "" {
			return r, errors.New(r.Error)
		}
		if line := fmt.Sprintf("%s: %d of %d rooms", r.State, r.Done, r.Rooms); line != last && r.Rooms > 0 {
			tell(line)
			last = line
		}
		t := time.NewTimer(cutoverLook)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return r, ctx.Err()
		}
		now, err := ask(ctx)
		if err != nil {
			return r, err
		}
		r = now
	}
	return r, nil
}

// showCutover prints a report for people.
func showCutover(std stdio, r cutover.Report) error {
	says := map[string]string{
		cutover.StateOpen:      "the bridge is as it was: nothing of its end has begun, or it was undone.",
		cutover.StateAnnounced: "it has been announced. Next: landbridge migrate freeze",
		cutover.StateFrozen:    "the network's side is closed. Next: landbridge migrate finish",
		cutover.StateDetaching: "the bridge is being taken out of its rooms.",
		cutover.StateDetached:  "the bridge is out of its rooms. Look whether all is well; then landbridge migrate confirm, or landbridge migrate undo.",
		cutover.StateConfirmed: "the bridge has ended, and its bot has left. Take it out of the configuration, and the bot out of the network.",
	}
	fmt.Fprintf(std.Out, "%s: %s\n", r.Service, says[r.State])
	if r.Working() {
		fmt.Fprintf(std.Out, "It is on the way to %s.\n", r.Wanted)
	}
	if r.Rooms > 0 {
		fmt.Fprintf(std.Out, "%d rooms, owned by %s and those who owned them.\n", r.Rooms, strings.Join(r.Admins, ", "))
	}
	if r.Error != "" {
		fmt.Fprintf(std.Out, "! %s\n", plainText(r.Error))
	}
	for _, n := range slices.Sorted(slices.Values(r.Notes)) {
		fmt.Fprintf(std.Out, "! %s\n", plainText(n))
	}
	return nil
}
