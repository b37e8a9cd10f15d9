package lottie_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"github.com/landbridge-im/landbridge/internal/lottie"
	. "github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// drawn is a document and what has to be seen of it, as found by geometry.
type drawn struct {
	name   string
	layers []M
	more   M
	frame  float64
	// area is how many pixels are covered, those that are half covered or half seen by half.
	area float64
	// box is where something is seen; empty if it does not matter.
	box image.Rectangle
	// colors are those of some pixels.
	colors map[image.Point]color.NRGBA
}

func (d drawn) test(t *testing.T) {
	t.Parallel()
	doc, err := lottie.Parse(Animation(d.more, d.layers...))
	if err != nil {
		t.Fatal(err)
	}
	m, err := doc.Frame(t.Context(), d.frame/Rate, Side, Side)
	if err != nil {
		t.Fatal(err)
	}
	var area float64
	var box image.Rectangle
	for y := range Side {
		for x := range Side {
			if a := m.NRGBAAt(x, y).A; a != 0 {
				area += float64(a) / 255
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if math.Abs(area-d.area) > 2+d.area/250 {
		t.Errorf("%.1f pixels are covered, and should be %.1f", area, d.area)
	}
	if d.box != (image.Rectangle{}) && box != d.box {
		t.Errorf("seen in %v, and should be in %v", box, d.box)
	}
	for at, want := range d.colors {
		got := m.NRGBAAt(at.X, at.Y)
		far := func(a, b uint8) bool { return max(a, b)-min(a, b) > 3 }
		if far(got.A, want.A) || want.A != 0 && (far(got.R, want.R) || far(got.G, want.G) || far(got.B, want.B)) {
			t.Errorf("at %v is %v, and should be %v", at, got, want)
		}
	}
}

func items(items ...any) []M { return []M{Shapes(nil, items...)} }

var (
	red   = Fill(1, 0, 0)
	blue  = Fill(0, 0, 1)
	black = Stroke(0, 0, 0, 10)

	isRed, isBlue, isNothing = color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.NRGBA{}
)

func line(points ...[2]float64) M { return Path(V(Bezier(false, points, nil, nil))) }

func at(x, y int) image.Point { return image.Pt(x, y) }

func TestShapes(t *testing.T) {
	t.Parallel()
	corner := line([2]float64{20, 20}, [2]float64{80, 20}, [2]float64{80, 80})
	flat := line([2]float64{10, 50}, [2]float64{90, 50})
	square := Rect(50, 50, 60, 60)
	two := func(mode int) []M {
		return items(Rect(40, 40, 40, 40), Rect(60, 60, 40, 40), M{"ty": "mm", "mm": mode}, red)
	}
	dots := M{"ty": "rp", "c": V(4), "o": V(0), "m": 1, "tr": M{"ty": "tr", "p": V(L{20, 0}), "a": V(L{0, 0}), "s": V(L{100, 100}), "r": V(0), "so": V(100), "eo": V(0)}}
	dashed := func(offset float64) []M {
		return items(flat, With(Stroke(0, 0, 0, 4), M{"d": L{M{"n": "d", "v": V(16)}, M{"n": "g", "v": V(8)}, M{"n": "o", "v": V(offset)}}}))
	}
	trim := func(s, e, o float64, m int) M { return M{"ty": "tm", "s": V(s), "e": V(e), "o": V(o), "m": m} }
	gradient := func(kind int, s, e L) M {
		return M{"ty": "gf", "o": V(100), "r": 1, "t": kind, "s": V(s), "e": V(e), "g": M{"p": 2, "k": V(L{0, 1, 0, 0, 1, 0, 0, 1})}}
	}
	star := M{"ty": "sr", "sy": 1, "pt": V(5), "p": V(L{50, 50}), "r": V(0), "ir": V(18), "is": V(0), "or": V(42), "os": V(0)}
	for _, d := range []drawn{
		{name: "rectangle", layers: items(Rect(50, 50, 60, 40), red), area: 2400, box: image.Rect(20, 30, 80, 70), colors: map[image.Point]color.NRGBA{at(50, 50): isRed, at(19, 50): isNothing}},
		{name: "rounded", layers: items(With(Rect(50, 50, 60, 40), M{"r": V(12)}), red), area: 2400 - (4-math.Pi)*144, box: image.Rect(20, 30, 80, 70)},
		{name: "ellipse", layers: items(Ellipse(50, 50, 80, 50), red), area: math.Pi * 40 * 25, box: image.Rect(10, 25, 90, 75)},
		{name: "star", layers: items(star, red), area: 5 * 42 * 18 * math.Sin(math.Pi/5), colors: map[image.Point]color.NRGBA{at(50, 12): isRed, at(50, 90): isNothing}},
		{name: "polygon", layers: items(With(star, M{"sy": 2, "pt": V(6)}), red), area: 3 * 42 * 42 * math.Sin(math.Pi/3)},
		{name: "hole by direction", layers: items(Rect(50, 50, 80, 80), With(Rect(50, 50, 40, 40), M{"d": 3}), red), area: 4800, colors: map[image.Point]color.NRGBA{at(50, 50): isNothing}},
		{name: "no hole", layers: items(Rect(50, 50, 80, 80), Rect(50, 50, 40, 40), red), area: 6400},
		{name: "even-odd", layers: items(Rect(50, 50, 80, 80), Rect(50, 50, 40, 40), With(red, M{"r": 2})), area: 4800},
		{name: "half pixels", layers: items(Rect(50, 50, 61, 41), red), area: 61 * 41, box: image.Rect(19, 29, 81, 71)},
		{name: "beyond the borders", layers: items(Rect(0, 100, 60, 60), red), area: 900, box: image.Rect(0, 70, 30, 100)},
		{name: "all of it", layers: items(Rect(50, 50, 1e6, 1e6), red), area: Side * Side},
		{name: "fill over fill", layers: items(square, With(red, M{"o": V(50)}), blue), area: 3600, colors: map[image.Point]color.NRGBA{at(50, 50): {128, 0, 127, 255}}},
		{name: "half seen", layers: items(square, With(red, M{"o": V(50)})), area: 1800, colors: map[image.Point]color.NRGBA{at(50, 50): {255, 0, 0, 128}}},
		{name: "colors to 255", layers: items(square, Fill(255, 128, 0)), area: 3600, colors: map[image.Point]color.NRGBA{at(50, 50): {255, 128, 0, 255}}},

		{name: "butt", layers: items(flat, black), area: 800, box: image.Rect(10, 45, 90, 55)},
		{name: "round cap", layers: items(flat, With(black, M{"lc": 2})), area: 800 + math.Pi*25, box: image.Rect(5, 45, 95, 55)},
		{name: "square cap", layers: items(flat, With(black, M{"lc": 3})), area: 900, box: image.Rect(5, 45, 95, 55)},
		{name: "miter", layers: items(corner, black), area: 1200},
		{name: "miter beyond its limit", layers: items(corner, With(black, M{"ml": 1.2})), area: 1187.5},
		{name: "round join", layers: items(corner, With(black, M{"lj": 2})), area: 1175 + math.Pi*25/4},
		{name: "bevel", layers: items(corner, With(black, M{"lj": 3})), area: 1187.5},
		{name: "circle", layers: items(Ellipse(50, 50, 60, 60), black), area: math.Pi * (35*35 - 25*25)},
		{name: "closed", layers: items(square, black), area: 70*70 - 50*50},
		{name: "dashes", layers: items(flat, With(Stroke(0, 0, 0, 4), M{"d": L{M{"n": "d", "v": V(10)}}})), area: 160},
		{name: "dashes and gaps", layers: dashed(0), area: 4 * (16*3 + 8), colors: map[image.Point]color.NRGBA{at(12, 50): {0, 0, 0, 255}, at(28, 50): isNothing}},
		{name: "dashes begun before", layers: dashed(16), area: 4 * 16 * 3, colors: map[image.Point]color.NRGBA{at(12, 50): isNothing, at(20, 50): {0, 0, 0, 255}}},
		{name: "no width", layers: items(flat, Stroke(0, 0, 0, 0)), area: 0},
		{name: "stroke scaled", layers: []M{Shapes(M{"ks": Place(M{"s": V(L{100, 200, 100}), "p": V(L{0, -50, 0})})}, flat, black)}, area: 1600, box: image.Rect(10, 40, 90, 60)},

		{name: "linear gradient", layers: items(Rect(50, 50, 100, 100), gradient(1, L{0, 0}, L{100, 0})), area: Side * Side,
			colors: map[image.Point]color.NRGBA{at(0, 3): isRed, at(25, 50): {190, 0, 65, 255}, at(99, 99): isBlue}},
		{name: "radial gradient", layers: items(Rect(50, 50, 100, 100), gradient(2, L{50, 50}, L{90, 50})), area: Side * Side,
			colors: map[image.Point]color.NRGBA{at(50, 50): {252, 0, 3, 255}, at(50, 70): {124, 0, 131, 255}, at(2, 50): isBlue}},

		{name: "trim", layers: items(flat, trim(20, 70, 0, 1), black), area: 400, box: image.Rect(26, 45, 66, 55)},
		{name: "trim the other way", layers: items(flat, trim(70, 20, 0, 1), black), area: 400, box: image.Rect(26, 45, 66, 55)},
		{name: "trim around the end", layers: items(flat, trim(0, 50, 270, 1), black), area: 400, colors: map[image.Point]color.NRGBA{at(12, 50): {0, 0, 0, 255}, at(50, 50): isNothing, at(88, 50): {0, 0, 0, 255}}},
		{name: "trim of all", layers: items(flat, trim(0, 100, 90, 1), black), area: 800},
		{name: "trim of nothing", layers: items(flat, trim(40, 40, 90, 1), black), area: 0},
		{name: "trim of each", layers: items(line([2]float64{10, 20}, [2]float64{50, 20}), line([2]float64{10, 60}, [2]float64{50, 60}), trim(0, 75, 0, 1), black), area: 600},
		{name: "trim in turns", layers: items(line([2]float64{10, 20}, [2]float64{50, 20}), line([2]float64{10, 60}, [2]float64{50, 60}), trim(0, 75, 0, 2), black), area: 600,
			colors: map[image.Point]color.NRGBA{at(48, 20): {0, 0, 0, 255}, at(28, 60): {0, 0, 0, 255}, at(32, 60): isNothing}},
		{name: "rounded corners", layers: items(square, M{"ty": "rd", "r": V(10)}, red), area: 3600 - (4-math.Pi)*100},
		{name: "copies", layers: items(Rect(20, 50, 10, 10), red, dots), area: 200, colors: map[image.Point]color.NRGBA{at(20, 50): isRed, at(40, 50): {255, 0, 0, 170}, at(80, 50): isNothing}},
		{name: "union", layers: two(2), area: 2800},
		{name: "difference", layers: two(3), area: 1200, colors: map[image.Point]color.NRGBA{at(70, 70): isRed, at(50, 50): isNothing, at(30, 30): isNothing}},
		{name: "intersection", layers: two(4), area: 400, colors: map[image.Point]color.NRGBA{at(50, 50): isRed}},
		{name: "exclusion", layers: two(5), area: 2400, colors: map[image.Point]color.NRGBA{at(50, 50): isNothing}},
		{name: "group half seen", layers: items(Group(M{"o": V(50)}, Rect(40, 50, 40, 40), red, Group(nil, Rect(60, 50, 40, 40), blue))), area: 1200,
			colors: map[image.Point]color.NRGBA{at(50, 50): {255, 0, 0, 128}}},
		{name: "unknown and broken items", layers: items(M{"ty": "zz"}, "no item", 5, nil, M{"ty": "el"}, M{"ty": "sh"}, M{"ty": "sh", "ks": M{"k": L{M{"s": "x"}}}}, square, M{"ty": "tm"}, red), area: 3600},
	} {
		t.Run(d.name, d.test)
	}
}

func TestLayers(t *testing.T) {
	t.Parallel()
	box := func(given M) M { return Shapes(given, Rect(0, 0, 20, 20), red) }
	moves := M{"p": Keys(Key(0, L{10, 50, 0}), Key(50, L{60, 50, 0}))} // a pixel a frame
	placed := func(ks M) []M { return []M{box(M{"ks": Place(ks)})} }
	comp := M{"assets": L{M{"id": "comp", "layers": L{box(M{"ks": Place(moves)})}}}}
	pre := func(given M) []M { return []M{With(Layer(0, given), M{"refId": "comp", "w": 100, "h": 100})} }
	full := func(given M) M { return Shapes(given, Rect(50, 50, 90, 90), red) }
	mask := func(mode string, inverted bool, opacity, x0, y0, x1, y1 float64) M {
		return M{"mode": mode, "inv": inverted, "o": V(opacity), "pt": V(Bezier(true, [][2]float64{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, nil, nil))}
	}
	masked := func(masks ...any) []M { return []M{full(M{"masksProperties": masks})} }
	// The matte is grey, half seen, and covers the left half of what is 80 by 50.
	matte := func(mode int) []M {
		return []M{Shapes(M{"td": 1}, Rect(30, 50, 40, 100), With(Fill(0.5, 0.5, 0.5), M{"o": V(50)})), Shapes(M{"tt": mode}, Rect(50, 50, 80, 50), red)}
	}
	self := M{"assets": L{M{"id": "comp", "layers": L{With(Layer(0, nil), M{"refId": "comp", "w": 100, "h": 100}), box(M{"ks": Place(moves)})}}}}
	for _, d := range []drawn{
		{name: "solid", layers: []M{With(Layer(1, nil), M{"sw": 30, "sh": 20, "sc": "#336699"})}, area: 600, box: image.Rect(0, 0, 30, 20), colors: map[image.Point]color.NRGBA{at(5, 5): {0x33, 0x66, 0x99, 255}}},
		{name: "position", layers: placed(M{"p": V(L{30, 40, 0})}), area: 400, box: image.Rect(20, 30, 40, 50)},
		{name: "anchor and scale", layers: placed(M{"p": V(L{30, 40, 0}), "a": V(L{-10, -10, 0}), "s": V(L{200, 50, 100})}), area: 400, box: image.Rect(30, 40, 70, 50)},
		{name: "rotation", layers: placed(M{"p": V(L{50, 50, 0}), "a": V(L{10, 0, 0}), "r": V(90)}), area: 400, box: image.Rect(40, 30, 60, 50)},
		{name: "skew", layers: placed(M{"p": V(L{50, 50, 0}), "s": V(L{100, 200, 100}), "sk": V(45)}), area: 800, box: image.Rect(20, 30, 80, 70),
			colors: map[image.Point]color.NRGBA{at(67, 32): isRed, at(32, 32): isNothing}},
		{name: "in three dimensions", layers: []M{box(M{"ks": M{"p": V(L{50, 50, 0}), "rz": V(0), "rx": V(60), "ry": V(0), "s": V(L{100, 200, 100})}})}, area: 400, box: image.Rect(40, 40, 60, 60)},
		{name: "parent", layers: []M{box(M{"parent": 2, "ks": Place(M{"p": V(L{20, 0, 0})})}), Layer(3, M{"ks": Place(M{"p": V(L{50, 50, 0}), "r": V(90), "o": V(0)})})}, area: 400, box: image.Rect(40, 60, 60, 80)},
		{name: "its own parent", layers: []M{box(M{"parent": 1, "ks": Place(M{"p": V(L{20, 20, 0})})})}, area: 400},
		{name: "moving", layers: placed(moves), frame: 20, area: 400, box: image.Rect(20, 40, 40, 60)},
		{name: "before it moves", layers: []M{box(M{"ip": -9, "ks": Place(moves)})}, frame: -3, area: 400, box: image.Rect(0, 40, 20, 60)},
		{name: "after it moved", layers: placed(moves), frame: 55, area: 400, box: image.Rect(50, 40, 70, 60)},
		{name: "before it begins", layers: []M{box(M{"ip": 10, "op": 20, "ks": Place(moves)})}, frame: 9.5, area: 0},
		{name: "when it begins", layers: []M{box(M{"ip": 10, "op": 20, "ks": Place(moves)})}, frame: 10, area: 400},
		{name: "when it ends", layers: []M{box(M{"ip": 10, "op": 20, "ks": Place(moves)})}, frame: 20, area: 0},
		{name: "hidden", layers: []M{box(M{"hd": true, "ks": Place(moves)})}, area: 0},
		{name: "order", layers: []M{Shapes(nil, Rect(40, 40, 40, 40), red), Shapes(nil, Rect(60, 60, 40, 40), blue)}, area: 2800, colors: map[image.Point]color.NRGBA{at(50, 50): isRed, at(70, 70): isBlue}},
		{name: "opacity", layers: []M{full(M{"ks": Place(M{"o": V(25)})})}, area: 8100.0 / 4},
		{name: "multiply", layers: []M{Shapes(M{"bm": 1}, Rect(50, 50, 40, 40), Fill(1, 0.5, 0)), Shapes(nil, Rect(50, 50, 60, 60), Fill(0.5, 0.5, 1))}, area: 3600,
			colors: map[image.Point]color.NRGBA{at(50, 50): {128, 64, 0, 255}, at(25, 25): {128, 128, 255, 255}}},

		{name: "composition", layers: pre(nil), more: comp, frame: 20, area: 400, box: image.Rect(20, 40, 40, 60)},
		{name: "composition begun later", layers: pre(M{"st": 5}), more: comp, frame: 25, area: 400, box: image.Rect(20, 40, 40, 60)},
		{name: "stretched", layers: pre(M{"sr": 2}), more: comp, frame: 40, area: 400, box: image.Rect(20, 40, 40, 60)},
		{name: "remapped", layers: pre(M{"tm": V(20.0 / Rate)}), more: comp, frame: 3, area: 400, box: image.Rect(20, 40, 40, 60)},
		{name: "cut off", layers: []M{With(pre(nil)[0], M{"w": 30, "h": 50})}, more: comp, frame: 20, area: 100, box: image.Rect(20, 40, 30, 50)},
		{name: "composition that is not there", layers: append(pre(M{"ind": 5}), box(M{"ks": Place(moves)})), area: 400},
		{name: "composition in itself", layers: pre(nil), more: self, frame: 20, area: 400},

		{name: "mask", layers: masked(mask("a", false, 100, 10, 10, 70, 70)), area: 3600},
		{name: "inverted mask", layers: masked(mask("a", true, 100, 10, 10, 70, 70)), area: 4500},
		{name: "weak mask", layers: masked(mask("a", false, 40, 10, 10, 70, 70)), area: 1440},
		{name: "masks added", layers: masked(mask("a", false, 100, 10, 10, 50, 50), mask("a", false, 100, 30, 30, 70, 70)), area: 2800},
		{name: "subtracted", layers: masked(mask("a", false, 100, 10, 10, 50, 50), mask("s", false, 100, 30, 30, 70, 70)), area: 1200},
		{name: "subtracted first", layers: masked(mask("s", false, 100, 30, 30, 70, 70)), area: 6500},
		{name: "intersected", layers: masked(mask("a", false, 100, 10, 10, 50, 50), mask("i", false, 100, 30, 30, 70, 70)), area: 400},
		{name: "difference of masks", layers: masked(mask("a", false, 100, 10, 10, 50, 50), mask("f", false, 100, 30, 30, 70, 70)), area: 2400},
		{name: "mask made larger", layers: masked(With(mask("a", false, 100, 20, 20, 60, 60), M{"x": V(5)})), area: 2500},
		{name: "mask made smaller", layers: masked(With(mask("a", false, 100, 20, 20, 60, 60), M{"x": V(-5)})), area: 900},
		{name: "no mask", layers: masked(mask("n", false, 100, 10, 10, 70, 70)), area: 8100},

		{name: "alpha matte", layers: matte(1), area: 40 * 50 / 2},
		{name: "inverted alpha matte", layers: matte(2), area: 40*50/2 + 40*50},
		{name: "luma matte", layers: matte(3), area: 40 * 50 / 4},
		{name: "inverted luma matte", layers: matte(4), area: 40*50*3/4 + 40*50},
		{name: "matte by index", layers: []M{Shapes(M{"tt": 1, "tp": 2}, Rect(50, 50, 80, 50), red), Shapes(M{"td": 1}, Rect(30, 50, 40, 100), red)}, area: 40 * 50},
		{name: "matte of itself", layers: []M{Shapes(M{"tt": 1, "tp": 1, "ind": 1}, Rect(50, 50, 80, 50), red)}, area: 0},
	} {
		t.Run(d.name, d.test)
	}
}
