package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/image/draw"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

const (
	// thumbnailQueue is how many requests may wait for thumbnails.
	thumbnailQueue = 64
	// thumbnailTime is the longest time to make one.
	thumbnailTime = 20 * time.Second
	// maxMemory is what decoding a picture may take.
	maxMemory = 256 << 20
)

// thumbnail is a thumbnail that is kept: in a file, or as the media itself.
type thumbnail struct {
	path string
	// original is the format of the media that is its own thumbnail; then there is no path.
	original string
}

// Picture is an open thumbnail, or the media itself where that is small enough.
type Picture struct {
	io.ReadSeekCloser
	// Format is jpeg, png, gif or webp: the MIME type without image/.
	Format string
	// Media is what it shows.
	Media store.Media
}

// OpenThumbnail finds media as Find does and opens its thumbnail, which is made if need be. The
// caller must close it.
func (r *Repo) OpenThumbnail(ctx context.Context, q Query, s Size) (*Picture, error) {
	m, err := r.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	t, err := r.thumbnail(ctx, m, s.rounded())
	if err != nil {
		return nil, r.thumbnailError(m, err)
	}
	p := &Picture{Format: t.original, Media: m}
	if t.original != "" {
		p.ReadSeekCloser, err = r.file(ctx, m)
	} else {
		p.Format = filepath.Ext(t.path)[1:]
		p.ReadSeekCloser, err = openThumbnail(t.path)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ServeThumbnail answers GET .../thumbnail/{origin}/{id}.
func (r *Repo) ServeThumbnail(w http.ResponseWriter, req *http.Request, a Access, origin, id string) error {
	size, err := ParseSize(req.URL.Query())
	if err != nil {
		return err
	}
	q, err := a.query(req, origin, id)
	if err != nil {
		return err
	}
	p, err := r.OpenThumbnail(req.Context(), q, size)
	if err != nil {
		return err
	}
	defer p.Close()
	// "Content-Disposition: MUST be inline, and SHOULD contain a file name (e.g. thumbnail.png)".
	setHeaders(w.Header(), "image/"+p.Format, "inline; filename=thumbnail."+p.Format, key(p.Media.Hash)+"-"+size.rounded().name())
	defer steadyWrites(w, p.Media.Size)()
	http.ServeContent(w, req, "", time.UnixMilli(p.Media.CreatedTS), p)
	return nil
}

func openThumbnail(path string) (io.ReadSeekCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, public(fmt.Errorf("opening a thumbnail: %w", err))
	}
	return f, nil
}

// thumbnailError: "413: The local content is too large for the server to thumbnail", "502: The
// remote content is too large".
func (r *Repo) thumbnailError(m store.Media, err error) error {
	if e, ok := mxerror.As(err); ok && e.Code == "M_TOO_LARGE" && m.Origin != r.c.Server {
		return mxerror.New(http.StatusBadGateway, e.Code, "%s", e.Message)
	}
	return err
}

// thumbnail finds or makes a thumbnail.
func (r *Repo) thumbnail(ctx context.Context, m store.Media, size Size) (thumbnail, error) {
	base := r.thumbnailBase(m.Hash) + "-" + size.name()
	if t, ok := existing(base); ok {
		return t, nil
	}
	if !r.queued.TryAcquire(1) {
		return thumbnail{}, mxerror.LimitExceeded(2 * time.Second)
	}
	defer r.queued.Release(1)
	// Whoever waits for the same thumbnail shares the work, which therefore outlives the one
	// that began it.
	result := r.thumbnails.DoChan(base, func() (any, error) {
		ctx, done, err := r.shared.Begin(ctx)
		if err != nil {
			return nil, err
		}
		defer done()
		return r.newThumbnail(ctx, m, size, base)
	})
	select {
	case res := <-result:
		if res.Err != nil {
			return thumbnail{}, public(res.Err)
		}
		return res.Val.(thumbnail), nil
	case <-ctx.Done():
		return thumbnail{}, ctx.Err()
	}
}

// extOriginal is the extension of a file that holds a format's name: the media itself, which has
// been found to be whole, is the thumbnail.
const extOriginal = ".original"

func existing(base string) (thumbnail, bool) {
	for _, ext := range []string{".jpeg", ".png", ".gif"} {
		if info, err := os.Stat(base + ext); err == nil && info.Size() > 0 {
			return thumbnail{path: base + ext}, true
		}
	}
	format, err := os.ReadFile(base + extOriginal)
	return thumbnail{original: string(format)}, err == nil && len(format) > 0
}

func (r *Repo) newThumbnail(ctx context.Context, m store.Media, size Size, base string) (t thumbnail, err error) {
	f, err := r.file(ctx, m)
	if err != nil {
		return t, err
	}
	defer f.Close()
	p, err := inspect(f, r.c.MaxPixels)
	if err != nil {
		return t, err
	}
	if p.turn.sideways() {
		size = size.sideways()
	}
	l := size.layout(p.width, p.height)
	if p.memory > maxMemory {
		return t, tooManyPixels(p)
	}
	if err := r.workers.Acquire(ctx, 1); err != nil {
		return t, err
	}
	defer r.workers.Release(1)
	ctx, cancel := context.WithTimeout(ctx, thumbnailTime)
	defer cancel()
	if l.whole() && p.turn == upright && (size.Animated || !p.animated) {
		if _, err := decode(ctx, f, p); err != nil {
			return t, err
		}
		return thumbnail{original: p.format}, r.writeThumbnail(base+extOriginal, []byte(p.format))
	}
	if size.Animated && p.animated {
		out, err := animate(ctx, f, p, l)
		if err == nil {
			t.path = base + ".gif"
			return t, r.writeThumbnail(t.path, out)
		}
		// "the server SHOULD return an animated thumbnail if possible".
		r.c.Log.DebugContext(ctx, "an animation is shown as a still picture", "media", m.ID, "err", err)
	}
	out, kind, err := still(ctx, f, p, l)
	if err != nil {
		return t, err
	}
	t.path = base + "." + kind
	return t, r.writeThumbnail(t.path, out)
}

func animate(ctx context.Context, f io.ReadSeeker, p picture, l layout) ([]byte, error) {
	a, err := readAnimation(f, p)
	if err != nil {
		return nil, err
	}
	return a.thumbnail(ctx, l)
}

// still makes a thumbnail that doesn't move.
func still(ctx context.Context, f io.ReadSeeker, p picture, l layout) (_ []byte, kind string, err error) {
	src, err := decode(ctx, f, p)
	if err != nil {
		return nil, "", err
	}
	small := turned(resize(src, l), p.turn)
	var out bytes.Buffer
	// What was made as PNG has sharp edges and few colours more often than not.
	if small.Opaque() && p.format != "png" {
		kind, err = "jpeg", jpeg.Encode(&out, small, &jpeg.Options{Quality: 82})
	} else {
		kind, err = "png", png.Encode(&out, small)
	}
	if err != nil {
		return nil, "", fmt.Errorf("encoding a thumbnail: %w", err)
	}
	return out.Bytes(), kind, nil
}

func (r *Repo) writeThumbnail(path string, content []byte) error {
	temp, err := os.CreateTemp(r.tempDir(), "thumbnail")
	if err != nil {
		return fmt.Errorf("making a temporary file: %w", err)
	}
	defer temp.Close() // its bytes are flushed where that matters
	if _, err := temp.Write(content); err != nil {
		return errors.Join(fmt.Errorf("writing a thumbnail: %w", err), os.Remove(temp.Name()))
	}
	if err := settle(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return nil
}

// resize makes the small picture.
func resize(src image.Image, l layout) *image.RGBA {
	dst := image.NewRGBA(image.Rectangle{Max: l.target})
	part := l.part.Add(src.Bounds().Min)
	if l.target == part.Size() {
		draw.Draw(dst, dst.Bounds(), src, part.Min, draw.Src)
	} else {
		draw.BiLinear.Scale(dst, dst.Bounds(), src, part, draw.Src, nil)
	}
	return dst
}
