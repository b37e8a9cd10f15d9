package media

import (
	"fmt"
	"image"
	"net/url"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Size is what a client wants of a thumbnail.
type Size struct {
	Width, Height int
	// Crop wants the proportions of the size; otherwise the picture keeps its own.
	Crop bool
	// Animated wants movement where there is some.
	Animated bool
}

// The sizes in which thumbnails are made: what is asked for is rounded up, so that most requests
// share theirs. Specification, "Thumbnails": "Servers SHOULD produce thumbnails with the following
// dimensions and methods: 32x32, crop; 96x96, crop; 320x240, scale; 640x480, scale; 800x600,
// scale".
var (
	scaleSizes = []image.Point{{32, 32}, {96, 96}, {320, 240}, {640, 480}, {800, 600}, {1600, 1200}}
	cropSides  = []int{32, 48, 96, 192, 320, 640, 960}
)

// maxSide is taken for sides that are larger than those of any picture.
const maxSide = 1 << 16

// rounded is the size in which the thumbnail is made.
func (s Size) rounded() Size {
	if s.Crop {
		long := max(s.Width, s.Height)
		for _, side := range cropSides {
			if side >= long {
				// "crop provides an image in the aspect ratio of the sizes given in the request".
				s.Width, s.Height = ceilDiv(s.Width*side, long), ceilDiv(s.Height*side, long)
				break
			}
		}
		return s
	}
	for _, p := range scaleSizes {
		if p.X >= s.Width && p.Y >= s.Height {
			s.Width, s.Height = p.X, p.Y
			return s
		}
	}
	s.Width, s.Height = maxSide, maxSide
	return s
}

func (s Size) name() string {
	method := "scale"
	if s.Crop {
		method = "crop"
	}
	if s.Animated {
		method += "-animated"
	}
	return fmt.Sprintf("%dx%d-%s", s.Width, s.Height, method)
}

// sideways is the size for a picture that lies on its side.
func (s Size) sideways() Size {
	s.Width, s.Height = s.Height, s.Width
	return s
}

// layout is which part of a picture becomes a thumbnail of which size.
type layout struct {
	part   image.Rectangle
	target image.Point
}

// whole tells that the thumbnail is the picture itself.
func (l layout) whole() bool { return l.part.Size() == l.target && l.part.Min == (image.Point{}) }

// layout plans the thumbnail of a picture of so many pixels.
//
// "Servers must never return thumbnails smaller than the client's requested dimensions, unless
// the content being thumbnailed is smaller than the dimensions. When the content is smaller than
// the requested dimensions, servers should return the original content rather than thumbnail it."
// "Servers MUST NOT upscale thumbnails under any circumstance."
func (s Size) layout(w, h int) layout {
	l := layout{image.Rect(0, 0, w, h), image.Pt(w, h)}
	switch {
	case w <= s.Width && h <= s.Height:
	case s.Crop:
		// The largest part, around the middle, that has the wanted proportions.
		part := image.Pt(w, max(1, w*s.Height/s.Width))
		if part.Y > h {
			part = image.Pt(max(1, min(w, h*s.Width/s.Height)), h)
		}
		at := image.Pt((w-part.X)/2, (h-part.Y)/2)
		l.part = image.Rectangle{at, at.Add(part)}
		l.target = image.Pt(min(part.X, s.Width), min(part.Y, s.Height))
	case w > s.Width && h > s.Height:
		// Both sides are at least as long as wanted, and one is exactly that.
		if w*s.Height > h*s.Width {
			l.target = image.Pt(ceilDiv(w*s.Height, h), s.Height)
		} else {
			l.target = image.Pt(s.Width, ceilDiv(h*s.Width, w))
		}
	}
	return l
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// ParseSize reads width, height, method and animated of a request.
func ParseSize(q url.Values) (s Size, err error) {
	for name, to := range map[string]*int{"width": &s.Width, "height": &s.Height} {
		if !q.Has(name) {
			return s, mxerror.MissingParam("%s is needed.", name)
		}
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n <= 0 {
			return s, mxerror.InvalidParam("%s must be a positive whole number.", name)
		}
		*to = min(n, maxSide)
	}
	switch q.Get("method") {
	case "", "scale":
	case "crop":
		s.Crop = true
	default:
		return s, mxerror.InvalidParam("method must be scale or crop.")
	}
	s.Animated, err = boolean(q, "animated", false)
	return s, err
}
