// Package xmatrix signs requests to other servers and checks those of theirs: specification,
// server-server API, "Request Authentication". Where keys come from is not known here.
package xmatrix

import (
	"errors"
	"fmt"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/federation/discovery"
)

// Header is an Authorization header of the scheme X-Matrix.
type Header struct {
	Origin string
	// Destination may be empty: "For compatibility with older servers, recipients should accept
	// requests without this parameter".
	Destination string
	Key         string
	Sig         string
}

// scheme is compared without regard to case (RFC 9110, 11.1).
const scheme = "X-Matrix"

// maxHeader bounds the length of a header in bytes: two server names, a key id and a signature.
const maxHeader = 2048

// String writes the header so that older servers understand it: "only include one space after
// X-Matrix, only use lower-case names, avoid using backslashes in parameter values, and avoid
// including whitespace around the commas between name=value pairs".
func (h Header) String() string {
	return fmt.Sprintf(`%s origin="%s",destination="%s",key="%s",sig="%s"`, scheme, h.Origin, h.Destination, h.Key, h.Sig)
}

// errOrigin: who asks is not a server name.
var errOrigin = errors.New("origin")

// ErrScheme: an Authorization header is of another scheme.
var ErrScheme = errors.New("the authorization scheme is not X-Matrix")

// Parse reads a header. "The header begins with authorisation scheme X-Matrix, followed by one or
// more spaces, followed by a comma-separated list of parameters written as name=value pairs. Zero
// or more spaces and tabs around each comma are allowed. The names are case insensitive and order
// does not matter. [...] Unknown parameters are ignored." A parameter that is there twice is
// refused, for it would mean different things to different readers. The signature is called sig in
// the specification's examples and signature in its list; both are taken.
func Parse(s string) (h Header, err error) {
	if len(s) > maxHeader {
		return h, fmt.Errorf("the authorization header is longer than %d bytes", maxHeader)
	}
	name, rest, ok := strings.Cut(s, " ")
	if !ok || !strings.EqualFold(name, scheme) {
		return h, ErrScheme
	}
	seen := map[string]bool{}
	p := &parser{rest: strings.TrimLeft(rest, " ")}
	for !p.end() {
		name, value, err := p.param()
		if err != nil {
			return h, err
		}
		if name == "signature" {
			name = "sig"
		}
		if seen[name] {
			return h, fmt.Errorf("the parameter %s is there twice", name)
		}
		seen[name] = true
		switch name {
		case "origin":
			h.Origin = value
		case "destination":
			h.Destination = value
		case "key":
			h.Key = value
		case "sig":
			h.Sig = value
		}
	}
	for _, name := range [...]string{"origin", "key", "sig"} {
		if !seen[name] {
			return h, fmt.Errorf("the parameter %s is missing", name)
		}
	}
	if _, err := discovery.ParseName(h.Origin); err != nil {
		return h, fmt.Errorf("%w: %w", errOrigin, err)
	}
	if seen["destination"] && h.Destination == "" {
		return h, errors.New("the destination is empty")
	}
	return h, nil
}

// parser takes parameters off a list.
type parser struct{ rest string }

// end skips what separates parameters; RFC 9110 lets lists have empty members.
func (p *parser) end() bool {
	p.rest = strings.TrimLeft(p.rest, " \t,")
	return p.rest == ""
}

func (p *parser) param() (name, value string, err error) {
	n := 0
	for n < len(p.rest) && token(p.rest[n]) {
		n++
	}
	if n == 0 {
		return "", "", errors.New("the name of a parameter is missing")
	}
	name = strings.ToLower(p.rest[:n])
	// RFC 9110, 11.2: auth-param = token BWS "=" BWS ( token / quoted-string )
	rest, ok := strings.CutPrefix(strings.TrimLeft(p.rest[n:], " \t"), "=")
	if !ok {
		return "", "", fmt.Errorf("the parameter %.32s has no value", name)
	}
	p.rest = strings.TrimLeft(rest, " \t")
	if strings.HasPrefix(p.rest, `"`) {
		value, err = p.quoted()
	} else {
		value, err = p.bare()
	}
	if err != nil {
		return "", "", fmt.Errorf("the parameter %.32s: %w", name, err)
	}
	p.rest = strings.TrimLeft(p.rest, " \t")
	if p.rest != "" && p.rest[0] != ',' {
		return "", "", fmt.Errorf("after the parameter %.32s a comma is missing", name)
	}
	return name, value, nil
}

// quoted reads a quoted-string: "a backslash-character pair is replaced by the character that
// follows the backslash".
func (p *parser) quoted() (string, error) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case c == '\\':
			if i++; i == len(p.rest) {
				return "", errors.New("the quotation has no end")
			}
			c = p.rest[i]
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			return "", errors.New("control characters are not allowed")
		}
		b.WriteByte(c)
	}
	return "", errors.New("the quotation has no end")
}

// bare reads a value without quotes: "For compatibility with older servers, the recipient should
// allow colons to be included in values without requiring the value to be enclosed in quotes."
func (p *parser) bare() (string, error) {
	n := 0
	for n < len(p.rest) && (token(p.rest[n]) || p.rest[n] == ':') {
		n++
	}
	if n == 0 {
		return "", errors.New("the value is missing")
	}
	value := p.rest[:n]
	p.rest = p.rest[n:]
	return value, nil
}

// token tells whether a character may be in a token (RFC 9110, 5.6.2).
func token(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
