package diag

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a [Problem] prevents the use of the file it is in.
type Severity int

// The severities.
const (
	// Error means that what the problem is about is refused.
	Error Severity = iota
	// Warning means that it is used, but probably does not do what was meant.
	Warning
)

// String is "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// MarshalText makes a severity a word in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Problem is one thing wrong with a file, at a place. It is an error value that
// errors.As finds in what the loading functions return.
type Problem struct {
	// File is the path as it was given, or words such as "environment variable X".
	File string `json:"file,omitempty"`
	// Line and Column count from 1; 0 means that the problem has no such place.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Severity is Error unless said otherwise.
	Severity Severity `json:"severity"`
	// Key is the path of the key, such as "namespaces.users[0].regex"; may be empty.
	Key string `json:"key,omitempty"`
	// Message says what is wrong, with the offending value unless that is a secret.
	Message string `json:"message"`
	// Fix says what would be right; may be empty.
	Fix string `json:"fix,omitempty"`
}

// Error is the problem on one line: "file:line:column: severity: key: message; fix".
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Severity.String())
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; ")
		b.WriteString(p.Fix)
	}
	return b.String()
}

// Problems is a list of problems. It is an error that unwraps to each of them; make
// one with [Problems.Err], so that a list of mere warnings is no error.
type Problems []Problem

// Error is every problem, one on a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.Is and errors.As.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

// Errors are the problems of severity [Error].
func (ps Problems) Errors() Problems { return ps.only(Error) }

// Warnings are the problems of severity [Warning].
func (ps Problems) Warnings() Problems { return ps.only(Warning) }

func (ps Problems) only(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// Err is an error holding the problems of severity [Error], or nil if there are none.
func (ps Problems) Err() error {
	if errs := ps.Errors(); len(errs) > 0 {
		return errs
	}
	return nil
}

// Sort orders the problems by line and column, keeping files in their first order.
func (ps Problems) Sort() {
	first := map[string]int{}
	for _, p := range ps {
		if _, ok := first[p.File]; !ok {
			first[p.File] = len(first)
		}
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(first[a.File], first[b.File]), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Severity, b.Severity))
	})
}

var (
	_ error                         = Problem{}
	_ interface{ Unwrap() []error } = Problems(nil)
)
