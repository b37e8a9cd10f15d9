package lottie

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"time"

	"github.com/landbridge-im/landbridge/internal/apng"
)

const (
	// mostSide is the longest side of a picture that is drawn, in pixels.
	mostSide = 1024
	// workAFrame, workAStill and workInAll are how much may be done, in units of about a pixel that is drawn, which
	// takes some nanoseconds. A frame of a usual sticker takes a million, the largest that were seen fifty.
	workAFrame = 100_000_000
	workAStill = 4 * workAFrame
	workInAll  = 3_000_000_000
	// mostPictures is how many frames a picture has at most; longer animations have fewer a second.
	mostPictures = 300
	// slowest is how many frames a second there are at least; what then does not fit is left out.
	slowest = 8
)

// ErrEmpty says that nothing of an animation could be drawn.
var ErrEmpty = errors.New("nothing of the animation can be drawn")

// Picture is a file that can be shown.
type Picture struct {
	Data          []byte // PNG, animated if there is more than one frame
	Width, Height int
	Frames        int
}

// Frame draws the document at a time, in seconds from its beginning, into a picture of that size.
func (d *Document) Frame(ctx context.Context, seconds float64, width, height int) (*image.NRGBA, error) {
	if width <= 0 || height <= 0 || width > mostSide || height > mostSide {
		return nil, fmt.Errorf("draw an animation: a picture of %dx%d", width, height)
	}
	return d.draw(newRenderer(ctx, d, width, height, workAFrame), seconds)
}

func (d *Document) draw(r *renderer, seconds float64) (*image.NRGBA, error) {
	c, err := r.frame(d.first + seconds*d.rate)
	if err != nil {
		return nil, err
	}
	return straight(c), nil
}

// straight is a picture with colors that the opacity is not multiplied into.
func straight(m *image.RGBA) *image.NRGBA {
	out := &image.NRGBA{Pix: m.Pix, Stride: m.Stride, Rect: m.Rect}
	for i := 0; i < len(out.Pix); i += 4 {
		p := out.Pix[i : i+4]
		if a := int(p[3]); a != 0 && a != 255 {
			for j := range 3 {
				p[j] = uint8(min((int(p[j])*255+a/2)/a, 255))
			}
		}
	}
	return out
}

// fit is the size of the picture whose longest side is given.
func (d *Document) fit(side int) (width, height int) {
	side = min(max(side, 1), mostSide)
	scale := float64(side) / math.Max(d.width, d.height)
	one := func(v float64) int { return max(int(v*scale+0.5), 1) }
	return one(d.width), one(d.height)
}

// Still draws the one frame of the animation that shows most, as a PNG with that longest side.
func (d *Document) Still(ctx context.Context, side int) (*Picture, error) {
	w, h := d.fit(side)
	e, err := apng.NewEncoder(w, h)
	if err != nil {
		return nil, err
	}
	m, err := d.fullest(ctx, w, h)
	if err != nil {
		return nil, err
	}
	if err := e.Add(m, 0); err != nil {
		return nil, err
	}
	return finish(e, w, h, 1)
}

// fullest draws the one of a few frames in which most is seen.
func (d *Document) fullest(ctx context.Context, w, h int) (*image.NRGBA, error) {
	r := newRenderer(ctx, d, w, h, workAStill)
	var best *image.NRGBA
	most := 0
	const looks = 8
	for i := range looks {
		m, err := d.draw(r, float64(i)/looks*d.Seconds())
		if err != nil {
			return nil, err
		}
		if n := seen(m); n > most {
			best, most = m, n
		}
	}
	if best == nil {
		return nil, ErrEmpty
	}
	return best, nil
}

// seen is how many pixels are not empty.
func seen(m *image.NRGBA) (n int) {
	for i := 3; i < len(m.Pix); i += 4 {
		if m.Pix[i] != 0 {
			n++
		}
	}
	return n
}

// Animated draws the animation as an animated PNG with that longest side, of mostBytes at most. If it becomes
// larger it is drawn once more with half the side, and then as one picture.
func (d *Document) Animated(ctx context.Context, side, mostBytes int) (*Picture, error) {
	for _, side := range []int{side, side / 2} {
		p, err := d.animated(ctx, side, mostBytes)
		if p != nil || err != nil {
			return p, err
		}
	}
	return d.Still(ctx, side/2)
}

// animated is nil if the picture becomes too large.
func (d *Document) animated(ctx context.Context, side, mostBytes int) (*Picture, error) {
	w, h := d.fit(side)
	e, err := apng.NewEncoder(w, h)
	if err != nil {
		return nil, err
	}
	rate, n := d.pace()
	r := newRenderer(ctx, d, w, h, workInAll)
	var most, first int
	var fullest *image.NRGBA
	for i := range n {
		m, err := d.draw(r, float64(i)/rate)
		if err != nil {
			return nil, err
		}
		now := seen(m)
		if i == 0 {
			first = now
		}
		if now > most {
			most, fullest = now, m
		}
		if err := e.Add(m, stamp(i+1, rate)-stamp(i, rate)); err != nil {
			return nil, err
		}
		if e.Size() > mostBytes {
			return nil, nil
		}
	}
	if fullest == nil {
		return nil, ErrEmpty
	}
	// Who shows the first frame alone should see something.
	if first < most/2 {
		if err := e.Still(fullest); err != nil {
			return nil, err
		}
	}
	return finish(e, w, h, n)
}

func stamp(i int, rate float64) time.Duration {
	return time.Duration(math.Round(float64(i)/rate*1000)) * time.Millisecond
}

// pace is how many frames a second the picture has, and how many there are: at most thirty a second.
func (d *Document) pace() (rate float64, frames int) {
	const fastest = 30
	seconds := math.Max(d.Seconds(), 1/d.rate)
	rate = math.Min(d.rate, fastest)
	rate = math.Max(math.Min(rate, mostPictures/seconds), math.Min(slowest, rate))
	frames = int(math.Min(math.Ceil(seconds*rate-1e-6), mostPictures))
	return rate, max(frames, 1)
}

func finish(e *apng.Encoder, w, h, frames int) (*Picture, error) {
	raw, err := e.Bytes()
	if err != nil {
		return nil, err
	}
	return &Picture{Data: raw, Width: w, Height: h, Frames: frames}, nil
}
