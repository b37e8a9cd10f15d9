package session

import "strings"

// Casemapping tells which characters of nicks and channel names a network
// treats as equal (ISUPPORT token CASEMAPPING).
type Casemapping int

const (
	// CasemapRFC1459 folds A-Z and the Scandinavian letters []\~ onto {}|^. It
	// is what a server means that says nothing (RFC 2812, section 2.2).
	CasemapRFC1459 Casemapping = iota
	// CasemapRFC1459Strict is CasemapRFC1459 without the pair ~ and ^.
	CasemapRFC1459Strict
	// CasemapASCII folds A-Z alone.
	CasemapASCII
)

// ParseCasemapping reads the value of the ISUPPORT token. Mappings that are not
// known (such as rfc7613 or precis) fold at least ASCII, so they count as such.
func ParseCasemapping(value string) Casemapping {
	switch strings.ToLower(value) {
	case "rfc1459", "":
		return CasemapRFC1459
	case "rfc1459-strict", "strict-rfc1459":
		return CasemapRFC1459Strict
	default:
		return CasemapASCII
	}
}

// Fold returns the canonical form of a nick or channel name: two names are the
// same to the network exactly if their folded forms are equal.
func (c Casemapping) Fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + ('a' - 'A')
		case c == CasemapASCII:
			return r
		case r == '[':
			return '{'
		case r == ']':
			return '}'
		case r == '\\':
			return '|'
		case r == '~' && c == CasemapRFC1459:
			return '^'
		}
		return r
	}, name)
}
