package lottie

import (
	"image"
	"math"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// pixel is a color with its opacity multiplied in.
type pixel struct{ r, g, b, a uint8 }

func premultiplied(c [3]float64, alpha float64) pixel {
	alpha = math.Min(math.Max(alpha, 0), 1)
	part := func(v float64) uint8 { return uint8(math.Min(math.Max(v*alpha, 0), 1)*255 + 0.5) }
	return pixel{part(c[0]), part(c[1]), part(c[2]), uint8(alpha*255 + 0.5)}
}

// canvas is a picture that is drawn to. Outside of dirty it is empty.
type canvas struct {
	image.RGBA
	dirty image.Rectangle
}

func newCanvas(w, h int) *canvas {
	return &canvas{RGBA: *image.NewRGBA(image.Rect(0, 0, w, h))}
}

func (c *canvas) row(y int, r image.Rectangle) []uint8 {
	return c.Pix[y*c.Stride+r.Min.X*4 : y*c.Stride+r.Max.X*4]
}

func (c *canvas) clear() {
	for y := c.dirty.Min.Y; y < c.dirty.Max.Y; y++ {
		clear(c.row(y, c.dirty))
	}
	c.dirty = image.Rectangle{}
}

// over is what is seen of below under a part m of 255 of a color's value, whose opacity is a.
func over(below, value, a uint8, m uint32) uint8 {
	const whole = 255 * 255
	return uint8((uint32(value)*m*255 + uint32(below)*(whole-uint32(a)*m) + whole/2) / whole)
}

func blendOver(dst []uint8, p pixel, m uint32) {
	_ = dst[3]
	dst[0] = over(dst[0], p.r, p.a, m)
	dst[1] = over(dst[1], p.g, p.a, m)
	dst[2] = over(dst[2], p.b, p.a, m)
	dst[3] = over(dst[3], p.a, p.a, m)
}

// fill paints what is covered with one color.
func (c *canvas) fill(cov *vector.Coverage, p pixel) {
	if p.a == 0 {
		return
	}
	c.dirty = c.dirty.Union(cov.Rect)
	for y := cov.Rect.Min.Y; y < cov.Rect.Max.Y; y++ {
		row := c.row(y, cov.Rect)
		for i, m := range cov.Row(y) {
			switch to := row[i*4 : i*4+4]; {
			case m == 0:
			case m == 255 && p.a == 255:
				to[0], to[1], to[2], to[3] = p.r, p.g, p.b, p.a
			default:
				blendOver(to, p, uint32(m))
			}
		}
	}
}

// shade paints what is covered with a color for each pixel.
func (c *canvas) shade(cov *vector.Coverage, at func(x, y int) pixel) {
	c.dirty = c.dirty.Union(cov.Rect)
	for y := cov.Rect.Min.Y; y < cov.Rect.Max.Y; y++ {
		row := c.row(y, cov.Rect)
		for i, m := range cov.Row(y) {
			if m != 0 {
				blendOver(row[i*4:i*4+4], at(cov.Rect.Min.X+i, y), uint32(m))
			}
		}
	}
}

// draw paints another canvas over this one, with a part of its opacity.
func (c *canvas) draw(src *canvas, opacity float64, mode blend) {
	m := uint32(math.Min(math.Max(opacity, 0), 1)*255 + 0.5)
	if m == 0 {
		return
	}
	c.dirty = c.dirty.Union(src.dirty)
	for y := src.dirty.Min.Y; y < src.dirty.Max.Y; y++ {
		to, from := c.row(y, src.dirty), src.row(y, src.dirty)
		for i := 0; i < len(from); i += 4 {
			if from[i+3] == 0 {
				continue
			}
			p := pixel{from[i], from[i+1], from[i+2], from[i+3]}
			if mode != normalBlend {
				p = mode.mix(pixel{to[i], to[i+1], to[i+2], to[i+3]}, p)
			}
			blendOver(to[i:i+4], p, m)
		}
	}
}

// keep leaves of each pixel the part, of 255, that it is told.
func (c *canvas) keep(part func(x, y int) uint8) {
	for y := c.dirty.Min.Y; y < c.dirty.Max.Y; y++ {
		row := c.row(y, c.dirty)
		for i := 0; i < len(row); i += 4 {
			if row[i+3] == 0 {
				continue
			}
			m := uint32(part(c.dirty.Min.X+i/4, y))
			for j := range 4 {
				row[i+j] = uint8((uint32(row[i+j])*m + 127) / 255)
			}
		}
	}
}

// blend is how the colors of a layer and what is below it become one.
type blend int

const normalBlend blend = 0

// mix is what has to be painted over a color so that it is the two of them blended: where below is empty, the
// color as it is.
func (b blend) mix(below, p pixel) pixel {
	if below.a == 0 {
		return p
	}
	mixed := func(below0, p0 uint8) uint8 {
		s, d := float64(p0)/float64(p.a), float64(below0)/float64(below.a)
		share := float64(below.a) / 255
		return uint8(math.Min(math.Max((1-share)*s+share*b.channel(d, s), 0), 1)*float64(p.a) + 0.5)
	}
	return pixel{mixed(below.r, p.r), mixed(below.g, p.g), mixed(below.b, p.b), p.a}
}

// channel blends one channel, of d below and s above; unknown modes are normal.
func (b blend) channel(d, s float64) float64 {
	switch b {
	case 1: // multiply
		return d * s
	case 2: // screen
		return d + s - d*s
	case 3: // overlay
		return blend(8).channel(s, d)
	case 4: // darken
		return math.Min(d, s)
	case 5: // lighten
		return math.Max(d, s)
	case 6: // color dodge
		if s >= 1 {
			return math.Ceil(d)
		}
		return math.Min(1, d/(1-s))
	case 7: // color burn
		if s <= 0 {
			return math.Floor(d)
		}
		return 1 - math.Min(1, (1-d)/s)
	case 8: // hard light
		if s <= 0.5 {
			return d * 2 * s
		}
		return blend(2).channel(d, 2*s-1)
	case 9: // soft light
		if s <= 0.5 {
			return d - (1-2*s)*d*(1-d)
		}
		g := math.Sqrt(d)
		if d <= 0.25 {
			g = ((16*d-12)*d + 4) * d
		}
		return d + (2*s-1)*(g-d)
	case 10: // difference
		return math.Abs(d - s)
	case 11: // exclusion
		return d + s - 2*d*s
	case 16: // add
		return math.Min(d+s, 1)
	}
	return s
}
