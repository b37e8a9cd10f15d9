package moduleconfig

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Reader reads the value of a key, whose whole path is given for errors.
type Reader = func(node *yaml.Node, key string) error

// Mapping reads a mapping all of whose keys are known, and reports all mistakes in it. path is what
// keys are told below. What is null is read as absent.
func Mapping(node *yaml.Node, path string, fields map[string]Reader) error {
	return mapping(node, path+".", path, fields)
}

// Top reads the whole of a module's configuration, which what names: "the IRC configuration".
func Top(node *yaml.Node, what string, fields map[string]Reader) error {
	return mapping(node, "", what, fields)
}

func mapping(node *yaml.Node, prefix, what string, fields map[string]Reader) error {
	node = Resolve(node)
	if null(node) {
		return nil
	}
	if node.Kind != yaml.MappingNode {
		return Mistake(node, what, "must be a mapping of keys to values")
	}
	var errs []error
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := node.Content[i], Resolve(node.Content[i+1])
		key := prefix + k.Value
		read, ok := fields[k.Value]
		switch {
		case !ok:
			known := slices.Sorted(maps.Keys(fields))
			errs = append(errs, Mistake(k, key, "is not a known key; known are %s", strings.Join(known, ", ")))
		case seen[k.Value]:
			errs = append(errs, Mistake(k, key, "is given twice"))
		default:
			errs = append(errs, read(v, key))
		}
		seen[k.Value] = true
	}
	return errors.Join(errs...)
}

// Resolve gives what an alias stands for.
func Resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode && node.Alias != nil {
		return node.Alias
	}
	return node
}

func null(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// Sequence reads a list, and reports all mistakes in it.
func Sequence(node *yaml.Node, path string, item Reader) error {
	if null(node) {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		return Mistake(node, path, "must be a list")
	}
	var errs []error
	for i, n := range node.Content {
		errs = append(errs, item(Resolve(n), fmt.Sprintf("%s[%d]", path, i)))
	}
	return errors.Join(errs...)
}

// Text reads a text.
func Text(into *string) Reader {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.ScalarNode {
			return Mistake(n, key, "must be a text")
		}
		if !null(n) {
			*into = n.Value
		}
		return nil
	}
}

// Trimmed reads a text without the space around it.
func Trimmed(into *string) Reader {
	return func(n *yaml.Node, key string) error {
		err := Text(into)(n, key)
		*into = strings.TrimSpace(*into)
		return err
	}
}

// OneOf reads one of some words.
func OneOf(into *string, values ...string) Reader {
	return func(n *yaml.Node, key string) error {
		if n.Kind != yaml.ScalarNode || !slices.Contains(values, n.Value) {
			return Mistake(n, key, "is %q, but must be one of %s", n.Value, strings.Join(values, ", "))
		}
		*into = n.Value
		return nil
	}
}

// Bool reads true or false.
func Bool(into *bool) Reader {
	return func(n *yaml.Node, key string) error {
		if err := n.Decode(into); err != nil || n.Kind != yaml.ScalarNode {
			return Mistake(n, key, "is %q, but must be true or false", n.Value)
		}
		return nil
	}
}

// Int reads a whole number.
func Int(into *int, low, high int) Reader {
	return func(n *yaml.Node, key string) error {
		v, err := strconv.Atoi(n.Value)
		if err != nil || v < low || v > high {
			return Mistake(n, key, "is %q, but must be a whole number from %d to %d", n.Value, low, high)
		}
		*into = v
		return nil
	}
}

// Float reads a number.
func Float(into *float64, low, high float64) Reader {
	return func(n *yaml.Node, key string) error {
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || !(v >= low && v <= high) {
			return Mistake(n, key, "is %q, but must be a number from %g to %g", n.Value, low, high)
		}
		*into = v
		return nil
	}
}

// Duration reads a time that is not negative.
func Duration(into *time.Duration) Reader {
	return func(n *yaml.Node, key string) error {
		d, err := time.ParseDuration(n.Value)
		if err != nil || d < 0 {
			return Mistake(n, key, "is %q, but must be a duration such as 30s or 5m", n.Value)
		}
		*into = d
		return nil
	}
}
