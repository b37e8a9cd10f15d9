package vector

import (
	"image"
	"math"
	"math/rand/v2"
	"testing"
)

// winding is how often a polygon goes around a point.
func winding(polygon []Point, at Point) (n int) {
	for i, a := range polygon {
		b := polygon[(i+1)%len(polygon)]
		side := (b.X-a.X)*(at.Y-a.Y) - (at.X-a.X)*(b.Y-a.Y)
		switch {
		case a.Y <= at.Y && b.Y > at.Y && side > 0:
			n++
		case a.Y > at.Y && b.Y <= at.Y && side < 0:
			n--
		}
	}
	return n
}

// TestRasterizer compares with looking at many points of each pixel. Triangles have one edge at most in nearly all
// pixels; where two cross within one, coverage can only be guessed.
func TestRasterizer(t *testing.T) {
	t.Parallel()
	const side, fine = 24, 8
	r := NewRasterizer(side, side)
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var p []Point
		for range 3 {
			p = append(p, Point{random.Float64()*60 - 18, random.Float64()*60 - 18})
		}
		r.Polygon(p)
		cov := r.Take(NonZero)
		wrong := 0
		for y := range side {
			for x := range side {
				n := 0
				for i := range fine * fine {
					at := Point{float64(x) + (float64(i%fine)+0.5)/fine, float64(y) + (float64(i/fine)+0.5)/fine}
					if winding(p, at) != 0 {
						n++
					}
				}
				if math.Abs(float64(n)/fine/fine*255-float64(cov.At(x, y))) > 30 {
					wrong++
				}
			}
		}
		if wrong > 2 {
			t.Errorf("%v: %d pixels are wrong", p, wrong)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	square := func(x0, y0, x1, y1 float64) []Point { return []Point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}} }
	back := func(p []Point) []Point { return []Point{p[3], p[2], p[1], p[0]} }
	outer, inner := square(2, 2, 14, 14), square(5, 5, 11, 11)
	for _, c := range []struct {
		name     string
		polygons [][]Point
		rule     Rule
		middle   uint8
	}{
		{"twice", [][]Point{outer, inner}, NonZero, 255}, {"there and back", [][]Point{outer, back(inner)}, NonZero, 0},
		{"even", [][]Point{outer, inner}, EvenOdd, 0}, {"odd", [][]Point{outer, inner, inner}, EvenOdd, 255}, {"even again", [][]Point{outer, back(inner)}, EvenOdd, 0},
	} {
		r := NewRasterizer(16, 16)
		for _, p := range c.polygons {
			r.Polygon(p)
		}
		cov := r.Take(c.rule)
		if cov.Rect != image.Rect(2, 2, 15, 14) && cov.Rect != image.Rect(2, 2, 16, 14) && cov.Rect != image.Rect(2, 2, 14, 14) {
			t.Errorf("%s: covers %v", c.name, cov.Rect)
		}
		if got := cov.At(8, 8); got != c.middle || cov.At(3, 3) != 255 || cov.At(0, 0) != 0 || cov.At(15, 15) != 0 {
			t.Errorf("%s: %d in the middle, %d at the border", c.name, got, cov.At(3, 3))
		}
		// It is empty again.
		if again := r.Take(NonZero); !again.Rect.Empty() {
			t.Errorf("%s: %v is left", c.name, again.Rect)
		}
	}
	both := NewRasterizer(16, 16)
	both.Convex(outer)
	both.Convex(back(inner))
	if got := both.Take(NonZero).At(8, 8); got != 255 {
		t.Errorf("two convex polygons are one, but %d is covered", got)
	}
}

// TestAnything: numbers that cannot be drawn do no harm.
func TestAnything(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8))
	odd := []float64{0, 1, -1, 8, 16, 15.999999, 1e-320, -1e-320, 1e-9, 1e9, -1e9, 1e300, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64}
	pick := func() float64 { return odd[random.IntN(len(odd))] }
	point := func() Point { return Point{pick(), pick()} }
	r := NewRasterizer(16, 16)
	for range 20000 {
		p := Path{Closed: random.IntN(2) == 0}
		for range random.IntN(5) {
			p.V = append(p.V, Vertex{point(), point(), point()})
		}
		m := Matrix{pick(), pick(), pick(), pick(), pick(), pick()}
		r.Polygon(p.Transform(m).Flatten(0.1).P)
		s := Stroke{Width: pick(), Cap: Cap(random.IntN(3)), Join: Join(random.IntN(3)), MiterLimit: pick(), Dashes: []float64{pick(), pick()}[:random.IntN(3)], Phase: pick()}
		s.Draw(r, p.Round(pick()).PuckerBloat(pick()).Flatten(0.1), m)
		for _, q := range Trim([]Path{p}, pick(), pick()) {
			r.Polygon(q.Flatten(0.1).P)
		}
		r.Take(Rule(random.IntN(2)))
	}
}

func TestMatrix(t *testing.T) {
	t.Parallel()
	m := Translate(3, 4).Then(Scale(2, 5)).Then(Rotate(math.Pi / 2))
	if got := m.Apply(Point{1, 1}); math.Abs(got.X+25) > 1e-9 || math.Abs(got.Y-8) > 1e-9 { // (4, 5), (8, 25), (-25, 8)
		t.Errorf("at %v", got)
	}
	back, ok := m.Inverse()
	if p := m.Then(back).Apply(Point{7, -2}); !ok || math.Hypot(p.X-7, p.Y+2) > 1e-9 {
		t.Errorf("there and back is %v", p)
	}
	if _, ok := Scale(0, 1).Inverse(); ok {
		t.Error("a matrix without an inverse has one")
	}
}

func TestDash(t *testing.T) {
	t.Parallel()
	l := Polyline{P: []Point{{0, 0}, {10, 0}, {10, 10}}}
	for _, c := range []struct {
		dashes  []float64
		phase   float64
		lengths []float64
	}{
		{nil, 0, []float64{20}}, {[]float64{0, 0}, 0, []float64{20}}, {[]float64{-1, 2}, 0, []float64{20}},
		{[]float64{6, 4}, 0, []float64{6, 6}}, {[]float64{6, 4}, 3, []float64{3, 6, 3}}, {[]float64{6, 4}, -7, []float64{3, 6, 3}},
		{[]float64{5}, 0, []float64{5, 5}}, {[]float64{1e-9, 1e-9}, 0, []float64{20}}, {[]float64{100, 1}, 0, []float64{20}},
	} {
		var got []float64
		for _, d := range l.Dash(c.dashes, c.phase) {
			var sum float64
			for i := 1; i < len(d.P); i++ {
				sum += d.P[i].Sub(d.P[i-1]).Len()
			}
			got = append(got, sum)
		}
		same := len(got) == len(c.lengths)
		for i := 0; same && i < len(got); i++ {
			same = math.Abs(got[i]-c.lengths[i]) < 1e-9
		}
		if !same {
			t.Errorf("%v from %v: %v, and should be %v", c.dashes, c.phase, got, c.lengths)
		}
	}
}
