// Package ports gives tests ports of the loopback interface for servers that are told where to listen, such as
// those that are started as programs and once more after they were killed.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The ports that are given out lie below those that outgoing connections get, of which tests make many between
// two starts of a server.
const (
	first = 12_000
	count = 20_000
)

// Addr returns an address of the loopback interface, such as "127.0.0.1:12345", on which nobody listens. It is given
// to nobody else before the test has ended.
func Addr(t testing.TB) string {
	t.Helper()
	addr, free, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(free)
	return addr
}

// Port is the port of an Addr.
func Port(t testing.TB) int {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	return addr.Port
}

// Reserve is Addr outside of a test; the address is one's own until free is called.
//
// Several tests, also of several processes, look for ports at the same time, and a port is free until the server listens on
// it. So what is reserved is the port of the same number of UDP, which one process at a time can have.
func Reserve() (addr string, free func(), err error) {
	for range 100 {
		addr = fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(count))
		held, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			held.Close()
			continue
		}
		l.Close()
		return addr, func() { held.Close() }, nil
	}
	return "", nil, errors.New("no port is free")
}
