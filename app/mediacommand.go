package app

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/console"
)

// runMedia is "landbridge media".
func runMedia(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge media", []command{
		{"list", "list what a user has uploaded", runMediaList},
		{"show", "show what is known of a file", runMediaShow},
		{"quarantine", "keep a file, a user's files or a room's files from being served", runMediaQuarantine},
		{"protect", "keep a file from policies and from quarantines of many; -undo ends it", runMediaProtect},
		{"delete", "delete a file, or a user's files", runMediaDelete},
		{"purge", "drop the copies of other servers' files that nobody asked for lately", runMediaPurge},
		{"verify", "read all files and compare them with their checksums", runMediaVerify},
	}, args, std)
}

// mediaMarks are what is special about a file.
func mediaMarks(m console.Media) string {
	var out []string
	for _, x := range []struct {
		name string
		on   bool
	}{{"quarantined", m.Quarantined}, {"protected", m.Protected}, {"cached", m.Cached}, {"not uploaded", m.Empty}} {
		if x.on {
			out = append(out, x.name)
		}
	}
	return strings.Join(out, ", ")
}

func runMediaList(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media list")
	asJSON := fs.Bool("json", false, "print JSON, a file a line")
	return order{"landbridge media list", "landbridge media list USER [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		rows := [][]string{{"FILE", "SINCE", "SIZE", "TYPE", "NAME", ""}}
		for q := (console.MediaOf{Name: args[0]}); ; {
			var page console.MediaPage
			if err := c.do(ctx, "/media/list", q, &page); err != nil {
				return err
			}
			for _, m := range page.Media {
				if *asJSON {
					if err := printJSON(std, m); err != nil {
						return err
					}
					continue
				}
				// Names and types are written by strangers: quoted, they can't play tricks with a terminal.
				rows = append(rows, []string{m.URI, when(m.CreatedTS, ""), strconv.FormatInt(m.Size, 10), strconv.Quote(m.Type), strconv.Quote(m.Name), mediaMarks(m)})
			}
			if !page.More {
				break
			}
			q.After = page.Media[len(page.Media)-1]
		}
		if *asJSON {
			return nil
		}
		return table(std, rows)
	}}.run(ctx, args, std)
}

func runMediaShow(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media show")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{"landbridge media show", "landbridge media show MXC [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var m console.Media
		if err := c.do(ctx, "/media/show", console.Named{Name: args[0]}, &m); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(std, m)
		}
		return table(std, [][]string{{m.URI, mediaMarks(m)}, {"name", strconv.Quote(m.Name)}, {"type", strconv.Quote(m.Type)}, {"size", strconv.FormatInt(m.Size, 10)},
			{"uploaded by", m.Owner}, {"since", when(m.CreatedTS, "")}, {"asked for", when(m.AccessTS, "not yet")}})
	}}.run(ctx, args, std)
}

// tellTally tells what was done to files.
func tellTally(std stdio, asJSON bool, did string, t console.MediaTally) error {
	files := "files"
	if t.Files == 1 {
		files = "file"
	}
	return tell(std, asJSON, t, "%s %d %s, %d bytes", did, t.Files, files, t.Bytes)
}

func runMediaQuarantine(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media quarantine")
	asJSON := fs.Bool("json", false, "print JSON")
	undo := fs.Bool("undo", false, "serve a file again")
	return order{"landbridge media quarantine", "landbridge media quarantine MXC|USER|ROOM [-undo] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var t console.MediaTally
		if err := c.do(ctx, "/media/quarantine", console.MediaOrder{Name: args[0], Undo: *undo}, &t); err != nil {
			return err
		}
		did := "Quarantined"
		if *undo {
			did = "Released"
		}
		return tellTally(std, *asJSON, did, t)
	}}.run(ctx, args, std)
}

func runMediaProtect(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media protect")
	asJSON := fs.Bool("json", false, "print JSON")
	undo := fs.Bool("undo", false, "protect it no longer")
	return order{"landbridge media protect", "landbridge media protect MXC [-undo] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		var m console.Media
		if err := c.do(ctx, "/media/protect", console.MediaOrder{Name: args[0], Undo: *undo}, &m); err != nil {
			return err
		}
		state := "is protected"
		if !m.Protected {
			state = "is not protected"
		}
		return tell(std, *asJSON, m, "%s %s", m.URI, state)
	}}.run(ctx, args, std)
}

// ago is the time so long before now, in milliseconds.
func ago(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }

func runMediaDelete(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media delete")
	asJSON := fs.Bool("json", false, "print JSON")
	older := fs.Duration("older", 0, "of a user, only what was uploaded so long `ago`, such as 720h")
	return order{"landbridge media delete", "landbridge media delete MXC|USER [-older TIME] [-json] [-c FILE]", 1, fs, func(ctx context.Context, c *commander, args []string) error {
		q := console.MediaOrder{Name: args[0]}
		switch {
		case *older < 0:
			return usageError("landbridge media delete: -older must not be negative")
		case *older > 0 && strings.HasPrefix(args[0], "mxc:"):
			return usageError("landbridge media delete: -older is for all files of a user")
		case *older > 0:
			q.BeforeTS = ago(*older)
		}
		var t console.MediaTally
		if err := c.do(ctx, "/media/delete", q, &t); err != nil {
			return err
		}
		return tellTally(std, *asJSON, "Deleted", t)
	}}.run(ctx, args, std)
}

func runMediaPurge(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media purge")
	asJSON := fs.Bool("json", false, "print JSON")
	unused := fs.Duration("unused", 30*24*time.Hour, "for how `long` nobody has asked for it")
	return order{"landbridge media purge", "landbridge media purge [-unused TIME] [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		if *unused < 0 {
			return usageError("landbridge media purge: -unused must not be negative")
		}
		var t console.MediaTally
		if err := c.do(ctx, "/media/purge", console.MediaOrder{BeforeTS: ago(*unused)}, &t); err != nil {
			return err
		}
		return tellTally(std, *asJSON, "Dropped", t)
	}}.run(ctx, args, std)
}

// faultTexts say what is wrong with a file.
var faultTexts = map[string]string{"missing": "missing: its media cannot be downloaded", "damaged": "damaged: its bytes are others than those that were uploaded", "orphan": "left over: no media speaks of it"}

func runMediaVerify(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge media verify")
	remove := fs.Bool("remove", false, "remove files that no media speaks of")
	asJSON := fs.Bool("json", false, "print JSON")
	return order{"landbridge media verify", "landbridge media verify [-remove] [-json] [-c FILE]", 0, fs, func(ctx context.Context, c *commander, _ []string) error {
		var r console.MediaReport
		if err := c.do(ctx, "/media/verify", console.VerifyMedia{Remove: *remove}, &r); err != nil {
			return err
		}
		bad := r.Counts["missing"] + r.Counts["damaged"]
		if *asJSON {
			if err := printJSON(std, r); err != nil {
				return err
			}
		} else {
			for _, f := range r.Faults {
				if _, err := fmt.Fprintln(std.Out, f.SHA256, faultTexts[f.Fault]); err != nil {
					return err
				}
			}
			if more := r.Counts["missing"] + r.Counts["damaged"] + r.Counts["orphan"] - len(r.Faults); more > 0 {
				if _, err := fmt.Fprintln(std.Out, "and", more, "more"); err != nil {
					return err
				}
			}
			if _, err := fmt.Fprintf(std.Out, "Read %d files: %d missing, %d damaged, %d left over\n", r.Files, r.Counts["missing"], r.Counts["damaged"], r.Counts["orphan"]); err != nil {
				return err
			}
		}
		if bad > 0 {
			return &exitError{exitFailure, ""}
		}
		return nil
	}}.run(ctx, args, std)
}
