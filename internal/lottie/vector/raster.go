package vector

import (
	"image"
	"math"
)

// Rule says what is inside of a path that crosses itself.
type Rule int

const (
	NonZero Rule = iota
	EvenOdd
)

// Coverage says how much of each pixel of Rect is covered, 255 for all of it, row by row.
type Coverage struct {
	Rect image.Rectangle
	Pix  []uint8
}

// At is the coverage of a pixel; 0 outside of Rect.
func (c *Coverage) At(x, y int) uint8 {
	if !(image.Point{x, y}).In(c.Rect) {
		return 0
	}
	return c.Pix[(y-c.Rect.Min.Y)*c.Rect.Dx()+x-c.Rect.Min.X]
}

// Row is the coverage of a row of Rect.
func (c *Coverage) Row(y int) []uint8 {
	w := c.Rect.Dx()
	return c.Pix[(y-c.Rect.Min.Y)*w:][:w]
}

// Rasterizer finds what closed lines cover of a picture. For each pixel it adds up by how much the
// lines through it change what is covered from there on to the right: a row's running total is
// the winding number, by parts of pixels.
type Rasterizer struct {
	w, h   int
	delta  []float32 // w+2 a row
	dirty  image.Rectangle
	result Coverage
	work   int64
}

// NewRasterizer is one for pictures of w by h pixels.
func NewRasterizer(w, h int) *Rasterizer {
	return &Rasterizer{w: w, h: h, delta: make([]float32, (w+2)*h)}
}

// Work counts what has been done, in units of about a pixel, since the rasterizer was made.
func (r *Rasterizer) Work() int64 { return r.work }

// Polygon adds a closed line through points.
func (r *Rasterizer) Polygon(p []Point) {
	for i := range p {
		r.line(p[i], p[(i+1)%len(p)])
	}
}

// Convex adds a polygon that counts as wound in the same way whichever way it is: those that overlap are one.
func (r *Rasterizer) Convex(p []Point) {
	var area float64
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		area += a.X*b.Y - a.Y*b.X
	}
	if area >= 0 {
		r.Polygon(p)
		return
	}
	for i := len(p) - 1; i >= 0; i-- {
		r.line(p[(i+1)%len(p)], p[i])
	}
}

// level is how high a line is at most that counts as level: it covers nothing, and its slope cannot be reckoned with.
const level = 1e-7

// line adds the edge from a to b. What is above and below the picture changes nothing in it, and what is to
// the left counts as its left edge; what is to the right says only that the rows may be covered up to there.
func (r *Rasterizer) line(a, b Point) {
	r.work += 4
	if !a.finite() || !b.finite() {
		return
	}
	sign := 1.0
	if a.Y > b.Y {
		a, b, sign = b, a, -1
	}
	w, h := float64(r.w), float64(r.h)
	if b.Y-a.Y < level || b.Y <= 0 || a.Y >= h {
		return
	}
	slope := (b.X - a.X) / (b.Y - a.Y)
	at := func(y float64) float64 { return a.X + (y-a.Y)*slope }
	top, bottom := math.Max(a.Y, 0), math.Min(b.Y, h)
	// Where the line is at the left and right edges, it is cut.
	cuts := [4]float64{top, bottom, bottom, bottom}
	n := 1
	if slope != 0 {
		y0, y1 := a.Y-a.X/slope, a.Y+(w-a.X)/slope
		if y0 > y1 {
			y0, y1 = y1, y0
		}
		for _, y := range [2]float64{y0, y1} {
			if y > cuts[n-1] && y < bottom {
				cuts[n] = y
				n++
			}
		}
	}
	cuts[n] = bottom
	for i := range n {
		y0, y1 := cuts[i], cuts[i+1]
		if y1-y0 < level {
			continue
		}
		switch middle := at((y0 + y1) / 2); {
		case middle >= w:
			r.dirty = r.dirty.Union(image.Rect(r.w-1, int(y0), r.w, int(math.Ceil(y1))))
		case middle <= 0:
			r.edge(0, y0, 0, y1, sign)
		default:
			r.edge(clamp(at(y0), w), y0, clamp(at(y1), w), y1, sign)
		}
	}
}

func clamp(x, most float64) float64 { return math.Min(math.Max(x, 0), most) }

// edge adds a line that goes down, inside of the picture.
func (r *Rasterizer) edge(x, y0, xEnd, y1, sign float64) {
	slope := (xEnd - x) / (y1 - y0)
	first, last := int(y0), min(int(math.Ceil(y1)), r.h)
	r.dirty = r.dirty.Union(image.Rect(int(min(x, xEnd)), first, min(int(max(x, xEnd))+2, r.w), last))
	lo, hi := min(x, xEnd), max(x, xEnd)
	for row := first; row < last; row++ {
		dy := math.Min(float64(row+1), y1) - math.Max(float64(row), y0)
		if dy <= 0 {
			continue
		}
		next := math.Min(math.Max(x+slope*dy, lo), hi)
		r.cover(r.delta[row*(r.w+2):][:r.w+2], math.Min(x, next), math.Max(x, next), dy*sign)
		x = next
	}
}

// cover adds to a row a piece of a line from x0 to x1 of which d is the height within the row.
func (r *Rasterizer) cover(delta []float32, x0, x1, d float64) {
	r.work += 2
	i0, i1 := int(x0), int(math.Ceil(x1))
	left := x0 - float64(i0)
	if i1 <= i0+1 {
		right := d * ((x0+x1)/2 - float64(i0)) // the part left of the line
		delta[i0] += float32(d - right)
		delta[i0+1] += float32(right)
		return
	}
	r.work += int64(i1 - i0)
	s := 1 / (x1 - x0)
	over := x1 - float64(i1) + 1
	first := s * (1 - left) * (1 - left) / 2
	end := s * over * over / 2
	delta[i0] += float32(d * first)
	if i1 == i0+2 {
		delta[i0+1] += float32(d * (1 - first - end))
	} else {
		second := s * (1.5 - left)
		delta[i0+1] += float32(d * (second - first))
		for i := i0 + 2; i < i1-1; i++ {
			delta[i] += float32(d * s)
		}
		delta[i1-1] += float32(d * (1 - second - float64(i1-i0-3)*s - end))
	}
	delta[i1] += float32(d * end)
}

// Take is what the lines that were added cover; the rasterizer is empty again. The result is
// overwritten by the next one.
func (r *Rasterizer) Take(rule Rule) *Coverage {
	rect := r.dirty
	r.dirty = image.Rectangle{}
	r.result.Rect = rect
	n := rect.Dx() * rect.Dy()
	r.work += int64(n)
	if cap(r.result.Pix) < n {
		r.result.Pix = make([]uint8, n)
	}
	r.result.Pix = r.result.Pix[:n]
	for y := rect.Min.Y; y < rect.Max.Y; y++ {
		delta := r.delta[y*(r.w+2):][:r.w+2]
		out := r.result.Row(y)
		var sum float32
		for i := range out {
			sum += delta[rect.Min.X+i]
			v := sum
			if v < 0 {
				v = -v
			}
			if rule == EvenOdd {
				v -= 2 * float32(int(v/2))
				if v > 1 {
					v = 2 - v
				}
			}
			out[i] = uint8(min(v, 1)*255 + 0.5)
		}
		clear(delta[rect.Min.X:min(rect.Max.X+2, len(delta))])
	}
	return &r.result
}
