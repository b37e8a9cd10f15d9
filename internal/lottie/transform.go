package lottie

import (
	"math"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// transform is where something is, and how much of it is seen.
type transform struct {
	anchor, position, scale, rotation, skew, axis, opacity property
	tiltX, tiltY                                           property // turned around the other axes, without perspective
	x, y                                                   property
	split                                                  bool // position is x and y
	along                                                  bool // turned to where the position moves
}

func readTransform(o object) transform {
	t := transform{
		anchor:   readProperty(o, "a", 0, 0),
		scale:    readProperty(o, "s", 100, 100),
		rotation: readProperty(o, "r", 0),
		skew:     readProperty(o, "sk", 0),
		axis:     readProperty(o, "sa", 0),
		opacity:  readProperty(o, "o", 100),
	}
	if !o.has("r") && o.has("rz") { // of a layer in three dimensions
		t.rotation, t.tiltX, t.tiltY = readProperty(o, "rz", 0), readProperty(o, "rx", 0), readProperty(o, "ry", 0)
	}
	if p := o.obj("p"); p.flag("s") && p.has("x") {
		t.split, t.x, t.y = true, readProperty(p, "x", 0), readProperty(p, "y", 0)
	} else {
		t.position = readProperty(o, "p", 0, 0)
	}
	return t
}

func (tr *transform) place(t float64) vector.Point {
	if tr.split {
		return vector.Point{X: tr.x.num(t), Y: tr.y.num(t)}
	}
	return tr.position.point(t)
}

// matrix is the transform at a time, without the opacity.
func (tr *transform) matrix(t float64) vector.Matrix {
	a, p, s := tr.anchor.point(t), tr.place(t), tr.scale.point(t)
	m := vector.Translate(-a.X, -a.Y).Then(vector.Scale(s.X/100, s.Y/100))
	if skew := tr.skew.num(t); skew != 0 {
		axis := radians(tr.axis.num(t))
		m = m.Then(vector.Rotate(axis)).Then(vector.ShearX(math.Tan(-radians(skew)))).Then(vector.Rotate(-axis))
	}
	turn := radians(tr.rotation.num(t))
	if tr.along {
		const step = 0.01
		if d := tr.place(t + step).Sub(tr.place(t - step)); d != (vector.Point{}) {
			turn += math.Atan2(d.Y, d.X)
		}
	}
	if turn != 0 {
		m = m.Then(vector.Rotate(turn))
	}
	if x, y := radians(tr.tiltX.num(t)), radians(tr.tiltY.num(t)); x != 0 || y != 0 {
		m = m.Then(vector.Matrix{A: math.Cos(y), B: math.Sin(x) * math.Sin(y), D: math.Cos(x)})
	}
	return m.Then(vector.Translate(p.X, p.Y))
}

// visible is the opacity at a time, from 0 to 1.
func (tr *transform) visible(t float64) float64 { return percent(&tr.opacity, t) }

func percent(p *property, t float64) float64 {
	return math.Min(math.Max(p.num(t)/100, 0), 1)
}

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }
