package push

import "strings"

// path is a dot-separated property path: where in an event a value is.
type path struct {
	raw   string
	parts []string
}

// parsePath reads a path: "any literal dot or backslash found in a property name should be
// escaped with a backslash", and "other escape sequences are left as-is, e.g. a \x would be
// treated as a literal backslash followed by 'x'".
func parsePath(raw string) path {
	p := path{raw: raw}
	if !strings.Contains(raw, `\`) {
		p.parts = strings.Split(raw, ".")
		return p
	}
	var part []byte
	for i := 0; i < len(raw); i++ {
		switch {
		case raw[i] == '.':
			p.parts = append(p.parts, string(part))
			part = part[:0]
			continue
		case raw[i] == '\\' && i+1 < len(raw) && (raw[i+1] == '.' || raw[i+1] == '\\'):
			i++
		}
		part = append(part, raw[i])
	}
	p.parts = append(p.parts, string(part))
	return p
}

// isBody tells whether the path is that of the one property that is searched for words.
func (p path) isBody() bool {
	return len(p.parts) == 2 && p.parts[0] == "content" && p.parts[1] == "body"
}
