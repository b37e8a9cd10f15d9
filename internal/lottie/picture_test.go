package lottie_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/apng/apngtest"
	"github.com/landbridge-im/landbridge/internal/lottie"
	. "github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

func parse(t testing.TB, raw []byte) *lottie.Document {
	t.Helper()
	d, err := lottie.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// appearing is a red square that comes after a second of two.
func appearing(more M) []byte {
	return Animation(more, Shapes(M{"ip": Frames / 2, "op": 1e6}, Rect(50, 50, 60, 60), red))
}

func TestAnimated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		more          M
		width, height int
		frames        int // in all; those that are the same are one in the file
		lasts         time.Duration
	}{
		{"as it is", nil, 200, 200, 60, 2 * time.Second},
		{"at sixty a second", M{"fr": 60}, 200, 200, 30, time.Second},
		{"wide", M{"w": 400, "h": 100}, 200, 50, 60, 2 * time.Second},
		{"long", M{"op": 30 * 20}, 200, 200, 300, 20 * time.Second},
		{"very long", M{"op": 30 * 1000}, 200, 200, 300, 37500 * time.Millisecond},
		{"slow", M{"fr": 2, "op": 40}, 200, 200, 40, 20 * time.Second},
	} {
		p, err := parse(t, appearing(c.more)).Animated(t.Context(), 200, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.Width != c.width || p.Height != c.height || p.Frames != c.frames {
			t.Errorf("%s: %d frames of %dx%d", c.name, p.Frames, p.Width, p.Height)
		}
		a, err := apngtest.Decode(p.Data)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var lasts time.Duration
		for _, d := range a.Lasts {
			lasts += d
		}
		if lasts != c.lasts {
			t.Errorf("%s: lasts %v", c.name, lasts)
		}
		// The first frame is empty, but not what is shown where nothing moves.
		x, y := p.Width/8, p.Height/2
		if c.more["w"] == nil {
			x = p.Width / 2
		}
		if first, still := a.Frames[0].NRGBAAt(x, y), a.Still.NRGBAAt(x, y); first.A != 0 || still != (color.NRGBA{255, 0, 0, 255}) {
			t.Errorf("%s: first %v, still %v", c.name, first, still)
		}
	}
}

func TestTooManyBytes(t *testing.T) {
	t.Parallel()
	d := parse(t, Animation(nil, Shapes(M{"ks": Place(M{"p": V(L{50, 50, 0}), "a": V(L{50, 50, 0}), "r": Keys(Key(0, L{0}), Key(60, L{360}))})}, Rect(50, 50, 60, 60), red)))
	large, err := d.Animated(t.Context(), 200, 1<<20)
	if err != nil || large.Width != 200 {
		t.Fatal(large, err)
	}
	half, err := d.Animated(t.Context(), 200, len(large.Data)*3/4)
	if err != nil || half.Width != 100 || half.Frames != Frames {
		t.Fatal(half, err)
	}
	one, err := d.Animated(t.Context(), 200, 100)
	if err != nil || one.Width != 100 || one.Frames != 1 {
		t.Fatal(one, err)
	}
}

func TestNotDocuments(t *testing.T) {
	t.Parallel()
	many := make([]M, 5000)
	for i := range many {
		many[i] = M{}
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "a list": []byte("[]"), "text": []byte("text"), "no size": []byte(`{"layers":[],"fr":30}`), "no layers": []byte(`{"w":100,"h":100,"fr":30}`),
		"no rate": Animation(M{"fr": 0}), "endless": Animation(M{"op": 1e9}), "large": bytes.Repeat([]byte(" "), lottie.MaxBytes+1), "layers": Animation(nil, many...),
		"deep": []byte(strings.Repeat("[", 20000)), "huge number": []byte(`{"w":1e999,"h":100,"layers":[]}`),
	} {
		if _, err := lottie.Parse(raw); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	empty := parse(t, Animation(nil))
	if _, err := empty.Animated(t.Context(), 100, 1<<20); !errors.Is(err, lottie.ErrEmpty) {
		t.Errorf("drawing nothing: %v", err)
	}
	if _, err := empty.Still(t.Context(), 100); !errors.Is(err, lottie.ErrEmpty) {
		t.Errorf("drawing nothing once: %v", err)
	}
	if _, err := empty.Frame(t.Context(), 0, 1<<20, 5); err == nil {
		t.Error("a picture of any size was drawn")
	}
}

// costly are small documents that would take very long, or much memory, without bounds.
func costly() map[string][]byte {
	tr := func() M {
		return M{"ty": "tr", "p": V(L{0.1, 0.1}), "a": V(L{0, 0}), "s": V(L{100, 100}), "r": V(1), "so": V(100), "eo": V(100)}
	}
	rp := M{"ty": "rp", "c": V(1e6), "o": V(0), "m": 1, "tr": tr()}
	nested := []any{Rect(50, 50, 30, 30), red}
	for range 6 {
		nested = append([]any{Group(nil, nested...)}, rp)
	}
	var comps L
	for i := range 20 {
		var inside L
		for range 8 {
			inside = append(inside, With(Layer(0, M{"ks": Place(M{"o": V(99)})}), M{"refId": fmt.Sprint("c", i+1), "w": 100, "h": 100}))
		}
		comps = append(comps, M{"id": fmt.Sprint("c", i), "layers": inside})
	}
	zigzag := make([][2]float64, 5000)
	for i := range zigzag {
		zigzag[i] = [2]float64{float64(i % 2 * 100000), float64(i)}
	}
	wide := With(Stroke(0, 0, 0, 1e5), M{"lc": 2, "lj": 2, "d": L{M{"n": "d", "v": V(0.0001)}, M{"n": "g", "v": V(0.0001)}}})
	return map[string][]byte{
		"repeaters":    Animation(nil, Shapes(nil, nested...)),
		"compositions": Animation(M{"assets": comps}, With(Layer(0, nil), M{"refId": "c0", "w": 100, "h": 100})),
		"zigzag":       Animation(nil, Shapes(nil, Path(V(Bezier(true, zigzag, nil, nil))), wide, rp)),
		"points":       Animation(nil, Shapes(nil, M{"ty": "sr", "sy": 1, "pt": V(1e9), "p": V(L{50, 50}), "r": V(0), "ir": V(1e9), "is": V(1e9), "or": V(42), "os": V(-1e9)}, wide, rp)),
	}
}

func TestCostly(t *testing.T) {
	t.Parallel()
	for name, raw := range costly() {
		d := parse(t, raw)
		start := time.Now()
		_, err := d.Frame(t.Context(), 0, 320, 320)
		if err != nil && !errors.Is(err, lottie.ErrTooMuchWork) {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v after %v", name, err, time.Since(start))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := parse(t, appearing(nil)).Animated(ctx, 100, 1<<20); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// FuzzDraw: no document makes drawing panic or hang, whatever is in it.
func FuzzDraw(f *testing.F) {
	for _, d := range Documents() {
		f.Add(d.JSON, 0.4)
	}
	f.Fuzz(func(t *testing.T, raw []byte, at float64) {
		d, err := lottie.Parse(raw)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if _, err := d.Frame(ctx, at, 48, 32); errors.Is(err, context.DeadlineExceeded) {
			t.Fatal("it takes too long")
		}
	})
}
