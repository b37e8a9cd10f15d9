package client

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// address is the client's network address. Where the request comes from a trusted proxy it is the
// last address in X-Forwarded-For that is none: what stands before it was written by a stranger.
func (c *call) address() string {
	peer := c.r.RemoteAddr
	if host, _, err := net.SplitHostPort(peer); err == nil {
		peer = host
	}
	proxies := c.api.o.TrustedProxies
	at, err := netip.ParseAddr(peer)
	if err != nil || !trusted(proxies, at) {
		return peer
	}
	hops := strings.Split(strings.Join(c.r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := parseHop(hop)
		if !ok {
			break // not written by a proxy of ours
		}
		at = next
		if !trusted(proxies, at) {
			break
		}
	}
	return at.Unmap().String()
}

// parseHop reads one address of X-Forwarded-For, which some proxies write with a port.
func parseHop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr(), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a, err == nil
}

func trusted(proxies []netip.Prefix, a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// limitKey is what stands for the client's address in limits: of IPv6 the first half, since one
// machine has all the rest.
func (c *call) limitKey() string {
	s := c.address()
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Is4In6() {
		return s
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return s
	}
	return p.String()
}
