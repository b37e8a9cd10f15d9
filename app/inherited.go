package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstPassed is the number of the first file that systemd passes.
const firstPassed = 3

// inherited are the listening sockets that systemd has passed to this process (sd_listen_fds), by
// address; none if it has not. They are passed once.
func inherited() (map[string]net.Listener, error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) || count == "" {
		return nil, nil
	}
	if err := errors.Join(os.Unsetenv("LISTEN_PID"), os.Unsetenv("LISTEN_FDS")); err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 64 {
		return nil, fmt.Errorf("LISTEN_FDS is %q: systemd passes a small number", count)
	}
	out := map[string]net.Listener{}
	for fd := firstPassed; fd < firstPassed+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "passed socket")
		l, err := net.FileListener(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("the passed socket %d: %w", fd, err)
		}
		out[l.Addr().String()] = l
	}
	return out, nil
}

// take takes the socket for an address of the configuration; nil if there is none.
func take(given map[string]net.Listener, addr string) net.Listener {
	want, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil
	}
	for at, l := range given {
		have, ok := l.Addr().(*net.TCPAddr)
		if ok && have.Port == want.Port && (have.IP.Equal(want.IP) || want.IP == nil && have.IP.IsUnspecified()) {
			delete(given, at)
			return l
		}
	}
	return nil
}
