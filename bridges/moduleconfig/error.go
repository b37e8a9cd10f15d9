package moduleconfig

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// Error is a mistake in a configuration. Line is 0 if it is in no line, e.g. something is missing.
type Error struct {
	Line     int
	Key, Msg string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s: %s", e.Line, e.Key, e.Msg) }

// Mistake makes an Error about a key at a node, which may be nil.
func Mistake(node *yaml.Node, key, format string, args ...any) error {
	line := 0
	if node != nil {
		line = node.Line
	}
	return &Error{Line: line, Key: key, Msg: fmt.Sprintf(format, args...)}
}
