// Package safedial connects to addresses that strangers choose, and to none that only this
// machine or its network could reach: push gateways, other homeservers, web pages to preview.
//
// The address is looked at when the connection is made, after the name was looked up, so that a
// name can't mean one thing when it is checked and another when it is used, and so that redirects
// are no way round.
//
// What must not live here: anything that knows of Matrix, or what to do with a connection.
package safedial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// ErrDenied reports an address that must not be connected to.
var ErrDenied = errors.New("the address is in a private or special network")

// Options say what is allowed.
type Options struct {
	// AllowPrivate allows every address: for tests and closed networks.
	AllowPrivate bool
	// Allow are networks that are allowed beside the public ones.
	Allow []netip.Prefix
	// Timeout bounds the making of a connection; 0 means ten seconds.
	Timeout time.Duration
}

// Dialer makes connections. It is safe for concurrent use.
type Dialer struct {
	o Options
	d net.Dialer
}

// New makes a dialer.
func New(o Options) *Dialer {
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	d := &Dialer{o: o}
	d.d = net.Dialer{Timeout: o.Timeout, ControlContext: d.control}
	return d
}

// DialContext connects; for http.Transport. Where the address is not allowed the error is
// ErrDenied.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return d.d.DialContext(ctx, network, address)
	}
	return nil, fmt.Errorf("%w: network %s", ErrDenied, network)
}

// control is called with the address that is about to be connected to.
func (d *Dialer) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s is no address", ErrDenied, address)
	}
	if !d.Allows(a.Addr()) {
		return fmt.Errorf("%w: %s", ErrDenied, a.Addr())
	}
	return nil
}

// Allows tells whether an address may be connected to.
func (d *Dialer) Allows(a netip.Addr) bool {
	if d.o.AllowPrivate {
		return true
	}
	a = a.WithZone("").Unmap()
	in := func(nets []netip.Prefix) bool {
		return slices.ContainsFunc(nets, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return in(d.o.Allow) || Public(a)
}

// special are networks that nobody reaches over the public internet, or that lead to other ones:
// the IANA registries of special-purpose addresses. Cloud metadata is at 169.254.169.254 and
// fd00:ec2::254, and of Alibaba at 100.100.100.200.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public tells whether an address is one of the public internet.
func Public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	return a.IsValid() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Transport is an http.Transport for a few requests to many places: without a proxy, which would
// look names up itself, and with bounds on everything.
func (d *Dialer) Transport() *http.Transport {
	return &http.Transport{
		DialContext: d.DialContext, ForceAttemptHTTP2: true,
		MaxIdleConns: 64, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: d.o.Timeout, ResponseHeaderTimeout: 30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
