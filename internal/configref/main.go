// Command configref writes docs/configuration-reference.md: every key of the configuration with its
// default, its variable and what it means, out of the annotated example, which a test compares with
// the program. "make reference" runs it.
//
// What must not live here: anything that the program itself needs.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/landbridge-im/landbridge/configs"
)

const path = "docs/configuration-reference.md"

func main() {
	text, err := reference(configs.Example())
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const head = `# Configuration reference

Made of [the annotated example](../configs/landbridge.example.yaml) by ` + "`make reference`" + `; do not edit it.
[configuration.md](configuration.md) explains files, variables and reloading. "at once" means that a
running server takes the value over on ` + "`SIGHUP`" + `.
`

// reference makes the page.
func reference(example string) (string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(example), &doc); err != nil {
		return "", err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return "", errors.New("the example is no mapping")
	}
	var b strings.Builder
	b.WriteString(head)
	top := doc.Content[0].Content
	for i := 0; i+1 < len(top); i += 2 {
		key, value := top[i], top[i+1]
		about := comment(key.HeadComment)
		if i == 0 { // the example's own introduction stands before its first key
			about = about[strings.LastIndex(about, "\n\n")+1:]
		}
		if value.Kind != yaml.MappingNode {
			write(&b, "##", key.Value, about, value, false)
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", key.Value)
		if about = strings.TrimSpace(about); about != "" {
			b.WriteString("\n" + about + "\n")
		}
		walk(&b, key.Value, value, strings.Contains(about, "(reload)"))
	}
	return b.String(), nil
}

// filesOnly are lists of more than texts, which no variable can set.
var filesOnly = map[string]bool{"bridges": true, "registration.terms": true, "login.oidc": true, "well_known.support_contacts": true}

func walk(b *strings.Builder, prefix string, m *yaml.Node, reload bool) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		name, about := prefix+"."+key.Value, comment(key.HeadComment)
		if value.Kind == yaml.MappingNode {
			fmt.Fprintf(b, "\n### %s\n", name)
			if about != "" {
				b.WriteString("\n" + about + "\n")
			}
			walk(b, name, value, reload || strings.Contains(about, "(reload)"))
			continue
		}
		write(b, "###", name, about, value, reload)
	}
}

func write(b *strings.Builder, level, name, about string, value *yaml.Node, reload bool) {
	if value.LineComment != "" {
		about = strings.TrimSpace(about + "\n" + comment(value.LineComment))
	}
	def := value.Value
	switch {
	case value.Kind == yaml.SequenceNode:
		var items []string
		for _, n := range value.Content {
			items = append(items, fmt.Sprintf("%q", n.Value))
		}
		def = "[" + strings.Join(items, ", ") + "]"
	case def == "":
		def = `""`
	}
	when := "after a restart"
	if reload || strings.Contains(about, "(reload)") {
		when = "at once"
	}
	fmt.Fprintf(b, "\n%s %s\n\n", level, name)
	if about != "" {
		b.WriteString(strings.TrimSpace(strings.ReplaceAll(about, "(reload)", "")) + "\n\n")
	}
	if filesOnly[name] {
		fmt.Fprintf(b, "Default `%s`; in a file only; changes count %s.\n", def, when)
		return
	}
	fmt.Fprintf(b, "Default `%s`; `LANDBRIDGE_%s`; changes count %s.\n", def, strings.ToUpper(strings.ReplaceAll(name, ".", "_")), when)
}

// comment is the text of a comment; what is indented in it becomes a block of code.
func comment(s string) string {
	var out []string
	code := false
	for line := range strings.Lines(s) {
		line = strings.TrimPrefix(strings.TrimRight(strings.TrimPrefix(strings.TrimSpace(line), "#"), " \n"), " ")
		if is := strings.HasPrefix(line, "  "); is != code && line != "" {
			out = append(out, "```")
			code = is
		}
		out = append(out, line)
	}
	if code {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}
