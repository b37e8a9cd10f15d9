package lottie

import (
	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// drawing paints what a group has.
func (r *renderer) drawing(c *canvas, d *drawing, t float64) {
	if len(d.parts) == 0 || r.err != nil {
		return
	}
	to := c
	opacity := 1.0
	switch {
	case d.opacity == 1:
	case len(d.parts) == 1 && d.parts[0].inner == nil:
		opacity = d.opacity // of one part it makes no difference when it is applied
	default:
		to = r.borrow()
		defer r.done(to)
	}
	for _, p := range d.parts {
		if p.inner != nil {
			r.drawing(to, p.inner, t)
		} else {
			r.paint(to, p.painted, t, opacity)
		}
	}
	if to != c {
		c.draw(to, d.opacity, normalBlend)
	}
}

// paint fills or draws outlines.
func (r *renderer) paint(c *canvas, p *painted, t, opacity float64) {
	s := p.style
	opacity *= percent(&s.opacity, t)
	if len(p.areas) == 0 || opacity == 0 || !p.m.Finite() || !r.spend(10) {
		return
	}
	var cov *vector.Coverage
	if s.stroke != nil {
		cov = r.stroke(p, t)
	} else {
		cov = r.filled(p)
	}
	if cov == nil || cov.Rect.Empty() || r.err != nil {
		return
	}
	if s.gradient == nil {
		c.fill(cov, premultiplied(rgb(&s.color, t), opacity))
		return
	}
	r.spend(gradientSteps + int64(4*len(cov.Pix)))
	if shader := s.gradient.shader(t, opacity, p.m); shader != nil {
		c.shade(cov, shader)
	}
}

// stroke is what is covered by the lines along the outlines.
func (r *renderer) stroke(p *painted, t float64) *vector.Coverage {
	s := p.style.stroke.at(t)
	tolerance := flat / 3 / max(p.m.MaxSize(), 1e-3) // the borders of wide lines are further out than the lines
	for _, a := range p.areas {
		for _, path := range a.paths {
			before := r.raster.Work()
			s.Draw(r.raster, path.Flatten(tolerance), p.m)
			if !r.spend(r.raster.Work() - before + 10) {
				return nil
			}
		}
	}
	return r.take(vector.NonZero)
}

// filled is what is covered by the outlines' insides.
func (r *renderer) filled(p *painted) *vector.Coverage {
	add := func(a area) {
		for _, path := range a.paths {
			before := r.raster.Work()
			r.raster.Polygon(path.Transform(p.m).Flatten(flat).P)
			r.spend(r.raster.Work() - before + 10)
		}
	}
	var order []*merge
	merged := map[*merge][]area{}
	for _, a := range p.areas {
		if a.merge != nil && a.merge.mode >= mergeSubtract && a.merge.mode <= mergeExclude {
			if merged[a.merge] == nil {
				order = append(order, a.merge)
			}
			merged[a.merge] = append(merged[a.merge], a)
		} else {
			add(a)
		}
	}
	if len(merged) == 0 {
		return r.take(p.style.rule)
	}
	return r.merged(p, order, merged, add)
}

// merged is what is covered by outlines of which some are merged. It goes by how much of each pixel is covered, so
// it is exact but for the pixels at the borders.
func (r *renderer) merged(p *painted, order []*merge, merged map[*merge][]area, add func(area)) *vector.Coverage {
	all := &vector.Coverage{Pix: make([]uint8, r.w*r.h)}
	all.Rect.Max.X, all.Rect.Max.Y = r.w, r.h
	union := func(cov *vector.Coverage) {
		for y := cov.Rect.Min.Y; y < cov.Rect.Max.Y; y++ {
			to := all.Row(y)[cov.Rect.Min.X:]
			for i, v := range cov.Row(y) {
				to[i] = combine('a', uint32(to[i]), uint32(v))
			}
		}
	}
	union(r.take(p.style.rule))
	for _, m := range order {
		var sum []uint8
		for _, a := range merged[m] {
			if !r.spend(int64(r.w * r.h)) {
				return nil
			}
			add(a)
			cov := r.take(p.style.rule)
			first := sum == nil
			if first {
				sum = make([]uint8, r.w*r.h)
			}
			for i := range sum {
				v := uint32(cov.At(i%r.w, i/r.w))
				switch {
				case first:
					sum[i] = uint8(v)
				case m.mode == mergeSubtract:
					sum[i] = combine('s', uint32(sum[i]), v)
				case m.mode == mergeIntersect:
					sum[i] = combine('i', uint32(sum[i]), v)
				default:
					sum[i] = combine('f', uint32(sum[i]), v)
				}
			}
		}
		union(&vector.Coverage{Rect: all.Rect, Pix: sum})
	}
	return all
}
