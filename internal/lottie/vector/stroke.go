package vector

import "math"

// Cap is how the ends of a stroke look.
type Cap int

// Join is how its corners look.
type Join int

const (
	ButtCap Cap = iota
	RoundCap
	SquareCap
)

const (
	MiterJoin Join = iota
	RoundJoin
	BevelJoin
)

// Stroke says how a line is drawn.
type Stroke struct {
	Width      float64
	Cap        Cap
	Join       Join
	MiterLimit float64
	// Dashes are the lengths of dashes and gaps in turns, Phase where in them the line begins.
	Dashes []float64
	Phase  float64
}

// Draw adds to r what the stroke of a line covers, as seen through m: pieces that overlap, to be
// taken with NonZero.
func (s Stroke) Draw(r *Rasterizer, l Polyline, m Matrix) {
	if !(s.Width > 0) || !(Point{X: s.Width}).finite() || len(l.P) == 0 || !m.Finite() {
		return
	}
	o := outline{s: s, r: r, m: m, radius: s.Width / 2}
	// A circle of this radius is cut into pieces that miss it by a tenth of a pixel.
	o.step = 2 * math.Acos(math.Max(1-0.1/math.Max(o.radius*m.MaxSize(), 0.2), 0))
	o.step = math.Min(math.Max(o.step, math.Pi/64), math.Pi/4)
	for _, d := range l.Dash(s.Dashes, s.Phase) {
		o.line(d)
	}
}

type outline struct {
	s      Stroke
	r      *Rasterizer
	m      Matrix
	radius float64
	step   float64
	buf    []Point
}

func (o *outline) line(l Polyline) {
	p := l.P
	if len(p) == 1 {
		o.dot(p[0])
		return
	}
	n := len(p)
	segments := n - 1
	if l.Closed && n > 2 {
		segments = n
	}
	var first, last Point // directions
	for i := range segments {
		a, b := p[i], p[(i+1)%n]
		d := b.Sub(a)
		length := d.Len()
		if !(length > 0) {
			continue
		}
		d = d.Mul(1 / length)
		across := normal(d).Mul(o.radius)
		o.emit(a.Add(across), b.Add(across), b.Sub(across), a.Sub(across))
		if first == (Point{}) {
			first = d
		} else {
			o.join(a, last, d)
		}
		last = d
	}
	switch {
	case first == (Point{}):
		o.dot(p[0])
	case segments == n:
		o.join(p[0], last, first)
	default:
		o.cap(p[0], first.Mul(-1))
		o.cap(p[n-1], last)
	}
}

func normal(d Point) Point { return Point{-d.Y, d.X} }

func (o *outline) emit(p ...Point) {
	o.buf = o.buf[:0]
	for _, q := range p {
		o.buf = append(o.buf, o.m.Apply(q))
	}
	o.r.Convex(o.buf)
}

// dot is a line without length: only its caps are seen.
func (o *outline) dot(p Point) {
	switch o.s.Cap {
	case RoundCap:
		o.fan(p, 0, 2*math.Pi)
	case SquareCap:
		r := o.radius
		o.emit(p.Add(Point{-r, -r}), p.Add(Point{r, -r}), p.Add(Point{r, r}), p.Add(Point{-r, r}))
	}
}

// cap ends the line at p, to which it came in the direction d.
func (o *outline) cap(p, d Point) {
	across := normal(d).Mul(o.radius)
	switch o.s.Cap {
	case RoundCap:
		angle := math.Atan2(d.Y, d.X)
		o.fan(p, angle-math.Pi/2, angle+math.Pi/2)
	case SquareCap:
		end := p.Add(d.Mul(o.radius))
		o.emit(p.Add(across), end.Add(across), end.Sub(across), p.Sub(across))
	}
}

// smooth is the cosine of the angle up to which a corner is taken for one of the pieces of a curve.
const smooth = 0.966

// join fills the corner at p, between the directions a and b.
func (o *outline) join(p, a, b Point) {
	cross, dot := a.X*b.Y-a.Y*b.X, a.X*b.X+a.Y*b.Y
	if math.Abs(cross) < 1e-9 && dot > 0 {
		return
	}
	side := o.radius
	if cross > 0 {
		side = -side // the outer side is the other one
	}
	from, to := normal(a).Mul(side), normal(b).Mul(side)
	switch kind := o.s.Join; {
	case kind == RoundJoin && dot < smooth:
		start := math.Atan2(from.Y, from.X)
		turn := math.Atan2(cross, dot)
		o.fan(p, start, start+turn)
	case kind == MiterJoin || dot >= smooth:
		// The tip is 1/cos(half the turn) times the radius away.
		half := math.Sqrt(math.Max((1+dot)/2, 0))
		if half > 1e-6 && (1/half <= o.s.MiterLimit || dot >= smooth) {
			middle := from.Add(to)
			if l := middle.Len(); l > 0 {
				o.emit(p, p.Add(from), p.Add(middle.Mul(o.radius/half/l)), p.Add(to))
				return
			}
		}
		fallthrough
	default:
		o.emit(p, p.Add(from), p.Add(to))
	}
}

// fan is the part of the circle around p between two angles.
func (o *outline) fan(p Point, from, to float64) {
	n := int(math.Ceil(math.Abs(to-from)/o.step)) + 1
	points := make([]Point, 0, n+2)
	if math.Abs(to-from) < 2*math.Pi-1e-6 {
		points = append(points, p)
	}
	for i := range n + 1 {
		s, c := math.Sincos(from + (to-from)*float64(i)/float64(n))
		points = append(points, p.Add(Point{c * o.radius, s * o.radius}))
	}
	o.emit(points...)
}

// mostDashes is into how many dashes a line is cut at most; one with more is drawn whole.
const mostDashes = 4000

// Dash cuts a line into dashes. Without dashes that can be drawn it is the line itself.
func (l Polyline) Dash(dashes []float64, phase float64) []Polyline {
	var period float64
	for _, d := range dashes {
		if !(d >= 0) {
			return []Polyline{l}
		}
		period += d
	}
	if len(dashes)%2 == 1 { // counted twice, so that gaps and dashes take turns
		dashes = append(append([]float64(nil), dashes...), dashes...)
		period *= 2
	}
	p := l.P
	if l.Closed && len(p) > 2 {
		p = append(append([]Point(nil), p...), p[0])
	}
	var length float64
	for i := 1; i < len(p); i++ {
		length += p[i].Sub(p[i-1]).Len()
	}
	if !(period > 0) || len(p) < 2 || !(length/period*float64(len(dashes)) < mostDashes) {
		return []Polyline{l}
	}
	phase = math.Mod(phase, period)
	if math.IsNaN(phase) {
		phase = 0
	} else if phase < 0 {
		phase += period
	}
	i := 0
	for phase >= dashes[i] && phase > 0 {
		phase -= dashes[i]
		i = (i + 1) % len(dashes)
	}
	left := dashes[i] - phase
	var out []Polyline
	var now Polyline
	begin := func(at Point) { now = Polyline{P: []Point{at}} }
	end := func() {
		if len(now.P) > 0 {
			out = append(out, now)
		}
		now = Polyline{}
	}
	if i%2 == 0 {
		begin(p[0])
	}
	for j := 1; j < len(p); j++ {
		a, b := p[j-1], p[j]
		segment := b.Sub(a).Len()
		var done float64
		for segment-done > left {
			done += left
			at := a.Lerp(b, done/segment)
			if i%2 == 0 {
				now.P = append(now.P, at)
				end()
			} else {
				begin(at)
			}
			i = (i + 1) % len(dashes)
			left = dashes[i]
		}
		left -= segment - done
		if i%2 == 0 {
			now.P = append(now.P, b)
		}
	}
	end()
	return out
}
