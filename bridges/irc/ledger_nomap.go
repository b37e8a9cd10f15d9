//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package irc

import "os"

// mapFile does nothing here: the database serves instead.
func mapFile(*os.File, int) ([]byte, error) { return nil, nil }

func unmapFile([]byte) {}
