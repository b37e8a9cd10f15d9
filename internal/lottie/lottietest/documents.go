package lottietest

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
)

// Documents are all of them.
func Documents() []Document {
	var all []Document
	for _, some := range [][]Document{outlines(), styles(), modifiers(), times(), layers(), mattes()} {
		all = append(all, some...)
	}
	return all
}

func one(name string, layers ...M) Document {
	return Document{Name: name, JSON: Animation(nil, layers...), At: []float64{0}}
}

func moving(name string, layers ...M) Document {
	return Document{Name: name, JSON: Animation(nil, layers...), At: []float64{0, 13, 30, 50}}
}

var (
	red    = Fill(1, 0, 0)
	blue   = Fill(0, 0, 1)
	star   = M{"ty": "sr", "sy": 1, "d": 1, "pt": V(5), "p": V(L{50, 50}), "r": V(10), "ir": V(18), "is": V(0), "or": V(42), "os": V(0), "nm": "star", "hd": false}
	loop   = Bezier(true, [][2]float64{{20, 20}, {80, 30}, {60, 85}}, [][2]float64{{-10, 20}, {-20, -20}, {20, 5}}, [][2]float64{{15, -20}, {10, 25}, {-25, 5}})
	wave   = Bezier(false, [][2]float64{{10, 50}, {50, 50}, {90, 50}}, [][2]float64{{0, 0}, {-15, -40}, {-15, 40}}, [][2]float64{{15, -40}, {15, 40}, {0, 0}})
	pentas = Bezier(true, [][2]float64{{50, 8}, {76, 88}, {8, 38}, {92, 38}, {24, 88}}, nil, nil)
)

func outlines() []Document {
	return []Document{
		one("rectangle", Shapes(nil, Rect(50, 50, 60, 40), red)),
		one("rounded rectangle", Shapes(nil, With(Rect(50, 50, 60, 40), M{"r": V(12)}), red)),
		one("too round a rectangle", Shapes(nil, With(Rect(50, 50, 60, 40), M{"r": V(500)}), red)),
		one("ellipse", Shapes(nil, Ellipse(50, 50, 80, 50), red)),
		one("path", Shapes(nil, Path(V(loop)), red)),
		one("open path", Shapes(nil, Path(V(wave)), red)),
		one("star", Shapes(nil, star, red)),
		one("round star", Shapes(nil, With(star, M{"is": V(40), "os": V(70), "d": 3}), red)),
		one("polygon", Shapes(nil, M{"ty": "sr", "sy": 2, "d": 1, "pt": V(6), "p": V(L{50, 50}), "r": V(10), "or": V(42), "os": V(30), "nm": "polygon", "hd": false}, red)),
		one("two ways round", Shapes(nil, Rect(50, 50, 80, 80), With(Rect(50, 50, 40, 40), M{"d": 3}), red)),
		one("even-odd", Shapes(nil, Path(V(pentas)), With(red, M{"r": 2}))),
		one("non-zero", Shapes(nil, Path(V(pentas)), red)),
		one("outside of the picture", Shapes(nil, Ellipse(0, 100, 150, 120), red)),
		one("hidden shape", Shapes(nil, With(Rect(30, 50, 20, 20), M{"hd": true}), Rect(70, 50, 20, 20), red)),
	}
}

func gradient(kind int, more M) M {
	g := M{"ty": "gf", "o": V(100), "r": 1, "bm": 0, "t": kind, "s": V(L{20, 20}), "e": V(L{80, 70}), "h": V(0), "a": V(0), "nm": "gradient", "hd": false,
		"g": M{"p": 3, "k": V(L{0, 1, 0, 0, 0.4, 0, 1, 0, 1, 0, 0, 1})}}
	return With(g, more)
}

// dash is the length of a dash (d), a gap (g) or the offset (o).
func dash(kind string, length float64) M {
	return M{"n": kind, "nm": "dash " + kind, "v": V(length)}
}

func styles() []Document {
	line := Path(V(Bezier(false, [][2]float64{{15, 80}, {50, 20}, {85, 80}}, nil, nil)))
	thick := Stroke(0, 0.5, 0, 14)
	full := Rect(50, 50, 90, 90)
	alphas := M{"p": 2, "k": V(L{0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0.5, 0.2, 1, 0.8})}
	radial := M{"s": V(L{50, 50}), "e": V(L{90, 50})}
	return []Document{
		one("butt and miter", Shapes(nil, line, thick)),
		one("round and round", Shapes(nil, line, With(thick, M{"lc": 2, "lj": 2}))),
		one("square and bevel", Shapes(nil, line, With(thick, M{"lc": 3, "lj": 3}))),
		one("miter limit", Shapes(nil, line, With(thick, M{"ml": 1}))),
		one("closed stroke", Shapes(nil, Path(V(loop)), thick)),
		one("curved stroke", Shapes(nil, Path(V(wave)), With(thick, M{"lc": 2}))),
		one("thin stroke", Shapes(nil, Path(V(wave)), Stroke(0, 0, 0, 0.7))),
		one("stroke seen askew", Shapes(nil, Group(M{"s": V(L{200, 50}), "sk": V(20), "a": V(L{50, 50}), "p": V(L{50, 50})}, Ellipse(50, 50, 30, 60), Stroke(0, 0, 0, 8)))),
		one("stroke outside of a scaled group", Shapes(nil, Group(M{"s": V(L{200, 50}), "a": V(L{50, 50}), "p": V(L{50, 50})}, Ellipse(50, 50, 30, 60)), Stroke(0, 0, 0, 8))),
		one("dashes", Shapes(nil, Path(V(loop)), With(Stroke(0, 0, 0, 4), M{"d": L{dash("d", 12), dash("g", 6), dash("o", 5)}}))),
		one("round dashes", Shapes(nil, Ellipse(50, 50, 70, 70), With(Stroke(0, 0, 0, 6), M{"lc": 2, "d": L{dash("d", 0), dash("g", 11), dash("o", 0)}}))),
		one("fill and stroke", Shapes(nil, full, Ellipse(50, 50, 30, 30), Stroke(0, 0, 0, 6), With(red, M{"r": 2}))),
		one("opacity of a fill", Shapes(nil, Rect(40, 40, 50, 50), With(red, M{"o": V(50)})), Shapes(nil, Rect(60, 60, 50, 50), blue)),
		one("linear gradient", Shapes(nil, full, gradient(1, nil))),
		one("radial gradient", Shapes(nil, full, gradient(2, radial))),
		one("radial gradient with a highlight", Shapes(nil, full, gradient(2, With(radial, M{"h": V(60), "a": V(40)})))),
		one("transparent gradient", Shapes(nil, full, gradient(1, M{"g": alphas}))),
		one("gradient in a turned group", Shapes(nil, Group(M{"r": V(30), "a": V(L{50, 50}), "p": V(L{50, 50}), "s": V(L{80, 60})}, full, gradient(1, nil)))),
		one("gradient stroke", Shapes(nil, Ellipse(50, 50, 70, 70), With(gradient(1, nil), M{"ty": "gs", "w": V(12), "lc": 1, "lj": 1, "ml": 4}))),
		one("styles of a group and of its parent", Shapes(nil, Group(nil, Rect(30, 50, 30, 60), blue), Rect(70, 50, 30, 60), Stroke(0, 0, 0, 4), red)),
		one("opacity of a group", Shapes(nil, Group(M{"o": V(50)}, Rect(40, 50, 40, 40), red, Group(nil, Rect(60, 50, 40, 40), blue)))),
	}
}

func trimmed(s, e, o any, m int) M {
	return M{"ty": "tm", "s": V(s), "e": V(e), "o": V(o), "m": m, "nm": "trim", "hd": false}
}

func repeat(n, offset float64, m int, tr M) M {
	tr = Place(tr)
	delete(tr, "o")
	if tr["so"] == nil {
		tr["so"], tr["eo"] = V(100), V(100)
	}
	tr["ty"] = "tr"
	return M{"ty": "rp", "c": V(n), "o": V(offset), "m": m, "tr": tr, "nm": "repeater", "hd": false}
}

func modifiers() []Document {
	black := Stroke(0, 0, 0, 6)
	const merges = "lottie-web does not merge paths"
	merged := func(mode int) M { return M{"ty": "mm", "mm": mode, "nm": "merge", "hd": false} }
	two := func(name string, mode int) Document {
		d := one(name, Shapes(nil, Rect(40, 40, 40, 40), Rect(60, 60, 40, 40), merged(mode), red))
		d.Alone = merges
		return d
	}
	return []Document{
		one("trim", Shapes(nil, Path(V(loop)), trimmed(20, 70, 0, 1), black)),
		one("trim with an offset", Shapes(nil, Ellipse(50, 50, 70, 70), trimmed(10, 60, 200, 1), black)),
		one("trimmed rectangle", Shapes(nil, Rect(50, 50, 60, 60), trimmed(0, 40, 0, 1), black)),
		one("trim of nothing", Shapes(nil, Path(V(loop)), trimmed(30, 30, 0, 1), black)),
		one("trim of each", Shapes(nil, Ellipse(30, 50, 40, 40), Rect(75, 50, 30, 60), trimmed(0, 50, 0, 1), black)),
		one("trim in turns", Shapes(nil, Ellipse(30, 50, 40, 40), Rect(75, 50, 30, 60), trimmed(10, 70, 0, 2), black)),
		one("trimmed fill", Shapes(nil, Ellipse(50, 50, 70, 70), trimmed(0, 60, 0, 1), red)),
		one("trim of a group", Shapes(nil, Group(M{"r": V(45), "a": V(L{50, 50}), "p": V(L{50, 50})}, Rect(50, 50, 50, 50)), trimmed(5, 60, 30, 1), black)),
		one("rounded corners", Shapes(nil, star, M{"ty": "rd", "r": V(6), "nm": "round"}, red)),
		one("rounded corners of an open path", Shapes(nil, Path(V(Bezier(false, [][2]float64{{15, 80}, {50, 20}, {85, 80}}, nil, nil))), M{"ty": "rd", "r": V(20), "nm": "round"}, black)),
		one("pucker", Shapes(nil, Rect(50, 50, 60, 60), M{"ty": "pb", "a": V(30), "nm": "pucker"}, red)),
		one("repeater", Shapes(nil, Ellipse(20, 20, 20, 20), red, repeat(4, 0, 1, M{"p": V(L{18, 18}), "so": V(100), "eo": V(20)}))),
		one("turning repeater", Shapes(nil, Rect(50, 20, 8, 24), red, repeat(8, 0, 1, M{"r": V(45), "a": V(L{50, 50}), "s": V(L{95, 95})}))),
		one("repeater with an offset", Shapes(nil, Rect(30, 50, 14, 14), Stroke(0, 0, 0, 3), blue, repeat(3, 1, 2, M{"p": V(L{10, 8})}))),
		two("union", 2), two("difference", 3), two("intersection", 4), two("exclusion", 5),
	}
}

func times() []Document {
	box := Rect(0, 0, 20, 20)
	at := func(ks M) M { return Shapes(M{"ks": Place(ks)}, box, red) }
	ends := func(from, to any, ease ...float64) M { return Keys(Key(10, from, ease...), Key(40, to)) }
	bent := Key(0, L{10, 80, 0}, 0.3, 0.1, 0.6, 0.9)
	bent["to"], bent["ti"] = L{0, -60, 0}, L{-40, 10, 0}
	both := Key(0, L{20, 20, 0})
	both["o"], both["i"] = M{"x": L{0.7, 0.1}, "y": L{0, 0}}, M{"x": L{0.9, 0.2}, "y": L{1, 1}}
	held := Key(10, L{30, 30, 0})
	held["h"] = 1
	old := M{"a": 1, "k": L{
		With(Key(0, L{20, 20, 0}), M{"e": L{80, 50, 0}}),
		With(Key(30, L{80, 50, 0}), M{"e": L{20, 80, 0}}), M{"t": 50},
	}}
	other := Bezier(true, [][2]float64{{30, 10}, {90, 60}, {20, 70}}, [][2]float64{{10, 20}, {-20, 20}, {-20, 5}}, [][2]float64{{-15, 20}, {10, 25}, {25, -5}})
	shape := func(k M, value M) M { k["s"] = L{value}; return k }
	return []Document{
		moving("linear", at(M{"p": ends(L{20, 20, 0}, L{80, 70, 0})})),
		moving("eased", at(M{"p": ends(L{20, 20, 0}, L{80, 70, 0}, 0.8, 0, 0.2, 1)})),
		moving("beyond its end", at(M{"p": ends(L{30, 30, 0}, L{70, 60, 0}, 0.5, -0.8, 0.5, 1.8)})),
		moving("each dimension eased", at(M{"p": Keys(both, Key(50, L{80, 80, 0}))})),
		moving("held", at(M{"p": Keys(held, Key(30, L{70, 70, 0}))})),
		moving("along a curve", at(M{"p": Keys(bent, Key(55, L{90, 30, 0}))})),
		moving("turned along a curve", Shapes(M{"ao": 1, "ks": Place(M{"p": Keys(bent, Key(55, L{90, 30, 0}))})}, Rect(0, 0, 30, 10), red)),
		moving("old keyframes", at(M{"p": old})),
		moving("split position", at(M{"p": M{"s": true, "x": ends(L{20}, L{80}), "y": V(40)}})),
		moving("rotation", at(M{"p": V(L{50, 50, 0}), "r": ends(L{0}, L{200}), "s": V(L{200, 100, 100})})),
		moving("scale and anchor", at(M{"p": V(L{50, 50, 0}), "a": V(L{10, 5, 0}), "s": ends(L{50, 100, 100}, L{-300, 200, 100})})),
		moving("skew", at(M{"p": V(L{50, 50, 0}), "s": V(L{250, 250, 100}), "sk": ends(L{0}, L{35}), "sa": V(25)})),
		moving("opacity", at(M{"p": V(L{50, 50, 0}), "o": ends(L{0}, L{100}), "s": V(L{300, 300, 100})})),
		moving("color", Shapes(nil, Rect(50, 50, 60, 60), With(red, M{"c": ends(L{1, 0, 0, 1}, L{0, 1, 0.5, 1})}))),
		moving("morph", Shapes(nil, Path(Keys(shape(Key(5, nil), loop), shape(Key(45, nil), other))), red)),
		moving("trim that grows", Shapes(nil, Path(V(wave)), M{"ty": "tm", "s": V(0), "e": ends(L{0}, L{100}), "o": V(0), "m": 1, "nm": "trim"}, With(Stroke(0, 0, 0, 8), M{"lc": 2}))),
		moving("gradient that changes", Shapes(nil, Rect(50, 50, 90, 90), gradient(1, M{"e": ends(L{40, 30}, L{90, 90}), "g": M{"p": 2, "k": ends(L{0, 1, 0, 0, 1, 0, 0, 1}, L{0.3, 0, 1, 0, 0.6, 0, 0, 0})}}))),
	}
}

func comp(more M, layers ...M) M {
	for i, l := range layers {
		l["ind"] = i + 1
	}
	return With(M{"id": "comp", "layers": layers}, more)
}

func layers() []Document {
	solid := func(color string, w, h int, given M) M {
		return With(Layer(1, given), M{"sc": color, "sw": w, "sh": h})
	}
	slide := Place(M{"p": Keys(Key(0, L{0, 50, 0}), Key(60, L{100, 50, 0}))})
	inner := func() M { return Shapes(M{"ks": slide}, Rect(0, 0, 20, 60), red) }
	with := func(name string, layers []M, assets ...any) Document {
		return Document{Name: name, JSON: Animation(M{"assets": assets}, layers...), At: []float64{0, 13, 30, 50}}
	}
	pre := func(given M) M { return With(Layer(0, given), M{"refId": "comp", "w": 100, "h": 100}) }
	nulled := Layer(3, M{"ind": 9, "ks": Place(M{"p": V(L{50, 50, 0}), "r": Keys(Key(0, L{0}), Key(60, L{180})), "o": V(0)})})
	return []Document{
		one("solid", solid("#3366cc", 60, 40, M{"ks": Place(M{"p": V(L{20, 30, 0}), "r": V(10)})})),
		one("order of layers", Shapes(nil, Rect(40, 40, 40, 40), red), Shapes(nil, Rect(60, 60, 40, 40), blue)),
		one("hidden layer", Shapes(M{"hd": true}, Rect(40, 40, 40, 40), red), Shapes(nil, Rect(60, 60, 40, 40), blue)),
		moving("in and out", Shapes(M{"ip": 10, "op": 30}, Rect(50, 50, 60, 60), red), Shapes(M{"ip": 30}, Ellipse(50, 50, 60, 60), blue)),
		moving("parent", Shapes(M{"parent": 9, "ks": Place(M{"p": V(L{20, 0, 0})})}, Rect(0, 0, 30, 20), red), nulled),
		with("composition", []M{pre(nil)}, comp(nil, inner())),
		with("composition that begins later", []M{pre(M{"st": 20, "ip": 20})}, comp(nil, inner())),
		with("stretched composition", []M{pre(M{"sr": 2})}, comp(nil, inner())),
		with("time remapped", []M{pre(M{"tm": Keys(Key(0, L{2}), Key(30, L{0.5}), Key(60, L{1}))})}, comp(nil, inner())),
		with("composition cut off", []M{With(pre(M{"ks": Place(M{"p": V(L{20, 20, 0}), "r": V(20)})}), M{"w": 50, "h": 60})}, comp(nil, inner())),
		with("composition in a composition", []M{pre(M{"ks": Place(M{"s": V(L{80, 80, 100}), "o": V(60)})})},
			comp(nil, With(pre(M{"st": -10}), M{"refId": "deep"})), M{"id": "deep", "layers": L{With(inner(), M{"ind": 1})}}),
		with("image", []M{With(Layer(2, M{"ks": Place(M{"p": V(L{50, 10, 0}), "r": V(30)})}), M{"refId": "dots"})}, M{"id": "dots", "w": 50, "h": 50, "u": "", "p": dots(), "e": 1}),
		{Name: "multiply", JSON: Animation(nil, Shapes(M{"bm": 1}, Rect(40, 40, 40, 40), Fill(1, 0.5, 0)), Shapes(nil, Rect(60, 60, 40, 40), Fill(0, 0.5, 1))), At: []float64{0}},
		letters(),
	}
}

// dots is a picture of fifty pixels a side, in four squares: red, green, blue and white.
func dots() string {
	m := image.NewNRGBA(image.Rect(0, 0, 50, 50))
	for i := range 50 * 50 {
		x, y := i%50, i/50
		c := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}}[x/25+y/25*2]
		m.SetNRGBA(x, y, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic(err) // a buffer takes all
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// letters is a text of two letters whose outlines are in the document.
func letters() Document {
	char := func(ch string, shapes ...any) M {
		return M{"ch": ch, "size": 100, "style": "Regular", "w": 60, "fFamily": "Test", "data": M{"shapes": L{M{"ty": "gr", "it": shapes, "nm": "letter"}}}}
	}
	text := Layer(5, M{"ks": Place(M{"p": V(L{50, 60, 0})}), "t": M{
		"d": M{"k": L{M{"t": 0, "s": M{"s": 40, "f": "Test-Regular", "t": "AB\rA", "j": 2, "tr": 0, "lh": 35, "ls": 0, "fc": L{0, 0.4, 0.8}}}}},
		"p": M{}, "m": M{"g": 1, "a": V(L{0, 0})}, "a": L{},
	}})
	more := M{
		"fonts": M{"list": L{M{"fName": "Test-Regular", "fFamily": "Test", "fStyle": "Regular", "ascent": 75}}},
		"chars": L{char("A", Path(V(Bezier(true, [][2]float64{{5, 0}, {30, -70}, {55, 0}}, nil, nil)))), char("B", Rect(30, -35, 40, 70))},
	}
	return Document{Name: "text", JSON: Animation(more, text), At: []float64{0}}
}

func mattes() []Document {
	masked := func(name string, masks ...any) Document {
		return one(name, Shapes(M{"hasMask": true, "masksProperties": masks}, Rect(50, 50, 90, 90), red))
	}
	path := func(v ...[2]float64) M { return V(Bezier(true, v, nil, nil)) }
	mask := func(mode string, pt M, more M) M {
		return With(M{"inv": false, "mode": mode, "pt": pt, "o": V(100), "x": V(0), "nm": "mask"}, more)
	}
	a := path([2]float64{10, 10}, [2]float64{70, 10}, [2]float64{70, 70}, [2]float64{10, 70})
	back := path([2]float64{10, 10}, [2]float64{10, 70}, [2]float64{70, 70}, [2]float64{70, 10})
	b := path([2]float64{40, 40}, [2]float64{95, 45}, [2]float64{60, 95})
	matte := func(name string, mode int) Document {
		return one(name,
			Shapes(M{"td": 1}, Ellipse(50, 50, 60, 60), gradient(1, M{"g": M{"p": 2, "k": V(L{0, 1, 0.2, 0, 1, 0.1, 1, 1})}})),
			Shapes(M{"tt": mode}, Rect(50, 50, 80, 50), red),
			Shapes(nil, Rect(50, 20, 100, 20), blue))
	}
	far := one("matte by its index",
		Shapes(M{"tt": 1, "tp": 3}, Rect(50, 50, 80, 50), red),
		Shapes(nil, Rect(50, 20, 100, 20), blue),
		Shapes(M{"td": 1}, Ellipse(50, 50, 60, 60), red))
	inverted := matte("inverted luma matte", 4)
	inverted.Alone = "lottie-web knows them on a canvas only"
	return []Document{
		masked("mask", mask("a", a, nil)),
		masked("inverted mask", mask("a", back, M{"inv": true})),
		masked("half a mask", mask("a", a, M{"o": V(40)})),
		masked("masks added", mask("a", a, nil), mask("a", b, nil)),
		masked("mask subtracted", mask("a", a, nil), mask("s", b, nil)),
		masked("mask subtracted first", mask("s", b, nil)),
		masked("masks intersected", mask("a", a, nil), mask("i", b, nil)),
		masked("mask that is none", mask("n", a, nil)),
		matte("alpha matte", 1), matte("inverted alpha matte", 2), matte("luma matte", 3), inverted,
		far,
	}
}
