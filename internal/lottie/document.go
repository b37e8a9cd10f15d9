package lottie

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

// MaxBytes is how large a document may be.
const MaxBytes = 1 << 20

const (
	// mostLayers is how many layers a document may have, in all its compositions.
	mostLayers = 4000
	// mostNested is how deep groups and compositions can be within each other; what is deeper is not drawn.
	mostNested = 24
	// mostFrames is how many frames an animation may have, at its own rate.
	mostFrames = 100_000
)

// Document is an animation that can be drawn. It is not changed by that, so several goroutines may use it.
type Document struct {
	width, height float64 // in units of the document
	rate          float64 // frames a second
	first, end    float64 // frames; the last one is before end
	layers        []*layer
	compositions  map[string][]*layer
	images        map[string]*picture
	count         int // of layers
	pixels        int // of embedded pictures
}

// ErrTooLarge says that a document is larger than this package draws.
var ErrTooLarge = errors.New("the animation is too large")

// Parse reads a document. An error says that it is not one, or is too large.
func Parse(raw []byte) (*Document, error) {
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(raw))
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("read an animation: %w", err)
	}
	d := &Document{
		width: o.num("w", 0), height: o.num("h", 0), rate: o.num("fr", 30),
		first: o.num("ip", 0), end: o.num("op", 0),
		compositions: map[string][]*layer{}, images: map[string]*picture{},
	}
	if d.width < 1 || d.height < 1 {
		return nil, errors.New("read an animation: it has no width or height")
	}
	if d.rate <= 0 || !o.has("layers") {
		return nil, errors.New("read an animation: it has no layers or no frames")
	}
	if d.end-d.first > mostFrames {
		return nil, fmt.Errorf("%w: %.0f frames", ErrTooLarge, d.end-d.first)
	}
	f := readFonts(o)
	for _, a := range objects(o.list("assets")) {
		if id := a.str("id"); a.has("layers") {
			d.compositions[id] = d.readLayers(a, f)
		} else if p := d.readPicture(a); p != nil {
			d.images[id] = p
		}
	}
	d.layers = d.readLayers(o, f)
	if d.count > mostLayers {
		return nil, fmt.Errorf("%w: %d layers", ErrTooLarge, d.count)
	}
	return d, nil
}

// Seconds is how long the animation lasts.
func (d *Document) Seconds() float64 { return max(d.end-d.first, 0) / d.rate }

// kind is what a layer shows.
type kind int

const (
	compositionLayer kind = 0
	solidLayer       kind = 1
	imageLayer       kind = 2
	nullLayer        kind = 3
	shapeLayer       kind = 4
	textLayer        kind = 5
)

// layer is one of the pictures that are drawn over each other.
type layer struct {
	kind      kind
	index     int
	parent    *layer
	matte     *layer // what says how much of the layer is seen, as by
	by        matteMode
	isMatte   bool // not drawn by itself
	hidden    bool
	in, out   float64
	start     float64
	stretch   float64
	transform transform
	masks     []mask
	blend     blend
	refers    string
	remap     *property
	w, h      float64
	color     [3]float64
	shapes    []item
	texts     []text
}

// matteMode is by what of another layer a layer is seen.
type matteMode int

const (
	noMatte matteMode = iota
	alphaMatte
	alphaInverted
	lumaMatte
	lumaInverted
)

func (d *Document) readLayers(o object, f *fonts) []*layer {
	list := objects(o.list("layers"))
	d.count += len(list)
	if d.count > mostLayers {
		return nil // refused by Parse
	}
	layers := make([]*layer, len(list))
	byIndex := map[int]*layer{}
	for i, o := range list {
		l := readLayer(o, f)
		layers[i] = l
		if _, there := byIndex[l.index]; o.has("ind") && !there {
			byIndex[l.index] = l
		}
	}
	for i, o := range list {
		l := layers[i]
		if o.has("parent") {
			l.parent = byIndex[o.int("parent", 0)]
		}
		if l.by == noMatte {
			continue
		}
		if o.has("tp") {
			l.matte = byIndex[o.int("tp", 0)]
		} else if i > 0 {
			l.matte = layers[i-1]
		}
		if l.matte == nil {
			l.by = noMatte
		}
	}
	return layers
}

func readLayer(o object, f *fonts) *layer {
	l := &layer{
		kind: kind(o.int("ty", -1)), index: o.int("ind", 0),
		by: matteMode(o.int("tt", 0)), isMatte: o.flag("td"), hidden: o.flag("hd"),
		in: o.num("ip", 0), out: o.num("op", mostFrames), start: o.num("st", 0), stretch: o.num("sr", 1),
		transform: readTransform(o.obj("ks")), blend: blend(o.int("bm", 0)), refers: o.str("refId"),
		w: o.num("w", 0), h: o.num("h", 0),
	}
	l.transform.along = o.flag("ao")
	if l.by < noMatte || l.by > lumaInverted {
		l.by = noMatte
	}
	if l.stretch == 0 {
		l.stretch = 1
	}
	for _, m := range objects(o.list("masksProperties")) {
		l.masks = append(l.masks, readMask(m))
	}
	switch l.kind {
	case compositionLayer:
		if o.has("tm") {
			p := readProperty(o, "tm", 0)
			l.remap = &p
		}
	case solidLayer:
		l.w, l.h, l.color = o.num("sw", 0), o.num("sh", 0), hexColor(o.str("sc"))
	case shapeLayer:
		l.shapes = readItems(o.list("shapes"), 0)
	case textLayer:
		l.texts = f.readTexts(o.obj("t"))
	}
	return l
}

// hexColor reads #rrggbb; what is not one is black.
func hexColor(s string) (c [3]float64) {
	var r, g, b uint8
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &r, &g, &b); n != 3 || err != nil {
		return c
	}
	return [3]float64{float64(r) / 255, float64(g) / 255, float64(b) / 255}
}

// matrix is where the layer is in its composition.
func (l *layer) matrix(t float64) vector.Matrix {
	m := l.transform.matrix(t)
	for p, n := l.parent, 0; p != nil && n < mostLayers; p, n = p.parent, n+1 {
		m = m.Then(p.transform.matrix(t))
		if p == l {
			break
		}
	}
	return m
}

func (l *layer) visible(t float64) bool { return !l.hidden && t >= l.in && t < l.out }

// inner is the time inside of the composition that the layer shows, in its frames.
func (l *layer) inner(t, rate float64) float64 {
	if l.remap != nil {
		at := l.remap.num(t) * rate
		if at >= l.out { // the last frame, not the one after it
			at = l.out - 1
		}
		return at
	}
	return (t - l.start) / l.stretch
}
