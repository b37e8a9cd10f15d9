package registration

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPrefixes bounds the alternatives that prefixesOf keeps apart.
const maxPrefixes = 32

// prefixesOf are literal strings of which each match of an expression begins with one.
// The empty string among them means that nothing is known. No string in the result is a
// prefix of another.
func prefixesOf(re *syntax.Regexp) []string {
	list, _ := literals(re)
	var out []string
	for i, a := range list {
		covered := false
		for j, b := range list {
			if strings.HasPrefix(a, b) && (len(b) < len(a) || j < i) {
				covered = true
				break
			}
		}
		if !covered {
			out = append(out, a)
		}
	}
	return out
}

// literals are strings of which one begins each match; whole says that a match is one of
// them and nothing more, so that what follows may be added.
func literals(re *syntax.Regexp) (list []string, whole bool) {
	unknown := []string{""}
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpBeginLine:
		return unknown, true
	case syntax.OpLiteral:
		// Up to the first character that may have another case.
		n := 0
		for n < len(re.Rune) && isPlainRune(re.Rune[n], re.Flags) {
			n++
		}
		return []string{string(re.Rune[:n])}, n == len(re.Rune)
	case syntax.OpCharClass:
		var chars []string
		for i := 0; i+1 < len(re.Rune); i += 2 {
			if int(re.Rune[i+1]-re.Rune[i])+1+len(chars) > maxPrefixes {
				return unknown, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if r == utf8.RuneError {
					return unknown, false
				}
				chars = append(chars, string(r))
			}
		}
		if len(chars) == 0 {
			return unknown, false
		}
		return chars, true
	case syntax.OpCapture:
		return literals(re.Sub[0])
	case syntax.OpPlus:
		list, _ = literals(re.Sub[0])
		return list, false
	case syntax.OpConcat:
		list = unknown
		for _, sub := range re.Sub {
			next, subWhole := literals(sub)
			if len(list)*len(next) > maxPrefixes {
				return list, false
			}
			var product []string
			for _, a := range list {
				for _, b := range next {
					product = append(product, a+b)
				}
			}
			list = product
			if !subWhole {
				return list, false
			}
		}
		return list, true
	case syntax.OpAlternate:
		whole = true
		for _, sub := range re.Sub {
			next, subWhole := literals(sub)
			list = append(list, next...)
			whole = whole && subWhole
		}
		if len(list) > maxPrefixes {
			return unknown, false
		}
		return list, whole
	}
	return unknown, false
}

// plainPattern is an expression of the form that nearly all registrations use: literal
// text, "anything" (.* or .+), literal text, perhaps the end.
type plainPattern struct {
	prefix  string
	rest    bool   // anything follows the prefix
	atLeast int    // at least so many characters of it (0 or 1)
	suffix  string // then this
	end     bool   // and then the end
}

// match is for identifiers without line breaks, which . does not match.
func (p *plainPattern) match(id string) bool {
	if !strings.HasPrefix(id, p.prefix) {
		return false
	}
	id = id[len(p.prefix):]
	switch {
	case !p.rest:
		return !p.end || id == ""
	case len(id) < p.atLeast+len(p.suffix):
		return false
	case p.end:
		// A character is at least a byte; which bytes .+ takes does not matter for one more.
		return strings.HasSuffix(id, p.suffix)
	default:
		return strings.Contains(id[p.skip(id):], p.suffix)
	}
}

// skip is the length of the characters that .+ takes at least.
func (p *plainPattern) skip(id string) int {
	if p.atLeast == 0 {
		return 0
	}
	for i := range id {
		if i > 0 {
			return i
		}
	}
	return len(id)
}

// plainPatternOf is nil if the expression is not of the plain form.
func plainPatternOf(re *syntax.Regexp) *plainPattern {
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts = parts[1:]
	}
	var p plainPattern
	if len(parts) > 0 && isPlainLiteral(parts[0]) {
		p.prefix, parts = string(parts[0].Rune), parts[1:]
	}
	if len(parts) > 0 && (parts[0].Op == syntax.OpStar || parts[0].Op == syntax.OpPlus) && parts[0].Sub[0].Op == syntax.OpAnyCharNotNL {
		p.rest = true
		if parts[0].Op == syntax.OpPlus {
			p.atLeast = 1
		}
		parts = parts[1:]
		if len(parts) > 0 && isPlainLiteral(parts[0]) {
			p.suffix, parts = string(parts[0].Rune), parts[1:]
		}
	}
	if len(parts) > 0 && parts[0].Op == syntax.OpEndText {
		p.end, parts = true, parts[1:]
	}
	if len(parts) > 0 {
		return nil
	}
	return &p
}

// isPlainLiteral is whether an expression is text that matches byte for byte.
func isPlainLiteral(re *syntax.Regexp) bool {
	return re.Op == syntax.OpLiteral && !slices.ContainsFunc(re.Rune, func(r rune) bool { return !isPlainRune(r, re.Flags) })
}

// isPlainRune is whether a character of a literal stands for its own bytes alone: not if
// it has another case and case is ignored, nor U+FFFD, which stands for any byte that is
// no UTF-8.
func isPlainRune(r rune, flags syntax.Flags) bool {
	return r != utf8.RuneError && (flags&syntax.FoldCase == 0 || unicode.SimpleFold(r) == r)
}
