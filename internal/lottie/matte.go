package lottie

import (
	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// mask is an area that says what of its layer is seen.
type mask struct {
	mode     byte // a, s, i, l, d or f
	inverted bool
	path     pathProperty
	opacity  property
	expand   property
}

func readMask(o object) mask {
	m := mask{
		mode: 'a', inverted: o.flag("inv"), path: readPath(o, "pt"),
		opacity: readProperty(o, "o", 100), expand: readProperty(o, "x", 0),
	}
	if s := o.str("mode"); s != "" {
		m.mode = s[0]
	}
	return m
}

// mask leaves of a layer's picture what its masks do.
func (r *renderer) mask(c *canvas, l *layer, t float64, m vector.Matrix) {
	var seen []uint8
	w := c.Rect.Dx()
	for i := range l.masks {
		k := &l.masks[i]
		if k.mode == 'n' || !r.spend(int64(len(c.Pix)/4)) {
			continue
		}
		if seen == nil {
			seen = make([]uint8, len(c.Pix)/4)
			if k.mode == 's' || k.mode == 'i' || k.mode == 'd' { // what takes away, takes from all
				for j := range seen {
					seen[j] = 255
				}
			}
		}
		at := r.area(k, t, m)
		opacity := uint32(k.opacity.num(t)*2.55 + 0.5)
		for y := c.dirty.Min.Y; y < c.dirty.Max.Y; y++ {
			for x := c.dirty.Min.X; x < c.dirty.Max.X; x++ {
				v := at(x, y)
				if k.inverted {
					v = 255 - v
				}
				p := &seen[y*w+x]
				*p = combine(k.mode, uint32(*p), uint32(v)*min(opacity, 255)/255)
			}
		}
	}
	if seen != nil {
		c.keep(func(x, y int) uint8 { return seen[y*w+x] })
	}
}

// combine is what is seen when a mask v comes to the masks before it.
func combine(mode byte, before, v uint32) uint8 {
	switch mode {
	case 's':
		return uint8(before * (255 - v) / 255)
	case 'i':
		return uint8(before * v / 255)
	case 'l':
		return uint8(max(before, v))
	case 'd':
		return uint8(min(before, v))
	case 'f':
		return uint8(max(before, v) - min(before, v))
	}
	return uint8(before + v - before*v/255)
}

// area is what a mask covers.
func (r *renderer) area(k *mask, t float64, m vector.Matrix) func(x, y int) uint8 {
	p := k.path.at(t)
	if !r.spend(int64(len(p.V) * 8)) {
		return func(int, int) uint8 { return 0 }
	}
	r.raster.Polygon(p.Transform(m).Flatten(flat).P)
	cov := r.take(vector.NonZero)
	wide := k.expand.num(t)
	if wide == 0 {
		return cov.At
	}
	inside := *cov
	inside.Pix = append([]uint8(nil), cov.Pix...)
	s := vector.Stroke{Width: 2 * max(wide, -wide), Join: vector.MiterJoin, MiterLimit: 4}
	p.Closed = true
	s.Draw(r.raster, p.Flatten(flat/max(m.MaxSize(), 1e-3)), m)
	border := r.take(vector.NonZero)
	if wide > 0 {
		return func(x, y int) uint8 { return max(inside.At(x, y), border.At(x, y)) }
	}
	return func(x, y int) uint8 { return uint8(uint32(inside.At(x, y)) * uint32(255-border.At(x, y)) / 255) }
}

// matte leaves of a layer's picture what another layer, of the composition that is seen through m, says.
func (r *renderer) matte(c *canvas, l *layer, t float64, m vector.Matrix) {
	by := r.borrow()
	defer r.done(by)
	if l.matte.visible(t) {
		r.layer(by, l.matte, t, m)
	}
	r.spend(int64(c.dirty.Dx() * c.dirty.Dy()))
	c.keep(func(x, y int) uint8 {
		p := by.Pix[y*by.Stride+x*4:][:4]
		v := p[3]
		if l.by == lumaMatte || l.by == lumaInverted {
			v = uint8((uint32(p[0])*2125 + uint32(p[1])*7154 + uint32(p[2])*721 + 5000) / 10000)
		}
		if l.by == alphaInverted || l.by == lumaInverted {
			v = 255 - v
		}
		return v
	})
}
