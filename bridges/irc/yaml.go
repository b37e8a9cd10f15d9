package irc

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// mapping reads a mapping whose keys are all known.
func mapping(node *yaml.Node, path string, fields map[string]func(*yaml.Node, string) error) error {
	node = resolve(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return mistake(node, orTop(path), "must be a mapping of keys to values")
	}
	var errs []error
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], resolve(node.Content[i+1])
		key := k.Value
		if path != "" {
			key = path + "." + k.Value
		}
		field, ok := fields[k.Value]
		switch {
		case !ok:
			errs = append(errs, mistake(k, key, "is not a known key; known are %s", keys(fields)))
		case seen[k.Value]:
			errs = append(errs, mistake(k, key, "is given twice"))
		default:
			errs = append(errs, field(v, key))
		}
		seen[k.Value] = true
	}
	return errors.Join(errs...)
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

func orTop(path string) string {
	if path == "" {
		return "the IRC configuration"
	}
	return path
}

func keys(fields map[string]func(*yaml.Node, string) error) string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

func sequence(node *yaml.Node, path string, item func(*yaml.Node, string) error) error {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		return mistake(node, path, "must be a list")
	}
	var errs []error
	for i, n := range node.Content {
		errs = append(errs, item(resolve(n), fmt.Sprintf("%s[%d]", path, i)))
	}
	return errors.Join(errs...)
}

func text(into *string) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.ScalarNode {
			return mistake(n, key, "must be a text")
		}
		if n.Tag != "!!null" {
			*into = n.Value
		}
		return nil
	}
}

// ircWord reads a text that is one parameter of an IRC line.
func ircWord(into *string) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, " \r\n\x00") || strings.HasPrefix(n.Value, ":") {
			return mistake(n, key, "must not contain spaces or line breaks or begin with a colon")
		}
		return text(into)(n, key)
	}
}

// ircLine reads a text that fits into an IRC line.
func ircLine(into *string) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, "\r\n\x00") || len(n.Value) > 300 {
			return mistake(n, key, "must be one line of at most 300 bytes")
		}
		return text(into)(n, key)
	}
}

func boolean(into *bool) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if err := n.Decode(into); err != nil || n.Kind != yaml.ScalarNode {
			return mistake(n, key, "is %q, but must be true or false", n.Value)
		}
		return nil
	}
}

func number(into *int, low, high int) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		v, err := strconv.Atoi(n.Value)
		if err != nil || v < low || v > high {
			return mistake(n, key, "is %q, but must be a whole number from %d to %d", n.Value, low, high)
		}
		*into = v
		return nil
	}
}

func float(into *float64, low, high float64) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || !(v >= low && v <= high) {
			return mistake(n, key, "is %q, but must be a number from %g to %g", n.Value, low, high)
		}
		*into = v
		return nil
	}
}

func duration(into *time.Duration) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		d, err := time.ParseDuration(n.Value)
		if err != nil || d < 0 {
			return mistake(n, key, "is %q, but must be a duration such as 30s or 5m", n.Value)
		}
		*into = d
		return nil
	}
}

func relayFormat(into *string) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if strings.ContainsAny(n.Value, "\r\n\x00") || len(n.Value) > 100 {
			return mistake(n, key, "must be one line of at most 100 bytes")
		}
		if err := checkRelay(n.Value); err != nil {
			return mistake(n, key, "%v", err)
		}
		return text(into)(n, key)
	}
}

// powerLevels reads power levels by the letter of their modes.
func powerLevels(into *map[byte]int) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.MappingNode {
			return mistake(n, key, "must be a mapping of modes to power levels, such as {o: 50, v: 1}")
		}
		levels := make(map[byte]int)
		var errs []error
		for i := 0; i+1 < len(n.Content); i += 2 {
			mode, level := n.Content[i], 0
			if len(mode.Value) != 1 || !(mode.Value >= "a" && mode.Value <= "z" || mode.Value >= "A" && mode.Value <= "Z") {
				errs = append(errs, mistake(mode, key+"."+mode.Value, "is not the letter of a mode, such as o"))
				continue
			}
			errs = append(errs, number(&level, 0, 99)(resolve(n.Content[i+1]), key+"."+mode.Value))
			levels[mode.Value[0]] = level
		}
		*into = levels
		return errors.Join(errs...)
	}
}

func memberPolicy(into *MemberPolicy) func(*yaml.Node, string) error {
	return func(n *yaml.Node, key string) error {
		switch p := MemberPolicy(n.Value); p {
		case MembersAll, MembersSpeaking:
			*into = p
			return nil
		}
		return mistake(n, key, "is %q, but must be all or speaking", n.Value)
	}
}
