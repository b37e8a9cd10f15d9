package safedial

import "net/netip"

// reserved4 are the blocks of the IANA IPv4 Special-Purpose Address Registry that aren't globally
// reachable, multicast, and the relay anycast address of 6to4 (RFC 7526), which leads to whoever
// announces it.
var reserved4 = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("224.0.0.0/3"),
}

// reserved6 are the parts of 2000::/3, the only block that is allotted for global unicast, that
// aren't globally reachable or that carry another address inside: protocol assignments with
// Teredo, documentation, 6to4.
var reserved6 = [...]netip.Prefix{
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

var (
	global6 = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

// Public tells whether an address is reachable from the whole Internet, by the IANA registries of
// special-purpose addresses. What isn't known to be public is not.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		for _, p := range reserved4 {
			if p.Contains(addr) {
				return false
			}
		}
		return true
	}
	if nat64.Contains(addr) {
		// RFC 6052: the last 32 bits are the IPv4 address that is meant.
		raw := addr.As16()
		return Public(netip.AddrFrom4([4]byte(raw[12:])))
	}
	if !global6.Contains(addr) {
		return false
	}
	for _, p := range reserved6 {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}
