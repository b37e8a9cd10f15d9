package discord

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

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
		return "the Discord configuration"
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
