package registration

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

// This file decides whether some identifier is matched by two expressions at once: the
// automata of both, and that of the identifiers which can exist at all, are run side by
// side on every text at the same time (a product construction over the compiled
// programs), breadth first, so that the first text found is a shortest one.

// verdict is the answer of overlap.
type verdict int

const (
	disjoint   verdict = iota // no identifier is matched by both
	overlaps                  // the identifier given with it is
	undecided                 // the work would have been too much, or \b stands in the way
	maxRunePos = unicode.MaxRune
)

// machine is an expression as an automaton.
type machine struct {
	prog   *syntax.Prog
	prefix bool           // matching a beginning of the text is enough
	vague  bool           // has word boundaries, which are taken to hold everywhere
	ranges map[int][]rune // what a rune instruction matches, as sorted pairs
	cache  map[step]closure
}

// step is a program counter, and whether nothing has been consumed yet.
type step struct {
	pc    int
	start bool
}

// closure is what can be reached without consuming anything.
type closure struct {
	consume []int // rune instructions
	accept  bool  // a match, whatever follows
	end     bool  // a match, if the text ends here
}

// done is the program counter of a machine that has matched and takes whatever follows.
const done = -1

func newMachine(tree *syntax.Regexp, prefix bool) (*machine, error) {
	prog, err := syntax.Compile(tree)
	if err != nil {
		return nil, err
	}
	m := &machine{prog: prog, prefix: prefix, ranges: map[int][]rune{}, cache: map[step]closure{}}
	for pc := range prog.Inst {
		inst := &prog.Inst[pc]
		switch inst.Op {
		case syntax.InstRuneAny:
			m.ranges[pc] = []rune{0, maxRunePos}
		case syntax.InstRuneAnyNotNL:
			m.ranges[pc] = []rune{0, '\n' - 1, '\n' + 1, maxRunePos}
		case syntax.InstRune, syntax.InstRune1:
			m.ranges[pc] = runeRanges(inst)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(inst.Arg)&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0 {
				m.vague = true
			}
		}
	}
	return m, nil
}

// runeRanges are the characters of an instruction; one character alone may stand for its
// other cases too.
func runeRanges(inst *syntax.Inst) []rune {
	if len(inst.Rune) != 1 {
		return inst.Rune
	}
	r := inst.Rune[0]
	if inst.Op == syntax.InstRune1 || syntax.Flags(inst.Arg)&syntax.FoldCase == 0 {
		return []rune{r, r}
	}
	chars := []rune{r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		chars = append(chars, f)
	}
	slices.Sort(chars)
	var out []rune
	for _, c := range chars {
		out = append(out, c, c)
	}
	return out
}

func (m *machine) closure(pc int, start bool) closure {
	if pc == done {
		return closure{accept: true}
	}
	at := step{pc, start}
	if c, ok := m.cache[at]; ok {
		return c
	}
	var c closure
	// ended: an end of text has been asked for on the way, so nothing can be consumed.
	type visit struct {
		pc    int
		ended bool
	}
	seen := map[visit]bool{}
	stack := []visit{{pc, false}}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[v] {
			continue
		}
		seen[v] = true
		inst := &m.prog.Inst[v.pc]
		switch inst.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, visit{int(inst.Arg), v.ended}, visit{int(inst.Out), v.ended})
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, visit{int(inst.Out), v.ended})
		case syntax.InstEmptyWidth:
			// Identifiers hold no line breaks, so lines begin and end where the text does.
			op := syntax.EmptyOp(inst.Arg)
			if op&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0 && !start {
				continue
			}
			ended := v.ended || op&(syntax.EmptyEndText|syntax.EmptyEndLine) != 0
			stack = append(stack, visit{int(inst.Out), ended})
		case syntax.InstMatch:
			c.end = true
			if m.prefix && !v.ended {
				c.accept = true
			}
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if !v.ended {
				c.consume = append(c.consume, v.pc)
			}
		}
	}
	if c.accept {
		c.consume = nil // being done leaves more open than any way of going on
	}
	slices.Sort(c.consume)
	m.cache[at] = c
	return c
}

// moves calls f with each way to consume a character: its range and where it leads.
func (m *machine) moves(c closure, f func(ranges []rune, next int)) {
	if c.accept {
		f([]rune{0, maxRunePos}, done)
		return
	}
	for _, pc := range c.consume {
		f(m.ranges[pc], int(m.prog.Inst[pc].Out))
	}
}

type productState struct{ a, b, u int }

type productNode struct {
	state  productState
	parent int
	char   rune
	length int // of the text up to here
}

// overlap looks for a text that a, b and universe all match, no longer than an identifier
// may be. It takes from budget one for
// each state and way out of it, and gives up when there is none left or the states are
// more than limit.
func overlap(a, b, universe *machine, limit int, budget *int) (verdict, string) {
	first := productState{a.prog.Start, b.prog.Start, universe.prog.Start}
	nodes := []productNode{{state: first, parent: -1}}
	seen := map[productState]bool{first: true}
	for i := 0; i < len(nodes); i++ {
		s, start := nodes[i].state, i == 0
		ca, cb, cu := a.closure(s.a, start), b.closure(s.b, start), universe.closure(s.u, start)
		if (ca.accept || ca.end) && (cb.accept || cb.end) && (cu.accept || cu.end) {
			if a.vague || b.vague {
				return undecided, ""
			}
			return overlaps, textOf(nodes, i)
		}
		if nodes[i].length == maxUserIDLength {
			continue // "The length of a user ID ... MUST NOT exceed 255 bytes", nor of an alias
		}
		universe.moves(cu, func(ru []rune, u int) {
			a.moves(ca, func(ra []rune, na int) {
				*budget--
				both := intersect(ru, ra)
				if len(both) == 0 {
					return
				}
				b.moves(cb, func(rb []rune, nb int) {
					*budget--
					next := productState{na, nb, u}
					if *budget < 0 || seen[next] {
						return
					}
					if all := intersect(both, rb); len(all) > 0 {
						seen[next] = true
						nodes = append(nodes, productNode{next, i, pleasant(all), nodes[i].length + 1})
					}
				})
			})
		})
		if *budget < 0 || len(nodes) > limit {
			return undecided, ""
		}
	}
	return disjoint, ""
}

func textOf(nodes []productNode, i int) string {
	var text []rune
	for ; nodes[i].parent >= 0; i = nodes[i].parent {
		text = append(text, nodes[i].char)
	}
	slices.Reverse(text)
	return string(text)
}

// intersect is what two sorted lists of ranges have in common.
func intersect(a, b []rune) []rune {
	var out []rune
	for i, j := 0, 0; i+1 < len(a) && j+1 < len(b); {
		if lo, hi := max(a[i], b[j]), min(a[i+1], b[j+1]); lo <= hi {
			out = append(out, lo, hi)
		}
		if a[i+1] < b[j+1] {
			i += 2
		} else {
			j += 2
		}
	}
	return out
}

// pleasant is a character of the ranges, one that a user id may hold if there is any.
func pleasant(ranges []rune) rune {
	for _, want := range [][]rune{{'a', 'z'}, {'0', '9'}, {'-', '/', '_', '_'}, {'!', '~'}} {
		if both := intersect(want, ranges); len(both) > 0 {
			return both[0]
		}
	}
	return ranges[0]
}
