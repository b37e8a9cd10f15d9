package registration

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

// pattern is the compiled expression of a namespace. It matches from the first character
// of an identifier on, and need not reach the last.
type pattern struct {
	source   string
	re       *regexp.Regexp
	tree     *syntax.Regexp // simplified, without the anchor added to re
	prefixes []string       // each match begins with one of them
	plain    *plainPattern  // the same as re, without running it, or nil
}

// match is whether an identifier is in the namespace.
func (p *pattern) match(id string) bool {
	if p.plain != nil && !strings.Contains(id, "\n") {
		return p.plain.match(id)
	}
	return p.re.MatchString(id)
}

// patternError says what is wrong with an expression, and what would be right.
type patternError struct{ message, fix string }

func (e *patternError) Error() string { return e.message }

// patterns keeps compiled expressions while a Set is made, in which each is needed
// several times.
type patterns map[string]*pattern

func (ps patterns) compile(source string) (*pattern, *patternError) {
	if p := ps[source]; p != nil {
		return p, nil
	}
	p, err := compilePattern(source)
	if err == nil {
		ps[source] = p
	}
	return p, err
}

func compilePattern(source string) (*pattern, *patternError) {
	switch {
	case source == "":
		return nil, &patternError{"is empty, which would match everything", `write '@irc_.*:example\.org$', say`}
	case len(source) > MaxRegexLength:
		return nil, &patternError{fmt.Sprintf("has %d bytes, more than the limit of %d", len(source), MaxRegexLength), "split it into several namespaces"}
	}
	tree, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return nil, explainSyntax(source, err)
	}
	if cost(tree) > MaxRegexCost {
		return nil, &patternError{diag.QuoteRaw(source) + " is too large when its repetitions are written out", "use * or + where the number does not matter"}
	}
	re, err := regexp.Compile(`\A(?:` + source + `)`)
	if err != nil {
		return nil, explainSyntax(source, err)
	}
	tree = tree.Simplify()
	prefixes := prefixesOf(tree)
	return &pattern{source: source, re: re, tree: tree, prefixes: prefixes, plain: plainPatternOf(tree)}, nil
}

// cost is about the number of instructions that an expression compiles to. It stops
// counting beyond the limit.
func cost(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCharClass:
		n = 1 + len(re.Rune)/16
	}
	for _, sub := range re.Sub {
		n = min(n+cost(sub), MaxRegexCost+1)
	}
	if re.Op == syntax.OpRepeat {
		n = min(n*max(re.Min, re.Max, 1), MaxRegexCost+1)
	}
	return n
}

// foreignSyntax are constructs of other expression languages, what they are called there,
// and what to write instead.
type foreignSyntax struct{ mark, name, fix string }

func foreignSyntaxes() []foreignSyntax {
	return []foreignSyntax{
		{"(?!", "the negative lookahead (?!…)", "list what is meant instead of what is not: several namespaces with plain prefixes, such as '@irc_.*'"},
		{"(?<!", "the negative lookbehind (?<!…)", "list what is meant instead of what is not, in several namespaces"},
		{"(?=", "the lookahead (?=…)", "write what follows as part of the expression: '@irc_.*:example\\.org$'"},
		{"(?<=", "the lookbehind (?<=…)", "write what stands before as part of the expression: '@irc_.*'"},
		{"(?>", "the atomic group (?>…)", "write a plain group (?:…), matching takes linear time here"},
		{"(?#", "the comment (?#…)", "put the comment behind a # outside the quotes"},
		{"(?(", "the conditional group (?(…)…)", "write the two cases as two namespaces"},
		{"(?P=", "the backreference (?P=name)", "write out what may stand there"},
		{`\Z`, `\Z`, "write $ for the end of the identifier"},
		{`\N{`, `\N{…}`, `write the character itself, or \x{…}`},
		{`\u`, `\u`, `write the character itself, or \x{…}`},
	}
}

func explainSyntax(source string, err error) *patternError {
	quoted := diag.QuoteRaw(source)
	var se *syntax.Error
	if !errors.As(err, &se) {
		return &patternError{fmt.Sprintf("%s is no regular expression: %v", quoted, err), ""}
	}
	switch se.Code {
	case syntax.ErrInvalidPerlOp, syntax.ErrInvalidNamedCapture, syntax.ErrMissingRepeatArgument, syntax.ErrInvalidEscape:
		for _, f := range foreignSyntaxes() {
			if se.Code == syntax.ErrInvalidEscape && !strings.HasPrefix(f.mark, se.Expr) {
				continue // the expression has it, but further on
			}
			if i := strings.Index(source, f.mark); i >= 0 && !escaped(source, i) {
				return &patternError{fmt.Sprintf("%s uses %s, which Python has but this server's expressions (RE2) do not", quoted, f.name), f.fix}
			}
		}
	}
	message := fmt.Sprintf("%s is no regular expression: %s at %s", quoted, se.Code, diag.QuoteRaw(se.Expr))
	switch se.Code {
	case syntax.ErrInvalidEscape:
		if len(se.Expr) == 2 && se.Expr[1] >= '1' && se.Expr[1] <= '9' {
			return &patternError{fmt.Sprintf("%s uses the backreference %s, which Python has but this server's expressions (RE2) do not", quoted, se.Expr), "write out what may stand there"}
		}
		return &patternError{message, `before a letter, \ has a meaning of its own: leave it out if the letter itself is meant`}
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return &patternError{message, `close every ( with a ), and write \( for the character itself`}
	case syntax.ErrMissingBracket:
		return &patternError{message, `close every [ with a ], and write \[ for the character itself`}
	case syntax.ErrMissingRepeatArgument:
		return &patternError{message, "write .* (a dot before the star) for any characters"}
	case syntax.ErrInvalidRepeatOp:
		return &patternError{message, `a possessive ++ or *+ is of no use here, write + or *`}
	case syntax.ErrInvalidRepeatSize:
		return &patternError{message, "repeat at most 1000 times, or write * or +"}
	case syntax.ErrInvalidCharRange:
		return &patternError{message, `write - as the last character between [ and ] if it is meant itself`}
	case syntax.ErrTrailingBackslash:
		return &patternError{message, `write \\ for the character itself`}
	case syntax.ErrInvalidPerlOp:
		return &patternError{message, "write a plain group (?:…)"}
	}
	return &patternError{message, ""}
}

// escaped is whether the character at i stands behind an odd number of backslashes.
func escaped(s string, i int) bool {
	n := 0
	for i > n && s[i-n-1] == '\\' {
		n++
	}
	return n%2 == 1
}
