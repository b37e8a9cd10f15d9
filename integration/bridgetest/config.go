package bridgetest

import (
	"fmt"
	"strings"
)

// IRCNetwork is one network in the configuration of an IRC bridge.
type IRCNetwork struct {
	ID, Addr string
	Channels []string
	// Extra are further keys, as lines of YAML without indentation.
	Extra []string
}

// IRCBridge makes the configuration of an IRC bridge, an element of "bridges",
// without pacing that would spoil a measurement and with quick notices.
func IRCBridge(id, encryption string, networks ...IRCNetwork) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - id: %s\n    module: irc\n    encryption: %s\n    config:\n      networks:\n", id, encryption)
	for _, n := range networks {
		fmt.Fprintf(&b, "        - id: %s\n          address: %q\n          tls: false\n          nick: lbridge\n", n.ID, n.Addr)
		b.WriteString("          flood: {burst: 1000, per_second: 1000}\n          outage_notice: 500ms\n          queue: 10000\n          channels:\n")
		for _, ch := range n.Channels {
			fmt.Fprintf(&b, "            - %q\n", ch)
		}
		for _, line := range n.Extra {
			fmt.Fprintf(&b, "          %s\n", line)
		}
	}
	return b.String()
}
