package irc

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/bridges/moduleconfig"
)

// ircWord reads a text that is one parameter of an IRC line.
func ircWord(into *string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, " \r\n\x00") || strings.HasPrefix(n.Value, ":") {
			return moduleconfig.Mistake(n, key, "must not contain spaces or line breaks or begin with a colon")
		}
		return moduleconfig.Text(into)(n, key)
	}
}

// ircLine reads a text that fits into an IRC line.
func ircLine(into *string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, "\r\n\x00") || len(n.Value) > 300 {
			return moduleconfig.Mistake(n, key, "must be one line of at most 300 bytes")
		}
		return moduleconfig.Text(into)(n, key)
	}
}

func relayFormat(into *string) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, "\r\n\x00") || len(n.Value) > 100 {
			return moduleconfig.Mistake(n, key, "must be one line of at most 100 bytes")
		}
		if err := checkRelay(n.Value); err != nil {
			return moduleconfig.Mistake(n, key, "%v", err)
		}
		return moduleconfig.Text(into)(n, key)
	}
}

// powerLevels reads power levels by the letter of their modes.
func powerLevels(into *map[byte]int) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.MappingNode {
			return moduleconfig.Mistake(n, key, "must be a mapping of modes to power levels, such as {o: 50, v: 1}")
		}
		levels := make(map[byte]int)
		var errs []error
		for i := 0; i+1 < len(n.Content); i += 2 {
			mode, level := n.Content[i], 0
			if len(mode.Value) != 1 || !(mode.Value >= "a" && mode.Value <= "z" || mode.Value >= "A" && mode.Value <= "Z") {
				errs = append(errs, moduleconfig.Mistake(mode, key+"."+mode.Value, "is not the letter of a mode, such as o"))
				continue
			}
			errs = append(errs, moduleconfig.Int(&level, 0, 99)(moduleconfig.Resolve(n.Content[i+1]), key+"."+mode.Value))
			levels[mode.Value[0]] = level
		}
		*into = levels
		return errors.Join(errs...)
	}
}

// pace reads how much may be said; a mapping without one of its keys has 5 lines at once, and one for each second.
func pace(into *Pace) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		into.Burst, into.PerSecond = 5, 1
		return moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{
			"burst":      moduleconfig.Int(&into.Burst, 1, 1000),
			"per_second": moduleconfig.Float(&into.PerSecond, 0.05, 1000),
		})
	}
}

// textEncoding reads the name of an encoding, such as windows-1251 or koi8-r.
func textEncoding(into *encoding.Encoding) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		e, err := htmlindex.Get(n.Value)
		if err != nil {
			return moduleconfig.Mistake(n, key, "%q is no encoding that is known; such are windows-1251, koi8-r, iso-8859-15, shift_jis and gbk", n.Value)
		}
		*into = e
		return nil
	}
}

func memberPolicy(into *MemberPolicy) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		switch p := MemberPolicy(n.Value); p {
		case MembersAll, MembersSpeaking:
			*into = p
			return nil
		}
		return moduleconfig.Mistake(n, key, "is %q, but must be all or speaking", n.Value)
	}
}

// puppetConfig reads whether Matrix users have connections of their own. A mapping means that they do,
// unless it says otherwise.
func puppetConfig(into *PuppetConfig) moduleconfig.Reader {
	return func(n *yaml.Node, key string) error {
		into.Enabled = true
		return moduleconfig.Mapping(n, key, map[string]moduleconfig.Reader{
			"enabled": moduleconfig.Bool(&into.Enabled),
			"nick": func(v *yaml.Node, key string) error {
				if err := checkNickTemplate(v.Value); err != nil {
					return moduleconfig.Mistake(v, key, "%v", err)
				}
				return moduleconfig.Text(&into.Nick)(v, key)
			},
			"address_prefix": func(v *yaml.Node, key string) error {
				prefix, err := netip.ParsePrefix(v.Value)
				if err != nil || prefix.Addr().Is4In6() || prefix.Addr().BitLen()-prefix.Bits() < 8 {
					return moduleconfig.Mistake(v, key, "is %q, but must be a prefix of at least 256 addresses, such as 2001:db8:1:2::/64", v.Value)
				}
				into.Prefix = prefix.Masked()
				return nil
			},
			"allow_cleartext": moduleconfig.Bool(&into.Cleartext),
			"max":             moduleconfig.Int(&into.Max, 1, 10_000),
			"spread":          moduleconfig.Duration(&into.Spread),
			"idle":            moduleconfig.Duration(&into.Idle),
		})
	}
}
