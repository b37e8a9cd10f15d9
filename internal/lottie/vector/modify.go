package vector

import "math"

// Trim leaves of paths, taken as one line, what is between two parts of its length: 0 is
// the beginning and 1 the end; what lies beyond 1 goes on at the beginning. from must not be larger than to.
func Trim(paths []Path, from, to float64) []Path {
	return TrimAll([][]Path{paths}, from, to)[0]
}

// TrimAll does the same with the paths of all groups taken as one line, and keeps the groups apart.
func TrimAll(groups [][]Path, from, to float64) [][]Path {
	out := make([][]Path, len(groups))
	if !(to > from) {
		return out
	}
	if to-from >= 1 {
		return groups
	}
	turns := math.Floor(from)
	from, to = from-turns, to-turns
	var measured []measuredPath
	var total float64
	for i, paths := range groups {
		for _, p := range paths {
			m := measure(p)
			m.group, m.start = i, total
			total += m.length
			measured = append(measured, m)
		}
	}
	if !(total > 0) {
		return out
	}
	for _, m := range measured {
		first := m.cut(from*total, math.Min(to, 1)*total)
		if to > 1 {
			rest := m.cut(0, (to-1)*total)
			if m.closed && len(first.V) > 1 && len(rest.V) > 1 {
				first = joinPaths(first, rest)
			} else if len(rest.V) > 1 {
				out[m.group] = append(out[m.group], rest)
			}
		}
		if len(first.V) > 1 {
			out[m.group] = append(out[m.group], first)
		}
	}
	return out
}

// measuredPath is a path in a line of several.
type measuredPath struct {
	arcs          []*Arc
	closed        bool
	group         int
	start, length float64
}

func measure(p Path) measuredPath {
	m := measuredPath{closed: p.Closed}
	for i := range p.segments() {
		c := p.curve(i)
		a := NewArc(c[0], c[1], c[2], c[3])
		m.arcs = append(m.arcs, a)
		m.length += a.Len()
	}
	return m
}

// cut is what of the path is between two distances along the whole line.
func (m *measuredPath) cut(from, to float64) Path {
	var out Path
	start := m.start
	for _, a := range m.arcs {
		end := start + a.Len()
		if end > from && start < to && a.Len() > 0 {
			c := a.c.part(a.param(from-start), a.param(to-start))
			if a.line {
				c[1], c[2] = c[0], c[3]
			}
			if n := len(out.V); n == 0 {
				out.V = append(out.V, Vertex{c[0], c[0], c[1]}, Vertex{c[3], c[2], c[3]})
			} else {
				out.V[n-1].Out = c[1]
				out.V = append(out.V, Vertex{c[3], c[2], c[3]})
			}
		}
		start = end
	}
	return out
}

// joinPaths appends b, which begins where a ends.
func joinPaths(a, b Path) Path {
	out := Path{V: append([]Vertex(nil), a.V...)}
	out.V[len(out.V)-1].Out = b.V[0].Out
	out.V = append(out.V, b.V[1:]...)
	return out
}

// Kappa is how far the control points of a quarter of a circle are from its ends.
const Kappa = 0.5519

// Round gives the corners of a path a radius; vertices with curves are left as they are.
func (p Path) Round(radius float64) Path {
	if !(radius > 0) || len(p.V) < 2 {
		return p
	}
	out := Path{Closed: p.Closed}
	n := len(p.V)
	for i, v := range p.V {
		if v.In != v.P || v.Out != v.P || !p.Closed && (i == 0 || i == n-1) {
			out.V = append(out.V, v)
			continue
		}
		towards := func(q Point) (near, control Point) {
			l := q.Sub(v.P).Len()
			if l == 0 {
				return v.P, v.P
			}
			near = v.P.Lerp(q, math.Min(l/2, radius)/l)
			return near, near.Lerp(v.P, Kappa)
		}
		a, ac := towards(p.V[(i+n-1)%n].P)
		b, bc := towards(p.V[(i+1)%n].P)
		out.V = append(out.V, Vertex{a, a, ac}, Vertex{b, bc, b})
	}
	return out
}

// PuckerBloat moves the vertices towards the middle of them all, and the control points away from it, by a part
// of the distance (or the other way, if it is negative).
func (p Path) PuckerBloat(amount float64) Path {
	if amount == 0 || len(p.V) == 0 {
		return p
	}
	var middle Point
	for _, v := range p.V {
		middle = middle.Add(v.P)
	}
	middle = middle.Mul(1 / float64(len(p.V)))
	out := Path{make([]Vertex, len(p.V)), p.Closed}
	for i, v := range p.V {
		out.V[i] = Vertex{v.P.Lerp(middle, amount), v.In.Lerp(middle, -amount), v.Out.Lerp(middle, -amount)}
	}
	return out
}
