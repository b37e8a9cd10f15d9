package lottie

import (
	"math"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// item is one of the things that a shape layer has: an outline, a style, a modifier or a group.
type item interface{}

// outliner is an item that has lines.
type outliner interface {
	outline(t float64) []vector.Path
}

// group is items with a place of their own.
type group struct {
	items     []item
	transform transform
}

// readItems reads the items of a layer or group.
func readItems(list []any, nested int) []item {
	var items []item
	for _, o := range objects(list) {
		if o.flag("hd") {
			continue
		}
		if it := readItem(o, nested); it != nil {
			items = append(items, it)
		}
	}
	return items
}

func readItem(o object, nested int) item {
	switch o.str("ty") {
	case "gr":
		if nested >= mostNested {
			return nil
		}
		g := &group{transform: readTransform(nil)}
		for _, child := range objects(o.list("it")) {
			if child.str("ty") == "tr" {
				g.transform = readTransform(child)
			}
		}
		g.items = readItems(o.list("it"), nested+1)
		return g
	case "sh":
		return &bezierShape{readPath(o, "ks"), o.int("d", 1) == 3}
	case "rc":
		return &rectangle{readProperty(o, "p", 0, 0), readProperty(o, "s", 0, 0), readProperty(o, "r", 0), o.int("d", 1) == 3}
	case "el":
		return &ellipse{readProperty(o, "p", 0, 0), readProperty(o, "s", 0, 0), o.int("d", 1) == 3}
	case "sr":
		return readStar(o)
	case "fl", "gf", "st", "gs":
		return readStyle(o)
	case "tm":
		return &trim{readProperty(o, "s", 0), readProperty(o, "e", 100), readProperty(o, "o", 0), o.int("m", 1) == 2}
	case "rd":
		return &round{readProperty(o, "r", 0)}
	case "pb":
		return &pucker{readProperty(o, "a", 0)}
	case "rp":
		tr := o.obj("tr")
		return &repeater{
			copies: readProperty(o, "c", 1), offset: readProperty(o, "o", 0), above: o.int("m", 1) == 2, transform: readTransform(tr),
			from: readProperty(tr, "so", 100), to: readProperty(tr, "eo", 100),
		}
	case "mm":
		return &merge{mergeMode(o.int("mm", 1))}
	}
	return nil
}

// bezierShape is a path.
type bezierShape struct {
	path     pathProperty
	reversed bool
}

func (s *bezierShape) outline(t float64) []vector.Path {
	return direct(s.path.at(t), s.reversed)
}

func direct(p vector.Path, reversed bool) []vector.Path {
	if reversed {
		p = p.Reversed()
	}
	return []vector.Path{p}
}

type rectangle struct {
	place, size, radius property
	reversed            bool
}

func (s *rectangle) outline(t float64) []vector.Path {
	c, size := s.place.point(t), s.size.point(t)
	w, h := size.X/2, size.Y/2
	r := math.Min(math.Min(math.Abs(w), math.Abs(h)), s.radius.num(t))
	corners := []vector.Point{{X: c.X + w, Y: c.Y - h}, {X: c.X + w, Y: c.Y + h}, {X: c.X - w, Y: c.Y + h}, {X: c.X - w, Y: c.Y - h}}
	if s.reversed {
		corners[1], corners[3] = corners[3], corners[1]
	}
	p := vector.Path{Closed: true}
	if !(r > 0) {
		for _, q := range corners {
			p.V = append(p.V, vector.Corner(q))
		}
		return []vector.Path{p}
	}
	for i, q := range corners {
		next := func(other vector.Point) (near, control vector.Point) {
			f := r / other.Sub(q).Len()
			return q.Lerp(other, f), q.Lerp(other, f*(1-vector.Kappa))
		}
		a, ac := next(corners[(i+3)%4])
		b, bc := next(corners[(i+1)%4])
		p.V = append(p.V, vector.Vertex{P: a, In: a, Out: ac}, vector.Vertex{P: b, In: bc, Out: b})
	}
	// It begins on the side after the first corner (or, the other way round, before it).
	if s.reversed {
		return []vector.Path{p}
	}
	p.V = append(p.V[1:], p.V[0])
	return []vector.Path{p}
}

type ellipse struct {
	place, size property
	reversed    bool
}

func (s *ellipse) outline(t float64) []vector.Path {
	c, size := s.place.point(t), s.size.point(t)
	w, h := size.X/2, size.Y/2
	k := vector.Kappa
	at := func(x, y, tx, ty float64) vector.Vertex {
		p := vector.Point{X: c.X + x*w, Y: c.Y + y*h}
		tangent := vector.Point{X: tx * w * k, Y: ty * h * k}
		return vector.Vertex{P: p, In: p.Sub(tangent), Out: p.Add(tangent)}
	}
	v := []vector.Vertex{at(0, -1, 1, 0), at(1, 0, 0, 1), at(0, 1, -1, 0), at(-1, 0, 0, -1)}
	if s.reversed {
		v = []vector.Vertex{at(0, -1, -1, 0), at(-1, 0, 0, 1), at(0, 1, 1, 0), at(1, 0, 0, -1)}
	}
	return []vector.Path{{V: v, Closed: true}}
}

// star is a star, or a polygon with equal sides.
type star struct {
	points, place, rotation                      property
	outer, outerRoundness, inner, innerRoundness property
	polygon, reversed                            bool
}

func readStar(o object) *star {
	return &star{
		points: readProperty(o, "pt", 5), place: readProperty(o, "p", 0, 0), rotation: readProperty(o, "r", 0),
		outer: readProperty(o, "or", 0), outerRoundness: readProperty(o, "os", 0),
		inner: readProperty(o, "ir", 0), innerRoundness: readProperty(o, "is", 0),
		polygon: o.int("sy", 1) == 2, reversed: o.int("d", 1) == 3,
	}
}

func (s *star) outline(t float64) []vector.Path {
	const mostPoints = 500
	n := int(math.Min(s.points.num(t), mostPoints))
	if n < 1 {
		return nil
	}
	c := s.place.point(t)
	// The control points are a part of the way along the circle to the next vertex.
	radii, soft := []float64{s.outer.num(t)}, []float64{percentOf(&s.outerRoundness, t)}
	share := 1.0 / 4
	if !s.polygon {
		radii, soft = append(radii, s.inner.num(t)), append(soft, percentOf(&s.innerRoundness, t))
		n *= 2
		share = 1.0 / 2
	}
	dir := 1.0
	if s.reversed {
		dir = -1
	}
	p := vector.Path{Closed: true}
	for i := range n {
		r, f := radii[i%len(radii)], soft[i%len(soft)]
		sin, cos := math.Sincos(-math.Pi/2 + radians(s.rotation.num(t)) + dir*2*math.Pi*float64(i)/float64(n))
		at := c.Add(vector.Point{X: cos * r, Y: sin * r})
		reach := 2 * math.Pi * r / float64(n) * share * f * dir
		tangent := vector.Point{X: -sin * reach, Y: cos * reach}
		if r < 0 {
			tangent = tangent.Mul(-1)
		}
		p.V = append(p.V, vector.Vertex{P: at, In: at.Sub(tangent), Out: at.Add(tangent)})
	}
	return []vector.Path{p}
}

func percentOf(p *property, t float64) float64 { return p.num(t) / 100 }

type trim struct {
	start, end, offset property
	inTurns            bool // all outlines are one line, not each one of its own
}

// span is from where to where outlines are left, as vector.Trim has it.
func (s *trim) span(t float64) (from, to float64) {
	turn := math.Mod(s.offset.num(t), 360) / 360
	if turn < 0 {
		turn++
	}
	from, to = percent(&s.start, t)+turn, percent(&s.end, t)+turn
	if from > to {
		from, to = to, from
	}
	return math.Round(from*1e4) / 1e4, math.Round(to*1e4) / 1e4
}

type round struct{ radius property }

type pucker struct{ amount property }

// repeater draws what comes before it several times.
type repeater struct {
	copies, offset property
	above          bool // the later copies are over the earlier ones
	transform      transform
	from, to       property // opacity of the first and the last
}

// matrix is where the n-th copy is.
func (s *repeater) matrix(t, n float64) vector.Matrix {
	tr := &s.transform
	a, p, scale, r := tr.anchor.point(t), tr.place(t), tr.scale.point(t), radians(tr.rotation.num(t))
	grow := func(percent float64) float64 {
		f := math.Pow(math.Abs(percent/100), n)
		if percent < 0 && int(math.Round(n))%2 != 0 {
			f = -f
		}
		return f
	}
	return vector.Translate(-a.X, -a.Y).Then(vector.Rotate(r * n)).
		Then(vector.Scale(grow(scale.X), grow(scale.Y))).Then(vector.Translate(a.X+p.X*n, a.Y+p.Y*n))
}

type mergeMode int

const (
	mergeSubtract  mergeMode = 3
	mergeIntersect mergeMode = 4
	mergeExclude   mergeMode = 5
)

// merge makes one area of several.
type merge struct{ mode mergeMode }
