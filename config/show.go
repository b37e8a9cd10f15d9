package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
	"gopkg.in/yaml.v3"
)

// Show writes the configuration in effect as YAML: each key, secrets as ***, and where a
// value that is not a default comes from. A bridge's own configuration is not shown, as
// only its module knows which of it is secret.
func (c *Config) Show() ([]byte, error) {
	doc, err := c.showStruct(reflect.ValueOf(c).Elem(), "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return b.Bytes(), nil
}

func (c *Config) showStruct(v reflect.Value, path string) (*yaml.Node, error) {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if key == "" {
			continue
		}
		f := field{path: diag.Join(path, key), value: v.Field(i)}
		var value *yaml.Node
		var err error
		switch {
		case f.bridges():
			value = &yaml.Node{Kind: yaml.SequenceNode}
			for j := range c.Bridges {
				item, err := c.showStruct(reflect.ValueOf(&c.Bridges[j]).Elem(), fmt.Sprintf("%s[%d]", f.path, j))
				if err != nil {
					return nil, err
				}
				value.Content = append(value.Content, item)
			}
		case f.value.Kind() == reflect.Struct:
			value, err = c.showStruct(f.value, f.path)
		case f.value.Type() == reflect.TypeFor[*yaml.Node]():
			value = &yaml.Node{Kind: yaml.ScalarNode, Value: "***", LineComment: "the module's own"}
		default:
			value = &yaml.Node{}
			if err := value.Encode(f.value.Interface()); err != nil {
				return nil, fmt.Errorf("write %s: %w", f.path, err)
			}
			value.LineComment = c.Origin(f.path)
		}
		if err != nil {
			return nil, err
		}
		if value.Kind != yaml.ScalarNode && len(value.Content) == 0 {
			value.Style = yaml.FlowStyle
		}
		name := &yaml.Node{Kind: yaml.ScalarNode, Value: key}
		if value.Kind == yaml.SequenceNode && value.LineComment != "" {
			name.HeadComment, value.LineComment = value.LineComment, ""
		}
		doc.Content = append(doc.Content, name, value)
	}
	return doc, nil
}

// Origin says where the value of a key comes from, such as "landbridge.yaml:3"; empty for
// a default.
func (c *Config) Origin(key string) string {
	o, ok := c.origins[key]
	switch {
	case !ok:
		return ""
	case o.line > 0:
		return fmt.Sprintf("%s:%d", o.file, o.line)
	}
	return o.file
}

// Keys are the paths of all keys that hold values, such as "server.name".
func Keys() []string {
	var keys []string
	for _, f := range Default().fields() {
		keys = append(keys, f.path)
		if f.bridges() {
			for i := range reflect.TypeFor[Bridge]().NumField() {
				if key := reflect.TypeFor[Bridge]().Field(i).Tag.Get("yaml"); key != "" {
					keys = append(keys, f.path+"[]."+key)
				}
			}
		}
	}
	return keys
}

// Reloadable compares a running configuration with a new one. changed are the keys with
// new values that a running server takes over, and needRestart those that it cannot.
// Bridges are compared one by one, as bridges.ID.
func Reloadable(old, new *Config) (changed, needRestart []string) {
	after := new.fields()
	for i, f := range old.fields() {
		switch {
		case f.bridges():
			changed = append(changed, changedBridges(old.Bridges, new.Bridges)...)
		case reflect.DeepEqual(f.value.Interface(), after[i].value.Interface()):
		case f.reload:
			changed = append(changed, f.path)
		default:
			needRestart = append(needRestart, f.path)
		}
	}
	return changed, needRestart
}

func changedBridges(old, new []Bridge) []string {
	var out []string
	find := func(list []Bridge, id string) (Bridge, bool) {
		i := slices.IndexFunc(list, func(b Bridge) bool { return b.ID == id })
		if i < 0 {
			return Bridge{}, false
		}
		return list[i], true
	}
	for _, b := range slices.Concat(old, new) {
		a, inOld := find(old, b.ID)
		c, inNew := find(new, b.ID)
		if inOld && inNew && SameBridge(a, c) {
			continue
		}
		out = append(out, "bridges."+b.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SameBridge is whether two configurations of a bridge say the same.
func SameBridge(a, b Bridge) bool {
	same := sameYAML(a.Config, b.Config, 0)
	a.Config, b.Config = nil, nil
	return same && reflect.DeepEqual(a, b)
}

// sameYAML is whether two nodes mean the same, wherever they stand. Order of keys counts:
// it may matter to a module.
func sameYAML(a, b *yaml.Node, depth int) bool {
	if a == nil || b == nil || depth > 100 {
		return a == b
	}
	a, b = diag.Resolve(a), diag.Resolve(b)
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameYAML(a.Content[i], b.Content[i], depth+1) {
			return false
		}
	}
	return true
}

// EnvNames are the environment variables that override keys.
func EnvNames() []string {
	var names []string
	for _, key := range Keys() {
		if !strings.HasPrefix(key, "bridges") {
			names = append(names, envName(key))
		}
	}
	return names
}
