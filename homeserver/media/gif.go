package media

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"io"
)

var errBadGIF = errors.New("the GIF is damaged")

// Marks of the blocks of a GIF, and the lengths of what follows them.
const (
	gifExtension  = 0x21
	gifImage      = 0x2c
	gifTrailer    = 0x3b
	gifHeader     = 13
	gifDescriptor = 9
)

// walkGIF calls fn with the place of each frame of a GIF until it returns false, without decoding
// any.
func walkGIF(r io.Reader, fn func(image.Rectangle) bool) error {
	br := bufio.NewReader(r)
	var head [gifHeader]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return err
	}
	if s := string(head[:6]); s != "GIF87a" && s != "GIF89a" {
		return errBadGIF
	}
	table := func(flags byte) error {
		if flags&0x80 == 0 {
			return nil
		}
		_, err := br.Discard(3 << (flags&7 + 1))
		return err
	}
	blocks := func() error {
		for {
			n, err := br.ReadByte()
			if err != nil || n == 0 {
				return err
			}
			if _, err := br.Discard(int(n)); err != nil {
				return err
			}
		}
	}
	if err := table(head[10]); err != nil {
		return err
	}
	for {
		mark, err := br.ReadByte()
		if err != nil {
			return err
		}
		switch mark {
		case gifTrailer:
			return nil
		case gifExtension:
			if _, err := br.ReadByte(); err != nil {
				return err
			}
		case gifImage:
			var d [gifDescriptor]byte
			if _, err := io.ReadFull(br, d[:]); err != nil {
				return err
			}
			u16 := func(i int) int { return int(d[i]) | int(d[i+1])<<8 }
			if !fn(image.Rect(u16(0), u16(2), u16(0)+u16(4), u16(2)+u16(6))) {
				return nil
			}
			if err := table(d[8]); err != nil {
				return err
			}
			if _, err := br.ReadByte(); err != nil { // the size of codes
				return err
			}
		default:
			return errBadGIF
		}
		if err := blocks(); err != nil {
			return err
		}
	}
}

// isAnimatedGIF tells whether there is a second frame.
func isAnimatedGIF(f io.ReadSeeker) bool {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false
	}
	n := 0
	// Damaged or not: two frames are an animation to a lenient client.
	_ = walkGIF(io.LimitReader(f, maxAnimationFile), func(image.Rectangle) bool {
		n++
		return n < 2
	})
	return n > 1
}

// readGIF reads the frames. The decoder makes all of them at once, so they are counted first.
func (a *animation) readGIF(raw []byte) error {
	var bad error
	err := walkGIF(bytes.NewReader(raw), func(at image.Rectangle) bool {
		bad = a.add(frame{at: at})
		return bad == nil
	})
	if err := errors.Join(bad, err); err != nil {
		return err
	}
	var all *gif.GIF
	all, err = decodeGIF(raw)
	if err != nil {
		return err
	}
	if len(all.Image) != len(a.frames) {
		return fmt.Errorf("%w: %d frames, and %d announced", errBadGIF, len(all.Image), len(a.frames))
	}
	a.loops = all.LoopCount
	for i, m := range all.Image {
		f := &a.frames[i]
		f.at, f.delay = m.Bounds(), all.Delay[i]
		f.decode = func() (image.Image, error) { return m, nil }
		switch all.Disposal[i] {
		case gif.DisposalBackground:
			f.dispose = disposeBackground
		case gif.DisposalPrevious:
			f.dispose = disposePrevious
		}
	}
	return nil
}

func decodeGIF(raw []byte) (g *gif.GIF, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the decoder panicked: %v", r)
		}
	}()
	return gif.DecodeAll(bytes.NewReader(raw))
}
