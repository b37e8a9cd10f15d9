package media

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/image/draw"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Size is what a client wants of a thumbnail.
type Size struct {
	Width, Height int
	// Crop fills the size, in its proportions; otherwise the whole picture fits into it.
	Crop bool
}

// The sizes in which thumbnails are made: what is asked for is rounded up, so that nobody can
// fill the disk with a picture's every size. Specification, "Thumbnails": "The recommended
// sizes are 32x32 crop, 96x96 crop, 320x240 scale, 640x480 scale, 800x600 scale".
var (
	scaleSizes = []image.Point{{32, 32}, {96, 96}, {320, 240}, {640, 480}, {800, 600}, {1600, 1200}}
	cropSides  = []int{32, 48, 96, 192, 320, 640, 960}
)

// thumbnailQueue is how many requests may wait for thumbnails.
const thumbnailQueue = 64

// rounded is the size in which the thumbnail is made.
func (s Size) rounded() Size {
	if s.Crop {
		s.Width, s.Height = roundSide(s.Width), roundSide(s.Height)
		return s
	}
	for _, p := range scaleSizes {
		if p.X >= s.Width && p.Y >= s.Height {
			return Size{p.X, p.Y, false}
		}
	}
	last := scaleSizes[len(scaleSizes)-1]
	return Size{last.X, last.Y, false}
}

func roundSide(n int) int {
	for _, side := range cropSides {
		if side >= n {
			return side
		}
	}
	return cropSides[len(cropSides)-1]
}

func (s Size) name() string {
	method := "scale"
	if s.Crop {
		method = "crop"
	}
	return fmt.Sprintf("%dx%d-%s", s.Width, s.Height, method)
}

// parseSize reads width, height and method of a request.
func parseSize(req *http.Request) (s Size, err error) {
	q := req.URL.Query()
	for name, to := range map[string]*int{"width": &s.Width, "height": &s.Height} {
		n, err := strconv.Atoi(q.Get(name))
		if err != nil || n <= 0 {
			return s, mxerror.InvalidParam("%s must be a positive whole number.", name)
		}
		*to = n
	}
	switch q.Get("method") {
	case "", "scale":
	case "crop":
		s.Crop = true
	default:
		return s, mxerror.InvalidParam("method must be scale or crop.")
	}
	return s, nil
}

// ServeThumbnail answers GET .../thumbnail/{origin}/{id}.
func (r *Repo) ServeThumbnail(w http.ResponseWriter, req *http.Request, origin, id string) error {
	size, err := parseSize(req)
	if err != nil {
		return err
	}
	patience, err := patienceOf(req)
	if err != nil {
		return err
	}
	m, err := r.Find(req.Context(), origin, id, patience)
	if err != nil {
		return err
	}
	size = size.rounded()
	path, err := r.thumbnail(req.Context(), m, size)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return public(fmt.Errorf("opening a thumbnail of media %s: %w", m.ID, err))
	}
	defer f.Close()
	kind := filepath.Ext(path)[1:]
	setHeaders(w.Header(), "image/"+kind, `inline; filename=thumbnail.`+kind, hex.EncodeToString(m.Hash)+"-"+size.name())
	http.ServeContent(w, req, "", time.Time{}, f)
	return nil
}

// thumbnail finds or makes a thumbnail and returns the path of its file.
func (r *Repo) thumbnail(ctx context.Context, m store.Media, size Size) (string, error) {
	base := filepath.Join(r.c.Dir, thumbnailDir, spread(m.Hash)) + "-" + size.name()
	if path := existing(base); path != "" {
		return path, nil
	}
	if !r.queued.TryAcquire(1) {
		return "", mxerror.LimitExceeded(2 * time.Second)
	}
	defer r.queued.Release(1)
	// Whoever waits for the same thumbnail shares the work, which therefore outlives the one
	// that began it.
	result := r.thumbnails.DoChan(base, func() (any, error) {
		ctx := context.WithoutCancel(ctx)
		if err := r.workers.Acquire(ctx, 1); err != nil {
			return "", err
		}
		defer r.workers.Release(1)
		if path := existing(base); path != "" {
			return path, nil
		}
		return r.makeThumbnail(m, size, base)
	})
	select {
	case res := <-result:
		if res.Err != nil {
			return "", public(res.Err)
		}
		return res.Val.(string), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func existing(base string) string {
	for _, ext := range []string{".jpeg", ".png"} {
		if info, err := os.Stat(base + ext); err == nil && info.Size() > 0 {
			return base + ext
		}
	}
	return ""
}

func (r *Repo) makeThumbnail(m store.Media, size Size, base string) (path string, err error) {
	f, err := r.file(m)
	if err != nil {
		return "", err
	}
	defer f.Close()
	src, turn, err := decode(f, r.c.MaxPixels)
	if err != nil {
		return "", err
	}
	if turn.sideways() {
		size.Width, size.Height = size.Height, size.Width
	}
	small := turned(resize(src, size), turn)
	var out bytes.Buffer
	ext := ".jpeg"
	if small.Opaque() {
		err = jpeg.Encode(&out, small, &jpeg.Options{Quality: 82})
	} else {
		ext = ".png"
		err = png.Encode(&out, small)
	}
	if err != nil {
		return "", fmt.Errorf("encoding a thumbnail: %w", err)
	}
	temp, err := os.CreateTemp(r.tempDir(), "thumbnail")
	if err != nil {
		return "", fmt.Errorf("making a temporary file: %w", err)
	}
	if _, err := temp.Write(out.Bytes()); err != nil {
		return "", errors.Join(fmt.Errorf("writing a thumbnail: %w", err), temp.Close(), os.Remove(temp.Name()))
	}
	if err := settle(temp, base+ext); err != nil {
		return "", errors.Join(err, os.Remove(temp.Name()))
	}
	return base + ext, nil
}

// resize makes the thumbnail of a picture. It never makes it larger: "Servers MUST NOT upscale
// thumbnails".
func resize(src image.Image, size Size) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	target := image.Pt(w, h)
	if size.Crop {
		// The part of the picture, around its middle, that has the wanted proportions.
		part := image.Pt(w, max(1, w*size.Height/size.Width))
		if part.Y > h {
			part = image.Pt(max(1, h*size.Width/size.Height), h)
		}
		origin := b.Min.Add(image.Pt((w-part.X)/2, (h-part.Y)/2))
		b = image.Rectangle{origin, origin.Add(part)}
		target = image.Pt(min(part.X, size.Width), min(part.Y, size.Height))
	} else if w > size.Width || h > size.Height {
		if w*size.Height > h*size.Width {
			target = image.Pt(size.Width, max(1, h*size.Width/w))
		} else {
			target = image.Pt(max(1, w*size.Height/h), size.Height)
		}
	}
	dst := image.NewRGBA(image.Rectangle{Max: target})
	if target == b.Size() {
		draw.Draw(dst, dst.Bounds(), src, b.Min, draw.Src)
	} else {
		draw.BiLinear.Scale(dst, dst.Bounds(), src, b, draw.Src, nil)
	}
	return dst
}
