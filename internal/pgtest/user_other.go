//go:build !unix

package pgtest

import "syscall"

func asServerUser(string) (*syscall.SysProcAttr, error) { return nil, nil }
