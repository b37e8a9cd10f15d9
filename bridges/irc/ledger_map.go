//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package irc

import (
	"os"
	"syscall"
)

// mapFile maps the beginning of a file into memory.
func mapFile(f *os.File, size int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// unmapFile ends a mapping. It fails for what is none only.
func unmapFile(raw []byte) { _ = syscall.Munmap(raw) }
