package lottie

import (
	"bytes"
	"encoding/base64"
	"image"
	_ "image/gif"  // a format of embedded pictures
	_ "image/jpeg" // a format of embedded pictures
	_ "image/png"  // a format of embedded pictures
	"math"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"
	_ "golang.org/x/image/webp" // a format of embedded pictures

	"github.com/landbridge-im/landbridge/internal/lottie/vector"
)

const (
	// mostPixels is how large the embedded pictures may be, all together; what comes after them is left out.
	mostPixels = 4 << 20
	// keptSide is how long the longest side of a picture is when it is kept.
	keptSide = 512
)

// picture is one that is in the document.
type picture struct {
	w, h float64 // as the document says
	img  *image.RGBA
}

// readPicture reads a picture that is in the document itself, nil if there is none. Others, which have
// an address, are not asked for.
func (d *Document) readPicture(o object) *picture {
	head, data, ok := strings.Cut(o.str("p"), ",")
	if !ok || !strings.HasPrefix(head, "data:image/") || !strings.HasSuffix(head, ";base64") {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || c.Width <= 0 || c.Height <= 0 || c.Width > (mostPixels-d.pixels)/c.Height {
		return nil
	}
	d.pixels += c.Width * c.Height
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	w, h := c.Width, c.Height
	if longest := max(w, h); longest > keptSide {
		w, h = max(w*keptSide/longest, 1), max(h*keptSide/longest, 1)
	}
	kept := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(kept, kept.Rect, img, img.Bounds(), draw.Src, nil)
	return &picture{w: o.num("w", float64(c.Width)), h: o.num("h", float64(c.Height)), img: kept}
}

// image draws a picture into the rectangle that it has, filled and with its proportions kept.
func (r *renderer) image(c *canvas, p *picture, m vector.Matrix) {
	b := p.img.Rect
	scale := math.Max(p.w/float64(b.Dx()), p.h/float64(b.Dy()))
	if !(scale > 0) || !r.spend(int64(b.Dx()*b.Dy()+r.w*r.h*8)) {
		return
	}
	own := r.borrow()
	defer r.done(own)
	at := vector.Translate(-float64(b.Dx())/2, -float64(b.Dy())/2).
		Then(vector.Scale(scale, scale)).Then(vector.Translate(p.w/2, p.h/2)).Then(m)
	if _, ok := at.Inverse(); !ok {
		return
	}
	draw.BiLinear.Transform(&own.RGBA, f64.Aff3{at.A, at.C, at.E, at.B, at.D, at.F}, p.img, b, draw.Src, nil)
	own.dirty = own.Rect
	r.raster.Polygon(rectPath(p.w, p.h).Transform(m).Flatten(flat).P)
	cov := r.take(vector.NonZero)
	own.keep(cov.At)
	c.draw(own, 1, normalBlend)
}
