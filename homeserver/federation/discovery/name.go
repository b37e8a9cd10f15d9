package discovery

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Name is a server name, taken apart.
type Name struct {
	// Host is the name or address without the brackets of IPv6.
	Host string
	// Port is 0 if the name has none.
	Port uint16
	// IP is valid if the host is an IP literal.
	IP netip.Addr
}

// MaxNameLength is that of the specification: a server name is at most 230 characters long, so
// that identifiers can hold it.
const MaxNameLength = 230

// ParseName checks a server name. Specification, appendices, "Server name":
//
//	server_name = hostname [ ":" port ]
//	port        = 1*5DIGIT
//	hostname    = IPv4address / "[" IPv6address "]" / dns-name
//	dns-name    = 1*255dns-char
//	dns-char    = DIGIT / ALPHA / "-" / "."
func ParseName(s string) (Name, error) {
	bad := func(why string) (Name, error) {
		return Name{}, fmt.Errorf("%.*q is not a server name: %s", MaxNameLength, s, why)
	}
	if s == "" || len(s) > MaxNameLength {
		return bad("it must have 1 to 230 characters")
	}
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return bad("a bracket is missing")
		}
		addr, err := netip.ParseAddr(s[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return bad("what is in brackets is not an IPv6 address")
		}
		rest := s[end+1:]
		if rest != "" && rest[0] != ':' {
			return bad("after the bracket only a port may come")
		}
		n := Name{Host: s[1:end], IP: addr}
		if rest == "" {
			return n, nil
		}
		if n.Port, err = parsePort(rest[1:]); err != nil {
			return bad(err.Error())
		}
		return n, nil
	}
	host, port, hasPort := strings.Cut(s, ":")
	if host == "" {
		return bad("the host is missing")
	}
	for _, c := range []byte(host) {
		if c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return bad("a host has letters, digits, dots and hyphens")
		}
	}
	n := Name{Host: host}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Is4() {
		n.IP = addr
	}
	if hasPort {
		var err error
		if n.Port, err = parsePort(port); err != nil {
			return bad(err.Error())
		}
	}
	return n, nil
}

func parsePort(s string) (uint16, error) {
	if len(s) == 0 || len(s) > 5 || s[0] == '+' {
		return 0, fmt.Errorf("a port has 1 to 5 digits")
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("a port is a number from 1 to 65535")
	}
	return uint16(n), nil
}
