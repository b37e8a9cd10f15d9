package lottie

import "math"

// ease is how time passes between two keyframes: a curve from (0, 0) to (1, 1) with these control points.
type ease struct{ x1, y1, x2, y2 float64 }

// linear is time that passes as it does.
func linear() ease { return ease{0, 0, 1, 1} }

// at is what part of the way is done after a part x of the time.
func (e ease) at(x float64) float64 {
	if x <= 0 {
		return 0
	}
	if x >= 1 {
		return 1
	}
	if e.x1 == e.y1 && e.x2 == e.y2 {
		return x
	}
	// x grows with the parameter, as x1 and x2 are between 0 and 1: halving the interval finds it.
	lo, hi := 0.0, 1.0
	for range 40 {
		t := (lo + hi) / 2
		if bezier(e.x1, e.x2, t) < x {
			lo = t
		} else {
			hi = t
		}
	}
	return bezier(e.y1, e.y2, (lo+hi)/2)
}

func bezier(a, b, t float64) float64 {
	u := 1 - t
	return 3*u*u*t*a + 3*u*t*t*b + t*t*t
}

// readEases reads the curves of a keyframe: one for all dimensions, or one for each.
func readEases(o object) []ease {
	out, in := o.obj("o"), o.obj("i")
	if out == nil || in == nil {
		return []ease{linear()}
	}
	x1, y1, x2, y2 := numbers(out["x"]), numbers(out["y"]), numbers(in["x"]), numbers(in["y"])
	n := min(max(len(x1), len(y1), len(x2), len(y2), 1), 4)
	pick := func(list []float64, i int, otherwise float64) float64 {
		switch {
		case i < len(list):
			return list[i]
		case len(list) > 0:
			return list[0]
		}
		return otherwise
	}
	eases := make([]ease, n)
	for i := range eases {
		eases[i] = ease{
			x1: math.Min(math.Max(pick(x1, i, 0), 0), 1), y1: pick(y1, i, 0),
			x2: math.Min(math.Max(pick(x2, i, 1), 0), 1), y2: pick(y2, i, 1),
		}
	}
	return eases
}
