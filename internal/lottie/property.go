package lottie

import (
	"slices"
	"sort"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// span is when a keyframe is, and how its value becomes that of the next one.
type span struct {
	t     float64
	hold  bool
	eases []ease
}

// part is what part of the way to the next keyframe is done at a time, for dimension i.
func (s *span) part(i int, t, next float64) float64 {
	if s.hold || next <= s.t {
		return 0
	}
	if i >= len(s.eases) {
		i = 0
	}
	return s.eases[i].at((t - s.t) / (next - s.t))
}

func readSpan(o object) span {
	return span{t: o.num("t", 0), hold: o.flag("h"), eases: readEases(o)}
}

// current is the index of the last keyframe at or before t, of n; -1 if there is none.
func current(n int, at func(int) float64, t float64) int {
	return sort.Search(n, func(i int) bool { return at(i) > t }) - 1
}

// property is numbers that change with time.
type property struct {
	static []float64
	keys   []key
}

type key struct {
	span
	start, end []float64
	arc        *vector.Arc // the way from start to end, if it is not straight
}

// constant is a property that does not change.
func constant(v ...float64) property { return property{static: v} }

// readProperty reads the property of o that is called name; the values that it does not have are otherwise's.
func readProperty(o object, name string, otherwise ...float64) property {
	v := o[name]
	if m, ok := v.(map[string]any); ok {
		v = m["k"]
	}
	list, _ := v.([]any)
	if frames := objects(list); len(frames) > 0 && len(frames) == len(list) {
		if keys := readKeys(frames); len(keys) > 0 {
			for i := range keys {
				keys[i].start, keys[i].end = pad(keys[i].start, otherwise), pad(keys[i].end, otherwise)
			}
			return property{keys: keys}
		}
	}
	return property{static: pad(numbers(v), otherwise)}
}

func pad(v, otherwise []float64) []float64 {
	if len(v) < len(otherwise) {
		v = append(slices.Clip(v), otherwise[len(v):]...)
	}
	return v
}

func readKeys(frames []object) []key {
	slices.SortStableFunc(frames, byTime)
	var keys []key
	for i, f := range frames {
		k := key{span: readSpan(f), start: numbers(f["s"])}
		if i > 0 {
			before := &keys[i-1]
			if k.start == nil {
				k.start = before.end // of exporters that give the last keyframe no value
			} else {
				before.end = k.start
			}
			before.bend(numbers(frames[i-1]["to"]), numbers(frames[i-1]["ti"]))
		}
		if k.start == nil {
			k.start = []float64{}
		}
		k.end = numbers(f["e"])
		if k.end == nil {
			k.end = k.start
		}
		keys = append(keys, k)
	}
	return keys
}

func byTime(a, b object) int {
	switch x, y := a.num("t", 0), b.num("t", 0); {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

// bend makes the way to the next keyframe a curve.
func (k *key) bend(to, ti []float64) {
	if len(to) < 2 || len(ti) < 2 || len(k.start) < 2 || len(k.end) < 2 || k.hold {
		return
	}
	if to[0] == 0 && to[1] == 0 && ti[0] == 0 && ti[1] == 0 {
		return
	}
	a, b := vector.Point{X: k.start[0], Y: k.start[1]}, vector.Point{X: k.end[0], Y: k.end[1]}
	k.arc = vector.NewArc(a, a.Add(vector.Point{X: to[0], Y: to[1]}), b.Add(vector.Point{X: ti[0], Y: ti[1]}), b)
}

// at is the value at a time.
func (p *property) at(t float64) []float64 {
	n := len(p.keys)
	if n == 0 {
		return p.static
	}
	i := current(n, func(i int) float64 { return p.keys[i].t }, t)
	switch {
	case i < 0:
		return p.keys[0].start
	case i == n-1:
		return p.keys[i].start
	}
	k := &p.keys[i]
	next := p.keys[i+1].t
	if k.arc != nil {
		at := k.arc.At(k.part(0, t, next))
		return append([]float64{at.X, at.Y}, k.start[2:]...)
	}
	out := make([]float64, len(k.start))
	for j, from := range k.start {
		out[j] = from
		if j < len(k.end) {
			out[j] += (k.end[j] - from) * k.part(j, t, next)
		}
	}
	return out
}

// num is the first value at a time.
func (p *property) num(t float64) float64 {
	if v := p.at(t); len(v) > 0 {
		return v[0]
	}
	return 0
}

// point is the first two.
func (p *property) point(t float64) vector.Point {
	if v := p.at(t); len(v) > 1 {
		return vector.Point{X: v[0], Y: v[1]}
	}
	return vector.Point{}
}

// pathProperty is a path that changes with time.
type pathProperty struct {
	static vector.Path
	keys   []pathKey
}

type pathKey struct {
	span
	start, end vector.Path
}

func readPath(o object, name string) pathProperty {
	k := o.obj(name)["k"]
	if m, ok := k.(map[string]any); ok {
		return pathProperty{static: readBezier(m)}
	}
	list, _ := k.([]any)
	frames := objects(list)
	slices.SortStableFunc(frames, byTime)
	var p pathProperty
	for i, f := range frames {
		k := pathKey{span: readSpan(f)}
		if s, ok := firstObject(f["s"]); ok {
			k.start = readBezier(s)
			if i > 0 {
				p.keys[i-1].end = k.start
			}
		} else if i > 0 {
			k.start = p.keys[i-1].end
		}
		k.end = k.start
		if e, ok := firstObject(f["e"]); ok {
			k.end = readBezier(e)
		}
		p.keys = append(p.keys, k)
	}
	return p
}

func firstObject(v any) (object, bool) {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	m, ok := v.(map[string]any)
	return m, ok
}

func readBezier(o object) vector.Path {
	v, in, out := o.list("v"), o.list("i"), o.list("o")
	p := vector.Path{Closed: o.flag("c")}
	at := func(list []any, i int) vector.Point {
		if i < len(list) {
			if n := numbers(list[i]); len(n) > 1 {
				return vector.Point{X: n[0], Y: n[1]}
			}
		}
		return vector.Point{}
	}
	for i := range v {
		c := at(v, i)
		p.V = append(p.V, vector.Vertex{P: c, In: c.Add(at(in, i)), Out: c.Add(at(out, i))})
	}
	return p
}

// at is the path at a time.
func (p *pathProperty) at(t float64) vector.Path {
	n := len(p.keys)
	if n == 0 {
		return p.static
	}
	i := current(n, func(i int) float64 { return p.keys[i].t }, t)
	switch {
	case i < 0:
		return p.keys[0].start
	case i == n-1:
		return p.keys[i].start
	}
	k := &p.keys[i]
	f := k.part(0, t, p.keys[i+1].t)
	if f == 0 || len(k.start.V) != len(k.end.V) {
		return k.start
	}
	out := vector.Path{V: make([]vector.Vertex, len(k.start.V)), Closed: k.start.Closed}
	for j, a := range k.start.V {
		b := k.end.V[j]
		out.V[j] = vector.Vertex{P: a.P.Lerp(b.P, f), In: a.In.Lerp(b.In, f), Out: a.Out.Lerp(b.Out, f)}
	}
	return out
}
