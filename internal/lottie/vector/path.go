package vector

import "math"

// Vertex is a corner of a path. In and Out are the places (not the distances) of the control
// points of the curves that come in and go out; they are P itself where these are straight.
type Vertex struct{ P, In, Out Point }

// Corner is a vertex without curves.
func Corner(p Point) Vertex { return Vertex{p, p, p} }

// Path is a line of cubic Bézier curves.
type Path struct {
	V      []Vertex
	Closed bool
}

// Polyline is a line of straight pieces; if it is closed the last point is joined to the first.
type Polyline struct {
	P      []Point
	Closed bool
}

// Transform is the path as it is seen through m.
func (p Path) Transform(m Matrix) Path {
	out := Path{make([]Vertex, len(p.V)), p.Closed}
	for i, v := range p.V {
		out.V[i] = Vertex{m.Apply(v.P), m.Apply(v.In), m.Apply(v.Out)}
	}
	return out
}

// Reversed is the path from its end to its beginning.
func (p Path) Reversed() Path {
	out := Path{make([]Vertex, len(p.V)), p.Closed}
	for i, v := range p.V {
		out.V[len(p.V)-1-i] = Vertex{v.P, v.Out, v.In}
	}
	return out
}

// segments is how many curves the path has.
func (p Path) segments() int {
	switch n := len(p.V); {
	case n < 2:
		return 0
	case p.Closed:
		return n
	default:
		return n - 1
	}
}

// curve is the i-th of them.
func (p Path) curve(i int) cubic {
	a, b := p.V[i], p.V[(i+1)%len(p.V)]
	return cubic{a.P, a.Out, b.In, b.P}
}

// mostSteps is into how many straight pieces a curve is cut at most.
const mostSteps = 100

// Flatten makes straight pieces of the curves, which miss them by tolerance at most. Points
// that cannot be drawn are left out.
func (p Path) Flatten(tolerance float64) Polyline {
	out := Polyline{Closed: p.Closed}
	if len(p.V) == 0 {
		return out
	}
	add := func(q Point) {
		if q.finite() && (len(out.P) == 0 || out.P[len(out.P)-1] != q) {
			out.P = append(out.P, q)
		}
	}
	add(p.V[0].P)
	for i := range p.segments() {
		c := p.curve(i)
		n := c.steps(tolerance)
		for j := 1; j < n; j++ {
			add(c.at(float64(j) / float64(n)))
		}
		add(c[3])
	}
	if n := len(out.P); p.Closed && n > 1 && out.P[0] == out.P[n-1] {
		out.P = out.P[:n-1]
	}
	return out
}

// cubic is one curve: where it begins, its control points, and where it ends.
type cubic [4]Point

func (c cubic) straight() bool { return c[0] == c[1] && c[2] == c[3] }

func (c cubic) at(t float64) Point {
	u := 1 - t
	a, b, d, e := u*u*u, 3*u*u*t, 3*u*t*t, t*t*t
	return Point{
		a*c[0].X + b*c[1].X + d*c[2].X + e*c[3].X,
		a*c[0].Y + b*c[1].Y + d*c[2].Y + e*c[3].Y,
	}
}

// steps is into how many pieces the curve is to be cut: the distance between a curve and its
// chord is below an eighth of the largest second derivative.
func (c cubic) steps(tolerance float64) int {
	if c.straight() {
		return 1
	}
	bend := func(a, b, d Point) float64 { return a.Sub(b.Mul(2)).Add(d).Len() }
	n := math.Ceil(math.Sqrt(0.75 * math.Max(bend(c[0], c[1], c[2]), bend(c[1], c[2], c[3])) / tolerance))
	if !(n > 1) {
		return 1
	}
	return int(math.Min(n, mostSteps))
}

// part is the curve from one place of it to another.
func (c cubic) part(from, to float64) cubic {
	return c.tail(from).head((to - from) / math.Max(1-from, 1e-12))
}

func (c cubic) head(t float64) cubic {
	if t >= 1 {
		return c
	}
	ab, bc, cd := c[0].Lerp(c[1], t), c[1].Lerp(c[2], t), c[2].Lerp(c[3], t)
	abc, bcd := ab.Lerp(bc, t), bc.Lerp(cd, t)
	return cubic{c[0], ab, abc, abc.Lerp(bcd, t)}
}

func (c cubic) tail(t float64) cubic {
	if t <= 0 {
		return c
	}
	ab, bc, cd := c[0].Lerp(c[1], t), c[1].Lerp(c[2], t), c[2].Lerp(c[3], t)
	abc, bcd := ab.Lerp(bc, t), bc.Lerp(cd, t)
	return cubic{abc.Lerp(bcd, t), bcd, cd, c[3]}
}
