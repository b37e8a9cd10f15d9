package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/png"
	"io"
)

// PNG and its animations: https://www.w3.org/TR/png-3/

var errBadPNG = errors.New("the PNG is damaged")

const (
	pngSignature = "\x89PNG\r\n\x1a\n"
	// pngChunks is how many chunks may stand before the first pixels.
	pngChunks = 64
)

// isAPNG tells whether an acTL chunk comes before the pixels.
func isAPNG(f io.ReadSeeker) bool {
	if _, err := f.Seek(int64(len(pngSignature)), io.SeekStart); err != nil {
		return false
	}
	for range pngChunks {
		var head [8]byte
		if _, err := io.ReadFull(f, head[:]); err != nil {
			return false
		}
		switch string(head[4:]) {
		case "acTL":
			return true
		case "IDAT":
			return false
		}
		if _, err := f.Seek(int64(binary.BigEndian.Uint32(head[:]))+4, io.SeekCurrent); err != nil {
			return false
		}
	}
	return false
}

// pngChunk takes the first chunk off b. Its checksum is left to the decoder.
func pngChunk(b []byte) (name string, data, rest []byte, err error) {
	if len(b) < 12 {
		return "", nil, nil, errBadPNG
	}
	size := binary.BigEndian.Uint32(b)
	if uint64(size) > uint64(len(b)-12) {
		return "", nil, nil, errBadPNG
	}
	return string(b[4:8]), b[8 : 8+size], b[12+size:], nil
}

func appendPNG(b []byte, name string, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	start := len(b)
	b = append(append(b, name...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

// readAPNG reads the frames. Each becomes a PNG of its own: the common chunks with its own size,
// and its data.
func (a *animation) readAPNG(raw []byte) error {
	if !bytes.HasPrefix(raw, []byte(pngSignature)) {
		return errBadPNG
	}
	var header, common []byte
	var current *frame
	var data []byte
	finish := func() error {
		if current == nil {
			return nil
		}
		f, body := *current, data
		current, data = nil, nil
		if len(body) == 0 {
			return errBadPNG
		}
		f.decode = func() (image.Image, error) { return decodePNG(header, common, body, f.at.Size()) }
		return a.add(f)
	}
	for b := raw[len(pngSignature):]; ; {
		name, chunk, rest, err := pngChunk(b)
		if err != nil {
			return err
		}
		b = rest
		switch name {
		case "IHDR":
			header = chunk
		case "PLTE", "tRNS":
			common = appendPNG(common, name, chunk)
		case "acTL":
			if len(chunk) >= 8 {
				if a.loops = int(binary.BigEndian.Uint32(chunk[4:])) - 1; a.loops == 0 {
					a.loops = -1
				} else if a.loops < 0 || a.loops > 0xffff {
					a.loops = 0
				}
			}
		case "fcTL":
			if err := finish(); err != nil {
				return err
			}
			if current, err = apngFrame(chunk); err != nil {
				return err
			}
		case "IDAT":
			// Without a fcTL before it, this is the picture for those who know no animations.
			if current != nil {
				data = appendPNG(data, "IDAT", chunk)
			}
		case "fdAT":
			if current == nil || len(chunk) < 4 {
				return errBadPNG
			}
			data = appendPNG(data, "IDAT", chunk[4:])
		case "IEND":
			return finish()
		}
	}
}

// apngFrame reads a fcTL chunk.
func apngFrame(c []byte) (*frame, error) {
	if len(c) != 26 {
		return nil, errBadPNG
	}
	u32 := func(i int) int { return int(binary.BigEndian.Uint32(c[i:])) }
	w, h, x, y := u32(4), u32(8), u32(12), u32(16)
	if max(w, h, x, y) > 1<<24 {
		return nil, errBadPNG
	}
	f := &frame{at: image.Rect(x, y, x+w, y+h), replace: c[25] == 0}
	num, den := int(binary.BigEndian.Uint16(c[20:])), int(binary.BigEndian.Uint16(c[22:]))
	if den == 0 {
		den = 100
	}
	f.delay = num * 100 / den
	if c[24] <= byte(disposePrevious) {
		f.dispose = disposal(c[24])
	}
	return f, nil
}

func decodePNG(header, common, body []byte, size image.Point) (image.Image, error) {
	if len(header) != 13 {
		return nil, errBadPNG
	}
	h := binary.BigEndian.AppendUint32(nil, uint32(size.X))
	h = append(binary.BigEndian.AppendUint32(h, uint32(size.Y)), header[8:]...)
	whole := append(appendPNG([]byte(pngSignature), "IHDR", h), common...)
	whole = appendPNG(append(whole, body...), "IEND", nil)
	return png.Decode(bytes.NewReader(whole))
}
