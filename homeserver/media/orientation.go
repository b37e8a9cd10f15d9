package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"io"
)

// turn is how a picture lies, as the Exif tag Orientation tells: 1 is upright, and the other
// seven are what turning and mirroring makes of it.
type turn int

const upright turn = 1

const (
	jpegStart       = 0xd8
	jpegProgressive = 0xc2
	jpegScan        = 0xda
	jpegApp1        = 0xe1
	tagOrientation  = 0x0112
	// maxSegments bounds the search for the tag in JPEG.
	maxSegments = 64
)

// jpegHead is what is read of a JPEG file beside its size.
type jpegHead struct {
	turn turn
	// progressive files need memory for all their coefficients while they are decoded.
	progressive bool
}

// readJPEG reads the segments of a JPEG file before its first scan. What is damaged is taken for
// the end.
func readJPEG(r io.Reader) jpegHead {
	out := jpegHead{turn: upright}
	br := bufio.NewReader(r)
	var head [4]byte
	if _, err := io.ReadFull(br, head[:2]); err != nil || head[0] != 0xff || head[1] != jpegStart {
		return out
	}
	for range maxSegments {
		if _, err := io.ReadFull(br, head[:]); err != nil || head[0] != 0xff || head[1] == jpegScan {
			return out
		}
		size := int(binary.BigEndian.Uint16(head[2:])) - 2
		if size < 0 {
			return out
		}
		out.progressive = out.progressive || head[1] == jpegProgressive
		if head[1] != jpegApp1 || out.turn != upright {
			if _, err := br.Discard(size); err != nil {
				return out
			}
			continue
		}
		segment := make([]byte, size)
		if _, err := io.ReadFull(br, segment); err != nil {
			return out
		}
		if t, ok := exifOrientation(segment); ok {
			out.turn = t
		}
	}
	// So many segments that the scan was not reached: be prepared for the worst.
	out.progressive = true
	return out
}

// exifMark is what Exif data begins with in JPEG, and in some files of other formats.
const exifMark = "Exif\x00\x00"

// maxExif bounds the Exif data that is read of PNG and WebP; JPEG has no room for more than that either.
const maxExif = 64 << 10

// pngTurn reads how a PNG lies: its eXIf chunk stands before or behind the pixels. What is damaged is taken for the end.
func pngTurn(f io.ReadSeeker) turn {
	if _, err := f.Seek(int64(len(pngSignature)), io.SeekStart); err != nil {
		return upright
	}
	// Pixels may come in many chunks.
	for range 1 << 16 {
		var head [8]byte
		if _, err := io.ReadFull(f, head[:]); err != nil || string(head[4:]) == "IEND" {
			return upright
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		if string(head[4:]) == "eXIf" {
			return readExif(f, size)
		}
		if skip(f, size+4) != nil {
			return upright
		}
	}
	return upright
}

// skip goes on in a file. An object store is asked anew after each seek, so that short ways are read.
func skip(f io.ReadSeeker, n int64) (err error) {
	if n < 1<<20 {
		_, err = io.CopyN(io.Discard, f, n)
	} else {
		_, err = f.Seek(n, io.SeekCurrent)
	}
	return err
}

// webpTurn reads how a WebP lies: its EXIF chunk stands behind the pixels, and the extended header tells of it.
func webpTurn(f io.ReadSeeker) turn {
	if _, err := f.Seek(webpHeader, io.SeekStart); err != nil {
		return upright
	}
	for i := range 1 << 16 {
		var head [8]byte
		if _, err := io.ReadFull(f, head[:]); err != nil {
			return upright
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		rest := size + size&1
		switch name := string(head[:4]); {
		case name == "EXIF":
			return readExif(f, size)
		case i == 0 && name == "VP8X" && size > 0:
			var flags [1]byte
			if _, err := io.ReadFull(f, flags[:]); err != nil || flags[0]&webpExif == 0 {
				return upright
			}
			rest--
		case i == 0: // the simple form has nothing else
			return upright
		}
		if skip(f, rest) != nil {
			return upright
		}
	}
	return upright
}

// readExif reads the tag out of so many bytes of Exif data.
func readExif(r io.Reader, size int64) turn {
	if size > maxExif {
		return upright
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return upright
	}
	if !bytes.HasPrefix(b, []byte(exifMark)) {
		b = append([]byte(exifMark), b...)
	}
	if t, ok := exifOrientation(b); ok {
		return t
	}
	return upright
}

// exifOrientation reads the tag out of an Exif segment.
func exifOrientation(b []byte) (turn, bool) {
	if len(b) < len(exifMark)+8 || string(b[:len(exifMark)]) != exifMark {
		return 0, false
	}
	b = b[len(exifMark):]
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0, false
	}
	at := order.Uint32(b[4:])
	if at > uint32(len(b)) || len(b)-int(at) < 2 {
		return 0, false
	}
	b = b[at:]
	entries := b[2:]
	for range order.Uint16(b) {
		if len(entries) < 12 {
			return 0, false
		}
		if order.Uint16(entries) == tagOrientation {
			t := turn(order.Uint16(entries[8:]))
			return t, t >= 1 && t <= 8
		}
		entries = entries[12:]
	}
	return 0, false
}

// sideways tells whether width and height change places.
func (t turn) sideways() bool { return t >= 5 }

// turned is a picture set upright.
func turned(m *image.RGBA, t turn) *image.RGBA {
	if t == upright {
		return m
	}
	src := &turnedImage{m, t}
	dst := image.NewRGBA(src.Bounds())
	draw.Draw(dst, dst.Bounds(), src, image.Point{}, draw.Src)
	return dst
}

// turnedImage shows another picture turned, without a copy of it.
type turnedImage struct {
	m image.Image
	t turn
}

func (i *turnedImage) ColorModel() color.Model { return i.m.ColorModel() }

func (i *turnedImage) Bounds() image.Rectangle {
	size := i.m.Bounds().Size()
	if i.t.sideways() {
		size.X, size.Y = size.Y, size.X
	}
	return image.Rectangle{Max: size}
}

func (i *turnedImage) At(x, y int) color.Color {
	b := i.m.Bounds()
	right, bottom := b.Dx()-1, b.Dy()-1
	switch i.t {
	case 2:
		x = right - x
	case 3:
		x, y = right-x, bottom-y
	case 4:
		y = bottom - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, bottom-x
	case 7:
		x, y = right-y, bottom-x
	case 8:
		x, y = right-y, x
	}
	return i.m.At(b.Min.X+x, b.Min.Y+y)
}
