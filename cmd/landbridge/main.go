// Command landbridge is a compact Matrix homeserver, a host of bridge modules, and the
// tools around them. Each subcommand is in a file of its own; this one only finds it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
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
		{"user", "make, list and change accounts", runUser},
		{"token", "make, list and delete registration tokens", runToken},
		{"room", "list and show rooms", runRoom},
		{"keys", "list and change the keys with which the server signs", runKeys},
		{"registration", "make, check and list registration files of application services", runRegistration},
		{"config", "check and show the configuration", runConfig},
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
