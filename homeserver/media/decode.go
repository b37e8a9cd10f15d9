package media

import (
	"fmt"
	"image"
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

// decode reads a picture of at most so many pixels, and how it lies. What it claims to be is
// checked before any of its pixels are made.
func decode(f io.ReadSeeker, maxPixels int) (m image.Image, t turn, err error) {
	c, format, err := image.DecodeConfig(f)
	if err != nil {
		return nil, 0, noPicture(err)
	}
	if c.Width <= 0 || c.Height <= 0 {
		return nil, 0, noPicture(fmt.Errorf("the picture is %dx%d", c.Width, c.Height))
	}
	if c.Width > maxPixels || c.Height > maxPixels/c.Width {
		return nil, 0, mxerror.TooLarge("The picture has %dx%d pixels; thumbnails are made of up to %d.", c.Width, c.Height, maxPixels)
	}
	t = upright
	if format == "jpeg" {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, 0, err
		}
		t = orientation(f)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, err
	}
	// A decoder that stumbles over a hostile file must not take the server with it.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, noPicture(fmt.Errorf("the decoder panicked: %v", p))
		}
	}()
	m, _, err = image.Decode(f)
	if err != nil {
		return nil, 0, noPicture(err)
	}
	if b := m.Bounds(); b.Dx() <= 0 || b.Dy() <= 0 || b.Dx() > c.Width || b.Dy() > c.Height {
		return nil, 0, noPicture(fmt.Errorf("the picture is %v, and announced as %dx%d", b, c.Width, c.Height))
	}
	return m, t, nil
}
