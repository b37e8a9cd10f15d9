package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"io"

	xdraw "golang.org/x/image/draw"
)

// Bounds of animations of which animated thumbnails are made; of others, the first frame is shown.
const (
	maxFrames          = 300
	maxAnimationFile   = 16 << 20
	maxAnimationCanvas = 4 << 20  // pixels
	maxAnimationPixels = 48 << 20 // of all frames, as they are stored
	maxAnimationOutput = 32 << 20 // of all frames of the thumbnail
)

// errNoAnimation is for what is shown as a still picture instead.
var errNoAnimation = errors.New("no animated thumbnail can be made")

// disposal is what becomes of a frame before the next one.
type disposal byte

const (
	disposeNone disposal = iota
	disposeBackground
	disposePrevious
)

// frame is one picture of an animation.
type frame struct {
	at image.Rectangle
	// delay is how long it is shown, in hundredths of a second.
	delay   int
	dispose disposal
	// replace means that transparent pixels, too, take the place of what was there.
	replace bool
	decode  func() (image.Image, error)
}

// animation is the frames of a picture and how often they are repeated, as GIF counts it.
type animation struct {
	width, height, loops int
	frames               []frame
	pixels               int // of all frames
}

// readAnimation reads the structure of an animation, without its pixels.
func readAnimation(f io.ReadSeeker, p picture) (*animation, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxAnimationFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnimationFile || p.width*p.height > maxAnimationCanvas {
		return nil, errNoAnimation
	}
	a := &animation{width: p.width, height: p.height}
	switch p.format {
	case "gif":
		err = a.readGIF(raw)
	case "webp":
		err = a.readWebP(raw)
	case "png":
		err = a.readAPNG(raw)
	}
	if err != nil {
		return nil, err
	}
	if len(a.frames) < 2 {
		return nil, errNoAnimation
	}
	return a, nil
}

// add takes a frame in, unless there is too much.
func (a *animation) add(f frame) error {
	if f.at.Empty() || !f.at.In(image.Rect(0, 0, a.width, a.height)) {
		return fmt.Errorf("a frame at %v of a picture of %dx%d", f.at, a.width, a.height)
	}
	a.frames = append(a.frames, f)
	a.pixels += f.at.Dx() * f.at.Dy()
	if len(a.frames) > maxFrames || a.pixels > maxAnimationPixels {
		return errNoAnimation
	}
	return nil
}

// thumbnail makes the animation small, as a GIF.
func (a *animation) thumbnail(ctx context.Context, l layout) (_ []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	if l.target.X*l.target.Y*len(a.frames) > maxAnimationOutput {
		return nil, errNoAnimation
	}
	canvas := image.NewRGBA(image.Rect(0, 0, a.width, a.height))
	var saved *image.RGBA
	out := gif.GIF{LoopCount: a.loops}
	for _, f := range a.frames {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := f.decode()
		if err != nil {
			return nil, err
		}
		if m.Bounds().Size() != f.at.Size() {
			return nil, fmt.Errorf("a frame is %v, and announced as %v", m.Bounds(), f.at)
		}
		if f.dispose == disposePrevious {
			if saved == nil {
				saved = image.NewRGBA(canvas.Bounds())
			}
			draw.Draw(saved, f.at, canvas, f.at.Min, draw.Src)
		}
		op := draw.Over
		if f.replace {
			op = draw.Src
		}
		draw.Draw(canvas, f.at, m, m.Bounds().Min, op)
		small := image.NewRGBA(image.Rectangle{Max: l.target})
		xdraw.ApproxBiLinear.Scale(small, small.Bounds(), canvas, l.part, draw.Src, nil)
		out.Image = append(out.Image, dithered(small))
		out.Delay = append(out.Delay, f.delay)
		out.Disposal = append(out.Disposal, gif.DisposalBackground)
		switch f.dispose {
		case disposeBackground:
			draw.Draw(canvas, f.at, image.Transparent, image.Point{}, draw.Src)
		case disposePrevious:
			draw.Draw(canvas, f.at, saved, f.at.Min, draw.Src)
		}
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &out); err != nil {
		return nil, fmt.Errorf("encoding a thumbnail: %w", err)
	}
	return b.Bytes(), nil
}

// bayer is the order in which pixels of a square of four by four are made brighter.
var bayer = [16]int{0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5}

// dithered shows a picture in the 216 colours of a cube, and transparent. The pattern doesn't
// depend on the picture, so that what stands still doesn't flicker.
func dithered(m *image.RGBA) *image.Paletted {
	const clear = 216
	colours := append(color.Palette(nil), palette.WebSafe...)
	out := image.NewPaletted(m.Bounds(), append(colours, color.Transparent))
	i := 0
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			p := m.Pix[4*i : 4*i+4]
			if p[3] < 128 {
				out.Pix[i] = clear
				i++
				continue
			}
			lift := bayer[y%4*4+x%4]*51/16 + 1
			level := func(v byte) int {
				if p[3] < 255 {
					v = byte(min(255, int(v)*255/int(p[3])))
				}
				return min(5, (int(v)+lift)/51)
			}
			out.Pix[i] = byte(level(p[0])*36 + level(p[1])*6 + level(p[2]))
			i++
		}
	}
	return out
}
