package lottie

import (
	"math"
	"slices"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// mostCopies is how many copies a repeater makes at most.
const mostCopies = 300

// drawing is what a group paints: its parts, the lowest first, and how much of it all is seen.
type drawing struct {
	opacity float64
	parts   []part
}

// part is a style with its outlines, or a drawing.
type part struct {
	inner *drawing
	*painted
}

// painted is a style and what is painted with it.
type painted struct {
	style *style
	m     vector.Matrix // from the style's group to the picture
	areas []area
}

// area is outlines as the style's group sees them.
type area struct {
	paths []vector.Path
	merge *merge
}

// target is a style that waits for outlines, and how its group sees this one.
type target struct {
	*painted
	m vector.Matrix
}

// leaf is an outline that was found, and whom it is for.
type leaf struct {
	paths   []vector.Path
	targets []target
	merge   *merge
}

// scope is what holds for the items that are read.
type scope struct {
	m         vector.Matrix // to the picture
	targets   []target
	modifiers []*modifier
	merge     *merge
}

// modifier is one that waits for outlines.
type modifier struct {
	item   item
	leaves []*leaf
}

// walker finds out what the items of a shape layer are at a time.
type walker struct {
	r      *renderer
	t      float64
	leaves []*leaf
}

// shapes draws the items of a layer.
func (r *renderer) shapes(c *canvas, items []item, t float64, m vector.Matrix) {
	w := walker{r: r, t: t}
	d := &drawing{opacity: 1}
	w.walk(items, scope{m: m}, d)
	for _, l := range w.leaves {
		for _, to := range l.targets {
			paths := make([]vector.Path, len(l.paths))
			for i, p := range l.paths {
				paths[i] = p.Transform(to.m)
			}
			to.areas = append(to.areas, area{paths, l.merge})
		}
	}
	r.drawing(c, d, t)
}

// walk goes through items from the last to the first: styles and modifiers hold for what is before them.
func (w *walker) walk(items []item, s scope, d *drawing) {
	s.targets = slices.Clip(s.targets)
	s.modifiers = slices.Clip(s.modifiers)
	var own []*modifier
	for i := len(items) - 1; i >= 0; i-- {
		if !w.r.spend(30) {
			return
		}
		switch it := items[i].(type) {
		case *style:
			p := &painted{style: it, m: s.m}
			d.parts = append(d.parts, part{painted: p})
			s.targets = append(s.targets, target{p, vector.Identity()})
		case *trim, *round, *pucker:
			m := &modifier{item: it}
			own = append(own, m)
			s.modifiers = append(s.modifiers, m)
		case *merge:
			s.merge = it
		case *group:
			w.enter(it.items, s, it.transform.matrix(w.t), it.transform.visible(w.t), d)
		case *repeater:
			w.repeat(it, items[:i], s, d)
			i = 0 // the items before it are drawn
		case outliner:
			l := &leaf{paths: it.outline(w.t), targets: s.targets, merge: s.merge}
			for _, p := range l.paths {
				w.r.spend(int64(len(p.V)) * 20)
			}
			w.leaves = append(w.leaves, l)
			for _, m := range s.modifiers {
				m.leaves = append(m.leaves, l)
			}
		}
	}
	for _, m := range slices.Backward(own) {
		w.modify(m)
	}
}

// enter walks through items that have a place of their own.
func (w *walker) enter(items []item, s scope, m vector.Matrix, opacity float64, d *drawing) {
	inner := s
	inner.m = m.Then(s.m)
	if opacity == 0 || !inner.m.Finite() {
		return
	}
	inner.targets = make([]target, len(s.targets))
	for i, to := range s.targets {
		inner.targets[i] = target{to.painted, m.Then(to.m)}
	}
	g := &drawing{opacity: opacity}
	d.parts = append(d.parts, part{inner: g})
	w.walk(items, inner, g)
}

func (w *walker) repeat(rp *repeater, items []item, s scope, d *drawing) {
	n := int(math.Ceil(math.Min(rp.copies.num(w.t), mostCopies)))
	offset := rp.offset.num(w.t)
	from, to := percent(&rp.from, w.t), percent(&rp.to, w.t)
	for i := range n {
		k := n - 1 - i // the first copy is on top
		if rp.above {
			k = i
		}
		opacity := from
		if n > 1 {
			opacity += (to - from) * float64(k) / float64(n-1)
		}
		w.enter(items, s, rp.matrix(w.t, float64(k)+offset), opacity, d)
	}
}

// modify changes the outlines that a modifier holds for.
func (w *walker) modify(m *modifier) {
	for _, l := range m.leaves {
		for _, p := range l.paths {
			if !w.r.spend(int64(len(p.V)) * 60) {
				return
			}
		}
	}
	each := func(change func(vector.Path) vector.Path) {
		for _, l := range m.leaves {
			paths := make([]vector.Path, len(l.paths))
			for i, p := range l.paths {
				paths[i] = change(p)
			}
			l.paths = paths
		}
	}
	switch it := m.item.(type) {
	case *round:
		radius := it.radius.num(w.t)
		each(func(p vector.Path) vector.Path { return p.Round(radius) })
	case *pucker:
		amount := percentOf(&it.amount, w.t)
		each(func(p vector.Path) vector.Path { return p.PuckerBloat(amount) })
	case *trim:
		from, to := it.span(w.t)
		if !it.inTurns {
			for _, l := range m.leaves {
				l.paths = vector.Trim(l.paths, from, to)
			}
			return
		}
		// The outlines are one line in the order of the document; here the last was found first.
		order := slices.Clone(m.leaves)
		slices.Reverse(order)
		groups := make([][]vector.Path, len(order))
		for i, l := range order {
			groups[i] = l.paths
		}
		for i, paths := range vector.TrimAll(groups, from, to) {
			order[i].paths = paths
		}
	}
}
