package apng

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"io"
	"time"
)

const signature = "\x89PNG\r\n\x1a\n"

// Encoder makes one animated picture. It may be used by one goroutine at a time.
type Encoder struct {
	width, height int
	still         []byte
	frames        []frame
	last          *image.NRGBA
	deflate       *zlib.Writer
	size          int
}

// frame is what changes in the picture, and how long the picture then stays.
type frame struct {
	at    image.Rectangle
	ms    int
	image []byte // compressed
}

// NewEncoder is one for a picture of that size.
func NewEncoder(width, height int) (*Encoder, error) {
	if width <= 0 || height <= 0 || width > 1<<14 || height > 1<<14 {
		return nil, fmt.Errorf("write an animated picture: its size is %dx%d", width, height)
	}
	w, err := zlib.NewWriterLevel(io.Discard, zlib.DefaultCompression)
	if err != nil {
		return nil, err
	}
	return &Encoder{width: width, height: height, deflate: w}, nil
}

// Still is what programs show that do not know of animations, instead of the first frame.
func (e *Encoder) Still(m *image.NRGBA) error {
	if err := e.fits(m); err != nil {
		return err
	}
	raw, err := e.compress(m, m.Rect)
	e.still = raw
	return err
}

// Add appends a frame that is shown for that long, in whole milliseconds. One that is like the one
// before it makes that longer. The encoder keeps m until the next frame.
func (e *Encoder) Add(m *image.NRGBA, lasts time.Duration) error {
	if err := e.fits(m); err != nil {
		return err
	}
	const longest = 1<<16 - 1
	ms := int(min(max(lasts.Milliseconds(), 0), longest))
	changed := m.Rect
	if e.last != nil {
		changed = difference(e.last, m)
		before := &e.frames[len(e.frames)-1]
		if changed.Empty() {
			if before.ms+ms <= longest {
				before.ms += ms
				return nil
			}
			changed = image.Rect(0, 0, 1, 1)
		}
	}
	raw, err := e.compress(m, changed)
	if err != nil {
		return err
	}
	e.frames = append(e.frames, frame{changed, ms, raw})
	e.last = m
	e.size += len(raw)
	return nil
}

func (e *Encoder) fits(m *image.NRGBA) error {
	if m.Rect != image.Rect(0, 0, e.width, e.height) {
		return fmt.Errorf("write an animated picture of %dx%d: a frame is %v", e.width, e.height, m.Rect)
	}
	return nil
}

// Size is about how large the file is with the frames up to now, in bytes.
func (e *Encoder) Size() int { return e.size + len(e.still) }

// difference is the rectangle in which two pictures of one size are not the same.
func difference(a, b *image.NRGBA) image.Rectangle {
	var r image.Rectangle
	w := a.Rect.Dx() * 4
	for y := range a.Rect.Dy() {
		x, z := a.Pix[y*a.Stride:][:w], b.Pix[y*b.Stride:][:w]
		if bytes.Equal(x, z) {
			continue
		}
		first, last := 0, w-1
		for x[first] == z[first] {
			first++
		}
		for x[last] == z[last] {
			last--
		}
		r = r.Union(image.Rect(first/4, y, last/4+1, y+1))
	}
	return r
}

// compress is the data of a part of a picture. A pixel that is not seen is written as zero, whatever its color.
func (e *Encoder) compress(m *image.NRGBA, r image.Rectangle) ([]byte, error) {
	var out bytes.Buffer
	e.deflate.Reset(&out)
	w := r.Dx() * 4
	above, row := make([]byte, w), make([]byte, w)
	best, try := make([]byte, w+1), make([]byte, w+1)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		copy(row, m.Pix[m.PixOffset(r.Min.X, y):][:w])
		for i := 3; i < w; i += 4 {
			if row[i] == 0 {
				clear(row[i-3 : i+1])
			}
		}
		least := filterUp(best, row, above)
		if least != 0 {
			for _, filter := range []func(to, row, above []byte) int{filterSub, filterPaeth, filterNone} {
				if n := filter(try, row, above); n < least {
					least, best, try = n, try, best
				}
			}
		}
		if _, err := e.deflate.Write(best); err != nil {
			return nil, err
		}
		above, row = row, above
	}
	if err := e.deflate.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Bytes is the file. It repeats the animation without end.
func (e *Encoder) Bytes() ([]byte, error) {
	if len(e.frames) == 0 {
		return nil, errors.New("write an animated picture: it has no frames")
	}
	var out bytes.Buffer
	out.WriteString(signature)
	head := binary.BigEndian.AppendUint32(nil, uint32(e.width))
	head = binary.BigEndian.AppendUint32(head, uint32(e.height))
	chunk(&out, "IHDR", append(head, 8, 6, 0, 0, 0)) // eight bits of red, green, blue and opacity
	control := binary.BigEndian.AppendUint32(nil, uint32(len(e.frames)))
	chunk(&out, "acTL", append(control, 0, 0, 0, 0))
	sequence := uint32(0)
	if e.still != nil {
		chunk(&out, "IDAT", e.still)
	}
	for i, f := range e.frames {
		b := binary.BigEndian.AppendUint32(nil, sequence)
		for _, n := range []int{f.at.Dx(), f.at.Dy(), f.at.Min.X, f.at.Min.Y} {
			b = binary.BigEndian.AppendUint32(b, uint32(n))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(f.ms))
		b = binary.BigEndian.AppendUint16(b, 1000)
		chunk(&out, "fcTL", append(b, 0, 0)) // what is shown stays, and what comes replaces it
		sequence++
		if i == 0 && e.still == nil {
			chunk(&out, "IDAT", f.image)
			continue
		}
		chunk(&out, "fdAT", append(binary.BigEndian.AppendUint32(nil, sequence), f.image...))
		sequence++
	}
	chunk(&out, "IEND", nil)
	return out.Bytes(), nil
}

func chunk(out *bytes.Buffer, name string, data []byte) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(data)))
	out.Write(n[:])
	sum := crc32.NewIEEE()
	to := io.MultiWriter(out, sum)
	io.WriteString(to, name) // neither of them fails
	to.Write(data)
	binary.BigEndian.PutUint32(n[:], sum.Sum32())
	out.Write(n[:])
}
