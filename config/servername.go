package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// maxServerName leaves room for localparts: "the length of a server name should not exceed
// 230 characters" (specification, appendices, server name).
const maxServerName = 230

// CheckServerName checks a server name by the grammar of the specification's appendices:
//
//	server_name = hostname [ ":" port ]
//	port        = 1*5DIGIT
//	hostname    = IPv4address / "[" IPv6address "]" / dns-name
//	dns-name    = 1*255dns-char
//	dns-char    = DIGIT / ALPHA / "-" / "."
//
// Capital letters are refused beyond that: names are compared as they are written, while
// other servers look them up without regard to case.
func CheckServerName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxServerName:
		return fmt.Errorf("has %d characters, more than the %d that are allowed", len(name), maxServerName)
	}
	quoted := diag.Quote(name)
	if strings.Contains(name, "://") {
		return fmt.Errorf("%s is an address, not a name", quoted)
	}
	host, port, hasPort := name, "", false
	if strings.HasPrefix(name, "[") {
		end := strings.IndexByte(name, ']')
		if end < 0 {
			return fmt.Errorf("%s has a [ without ]", quoted)
		}
		addr, err := netip.ParseAddr(name[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return fmt.Errorf("%s has no IPv6 address between [ and ]", quoted)
		}
		host, port = "", name[end+1:]
		if port != "" {
			if port[0] != ':' {
				return fmt.Errorf("%s has something other than a port after ]", quoted)
			}
			port, hasPort = port[1:], true
		}
	} else {
		host, port, hasPort = strings.Cut(name, ":")
		if host == "" {
			return fmt.Errorf("%s has no host", quoted)
		}
		if i := strings.IndexFunc(host, func(r rune) bool { return !isDNSChar(r) }); i >= 0 {
			if host[i] >= 'A' && host[i] <= 'Z' {
				return fmt.Errorf("%s has capital letters, which other servers would take for another name", quoted)
			}
			return fmt.Errorf("%s holds %q, which no server name may hold", quoted, []rune(host[i:])[0])
		}
	}
	if hasPort {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || len(port) > 5 {
			return fmt.Errorf("%s has no port from 1 to 65535 after the colon", quoted)
		}
	}
	return nil
}

func isDNSChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.'
}
