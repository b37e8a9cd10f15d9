// Package lottietest has documents of the format Lottie, one for each thing that the format can say, to draw in
// tests. They are written for these tests alone.
package lottietest

import (
	"encoding/json"
	"maps"
)

// M is an object of a document.
type M = map[string]any

// L is a list.
type L = []any

// Side is how wide and high all documents are, in pixels; they have Frames frames, Rate a second.
const (
	Side   = 100
	Frames = 60
	Rate   = 30
)

// Document is one of them.
type Document struct {
	Name string
	JSON []byte
	// At are frames to look at.
	At []float64
	// Alone says why another program draws it otherwise; "" if it must draw the same.
	Alone string
}

// Animation is a document with these layers, the first of which is on top. more is what else
// the document has.
func Animation(more M, layers ...M) []byte {
	for i, l := range layers {
		if l["ind"] == nil {
			l["ind"] = i + 1
		}
	}
	if layers == nil {
		layers = []M{} // null is no list
	}
	o := M{"v": "5.7.4", "fr": Rate, "ip": 0, "op": Frames, "w": Side, "h": Side, "nm": "test", "ddd": 0, "assets": L{}, "layers": layers}
	maps.Copy(o, more)
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // a document of these tests is not one
	}
	return raw
}

// V is a property that does not change.
func V(v any) M { return M{"a": 0, "k": v} }

// Place is a transform; of what is not in given nothing changes.
func Place(given M) M {
	ks := M{"o": V(100), "r": V(0), "p": V(L{0, 0, 0}), "a": V(L{0, 0, 0}), "s": V(L{100, 100, 100}), "sk": V(0), "sa": V(0)}
	maps.Copy(ks, given)
	return ks
}

// Layer is one of a kind, with what is given.
func Layer(kind int, given M) M {
	l := M{"ddd": 0, "ty": kind, "nm": "layer", "sr": 1, "ks": Place(nil), "ao": 0, "ip": 0, "op": Frames, "st": 0, "bm": 0}
	maps.Copy(l, given)
	return l
}

// Shapes is a layer of shapes.
func Shapes(given M, items ...any) M {
	l := Layer(4, given)
	l["shapes"] = L{Group(nil, items...)}
	return l
}

// Group is items with a place.
func Group(place M, items ...any) M {
	tr := Place(place)
	tr["ty"] = "tr"
	return M{"ty": "gr", "it": append(L(items), tr), "nm": "group", "bm": 0, "hd": false}
}

// Rect is a rectangle around a point.
func Rect(x, y, w, h float64) M {
	return M{"ty": "rc", "d": 1, "s": V(L{w, h}), "p": V(L{x, y}), "r": V(0), "nm": "rect", "hd": false}
}

// Ellipse is one around a point.
func Ellipse(x, y, w, h float64) M {
	return M{"ty": "el", "d": 1, "s": V(L{w, h}), "p": V(L{x, y}), "nm": "ellipse", "hd": false}
}

// Fill is one in a color.
func Fill(r, g, b float64) M {
	return M{"ty": "fl", "c": V(L{r, g, b, 1}), "o": V(100), "r": 1, "bm": 0, "nm": "fill", "hd": false}
}

// Stroke is one in a color.
func Stroke(r, g, b, width float64) M {
	return M{"ty": "st", "c": V(L{r, g, b, 1}), "o": V(100), "w": V(width), "lc": 1, "lj": 1, "ml": 4, "bm": 0, "nm": "stroke", "hd": false}
}

// With is an object with more, or other, values.
func With(o M, more M) M {
	o = maps.Clone(o)
	maps.Copy(o, more)
	return o
}

// Bezier is a path: pairs of coordinates, and, with curves, of control points relative to them.
func Bezier(closed bool, v, in, out [][2]float64) M {
	if in == nil {
		in = make([][2]float64, len(v))
	}
	if out == nil {
		out = make([][2]float64, len(v))
	}
	return M{"c": closed, "v": v, "i": in, "o": out}
}

// Path is a path as an item.
func Path(ks M) M { return M{"ty": "sh", "ind": 0, "ks": ks, "nm": "path", "hd": false} }

// Key is a keyframe; ease is the control points x1, y1, x2, y2 of the way to the next one.
func Key(t float64, value any, ease ...float64) M {
	k := M{"t": t, "s": value}
	if len(ease) == 4 {
		k["o"], k["i"] = M{"x": L{ease[0]}, "y": L{ease[1]}}, M{"x": L{ease[2]}, "y": L{ease[3]}}
	} else {
		k["o"], k["i"] = M{"x": L{0.333}, "y": L{0.333}}, M{"x": L{0.667}, "y": L{0.667}}
	}
	return k
}

// Keys is a property that changes.
func Keys(keys ...M) M { return M{"a": 1, "k": keys} }
