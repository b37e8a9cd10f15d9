package diag

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits bound what [Parse] accepts.
type Limits struct {
	Bytes int // size of the file
	Depth int // nesting, aliases followed
	Nodes int // values and keys, each counted as often as aliases repeat it
}

// DefaultLimits are enough for any honest configuration file.
func DefaultLimits() Limits { return Limits{Bytes: 1 << 20, Depth: 32, Nodes: 100_000} }

// Parse reads one YAML document whose top is a mapping. The result is nil if there
// are errors that leave nothing to go on with; otherwise each mapping in it has plain
// keys, none twice, and following its aliases ends within the limits.
func Parse(file string, data []byte, lim Limits) (*yaml.Node, Problems) {
	at := func(line, col int, message, fix string) Problems {
		return Problems{{File: file, Line: line, Column: col, Message: message, Fix: fix}}
	}
	if len(data) > lim.Bytes {
		return nil, at(0, 0, fmt.Sprintf("the file has %d bytes, more than the limit of %d", len(data), lim.Bytes),
			"this is probably not the file that was meant")
	}
	if !utf8.Valid(data) {
		line := 1 + bytes.Count(data[:invalidUTF8(data)], []byte("\n"))
		return nil, at(line, 0, "the file is not valid UTF-8", "save it as UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, at(0, 0, "the file is empty", "")
	case err != nil:
		return nil, Problems{syntaxProblem(file, data, err)}
	}
	var next yaml.Node
	switch err := dec.Decode(&next); {
	case err == nil:
		return nil, at(next.Line, next.Column, "a second YAML document begins here", "keep one document a file and remove the line ---")
	case !errors.Is(err, io.EOF):
		return nil, Problems{syntaxProblem(file, data, err)}
	}
	if len(doc.Content) == 0 {
		return nil, at(0, 0, "the file is empty", "")
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		return nil, at(0, 0, "the file is empty", "")
	}
	if root.Kind != yaml.MappingNode {
		return nil, at(root.Line, root.Column, "the file holds "+Describe(root)+" where keys with values are needed", "write lines such as `key: value`")
	}
	w := walker{file: file, lim: lim}
	if !w.walk(root, "", 0) {
		return nil, w.problems
	}
	return root, w.problems
}

// Resolve follows an alias to the node that it stands for.
func Resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 16; i++ {
		n = n.Alias
	}
	return n
}

type walker struct {
	file     string
	lim      Limits
	nodes    int
	problems Problems
}

// walk visits what n holds, aliases followed, and is false when a limit is passed.
func (w *walker) walk(n *yaml.Node, key string, depth int) bool {
	w.nodes++
	if w.nodes > w.lim.Nodes || depth > w.lim.Depth {
		what, limit := "values", w.lim.Nodes
		if depth > w.lim.Depth {
			what, limit = "levels of nesting", w.lim.Depth
		}
		w.problems = append(w.problems, Problem{File: w.file, Line: n.Line, Column: n.Column,
			Message: fmt.Sprintf("more than %d %s (aliases counted as often as they repeat)", limit, what),
			Fix:     "write the values out without anchors and aliases"})
		return false
	}
	switch n.Kind {
	case yaml.AliasNode:
		return n.Alias == nil || w.walk(n.Alias, key, depth+1)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if !w.walk(item, fmt.Sprintf("%s[%d]", key, i), depth+1) {
				return false
			}
		}
	case yaml.MappingNode:
		lines := make(map[string]int, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i]
			path := Join(key, k.Value)
			w.nodes++
			switch {
			case k.Kind != yaml.ScalarNode:
				w.problems = append(w.problems, Problem{File: w.file, Line: k.Line, Column: k.Column, Key: key,
					Message: Describe(k) + " is used as a key", Fix: "use a plain word as the key"})
			case k.ShortTag() == "!!merge":
				w.problems = append(w.problems, Problem{File: w.file, Line: k.Line, Column: k.Column, Key: path,
					Message: "merge keys (<<) are not supported", Fix: "write the keys out"})
			case lines[k.Value] != 0:
				w.problems = append(w.problems, Problem{File: w.file, Line: k.Line, Column: k.Column, Key: path,
					Message: fmt.Sprintf("this key stands already in line %d", lines[k.Value]), Fix: "remove one of the two"})
			default:
				lines[k.Value] = k.Line
			}
			if !w.walk(n.Content[i+1], path, depth+1) {
				return false
			}
		}
	}
	return true
}

// Join makes the path of a key within another.
func Join(parent, key string) string {
	key = Shorten(key, 60)
	if parent == "" {
		return key
	}
	return parent + "." + key
}

// Describe names a YAML value in words that fit into a sentence.
func Describe(n *yaml.Node) string {
	n = Resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping (key: value)"
	case yaml.SequenceNode:
		if len(n.Content) == 0 {
			return "an empty list"
		}
		return fmt.Sprintf("a list of %d", len(n.Content))
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "nothing (null)"
		case "!!bool":
			return "the truth value " + n.Value
		case "!!int", "!!float":
			return "the number " + Shorten(n.Value, 60)
		case "!!timestamp":
			return "the date " + Shorten(n.Value, 60)
		case "!!str":
			return "the text " + Quote(n.Value)
		}
		return "a value with the tag " + Shorten(n.ShortTag(), 60)
	}
	return "a value"
}

// DescribeKind is [Describe] without the value, for secrets.
func DescribeKind(n *yaml.Node) string {
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode {
		return Describe(n)
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing (null)"
	case "!!bool":
		return "a truth value"
	case "!!int", "!!float":
		return "a number"
	case "!!str":
		return "a text"
	}
	return "a value of another kind"
}

// Quote puts a value into quotes for a message, shortened and with escapes for what
// would disturb a terminal.
func Quote(s string) string { return strconv.Quote(Shorten(s, 100)) }

// QuoteRaw is Quote for text in which backslashes are common, such as expressions: they
// stay as they are, if nothing else needs an escape.
func QuoteRaw(s string) string {
	short := Shorten(s, 100)
	for _, r := range short {
		if !strconv.IsPrint(r) || r == '\'' {
			return strconv.Quote(short)
		}
	}
	return "'" + short + "'"
}

// Shorten cuts s to at most n runes and marks the cut.
func Shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n]) + "…"
}

func invalidUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// syntaxProblem turns an error of the YAML library into a problem with its line.
func syntaxProblem(file string, data []byte, err error) Problem {
	line, text := splitSyntax(err)
	p := Problem{File: file, Line: line, Message: "not valid YAML: " + text}
	switch {
	case strings.Contains(text, "cannot start any token"), strings.Contains(text, "found a tab character"):
		if i := bytes.Index(data, []byte("\n\t")); i >= 0 {
			p.Line, p.Column = 2+bytes.Count(data[:i], []byte("\n")), 1
			p.Fix = "indent with spaces, YAML allows no tabs"
		} else {
			p.Fix = "put the value in quotes: plain values cannot begin with @ ` % or a tab"
		}
	case strings.Contains(text, "mapping values are not allowed"):
		p.Fix = "check the indentation, and put values that hold \": \" in quotes"
	case strings.Contains(text, "did not find expected"):
		// The library names the line where the mapping or list around it begins.
		p.Line = firstBadLine(data, text)
		p.Fix = "check the indentation of this line and the one before, and that quotes are closed"
	case strings.Contains(text, "unknown escape character"):
		p.Fix = "use single quotes around regular expressions, so that backslashes stay as they are"
	case strings.Contains(text, "control characters"):
		p.Fix = "this is probably not a text file"
	case strings.Contains(text, "unknown anchor"):
		p.Line = 0 // the library does not say
		p.Fix = "put a value that begins with * in quotes"
	}
	return p
}

// splitSyntax takes the line out of an error of the YAML library, which leaves it out if
// it is the first.
func splitSyntax(err error) (line int, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			return n, strings.TrimPrefix(text, m[0])
		}
	}
	return 1, text
}

// firstBadLine is the line with which reading begins to fail with an error of that text.
func firstBadLine(data []byte, text string) int {
	lines := bytes.SplitAfter(data, []byte("\n"))
	return 1 + sort.Search(len(lines)-1, func(i int) bool {
		var doc yaml.Node
		err := yaml.Unmarshal(bytes.Join(lines[:i+1], nil), &doc)
		if err == nil {
			return false
		}
		_, got := splitSyntax(err)
		return got == text
	})
}
