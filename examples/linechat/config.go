package linechat

import (
	"errors"
	"fmt"
	"net"
	"regexp"

	"gopkg.in/yaml.v3"
)

// config is what stands below "config:" in the configuration of the bridge.
type config struct {
	Address  string   `yaml:"address"`  // host:port of the server
	Channels []string `yaml:"channels"` // those that are bridged
	// Open lets everybody in Matrix bridge any channel, by joining its alias.
	Open bool `yaml:"open"`
}

var channelPattern = regexp.MustCompile(`^[a-z0-9-]{1,50}$`)

// readConfig reads and checks the configuration. Errors name the line.
func readConfig(n *yaml.Node) (c config, err error) {
	if n == nil {
		return c, errors.New("config is missing: it needs address and channels")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := n.Content[i]; key.Value != "address" && key.Value != "channels" && key.Value != "open" {
			return c, fmt.Errorf("line %d: unknown key %q; there are address, channels and open", key.Line, key.Value)
		}
	}
	if err := n.Decode(&c); err != nil {
		return c, fmt.Errorf("line %d: %w", n.Line, err)
	}
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		return c, fmt.Errorf("line %d: address %q: write host:port", n.Line, c.Address)
	}
	if len(c.Channels) == 0 {
		return c, fmt.Errorf("line %d: channels: name one at least", n.Line)
	}
	for _, ch := range c.Channels {
		if !channelPattern.MatchString(ch) {
			return c, fmt.Errorf("line %d: channel %q: a name has 1 to 50 lower-case letters, digits and -", n.Line, ch)
		}
	}
	return c, nil
}
