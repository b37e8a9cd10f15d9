package config

import (
	"errors"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// AddBridge adds an entry to the list of bridges in the text of a configuration file. entry is YAML,
// a mapping. All that is there stays as it is, comments and empty lines too. The result is checked
// to have the entry; whether the entry is a good one is for [Load] to say.
func AddBridge(text []byte, entry string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(text) == 0 {
		lines = nil
	}
	at, indent, err := place(&doc, &lines)
	if err != nil {
		return nil, err
	}
	var item []string
	for i, l := range strings.Split(strings.TrimRight(entry, "\n"), "\n") {
		lead := "  "
		if i == 0 {
			lead = "- "
		}
		item = append(item, strings.TrimRight(strings.Repeat(" ", indent)+lead+l, " "))
	}
	out := append(append(append([]string{}, lines[:at]...), item...), lines[at:]...)
	result := []byte(strings.Join(out, "\n") + "\n")
	return result, onlyAdded(text, result)
}

// place finds the line before which an entry goes, and how far it is indented; it makes the list if
// there is none.
func place(doc *yaml.Node, lines *[]string) (at, indent int, err error) {
	var top []*yaml.Node
	if len(doc.Content) > 0 {
		root := doc.Content[0]
		if root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 {
			return 0, 0, errors.New("the configuration is written in one line; write a key a line")
		}
		top = root.Content
	}
	for i := 0; i+1 < len(top); i += 2 {
		key, value := top[i], top[i+1]
		if key.Value != "bridges" {
			continue
		}
		if value.Kind == yaml.SequenceNode && value.Style&yaml.FlowStyle == 0 && len(value.Content) > 0 {
			end := len(*lines)
			if i+2 < len(top) {
				end = top[i+2].Line - 1
			}
			return lastLine(*lines, end), value.Column - 1, nil
		}
		if len(value.Content) > 0 || value.Kind == yaml.AliasNode {
			return 0, 0, fmt.Errorf("line %d: the list of bridges is written in one line; write each on lines of its own, beginning with \"- \"", value.Line)
		}
		l := &(*lines)[key.Line-1]
		colon := key.Column - 1 + len("bridges")
		rest := strings.TrimSpace(strings.TrimPrefix((*l)[colon:], ":"))
		for _, empty := range []string{"[]", "~", "null"} {
			rest = strings.TrimSpace(strings.TrimPrefix(rest, empty))
		}
		if rest != "" && !strings.HasPrefix(rest, "#") {
			return 0, 0, fmt.Errorf("line %d: bridges is not a list", key.Line)
		}
		*l = strings.TrimRight((*l)[:colon]+": "+rest, " ")
		return key.Line, 2, nil
	}
	if len(*lines) > 0 {
		*lines = append(*lines, "")
	}
	*lines = append(*lines, "bridges:")
	return len(*lines), 2, nil
}

// lastLine is the line behind the last one before end that is no comment at the left edge and not
// empty: those belong to what follows.
func lastLine(lines []string, end int) int {
	for end > 0 {
		l := lines[end-1]
		if strings.TrimSpace(l) != "" && !strings.HasPrefix(l, "#") {
			break
		}
		end--
	}
	return end
}

// onlyAdded makes sure that a changed text says the same as before, but for one bridge more.
func onlyAdded(before, after []byte) error {
	var was, is map[string]any
	if err := errors.Join(yaml.Unmarshal(before, &was), yaml.Unmarshal(after, &is)); err != nil {
		return fmt.Errorf("the changed configuration can't be read: %w", err)
	}
	old, _ := was["bridges"].([]any)
	fresh, _ := is["bridges"].([]any)
	if len(fresh) != len(old)+1 {
		return errors.New("the configuration can't be changed by itself; add the bridge by hand")
	}
	is["bridges"] = fresh[:len(old)]
	if len(old) == 0 {
		delete(is, "bridges")
		delete(was, "bridges")
	}
	x, err1 := yaml.Marshal(was)
	y, err2 := yaml.Marshal(is)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if len(was)+len(is) > 0 && string(x) != string(y) {
		return errors.New("the configuration can't be changed by itself; add the bridge by hand")
	}
	return nil
}
