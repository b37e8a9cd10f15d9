package apng_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/internal/apng"
	"github.com/landbridge-im/landbridge/internal/apng/apngtest"
)

// random is a picture of all kinds of pixels, those that are not seen being zero.
func random(r *rand.Rand, w, h int) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := 0; i < len(m.Pix); i += 4 {
		if a := byte(r.IntN(3) * 127); a != 0 {
			m.Pix[i], m.Pix[i+1], m.Pix[i+2], m.Pix[i+3] = byte(i/w), byte(r.IntN(256)), byte(i), a
		}
	}
	return m
}

func clone(m *image.NRGBA) *image.NRGBA {
	return &image.NRGBA{Pix: bytes.Clone(m.Pix), Stride: m.Stride, Rect: m.Rect}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []image.Point{{1, 1}, {1, 9}, {33, 20}, {160, 3}} {
		e, err := apng.NewEncoder(size.X, size.Y)
		if err != nil {
			t.Fatal(err)
		}
		var frames []*image.NRGBA
		last := random(r, size.X, size.Y)
		for i := range 6 {
			m := clone(last)
			if i > 0 { // one pixel changes
				m.SetNRGBA(r.IntN(size.X), r.IntN(size.Y), color.NRGBA{byte(i), 2, 3, 255})
			}
			frames = append(frames, m)
			if err := e.Add(m, time.Duration(40+i)*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			last = m
		}
		raw, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		a, err := apngtest.Decode(raw)
		if err != nil {
			t.Fatalf("%v: %v", size, err)
		}
		if len(a.Frames) != len(frames) {
			t.Fatalf("%v: %d frames", size, len(a.Frames))
		}
		for i, m := range frames {
			if !bytes.Equal(a.Frames[i].Pix, m.Pix) {
				t.Errorf("%v: frame %d is another one", size, i)
			}
			if want := time.Duration(40+i) * time.Millisecond; a.Lasts[i] != want {
				t.Errorf("%v: frame %d lasts %v", size, i, a.Lasts[i])
			}
			if i > 0 && a.Areas[i].Dx()*a.Areas[i].Dy() != 1 {
				t.Errorf("%v: frame %d has %v, and one pixel is new", size, i, a.Areas[i])
			}
		}
		// Who does not know of animations sees the first frame.
		m, err := png.Decode(bytes.NewReader(raw))
		if err != nil || !bytes.Equal(m.(*image.NRGBA).Pix, frames[0].Pix) {
			t.Errorf("%v: as a PNG it is not the first frame: %v", size, err)
		}
	}
}

func TestStillsAndRepeats(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	a, b, still := random(r, 8, 8), random(r, 8, 8), random(r, 8, 8)
	e, err := apng.NewEncoder(8, 8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bytes(); err == nil {
		t.Error("a file without frames was written")
	}
	if err := e.Add(random(r, 8, 7), time.Second); err == nil {
		t.Error("a frame of another size was taken")
	}
	if err := e.Still(still); err != nil {
		t.Fatal(err)
	}
	for _, m := range []*image.NRGBA{a, clone(a), b, clone(b)} {
		if err := e.Add(m, 50*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err := apngtest.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	// Two of them would last longer than the format can say.
	if len(got.Frames) != 4 || got.Areas[1].Dx() != 1 || !bytes.Equal(got.Frames[1].Pix, a.Pix) || !bytes.Equal(got.Frames[3].Pix, b.Pix) {
		t.Errorf("%d frames at %v", len(got.Frames), got.Areas)
	}
	if !bytes.Equal(got.Still.Pix, still.Pix) {
		t.Error("the still is another one")
	}
	one, err := apng.NewEncoder(8, 8)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := one.Add(clone(a), 30*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	raw, err = one.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	got, err = apngtest.Decode(raw)
	if err != nil || len(got.Frames) != 1 || got.Lasts[0] != 90*time.Millisecond {
		t.Errorf("three frames that are the same: %+v %v", got, err)
	}
	for _, size := range [][2]int{{0, 1}, {1, -1}, {1 << 20, 1}} {
		if _, err := apng.NewEncoder(size[0], size[1]); err == nil {
			t.Errorf("a size of %v was taken", size)
		}
	}
}
