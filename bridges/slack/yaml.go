package slack

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// ConfigError is a mistake in the configuration.
type ConfigError struct {
	Line     int
	Key, Msg string
}

func (e *ConfigError) Error() string { return fmt.Sprintf("line %d: %s: %s", e.Line, e.Key, e.Msg) }

func mistake(node *yaml.Node, key, format string, args ...any) error {
	line := 0
	if node != nil {
		line = node.Line
	}
	return &ConfigError{Line: line, Key: key, Msg: fmt.Sprintf(format, args...)}
}

type field = func(*yaml.Node, string) error

// mapping reads a mapping whose keys are all known, and reports all mistakes in it.
func mapping(node *yaml.Node, path string, fields map[string]field) error {
	node = resolve(node)
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		if path == "" {
			path = "the Slack configuration"
		}
		return mistake(node, path, "must be a mapping of keys to values")
	}
	var errs []error
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], resolve(node.Content[i+1])
		key := k.Value
		if path != "" {
			key = path + "." + k.Value
		}
		read, ok := fields[k.Value]
		switch {
		case !ok:
			known := make([]string, 0, len(fields))
			for name := range fields {
				known = append(known, name)
			}
			slices.Sort(known)
			errs = append(errs, mistake(k, key, "is not a known key; known are %s", strings.Join(known, ", ")))
		case seen[k.Value]:
			errs = append(errs, mistake(k, key, "is given twice"))
		default:
			errs = append(errs, read(v, key))
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

func sequence(node *yaml.Node, path string, item field) error {
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

func text(into *string) field {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.ScalarNode {
			return mistake(n, key, "must be a text")
		}
		if n.Tag != "!!null" {
			*into = strings.TrimSpace(n.Value)
		}
		return nil
	}
}

func oneOf(into *string, values ...string) field {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.ScalarNode || !slices.Contains(values, n.Value) {
			return mistake(n, key, "is %q, but must be one of %s", n.Value, strings.Join(values, ", "))
		}
		*into = n.Value
		return nil
	}
}

func number(into *int, low, high int) field {
	return func(n *yaml.Node, key string) error {
		v, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || err != nil || v < low || v > high {
			return mistake(n, key, "is %q, but must be a whole number from %d to %d", n.Value, low, high)
		}
		*into = v
		return nil
	}
}
