package lottie

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// ErrTooMuchWork says that drawing an animation would take too long.
var ErrTooMuchWork = errors.New("the animation takes too much work to draw")

// renderer draws a document, frame by frame, within a budget.
type renderer struct {
	ctx    context.Context
	d      *Document
	w, h   int
	raster *vector.Rasterizer
	free   []*canvas
	budget int64 // units of work that are left, about a pixel each
	nested int
	err    error // once it is set nothing more is drawn
}

func newRenderer(ctx context.Context, d *Document, w, h int, budget int64) *renderer {
	return &renderer{ctx: ctx, d: d, w: w, h: h, raster: vector.NewRasterizer(w, h), budget: budget}
}

// spend takes work from the budget, and says whether to go on.
func (r *renderer) spend(n int64) bool {
	if r.err != nil {
		return false
	}
	r.budget -= n
	if r.budget < 0 {
		r.err = ErrTooMuchWork
	} else if err := r.ctx.Err(); err != nil {
		r.err = fmt.Errorf("draw an animation: %w", err)
	}
	return r.err == nil
}

// frame draws the document at a time, in its frames.
func (r *renderer) frame(t float64) (*image.RGBA, error) {
	c := newCanvas(r.w, r.h)
	m := vector.Scale(float64(r.w)/r.d.width, float64(r.h)/r.d.height)
	r.layers(c, r.d.layers, t, m)
	return &c.RGBA, r.err
}

// borrow gives an empty canvas, to be handed to done.
func (r *renderer) borrow() *canvas {
	if n := len(r.free); n > 0 {
		c := r.free[n-1]
		r.free = r.free[:n-1]
		return c
	}
	return newCanvas(r.w, r.h)
}

func (r *renderer) done(c *canvas) {
	r.spend(int64(c.dirty.Dx() * c.dirty.Dy() / 8))
	c.clear()
	r.free = append(r.free, c)
}

// layers draws those of a composition; the first of them is on top.
func (r *renderer) layers(c *canvas, layers []*layer, t float64, m vector.Matrix) {
	for i := len(layers) - 1; i >= 0; i-- {
		if l := layers[i]; !l.isMatte && r.spend(1) && l.visible(t) {
			r.layer(c, l, t, m)
		}
	}
}

// layer draws one layer of a composition that is seen through m.
func (r *renderer) layer(c *canvas, l *layer, t float64, m vector.Matrix) {
	if r.nested >= mostNested || l.kind == nullLayer || !r.spend(20) {
		return
	}
	r.nested++
	defer func() { r.nested-- }()
	opacity := l.transform.visible(t)
	outer := m
	m = l.matrix(t).Then(m)
	if opacity == 0 || !m.Finite() {
		return
	}
	if opacity == 1 && l.by == noMatte && len(l.masks) == 0 && l.blend == normalBlend {
		r.content(c, l, t, m)
		return
	}
	own := r.borrow()
	defer r.done(own)
	r.content(own, l, t, m)
	if own.dirty.Empty() || r.err != nil {
		return
	}
	r.mask(own, l, t, m)
	if l.by != noMatte {
		r.matte(own, l, t, outer)
	}
	r.spend(int64(own.dirty.Dx() * own.dirty.Dy() / 2))
	c.draw(own, opacity, l.blend)
}

// content draws what a layer shows, without masks.
func (r *renderer) content(c *canvas, l *layer, t float64, m vector.Matrix) {
	switch l.kind {
	case compositionLayer:
		r.composition(c, l, t, m)
	case solidLayer:
		p := rectPath(l.w, l.h).Transform(m)
		r.raster.Polygon(p.Flatten(flat).P)
		c.fill(r.take(vector.NonZero), premultiplied(l.color, 1))
	case imageLayer:
		if p := r.d.images[l.refers]; p != nil {
			r.image(c, p, m)
		}
	case shapeLayer:
		r.shapes(c, l.shapes, t, m)
	case textLayer:
		for i := len(l.texts) - 1; i >= 0; i-- {
			if i == 0 || l.texts[i].from <= t {
				r.shapes(c, l.texts[i].items, t, m)
				break
			}
		}
	}
}

// flat is by how much of a pixel straight pieces may miss a curve.
const flat = 0.1

func rectPath(w, h float64) vector.Path {
	p := vector.Path{Closed: true}
	for _, q := range []vector.Point{{}, {X: w}, {X: w, Y: h}, {Y: h}} {
		p.V = append(p.V, vector.Corner(q))
	}
	return p
}

// take is what has been put into the rasterizer, paid for.
func (r *renderer) take(rule vector.Rule) *vector.Coverage {
	before := r.raster.Work()
	cov := r.raster.Take(rule)
	r.spend(2 * (r.raster.Work() - before))
	return cov
}

// composition draws the layers that another layer shows, as far as they are in its rectangle.
func (r *renderer) composition(c *canvas, l *layer, t float64, m vector.Matrix) {
	layers := r.d.compositions[l.refers]
	if len(layers) == 0 {
		return
	}
	inner := l.inner(t, r.d.rate)
	if math.IsNaN(inner) || l.w <= 0 || l.h <= 0 || r.covers(l.w, l.h, m) {
		r.layers(c, layers, inner, m)
		return
	}
	own := r.borrow()
	defer r.done(own)
	r.layers(own, layers, inner, m)
	r.raster.Polygon(rectPath(l.w, l.h).Transform(m).Flatten(flat).P)
	cov := r.take(vector.NonZero)
	own.keep(cov.At)
	c.draw(own, 1, normalBlend)
}

// covers says whether the whole picture is in a rectangle that is seen through m.
func (r *renderer) covers(w, h float64, m vector.Matrix) bool {
	inverse, ok := m.Inverse()
	if !ok {
		return false
	}
	const slack = 1e-6
	for _, p := range []vector.Point{{}, {X: float64(r.w)}, {Y: float64(r.h)}, {X: float64(r.w), Y: float64(r.h)}} {
		q := inverse.Apply(p)
		if !(q.X >= -slack && q.Y >= -slack && q.X <= w+slack && q.Y <= h+slack) {
			return false
		}
	}
	return true
}
