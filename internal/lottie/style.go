package lottie

import (
	"math"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// style is how outlines are filled or drawn.
type style struct {
	color    property
	gradient *gradient // instead of color
	opacity  property
	rule     vector.Rule
	stroke   *stroke // nil for a fill
}

type stroke struct {
	width  property
	cap    vector.Cap
	join   vector.Join
	miter  float64
	dashes []property
	phase  property
}

func readStyle(o object) *style {
	s := &style{color: readProperty(o, "c", 0, 0, 0), opacity: readProperty(o, "o", 100)}
	kind := o.str("ty") // fl, gf, st or gs
	if kind[0] == 'g' {
		s.gradient = readGradient(o)
	}
	if kind[1] == 't' || kind[1] == 's' {
		s.stroke = readStroke(o)
	} else if o.int("r", 1) == 2 {
		s.rule = vector.EvenOdd
	}
	return s
}

func readStroke(o object) *stroke {
	s := &stroke{
		width: readProperty(o, "w", 0), miter: o.num("ml", 4), phase: constant(0),
		cap:  pick(o.int("lc", 1), vector.ButtCap, vector.RoundCap, vector.SquareCap),
		join: pick(o.int("lj", 1), vector.MiterJoin, vector.RoundJoin, vector.BevelJoin),
	}
	for _, d := range objects(o.list("d")) {
		if p := readProperty(d, "v", 0); d.str("n") == "o" {
			s.phase = p
		} else if len(s.dashes) < 16 {
			s.dashes = append(s.dashes, p)
		}
	}
	return s
}

// pick is the i-th of three; they are counted from 1.
func pick[T any](i int, a, b, c T) T {
	switch i {
	case 2:
		return b
	case 3:
		return c
	}
	return a
}

// at is how to draw the stroke at a time.
func (s *stroke) at(t float64) vector.Stroke {
	v := vector.Stroke{Width: s.width.num(t), Cap: s.cap, Join: s.join, MiterLimit: s.miter, Phase: s.phase.num(t)}
	for i := range s.dashes {
		v.Dashes = append(v.Dashes, math.Max(s.dashes[i].num(t), 0))
	}
	return v
}

// rgb is a color at a time; those of old documents count to 255.
func rgb(p *property, t float64) (c [3]float64) {
	v := p.at(t)
	copy(c[:], v)
	scale := 1.0
	if max(c[0], c[1], c[2]) > 2 {
		scale = 1.0 / 255
	}
	for i := range c {
		c[i] = math.Min(math.Max(c[i]*scale, 0), 1)
	}
	return c
}

// gradient is colors between two points, or around one.
type gradient struct {
	start, end       property
	stops            property
	count            int // of colors in stops; after them come opacities
	radial           bool
	highlight, angle property
}

func readGradient(o object) *gradient {
	g := o.obj("g")
	return &gradient{
		start: readProperty(o, "s", 0, 0), end: readProperty(o, "e", 0, 0), stops: readProperty(g, "k"),
		count: max(g.int("p", 0), 0), radial: o.int("t", 1) == 2,
		highlight: readProperty(o, "h", 0), angle: readProperty(o, "a", 0),
	}
}

// gradientSteps is how many colors a gradient has.
const gradientSteps = 1024

// table is the colors of the gradient at a time, with the opacity multiplied in.
func (g *gradient) table(t, opacity float64) *[gradientSteps]pixel {
	v := g.stops.at(t)
	n := min(g.count, len(v)/4)
	colors, alphas := v[:n*4], v[n*4:]
	table := new([gradientSteps]pixel)
	for i := range table {
		at := float64(i) / (gradientSteps - 1)
		var c [3]float64
		for j := range c {
			c[j] = between(colors, 4, j+1, at, 0)
		}
		table[i] = premultiplied(c, opacity*between(alphas[:len(alphas)/2*2], 2, 1, at, 1))
	}
	return table
}

// between finds a value between stops, which are n numbers each, the first of which is where they are.
func between(stops []float64, n, value int, at, otherwise float64) float64 {
	if len(stops) == 0 {
		return otherwise
	}
	for i := 0; i < len(stops); i += n {
		if stops[i] < at {
			continue
		}
		if i == 0 || stops[i] == stops[i-n] {
			return stops[i+value]
		}
		f := (at - stops[i-n]) / (stops[i] - stops[i-n])
		return stops[i-n+value] + (stops[i+value]-stops[i-n+value])*f
	}
	return stops[len(stops)-n+value]
}

// shader is the gradient at a time, for pixels seen through m; nil if it can't be seen.
func (g *gradient) shader(t, opacity float64, m vector.Matrix) func(x, y int) pixel {
	inverse, ok := m.Inverse()
	if !ok {
		return nil
	}
	table := g.table(t, opacity)
	a, b := g.start.point(t), g.end.point(t)
	d := b.Sub(a)
	square := d.X*d.X + d.Y*d.Y
	color := func(part float64) pixel {
		if !(part > 0) {
			return table[0]
		}
		return table[int(math.Min(part, 1)*(gradientSteps-1)+0.5)]
	}
	at := func(x, y int) vector.Point {
		return inverse.Apply(vector.Point{X: float64(x) + 0.5, Y: float64(y) + 0.5})
	}
	if square == 0 {
		return func(int, int) pixel { return table[gradientSteps-1] }
	}
	if !g.radial {
		return func(x, y int) pixel {
			p := at(x, y).Sub(a)
			return color((p.X*d.X + p.Y*d.Y) / square)
		}
	}
	// The focus f is off the centre: the part is such that the circle of that size, whose centre
	// is as far between f and a, goes through the point.
	radius := math.Sqrt(square)
	off := math.Min(math.Max(g.highlight.num(t)/100, -0.99), 0.99) * radius
	sin, cos := math.Sincos(math.Atan2(d.Y, d.X) + radians(g.angle.num(t)))
	f := a.Add(vector.Point{X: cos * off, Y: sin * off})
	toCentre := a.Sub(f)
	qa := square - toCentre.X*toCentre.X - toCentre.Y*toCentre.Y // above 0, as f is inside
	return func(x, y int) pixel {
		p := at(x, y).Sub(f)
		qb := -p.X*toCentre.X - p.Y*toCentre.Y
		qc := p.X*p.X + p.Y*p.Y
		return color((qb + math.Sqrt(qb*qb+qa*qc)) / qa)
	}
}
