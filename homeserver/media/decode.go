package media

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"  // format
	_ "image/jpeg" // format
	_ "image/png"  // format
	"io"
	"net/http"

	_ "golang.org/x/image/webp" // format

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

func noPicture(cause error) error {
	return mxerror.New(http.StatusBadRequest, "M_UNKNOWN", "This server cannot make thumbnails of this content.").Because(cause)
}

// picture is what the beginning of a picture's file tells.
type picture struct {
	// format is jpeg, png, gif or webp.
	format        string
	width, height int
	turn          turn
	// memory is how many bytes decoding takes, at most.
	memory   int64
	animated bool
}

// inspect reads what a picture claims to be, before any of its pixels are made. Those with more
// pixels than allowed are refused.
func inspect(f io.ReadSeeker, maxPixels int) (p picture, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return p, public(err)
	}
	c, format, err := image.DecodeConfig(f)
	if err != nil {
		return p, noPicture(err)
	}
	p = picture{format: format, width: c.Width, height: c.Height, turn: upright}
	if c.Width <= 0 || c.Height <= 0 {
		return p, noPicture(fmt.Errorf("the picture is %dx%d", c.Width, c.Height))
	}
	if c.Width > maxPixels || c.Height > maxPixels/c.Width {
		return p, tooManyPixels(p)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return p, public(err)
	}
	each := int64(4)
	switch format {
	case "jpeg":
		head := readJPEG(f)
		p.turn = head.turn
		if each = 3; head.progressive {
			each = 15
		}
		if c.ColorModel == color.CMYKModel {
			each += each / 3
		}
	case "png":
		var head [29]byte
		if _, err := io.ReadFull(f, head[:]); err != nil {
			return p, noPicture(err)
		}
		if head[24] == 16 {
			each = 8
		}
		if head[28] != 0 { // interlaced: each pass is a picture, too
			each *= 2
		}
		p.animated = isAPNG(f)
		if !p.animated {
			p.turn = pngTurn(f)
		}
	case "gif":
		each = 1
		p.animated = isAnimatedGIF(f)
	case "webp":
		each = 8 // with an alpha channel it is decoded twice
		p.animated = isAnimatedWebP(f)
		if !p.animated {
			p.turn = webpTurn(f)
		}
	}
	p.memory = each * int64(c.Width) * int64(c.Height)
	return p, nil
}

func tooManyPixels(p picture) error {
	return mxerror.TooLarge("The picture of %dx%d pixels is too large to make thumbnails of.", p.width, p.height)
}

// decode reads a picture that was inspected. It gives up when ctx ends.
func decode(ctx context.Context, f io.ReadSeeker, p picture) (m image.Image, err error) {
	// A decoder that stumbles over a hostile file must not take the server with it.
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, noPicture(fmt.Errorf("the decoder panicked: %v", r))
		}
	}()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, public(err)
	}
	if p.animated && p.format == "webp" {
		if m, err = firstOfWebP(f, p); err != nil {
			return nil, noPicture(err)
		}
	} else if m, _, err = image.Decode(&source{ctx: ctx, r: f}); err != nil {
		return nil, noPicture(err)
	}
	b := m.Bounds()
	if b.Dx() <= 0 || b.Dy() <= 0 || b.Dx() > p.width || b.Dy() > p.height {
		return nil, noPicture(fmt.Errorf("the picture is %v, and announced as %dx%d", b, p.width, p.height))
	}
	if b.Dx() < p.width || b.Dy() < p.height {
		// The first frame of an animation may be smaller than the whole.
		if int64(p.width)*int64(p.height)*4 > maxMemory {
			return nil, tooManyPixels(p)
		}
		whole := image.NewRGBA(image.Rect(0, 0, p.width, p.height))
		draw.Draw(whole, b, m, b.Min, draw.Src)
		return whole, nil
	}
	return m, nil
}
