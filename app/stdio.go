package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// stdio is where a subcommand reads and writes, and the program that it is of.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
	build    Build
	// describe, if it is not nil, has commands say what they are instead of doing anything.
	describe *description
}

// Exit codes.
const (
	exitFailure = 1 // what was asked for could not be done, or what was checked is wrong
	exitUsage   = 2 // the command line is wrong
)

// exitError is an error that carries the exit code. Without a text, everything has been
// said.
type exitError struct {
	code int
	text string
}

func (e *exitError) Error() string { return e.text }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Sprintf(format, args...)}
}

// helpError is what parseFlags returns after it has printed help.
type helpError struct{}

func (helpError) Error() string { return "help was asked for" }

// dispatch runs the subcommand that the arguments name.
func dispatch(ctx context.Context, name string, list []command, args []string, std stdio) error {
	if std.describe != nil {
		return std.describe.commands(ctx, list, std)
	}
	usage := func(w io.Writer) {
		fmt.Fprintf(w, "Usage: %s COMMAND [ARGUMENTS]\n\nCommands:\n", name)
		for _, c := range list {
			fmt.Fprintf(w, "  %-14s %s\n", c.name, c.short)
		}
		fmt.Fprintf(w, "\n%s COMMAND -h tells more of one.\n", name)
	}
	if len(args) == 0 {
		usage(std.Err)
		return &exitError{code: exitUsage}
	}
	switch args[0] {
	case "-h", "-help", "--help", "help":
		usage(std.Out)
		return nil
	}
	var names []string
	for _, c := range list {
		if c.name == args[0] {
			err := c.run(ctx, args[1:], std)
			if errors.Is(err, helpError{}) {
				return nil
			}
			return err
		}
		names = append(names, c.name)
	}
	if near := diag.Nearest(args[0], names); near != "" {
		return usageError("%s: unknown command %q; is %q meant?", name, args[0], near)
	}
	return usageError("%s: unknown command %q; the commands are %s", name, args[0], strings.Join(names, ", "))
}

// parseFlags reads the flags of a subcommand. Flags may stand behind other arguments too,
// all of which are returned.
func parseFlags(fs *flag.FlagSet, usage string, args []string, std stdio) ([]string, error) {
	if std.describe != nil {
		std.describe.take(fs, usage)
		return nil, helpError{}
	}
	fs.SetOutput(io.Discard) // errors are told once, by main
	var rest []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(std.Out, "Usage: %s\n", usage)
			fs.SetOutput(std.Out)
			fs.PrintDefaults()
			return nil, helpError{}
		}
		if err != nil {
			return nil, usageError("%s: %v\nUsage: %s", fs.Name(), err, usage)
		}
		left := fs.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// newFlags are the flags of a subcommand.
func newFlags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }
