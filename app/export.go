package app

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/export"
	"github.com/landbridge-im/landbridge/homeserver/exporter"
)

// runExport is "landbridge export".
func runExport(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge export", []command{
		{"community", "write rooms, people, history and files as JSON and as pages to read", runExportCommunity},
		{"person", "write what the server holds of one person", runExportPerson},
	}, args, std)
}

func runExportCommunity(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge export community")
	var o export.Options
	fs.Func("room", "only this room, by `alias` or id, or what is in this space; may be repeated", func(s string) error {
		o.Rooms = append(o.Rooms, s)
		return nil
	})
	fs.BoolVar(&o.Public, "public", false, "only rooms that everybody may join")
	return exporting{fs: fs, options: &o, usage: "landbridge export community -o FOLDER|FILE.zip [-room ROOM]... [-public] [-without-media] [-json] [-c FILE]",
		write: func(ctx context.Context, src export.Source, sink export.Sink, _ []string) (export.About, error) {
			return export.Community(ctx, src, sink, o)
		}}.run(ctx, args, std)
}

func runExportPerson(ctx context.Context, args []string, std stdio) error {
	var o export.Options
	return exporting{fs: newFlags("landbridge export person"), args: 1, options: &o, usage: "landbridge export person @USER:SERVER -o FOLDER|FILE.zip [-without-media] [-json] [-c FILE]",
		write: func(ctx context.Context, src export.Source, sink export.Sink, args []string) (export.About, error) {
			return export.PersonalData(ctx, src, sink, args[0], o)
		}}.run(ctx, args, std)
}

// exporting is a command that writes an export.
type exporting struct {
	fs      *flag.FlagSet
	args    int
	usage   string
	options *export.Options
	write   func(ctx context.Context, src export.Source, sink export.Sink, args []string) (export.About, error)
}

func (e exporting) run(ctx context.Context, args []string, std stdio) (err error) {
	out := e.fs.String("o", "", "the `folder` to write, which must be empty or new, or a file that ends with .zip")
	asJSON := e.fs.Bool("json", false, "print JSON")
	e.fs.BoolVar(&e.options.NoMedia, "without-media", false, "leave out the files that people sent")
	path := configFlag(e.fs)
	rest, err := parseFlags(e.fs, e.usage, args, std)
	if err != nil {
		return err
	}
	if len(rest) != e.args || *out == "" {
		return usageError("Usage: %s", e.usage)
	}
	e.options.Version, e.options.Progress = std.build.Version, exportProgress(std, *asJSON)
	c, err := connect(ctx, *path, std.build.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	sink, done, err := exportSink(*out)
	if err != nil {
		return err
	}
	about, err := e.write(ctx, &exporter.Console{Client: c.client}, sink, rest)
	if err = done(err); err != nil {
		if errors.Is(err, export.ErrNobody) || errors.Is(err, export.ErrNoRoom) {
			return &exitError{exitFailure, err.Error()}
		}
		return err
	}
	if *asJSON {
		return printJSON(std, about)
	}
	_, err = fmt.Fprintf(std.Out, "Wrote %d rooms, %d events and %d files (%s) to %s\n", about.Rooms, about.Events, about.Files, config.Size(about.Bytes), *out)
	if about.Missing > 0 {
		fmt.Fprintf(std.Out, "%d files are not on this server any more; media.json names them.\n", about.Missing)
	}
	return err
}

// exportSink makes what an export is written to. done ends it, and takes away a zip file that is not whole.
func exportSink(name string) (sink export.Sink, done func(error) error, err error) {
	if !strings.HasSuffix(strings.ToLower(name), ".zip") {
		sink, err = export.Folder(name)
		return sink, func(err error) error { return err }, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("making the file: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	return export.Zip(w), func(err error) error {
		err = errors.Join(err, w.Flush(), f.Sync(), f.Close())
		if err != nil {
			return errors.Join(err, os.Remove(name))
		}
		return nil
	}, nil
}

// exportProgress tells people how far an export is, once a second.
func exportProgress(std stdio, quiet bool) func(export.Progress) {
	if quiet {
		return nil
	}
	last := time.Now()
	return func(p export.Progress) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(std.Err, "%d of %d rooms, %d events, %d files (%s)\n", p.Rooms, p.AllRooms, p.Events, p.Files, config.Size(p.Bytes))
	}
}
