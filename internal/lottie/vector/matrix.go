package vector

import "math"

// Point is a place, or a distance, in a plane whose y grows downwards.
type Point struct{ X, Y float64 }

// Add is the sum of two points.
func (p Point) Add(q Point) Point { return Point{p.X + q.X, p.Y + q.Y} }

// Sub is what has to be added to q to come to p.
func (p Point) Sub(q Point) Point { return Point{p.X - q.X, p.Y - q.Y} }

// Mul is the point times f.
func (p Point) Mul(f float64) Point { return Point{p.X * f, p.Y * f} }

// Len is the distance to the origin.
func (p Point) Len() float64 { return math.Hypot(p.X, p.Y) }

// Lerp is the point between p (f is 0) and q (1).
func (p Point) Lerp(q Point, f float64) Point {
	return Point{p.X + (q.X-p.X)*f, p.Y + (q.Y-p.Y)*f}
}

func (p Point) finite() bool {
	const most = 1e9
	return p.X > -most && p.X < most && p.Y > -most && p.Y < most
}

// Matrix is an affine transformation: x' = A*x + C*y + E, y' = B*x + D*y + F.
type Matrix struct{ A, B, C, D, E, F float64 }

// Identity is the matrix that changes nothing.
func Identity() Matrix { return Matrix{A: 1, D: 1} }

// Translate moves by x and y.
func Translate(x, y float64) Matrix { return Matrix{1, 0, 0, 1, x, y} }

// Scale makes larger by x and y.
func Scale(x, y float64) Matrix { return Matrix{A: x, D: y} }

// Rotate turns clockwise, as the screen shows it, by an angle in radians.
func Rotate(angle float64) Matrix {
	s, c := math.Sincos(angle)
	return Matrix{A: c, B: s, C: -s, D: c}
}

// ShearX moves a point sideways by f times its height.
func ShearX(f float64) Matrix { return Matrix{A: 1, C: f, D: 1} }

// Then is the transformation that does m first and n after it.
func (m Matrix) Then(n Matrix) Matrix {
	return Matrix{
		A: m.A*n.A + m.B*n.C, B: m.A*n.B + m.B*n.D,
		C: m.C*n.A + m.D*n.C, D: m.C*n.B + m.D*n.D,
		E: m.E*n.A + m.F*n.C + n.E, F: m.E*n.B + m.F*n.D + n.F,
	}
}

// Apply is where a point comes to.
func (m Matrix) Apply(p Point) Point {
	return Point{m.A*p.X + m.C*p.Y + m.E, m.B*p.X + m.D*p.Y + m.F}
}

// MaxSize is at least by how much the length that grows most grows.
func (m Matrix) MaxSize() float64 { return math.Hypot(m.A, m.B) + math.Hypot(m.C, m.D) }

// Inverse undoes the matrix; false if that cannot be done.
func (m Matrix) Inverse() (Matrix, bool) {
	det := m.A*m.D - m.B*m.C
	if !(math.Abs(det) > 1e-12) || math.IsInf(det, 0) {
		return Matrix{}, false
	}
	n := Matrix{A: m.D / det, B: -m.B / det, C: -m.C / det, D: m.A / det}
	n.E = -(m.E*n.A + m.F*n.C)
	n.F = -(m.E*n.B + m.F*n.D)
	return n, n.Finite()
}

// Finite says whether all numbers of the matrix are such that can be drawn with.
func (m Matrix) Finite() bool {
	return Point{m.A, m.B}.finite() && Point{m.C, m.D}.finite() && Point{m.E, m.F}.finite()
}
