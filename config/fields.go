package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
	"gopkg.in/yaml.v3"
)

// field is one key that holds a value, not further keys.
type field struct {
	path   string
	value  reflect.Value // settable
	reload bool
}

// fields are all keys with values, in the order of the struct.
func (c *Config) fields() []field {
	var out []field
	var walk func(v reflect.Value, path string, reload bool)
	walk = func(v reflect.Value, path string, reload bool) {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key := f.Tag.Get("yaml")
			if key == "" {
				continue
			}
			sub := field{diag.Join(path, key), v.Field(i), reload || f.Tag.Get("reload") == "yes"}
			if f.Type.Kind() == reflect.Struct {
				walk(sub.value, sub.path, sub.reload)
			} else {
				out = append(out, sub)
			}
		}
	}
	walk(reflect.ValueOf(c).Elem(), "", false)
	return out
}

// bridges is whether the field is the list of bridges, which has keys of its own.
func (f field) bridges() bool { return f.value.Type() == reflect.TypeFor[[]Bridge]() }

// list is whether the field is a list of things that have keys of their own.
func (f field) list() bool {
	return f.value.Kind() == reflect.Slice && f.value.Type().Elem().Kind() == reflect.Struct
}

// most is how many entries a list may have.
func (f field) most() int {
	if f.value.Type() == reflect.TypeFor[[]BridgeRoom]() {
		return maxRooms
	}
	return maxList
}

// texts is whether the field maps names that are free to texts.
func (f field) texts() bool { return f.value.Type() == reflect.TypeFor[map[string]string]() }

// secret is whether the value must not be shown.
func (f field) secret() bool {
	return f.value.Type() == reflect.TypeFor[Secret]() || f.value.Type() == reflect.TypeFor[URI]()
}

// text is the value as it is shown.
func (f field) text() string {
	switch v := f.value.Interface().(type) {
	case []string:
		return strings.Join(v, ",")
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}

// setText sets the value from text, as in an environment variable; if it cannot, it says
// what is wrong and what would be right.
func (f field) setText(text string) (message, fix string) {
	wrong := func(what, example string) (string, string) {
		return fmt.Sprintf("must be %s but is %s", what, diag.Quote(text)), "write " + example + ", say"
	}
	switch v := f.value.Addr().Interface().(type) {
	case *string:
		*v = text
	case *Secret:
		*v = Secret(text)
	case *URI:
		*v = URI(text)
	case *bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return wrong("true or false", "true")
		}
		*v = b
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return wrong("a whole number", "10")
		}
		*v = n
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return wrong("a number", "0.5")
		}
		*v = n
	case *Duration:
		d, err := ParseDuration(text)
		if err != nil {
			return wrong("a duration", "30s or 5m")
		}
		*v = d
	case *Size:
		s, err := ParseSize(text)
		if err != nil {
			return wrong("a size", "50MiB")
		}
		*v = s
	case *[]string:
		*v = []string{}
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				*v = append(*v, part)
			}
		}
	default:
		return "cannot be set by text", ""
	}
	return "", ""
}

// setNode sets the value from YAML.
func (f field) setNode(n *yaml.Node) (message, fix string) {
	n = diag.Resolve(n)
	is := diag.Describe(n)
	if f.secret() {
		is = diag.DescribeKind(n)
	}
	wrong := func(what, example string) (string, string) {
		return fmt.Sprintf("must be %s but is %s", what, is), "write " + example
	}
	tag := ""
	if n.Kind == yaml.ScalarNode {
		tag = n.ShortTag()
	}
	switch f.value.Addr().Interface().(type) {
	case *string, *Secret, *URI:
		switch {
		case tag == "!!str":
			return f.setText(n.Value)
		case tag == "!!null" || tag == "":
			return wrong("a text", `"" to leave it empty`)
		}
		return wrong("a text", "it in quotes")
	case *bool:
		if tag == "!!bool" {
			return f.setText(strings.ToLower(n.Value))
		}
		if tag == "!!str" && (n.Value == "true" || n.Value == "false") {
			return wrong("true or false", n.Value+" without quotes")
		}
		return wrong("true or false", "true or false")
	case *int:
		if tag == "!!int" {
			return f.setText(n.Value)
		}
		return wrong("a whole number", "10, say")
	case *float64:
		if tag == "!!int" || tag == "!!float" {
			return f.setText(n.Value)
		}
		return wrong("a number", "0.5, say")
	case *Duration:
		if tag == "!!str" {
			return f.setText(n.Value)
		}
		return wrong("a duration with its unit", "30s or 5m, say")
	case *Size:
		if tag == "!!str" || tag == "!!int" {
			return f.setText(n.Value)
		}
		return wrong("a size", "50MiB, say")
	case *[]string:
		return f.setList(n)
	}
	return "cannot be set", ""
}

func (f field) setList(n *yaml.Node) (message, fix string) {
	if n.Kind != yaml.SequenceNode {
		fix = "write [] for none"
		if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
			fix = fmt.Sprintf("write [%s]", strconv.Quote(diag.Shorten(n.Value, 60)))
		}
		return "must be a list but is " + diag.Describe(n), fix
	}
	list := []string{}
	for i, item := range n.Content {
		item = diag.Resolve(item)
		if item.Kind != yaml.ScalarNode || item.ShortTag() != "!!str" {
			return fmt.Sprintf("must be a list of texts, but entry %d is %s", i+1, diag.Describe(item)), "put each entry in quotes"
		}
		list = append(list, item.Value)
	}
	f.value.Set(reflect.ValueOf(list))
	return "", ""
}
