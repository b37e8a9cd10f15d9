package lottie

import (
	"math"
	"testing"
)

// TestEase compares with the curves of CSS, whose values are known.
func TestEase(t *testing.T) {
	t.Parallel()
	css, in, both := ease{0.25, 0.1, 0.25, 1}, ease{0.42, 0, 1, 1}, ease{0.42, 0, 0.58, 1}
	for _, c := range []struct {
		name    string
		e       ease
		x, want float64
	}{
		{"ease", css, 0.5, 0.802403}, {"ease", css, 0.25, 0.408511}, {"ease-in", in, 0.5, 0.315357}, {"ease-in-out", both, 0.5, 0.5}, {"ease-in-out", both, 0.25, 0.129162},
		{"linear", linear(), 0.3, 0.3}, {"before", css, -1, 0}, {"after", css, 2, 1}, {"over the end", ease{0, 0, 1, 3}, 0.5, 1.25},
	} {
		if got := c.e.at(c.x); math.Abs(got-c.want) > 1e-5 {
			t.Errorf("%s at %v is %v, and should be %v", c.name, c.x, got, c.want)
		}
	}
}

// TestProperties: what a property is between its keyframes, in the forms that exporters write.
func TestProperties(t *testing.T) {
	t.Parallel()
	lin := func(t float64, more object) any {
		o := map[string]any{"t": t, "o": map[string]any{"x": 0.3, "y": 0.3}, "i": map[string]any{"x": 0.6, "y": 0.6}}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	list := func(v ...any) []any { return v }
	for _, c := range []struct {
		name string
		v    any
		at   float64
		want []float64
	}{
		{"number", map[string]any{"k": 5.0}, 3, []float64{5, 9}},
		{"list", map[string]any{"k": list(5.0, 6.0, 7.0)}, 3, []float64{5, 6, 7}},
		{"bare", 4.0, 0, []float64{4, 9}},
		{"missing", nil, 0, []float64{8, 9}},
		{"of another type", map[string]any{"k": "x"}, 0, []float64{8, 9}},
		{"new keyframes", map[string]any{"k": list(lin(0, object{"s": list(0.0, 10.0)}), lin(10, object{"s": list(20.0, 30.0)}))}, 5, []float64{10, 20}},
		{"old keyframes", map[string]any{"k": list(lin(0, object{"s": list(0.0, 10.0), "e": list(20.0, 30.0)}), lin(10, nil))}, 5, []float64{10, 20}},
		{"after old ones", map[string]any{"k": list(lin(0, object{"s": list(0.0, 10.0), "e": list(20.0, 30.0)}), lin(10, nil))}, 50, []float64{20, 30}},
		{"before", map[string]any{"k": list(lin(5, object{"s": list(1.0, 2.0)}), lin(10, object{"s": list(20.0, 30.0)}))}, 0, []float64{1, 2}},
		{"held", map[string]any{"k": list(lin(0, object{"s": list(1.0, 2.0), "h": 1.0}), lin(10, object{"s": list(20.0, 30.0)}))}, 9.9, []float64{1, 2}},
		{"out of order", map[string]any{"k": list(lin(10, object{"s": list(20.0, 30.0)}), lin(0, object{"s": list(0.0, 10.0)}))}, 5, []float64{10, 20}},
		{"at one time", map[string]any{"k": list(lin(5, object{"s": list(1.0, 2.0)}), lin(5, object{"s": list(20.0, 30.0)}))}, 5, []float64{20, 30}},
	} {
		p := readProperty(object{"p": c.v}, "p", 8, 9)
		got := p.at(c.at)
		if len(got) != len(c.want) {
			t.Errorf("%s: %v, and should be %v", c.name, got, c.want)
			continue
		}
		for i := range got {
			if math.Abs(got[i]-c.want[i]) > 1e-4 {
				t.Errorf("%s: %v, and should be %v", c.name, got, c.want)
			}
		}
	}
	// A quarter of a circle is gone along with an even pace: half of the way is at 45 degrees.
	const k = 0.5523
	p := readProperty(object{"p": map[string]any{"k": list(lin(0, object{"s": list(100.0, 0.0), "to": list(0.0, 100*k), "ti": list(100*k, 0.0)}), lin(10, object{"s": list(0.0, 100.0)}))}}, "p", 0, 0)
	for at, degrees := range map[float64]float64{2.5: 22.5, 5: 45, 7.5: 67.5} {
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		if v := p.point(at); math.Hypot(v.X-100*cos, v.Y-100*sin) > 0.1 {
			t.Errorf("at %v it is at %v", at, v)
		}
	}
}
