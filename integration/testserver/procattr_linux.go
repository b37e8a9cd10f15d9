package testserver

import "syscall"

// procAttr makes the child end with the thread that started it.
func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
