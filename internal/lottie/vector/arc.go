package vector

import "sort"

// arcSteps is into how many pieces a curve is cut to measure its length.
const arcSteps = 48

// Arc is a curve measured: it tells the place at a distance along it.
type Arc struct {
	c      cubic
	line   bool                  // straight, from corner to corner
	length [arcSteps + 1]float64 // up to each piece
}

// NewArc measures the curve from a to b with the control points out and in.
func NewArc(a, out, in, b Point) *Arc {
	arc := &Arc{c: cubic{a, out, in, b}}
	if arc.line = arc.c.straight(); arc.line { // so that the parameter is the part of the length
		arc.c[1], arc.c[2] = a.Lerp(b, 1.0/3), a.Lerp(b, 2.0/3)
	}
	last := a
	for i := 1; i <= arcSteps; i++ {
		p := arc.c.at(float64(i) / arcSteps)
		arc.length[i] = arc.length[i-1] + p.Sub(last).Len()
		last = p
	}
	return arc
}

// Len is the length of the curve.
func (a *Arc) Len() float64 { return a.length[arcSteps] }

// param is the parameter of the curve at a distance from its beginning.
func (a *Arc) param(distance float64) float64 {
	switch {
	case !(distance > 0) || a.Len() == 0:
		return 0
	case distance >= a.Len():
		return 1
	}
	i := sort.SearchFloat64s(a.length[:], distance) // at least 1
	from, to := a.length[i-1], a.length[i]
	f := 0.0
	if to > from {
		f = (distance - from) / (to - from)
	}
	return (float64(i-1) + f) / arcSteps
}

// At is the place after a part of the length; 0 is the beginning and 1 the end. Beyond these
// the curve goes on as it began or ended.
func (a *Arc) At(part float64) Point {
	switch {
	case part < 0:
		return a.c[0].Add(a.direction(0).Mul(part * a.Len()))
	case part > 1:
		return a.c[3].Add(a.direction(1).Mul((part - 1) * a.Len()))
	}
	return a.c.at(a.param(part * a.Len()))
}

// direction is where the curve heads at a parameter, with length 1 (or 0).
func (a *Arc) direction(t float64) Point {
	d := a.c.at(min(t+0.01, 1)).Sub(a.c.at(max(t-0.01, 0)))
	if l := d.Len(); l > 0 {
		return d.Mul(1 / l)
	}
	return Point{}
}
