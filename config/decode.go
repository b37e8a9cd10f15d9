package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/landbridge-im/landbridge/config/diag"
	"gopkg.in/yaml.v3"
)

// decoder fills a Config from a document and collects what is wrong.
type decoder struct {
	config   *Config
	file     string
	problems Problems
	bad      map[string]bool // keys that were complained of, whose values say nothing
}

func (d *decoder) add(p Problem) { d.problems = append(d.problems, p) }

func (d *decoder) addAt(n *yaml.Node, key, message, fix string) {
	d.bad[key] = true
	d.add(Problem{File: d.file, Line: n.Line, Column: n.Column, Key: key, Message: message, Fix: fix})
}

func (d *decoder) document(root *yaml.Node) {
	d.section(root, "", reflect.ValueOf(d.config).Elem())
}

// section fills a struct from a mapping.
func (d *decoder) section(n *yaml.Node, path string, v reflect.Value) {
	var known []string
	byKey := map[string]int{}
	for i := range v.NumField() {
		if key := v.Type().Field(i).Tag.Get("yaml"); key != "" {
			known = append(known, key)
			byKey[key] = i
		}
	}
	d.mapping(n, path, known, func(key string, at, value *yaml.Node) {
		f := field{path: diag.Join(path, key), value: v.Field(byKey[key])}
		d.config.origins[f.path] = origin{d.file, at.Line, at.Column}
		switch {
		case f.bridges():
			d.bridges(value, f.path)
		case f.list():
			d.list(value, f)
		case f.value.Kind() == reflect.Struct && value.Kind == yaml.MappingNode:
			d.section(value, f.path, f.value)
		case f.value.Kind() == reflect.Struct && value.ShortTag() == "!!null":
			// A section whose keys are all commented out.
		case f.value.Kind() == reflect.Struct:
			d.addAt(at, f.path, "must hold further keys but is "+diag.Describe(value), "write them indented below it")
		case f.value.Type() == reflect.TypeFor[*yaml.Node]():
			f.value.Set(reflect.ValueOf(value))
		case f.texts():
			d.texts(value, f)
		default:
			if message, fix := f.setNode(value); message != "" {
				d.addAt(at, f.path, message, fix)
			}
		}
	})
}

// mapping calls f for each known key, with the place of the value and the value itself,
// and complains of the others.
func (d *decoder) mapping(n *yaml.Node, path string, known []string, f func(key string, at, value *yaml.Node)) {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, at := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" || seen[k.Value] {
			continue // diag.Parse has complained
		}
		seen[k.Value] = true
		if slices.Contains(known, k.Value) {
			f(k.Value, at, diag.Resolve(at))
			continue
		}
		key := diag.Join(path, k.Value)
		fix := "remove it; `landbridge config example` lists all keys"
		if near := diag.Nearest(k.Value, known); near != "" {
			fix = fmt.Sprintf("write %q if that is what was meant", near)
			if !hasKey(n, near) {
				d.bad[diag.Join(path, near)] = true // not missing as well
			}
		} else if full := d.elsewhere(k.Value); full != "" && full != key {
			fix = fmt.Sprintf("the key %s is meant, perhaps: check the indentation", full)
		}
		d.addAt(k, key, "unknown key "+diag.Quote(k.Value), fix)
	}
}

func hasKey(mapping *yaml.Node, key string) bool {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return true
		}
	}
	return false
}

// elsewhere is the path of a key of that name in another section, if there is just one.
func (d *decoder) elsewhere(key string) string {
	found := ""
	for _, f := range d.config.fields() {
		for p := f.path; p != ""; p = parent(p) {
			if p == key || len(p) > len(key) && p[len(p)-len(key)-1:] == "."+key {
				if found != "" && found != p {
					return ""
				}
				found = p
			}
		}
	}
	return found
}

// maxList bounds the other lists.
const maxList = 100

// maxRooms bounds the channels of a bridge that are mapped to rooms.
const maxRooms = 10_000

// list fills a list of things that have keys of their own.
func (d *decoder) list(n *yaml.Node, f field) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return
	case n.Kind != yaml.SequenceNode:
		d.addAt(n, f.path, "must be a list but is "+diag.Describe(n), "begin each entry with a dash, or write [] for none")
		return
	case len(n.Content) > f.most():
		d.addAt(n, f.path, fmt.Sprintf("has %d entries, more than the limit of %d", len(n.Content), f.most()), "")
		return
	}
	items := reflect.MakeSlice(f.value.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		key := fmt.Sprintf("%s[%d]", f.path, i)
		d.config.origins[key] = origin{d.file, item.Line, item.Column}
		if value := diag.Resolve(item); value.Kind == yaml.MappingNode {
			d.section(value, key, items.Index(i))
		} else {
			d.addAt(item, key, "must have keys of its own but is "+diag.Describe(value), "")
		}
	}
	f.value.Set(items)
}

// texts fills a mapping of names that are free to texts.
func (d *decoder) texts(n *yaml.Node, f field) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return
	case n.Kind != yaml.MappingNode:
		d.addAt(n, f.path, "must hold further keys but is "+diag.Describe(n), "write them indented below it")
		return
	case len(n.Content)/2 > maxTexts:
		d.addAt(n, f.path, fmt.Sprintf("has %d entries, more than the limit of %d", len(n.Content)/2, maxTexts), "")
		return
	}
	out := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], diag.Resolve(n.Content[i+1])
		key := diag.Join(f.path, k.Value)
		d.config.origins[key] = origin{d.file, k.Line, k.Column}
		if k.Kind != yaml.ScalarNode || value.Kind != yaml.ScalarNode || value.ShortTag() != "!!str" {
			d.addAt(k, key, "must be a text but is "+diag.Describe(value), "")
			continue
		}
		out[k.Value] = value.Value
	}
	f.value.Set(reflect.ValueOf(out))
}

// maxTexts bounds the entries of such a mapping.
const maxTexts = 10_000

// maxBridges bounds the bridges of one process.
const maxBridges = 1000

func (d *decoder) bridges(n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return
	case n.Kind != yaml.SequenceNode:
		d.addAt(n, path, "must be a list but is "+diag.Describe(n), "begin each bridge with: - id: libera")
		return
	case len(n.Content) > maxBridges:
		d.addAt(n, path, fmt.Sprintf("has %d entries, more than the limit of %d", len(n.Content), maxBridges), "")
		return
	}
	for i, item := range n.Content {
		key := fmt.Sprintf("%s[%d]", path, i)
		d.config.origins[key] = origin{d.file, item.Line, item.Column}
		b := Bridge{Enabled: true, Encryption: "none", Admins: []string{}, Permissions: map[string]string{}, Rooms: BridgeRooms{Members: "all", Channels: []BridgeRoom{}}}
		if value := diag.Resolve(item); value.Kind == yaml.MappingNode {
			d.section(value, key, reflect.ValueOf(&b).Elem())
		} else {
			d.addAt(item, key, "must have the keys id, module and config but is "+diag.Describe(value), "begin each bridge with: - id: libera")
		}
		d.config.Bridges = append(d.config.Bridges, b)
	}
}
