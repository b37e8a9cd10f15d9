package safedial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrDenied is returned, wrapped, for an address that the policy doesn't allow.
var ErrDenied = errors.New("the address is in a private or reserved range")

// Policy says where connections may go. The zero Policy allows public addresses alone. It is
// safe for concurrent use as long as it isn't changed.
type Policy struct {
	// Allow are ranges that are reachable although they aren't public, e.g. 127.0.0.0/8 for
	// tests, or a company's own network. IPv4 ranges cover addresses mapped into IPv6, too.
	Allow []netip.Prefix
	// Deny are ranges that are refused although they are public, and although Allow has them.
	Deny []netip.Prefix
	// Timeout bounds one attempt to connect; 0 means 10 seconds.
	Timeout time.Duration
	// Resolver looks names up; nil means net.DefaultResolver.
	Resolver *net.Resolver
}

// Loopback are the ranges of the machine itself, for Policy.Allow.
func Loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// DialContext connects like net.Dialer.DialContext, and fails with ErrDenied where the policy
// forbids the address. It fits http.Transport.DialContext.
func (p Policy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = 10 * time.Second
	}
	d := net.Dialer{Timeout: timeout, Resolver: p.Resolver, ControlContext: p.control}
	return d.DialContext(ctx, network, address)
}

// control is called with the numeric address between making a socket and connecting it.
func (p Policy) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return fmt.Errorf("%w: network %s", ErrDenied, network)
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrDenied, address, err)
	}
	return p.Check(ap.Addr())
}

// Check tells whether the policy allows an address: nil, or an error that wraps ErrDenied.
func (p Policy) Check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if contains(p.Deny, addr) {
		return fmt.Errorf("%w: %s", ErrDenied, addr)
	}
	if Public(addr) || contains(p.Allow, addr) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDenied, addr)
}

func contains(list []netip.Prefix, addr netip.Addr) bool {
	for _, p := range list {
		if p.Addr().Is4In6() {
			p = netip.PrefixFrom(p.Addr().Unmap(), max(p.Bits()-96, 0))
		}
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
