// Package apngtest reads animated PNGs, for tests: each frame is made a PNG of its own, which the
// standard library reads. It checks what the format demands of the order and numbers of chunks.
package apngtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/draw"
	"image/png"
	"time"
)

// Animation is what is in a file.
type Animation struct {
	// Still is what programs show that do not know of animations.
	Still  *image.NRGBA
	Frames []*image.NRGBA // as they are shown, whole
	Lasts  []time.Duration
	// Areas are the parts of the frames that the file has.
	Areas []image.Rectangle
}

const signature = "\x89PNG\r\n\x1a\n"

type chunk struct {
	name string
	data []byte
}

func chunks(raw []byte) ([]chunk, error) {
	rest, ok := bytes.CutPrefix(raw, []byte(signature))
	if !ok {
		return nil, errors.New("not a PNG")
	}
	var all []chunk
	for len(rest) > 0 {
		if len(rest) < 12 {
			return nil, errors.New("the file is cut off")
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-12 {
			return nil, errors.New("a chunk is cut off")
		}
		if sum := binary.BigEndian.Uint32(rest[8+n:]); sum != crc32.ChecksumIEEE(rest[4:8+n]) {
			return nil, fmt.Errorf("the checksum of a chunk %s is wrong", rest[4:8])
		}
		all = append(all, chunk{string(rest[4:8]), rest[8 : 8+n]})
		rest = rest[12+n:]
	}
	if len(all) < 3 || all[0].name != "IHDR" || all[len(all)-1].name != "IEND" {
		return nil, errors.New("the file does not begin or end as a PNG does")
	}
	return all, nil
}

// picture reads compressed data as a picture of that size.
func picture(head []byte, w, h int, data []byte) (*image.NRGBA, error) {
	head = bytes.Clone(head)
	binary.BigEndian.PutUint32(head, uint32(w))
	binary.BigEndian.PutUint32(head[4:], uint32(h))
	b := bytes.NewBufferString(signature)
	for _, c := range []chunk{{"IHDR", head}, {"IDAT", data}, {"IEND", nil}} {
		body := append([]byte(c.name), c.data...)
		b.Write(binary.BigEndian.AppendUint32(nil, uint32(len(c.data))))
		b.Write(body)
		b.Write(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	}
	m, err := png.Decode(b)
	if err != nil {
		return nil, err
	}
	out, ok := m.(*image.NRGBA)
	if !ok {
		return nil, fmt.Errorf("a picture is %T", m)
	}
	return out, nil
}

// Decode reads an animation whose frames replace what was there, as package apng writes them.
func Decode(raw []byte) (*Animation, error) {
	all, err := chunks(raw)
	if err != nil {
		return nil, err
	}
	head := all[0].data
	if len(head) != 13 {
		return nil, errors.New("the header is not one")
	}
	w, h := int(binary.BigEndian.Uint32(head)), int(binary.BigEndian.Uint32(head[4:]))
	a := &Animation{}
	shown := image.NewNRGBA(image.Rect(0, 0, w, h))
	announced, sequence := -1, uint32(0)
	waiting := false // for the picture of a frame
	for _, c := range all[1 : len(all)-1] {
		numbered := c.name == "fcTL" || c.name == "fdAT"
		if numbered {
			if len(c.data) < 4 || binary.BigEndian.Uint32(c.data) != sequence {
				return nil, fmt.Errorf("chunk %s is not number %d", c.name, sequence)
			}
			sequence++
		}
		var data []byte
		switch {
		case c.name == "acTL" && len(c.data) == 8 && a.Still == nil && announced < 0:
			announced = int(binary.BigEndian.Uint32(c.data))
			continue
		case c.name == "fcTL" && len(c.data) == 26 && !waiting:
			n := func(at int) int { return int(binary.BigEndian.Uint32(c.data[at:])) }
			area := image.Rect(n(12), n(16), n(12)+n(4), n(16)+n(8))
			if area.Empty() || !area.In(shown.Rect) || len(a.Frames) == 0 && area != shown.Rect {
				return nil, fmt.Errorf("frame %d is at %v", len(a.Frames), area)
			}
			if c.data[24] != 0 || c.data[25] != 0 {
				return nil, errors.New("a frame does not replace what was there")
			}
			parts := time.Duration(binary.BigEndian.Uint16(c.data[20:]))
			a.Lasts = append(a.Lasts, parts*time.Second/time.Duration(max(binary.BigEndian.Uint16(c.data[22:]), 1)))
			a.Areas = append(a.Areas, area)
			waiting = true
			continue
		case c.name == "IDAT" && a.Still == nil:
			data = c.data
		case c.name == "fdAT" && waiting && a.Still != nil:
			data = c.data[4:]
		default:
			return nil, fmt.Errorf("chunk %s is out of place", c.name)
		}
		area := shown.Rect
		if waiting {
			area = a.Areas[len(a.Areas)-1]
		}
		m, err := picture(head, area.Dx(), area.Dy(), data)
		if err != nil {
			return nil, err
		}
		if a.Still == nil {
			a.Still = m
		}
		if waiting {
			draw.Draw(shown, area, m, image.Point{}, draw.Src)
			whole := image.NewNRGBA(shown.Rect)
			copy(whole.Pix, shown.Pix)
			a.Frames = append(a.Frames, whole)
			waiting = false
		}
	}
	if waiting || len(a.Frames) != announced {
		return nil, fmt.Errorf("%d frames, and %d were announced", len(a.Frames), announced)
	}
	return a, nil
}
