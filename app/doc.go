// Package app is the program: its subcommands, each in a file of its own, and the only place where
// homeserver and bridges meet. A build with modules of one's own is a main that calls Main with them; see
// docs/write-a-module.md.
//
// What must not live here: anything that is not about a command line, a configuration, or wiring.
package app
