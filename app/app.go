package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/landbridge-im/landbridge/appservice"
)

// Main is the whole program: it runs the command line of the process with the modules that the build has,
// and ends the process. version is what `landbridge version` says.
func Main(version string, modules ...appservice.Module) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := Run(ctx, os.Args[1:], Build{Version: version, Modules: modules}, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Build says what a program is made of.
type Build struct {
	Version string
	// Modules are the kinds of bridge that a configuration can name.
	Modules []appservice.Module
}

// Run runs a command line, without the program's name, and gives the exit code. It returns when the
// command has ended; ctx ends those that would run on, as SIGTERM does.
func Run(ctx context.Context, args []string, b Build, in io.Reader, out, errs io.Writer) int {
	return run(ctx, args, stdio{In: in, Out: out, Err: errs, build: b})
}

// command is a subcommand.
type command struct {
	name  string
	short string // one line for the list
	run   func(ctx context.Context, args []string, std stdio) error
}

// commands are the subcommands, in the order in which they are listed.
func commands() []command {
	return []command{
		{"serve", "run the homeserver and its bridges", runServe},
		{"bridge", "run bridges beside another homeserver; registrations, dead letters", runBridge},
		{"status", "say how bridges and application services stand", runStatus},
		{"user", "make, list and change accounts", runUser},
		{"token", "make, list and delete registration tokens", runToken},
		{"room", "list, show, change and delete rooms", runRoom},
		{"report", "list and dismiss what users have reported", runReport},
		{"federation", "list other servers, and try them again", runFederation},
		{"media", "list, quarantine, delete and verify files", runMedia},
		{"migrate", "bring in a community from an export", runMigrate},
		{"export", "write a community or a person's data as files to take along", runExport},
		{"keys", "list and change the keys with which the server signs", runKeys},
		{"backup", "copy everything to one file, check and list such files", runBackup},
		{"restore", "make a data folder of a backup", runRestore},
		{"audit", "list what administrators did", runAudit},
		{"log", "show the newest lines of the running server's log, or follow it", runLog},
		{"charts", "show what was measured over time: messages, latency, memory, disk, claims", runCharts},
		{"compact", "make the database of a stopped server as small as it can be", runCompact},
		{"doctor", "look for what keeps the server from working, and say how to mend it", runDoctor},
		{"slack", "print what the bridge to Slack needs there", runSlack},
		{"registration", "make, check and list registration files of application services", runRegistration},
		{"config", "check and show the configuration", runConfig},
		{"completion", "print what makes a shell complete commands and flags", runCompletion},
		{"man", "write the manual pages", runMan},
		{"version", "print the version", runVersion},
	}
}

// run runs the command line and gives the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	err := dispatch(ctx, "landbridge", commands(), args, std)
	if err == nil {
		return 0
	}
	code := 1
	var exit *exitError
	if errors.As(err, &exit) {
		code = exit.code
	}
	if text := err.Error(); text != "" {
		fmt.Fprintln(std.Err, text)
	}
	return code
}
