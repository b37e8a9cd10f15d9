package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"

	"golang.org/x/image/webp"
)

// The container of WebP: https://developers.google.com/speed/webp/docs/riff_container

var errBadWebP = errors.New("the WebP is damaged")

const (
	webpHeader    = 12
	webpAnimation = 1 << 1 // flag of VP8X
	webpExif      = 1 << 3 // flag of VP8X
	webpAlpha     = 1 << 4 // flag of VP8X
	// webpStart is how much of a file is read to find its first frame.
	webpStart = 8 << 20
)

// isAnimatedWebP reads the flag of the extended header.
func isAnimatedWebP(f io.ReadSeeker) bool {
	var head [21]byte
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false
	}
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return false
	}
	return string(head[12:16]) == "VP8X" && head[20]&webpAnimation != 0
}

// webpChunk takes the first chunk off b.
func webpChunk(b []byte) (name string, data, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, errBadWebP
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if uint64(size) > uint64(len(b)-8) {
		return "", nil, nil, errBadWebP
	}
	name, data, rest = string(b[:4]), b[8:8+size], b[8+size:]
	if size%2 == 1 && len(rest) > 0 {
		rest = rest[1:]
	}
	return name, data, rest, nil
}

// readWebP reads the frames.
func (a *animation) readWebP(raw []byte) error {
	if len(raw) < webpHeader {
		return errBadWebP
	}
	for b := raw[webpHeader:]; len(b) > 0; {
		name, data, rest, err := webpChunk(b)
		if err != nil {
			return err
		}
		b = rest
		switch name {
		case "ANIM":
			if len(data) >= 6 {
				// Both count from 1 here, and 0 is for ever; GIF counts repetitions, -1 is none.
				if a.loops = int(binary.LittleEndian.Uint16(data[4:])) - 1; a.loops == 0 {
					a.loops = -1
				} else if a.loops < 0 {
					a.loops = 0
				}
			}
		case "ANMF":
			f, err := webpFrame(data)
			if err != nil {
				return err
			}
			if err := a.add(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// webpFrame reads an ANMF chunk.
func webpFrame(data []byte) (f frame, err error) {
	if len(data) < 16 {
		return f, errBadWebP
	}
	u24 := func(i int) int { return int(data[i]) | int(data[i+1])<<8 | int(data[i+2])<<16 }
	x, y, w, h := u24(0)*2, u24(3)*2, u24(6)+1, u24(9)+1
	f.at = image.Rect(x, y, x+w, y+h)
	f.delay = u24(12) / 10
	if data[15]&1 != 0 {
		f.dispose = disposeBackground
	}
	f.replace = data[15]&2 != 0
	f.decode = func() (image.Image, error) { return decodeWebP(data[16:], w, h) }
	return f, nil
}

// decodeWebP decodes the chunks of one frame as a picture of its own.
func decodeWebP(chunks []byte, w, h int) (image.Image, error) {
	var flags byte
	var body []byte
	for b := chunks; len(b) > 0; {
		name, data, rest, err := webpChunk(b)
		if err != nil {
			return nil, err
		}
		b = rest
		switch name {
		case "ALPH":
			flags |= webpAlpha
		case "VP8 ", "VP8L":
		default:
			continue
		}
		body = appendWebP(body, name, data)
	}
	extended := []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), byte((w - 1) >> 16), byte(h - 1), byte((h - 1) >> 8), byte((h - 1) >> 16)}
	body = append(appendWebP(nil, "VP8X", extended), body...)
	whole := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	whole = append(append(whole, "WEBP"...), body...)
	return webp.Decode(bytes.NewReader(whole))
}

func appendWebP(b []byte, name string, data []byte) []byte {
	b = binary.LittleEndian.AppendUint32(append(b, name...), uint32(len(data)))
	b = append(b, data...)
	if len(data)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// firstOfWebP is the first frame of an animation, in its place.
func firstOfWebP(f io.Reader, p picture) (image.Image, error) {
	raw, err := io.ReadAll(io.LimitReader(f, webpStart))
	if err != nil {
		return nil, err
	}
	if len(raw) < webpHeader {
		return nil, errBadWebP
	}
	for b := raw[webpHeader:]; len(b) > 0; {
		name, data, rest, err := webpChunk(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if name != "ANMF" {
			continue
		}
		fr, err := webpFrame(data)
		if err != nil {
			return nil, err
		}
		if !fr.at.In(image.Rect(0, 0, p.width, p.height)) {
			return nil, errBadWebP
		}
		m, err := fr.decode()
		if err != nil || m.Bounds().Size() != fr.at.Size() {
			return nil, errors.Join(errBadWebP, err)
		}
		return moved{m, fr.at.Min}, nil
	}
	return nil, errBadWebP
}

// moved is a picture at another place.
type moved struct {
	image.Image
	by image.Point
}

func (m moved) Bounds() image.Rectangle { return m.Image.Bounds().Sub(m.Image.Bounds().Min).Add(m.by) }

func (m moved) At(x, y int) color.Color {
	from := m.Image.Bounds().Min
	return m.Image.At(x-m.by.X+from.X, y-m.by.Y+from.Y)
}
