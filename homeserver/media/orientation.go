package media

import (
	"bufio"
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
	// maxSegments bounds the search for the tag.
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

// exifOrientation reads the tag out of an Exif segment.
func exifOrientation(b []byte) (turn, bool) {
	const mark = "Exif\x00\x00"
	if len(b) < len(mark)+8 || string(b[:len(mark)]) != mark {
		return 0, false
	}
	b = b[len(mark):]
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
