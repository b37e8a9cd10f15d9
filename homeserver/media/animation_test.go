package media

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
)

var (
	red  = color.NRGBA{255, 0, 0, 255}
	blue = color.NRGBA{0, 0, 255, 255}
)

// animatedGIF is a picture of 200x100 that is red, then in parts blue, with so many frames.
func animatedGIF(t testing.TB, frames int) string {
	t.Helper()
	palette := color.Palette{red, blue, color.Transparent}
	g := &gif.GIF{LoopCount: 3, Config: image.Config{Width: 200, Height: 100, ColorModel: palette}}
	for i := range frames {
		at := image.Rect(0, 0, 200, 100)
		if i > 0 {
			at = image.Rect(100, 0, 200, 100)
		}
		m := image.NewPaletted(at, palette)
		if i > 0 {
			draw.Draw(m, at, image.NewUniform(blue), image.Point{}, draw.Src)
		}
		g.Image = append(g.Image, m)
		g.Delay = append(g.Delay, 7)
		g.Disposal = append(g.Disposal, gif.DisposalPrevious)
	}
	g.Disposal[0] = gif.DisposalNone
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// animatedPNG is like animatedGIF, with two frames.
func animatedPNG(t testing.TB) string {
	t.Helper()
	fill := func(w int, c color.Color) []byte {
		m := image.NewNRGBA(image.Rect(0, 0, w, 100))
		draw.Draw(m, m.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
		m.SetNRGBA(0, 0, color.NRGBA{R: 1, A: 254}) // so that both have an alpha channel
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	data := func(raw []byte) (idat []byte) {
		for b := raw[len(pngSignature):]; len(b) > 0; {
			name, chunk, rest, err := pngChunk(b)
			if err != nil {
				t.Fatal(err)
			}
			if b = rest; name == "IDAT" {
				idat = append(idat, chunk...)
			}
		}
		return idat
	}
	control := func(seq, w, x uint32) []byte {
		var b []byte
		for _, v := range []uint32{seq, w, 100, x, 0} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		return append(b, 0, 7, 0, 100, 0, 0)
	}
	first := fill(200, red)
	out := appendPNG([]byte(pngSignature), "IHDR", first[16:29])
	out = appendPNG(out, "acTL", []byte{0, 0, 0, 2, 0, 0, 0, 4})
	out = appendPNG(out, "fcTL", control(0, 200, 0))
	out = appendPNG(out, "IDAT", data(first))
	out = appendPNG(out, "fcTL", control(1, 100, 100))
	out = appendPNG(out, "fdAT", append([]byte{0, 0, 0, 2}, data(fill(100, blue))...))
	return string(appendPNG(out, "IEND", nil))
}

// vp8l is a lossless WebP bitstream of one colour. Its size doesn't depend on that of the picture.
func vp8l(w, h int, c color.NRGBA) []byte {
	out := []byte{0x2f}
	var acc uint64
	var n uint
	put := func(v uint64, bits uint) {
		acc |= v << n
		for n += bits; n >= 8; n -= 8 {
			out = append(out, byte(acc))
			acc >>= 8
		}
	}
	put(uint64(w-1), 14)
	put(uint64(h-1), 14)
	put(1, 1) // alpha is used
	put(0, 3) // version
	put(0, 3) // neither transform nor colour cache nor groups of codes
	for _, v := range []byte{c.G, c.R, c.B, c.A} {
		put(0b101, 3) // a simple code with one symbol of eight bits
		put(uint64(v), 8)
	}
	put(0b001, 4) // likewise for distances, of one bit
	put(0, 16)
	return out
}

func webpOf(chunks ...[]byte) string {
	body := slices.Concat(chunks...)
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(4+len(body)))
	return string(append(head, "WEBP"...)) + string(body)
}

func webpExtended(flags byte, w, h int) []byte {
	return appendWebP(nil, "VP8X", []byte{flags, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), byte((w - 1) >> 16), byte(h - 1), byte((h - 1) >> 8), byte((h - 1) >> 16)})
}

func webpAnimationFrame(x, w, h int, c color.NRGBA) []byte {
	b := []byte{byte(x / 2), byte(x / 2 >> 8), 0, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), 0, byte(h - 1), byte((h - 1) >> 8), 0, 70, 0, 0, 0}
	return appendWebP(nil, "ANMF", appendWebP(b, "VP8L", vp8l(w, h, c)))
}

// animatedWebP is like animatedGIF, with two frames.
func animatedWebP() string {
	return webpOf(webpExtended(webpAnimation|webpAlpha, 200, 100), appendWebP(nil, "ANIM", []byte{0, 0, 0, 0, 4, 0}),
		webpAnimationFrame(0, 200, 100, red), webpAnimationFrame(100, 100, 100, blue))
}

func TestAnimations(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for format, body := range map[string]string{"gif": animatedGIF(t, 2), "png": animatedPNG(t), "webp": animatedWebP()} {
		id := f.upload(Meta{Type: "image/" + format}, body)
		const size = "width=50&height=25&method=crop"
		res, small := get(t, f.thumbnailOf(id), "/?animated=true&"+size)
		g, err := gif.DecodeAll(strings.NewReader(small))
		if err != nil || res.Header.Get("Content-Type") != "image/gif" || res.Header.Get("Content-Disposition") != "inline; filename=thumbnail.gif" {
			t.Fatalf("%s: %v, %v", format, err, res.Header)
		}
		if len(g.Image) != 2 || g.LoopCount != 3 || g.Delay[1] != 7 || g.Config.Height >= 100 || g.Config.Height < 25 || g.Config.Width < 50 {
			t.Errorf("%s: %d frames, delays %v, %d loops, %dx%d", format, len(g.Image), g.Delay, g.LoopCount, g.Config.Width, g.Config.Height)
		}
		for i, want := range []bool{true, false} {
			m := g.Image[i]
			x := g.Config.Width - 3
			r, _, b, _ := m.At(x, g.Config.Height/2).RGBA()
			if (r > b) != want {
				t.Errorf("%s: frame %d is %v on the right", format, i, m.At(x, g.Config.Height/2))
			}
			if r, _, b, _ := m.At(3, g.Config.Height/2).RGBA(); r < b {
				t.Errorf("%s: frame %d is %v on the left", format, i, m.At(3, g.Config.Height/2))
			}
		}
		// "When false, the server MUST NOT return an animated thumbnail", also where it is not smaller.
		for _, query := range []string{"/?animated=false&" + size, "/?" + size, "/?width=500&height=500", "/?width=200&height=100&animated=false"} {
			res, small := get(t, f.thumbnailOf(id), query)
			m, kind, err := image.Decode(strings.NewReader(small))
			if err != nil || kind != "jpeg" && kind != "png" || res.Header.Get("Content-Type") != "image/"+kind || isAPNG(strings.NewReader(small)) {
				t.Errorf("%s, %s: %v, %s, %v", format, query, err, kind, res.Header)
				continue
			}
			if r, _, b, _ := m.At(m.Bounds().Dx()-3, 5).RGBA(); r < b {
				t.Errorf("%s, %s: not the first frame", format, query)
			}
		}
		// The original may move if it is wanted to.
		res, small = get(t, f.thumbnailOf(id), "/?width=500&height=500&animated=true")
		if small != body || res.Header.Get("Content-Type") != "image/"+format {
			t.Errorf("%s: the original, animated: %v", format, res.Header)
		}
	}
	still := f.upload(Meta{}, encode(t, "jpeg", drawn(300, 300, 255)))
	if res, _ := get(t, f.thumbnailOf(still), "/?animated=true&width=96&height=96"); res.Header.Get("Content-Type") != "image/jpeg" {
		t.Errorf("what doesn't move: %v", res.Header)
	}
}

// TestTooMuchAnimation: what would take too much is shown as a still picture.
func TestTooMuchAnimation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	huge := webpOf(webpExtended(webpAnimation|webpAlpha, 3000, 3000), appendWebP(nil, "ANIM", make([]byte, 6)),
		webpAnimationFrame(0, 3000, 3000, red), webpAnimationFrame(0, 3000, 3000, blue))
	// Frames of 200x100 without end: next to no bytes each.
	many := []byte(animatedGIF(t, 2))
	many = many[:len(many)-1]
	for range maxFrames {
		many = append(many, "\x2c\x00\x00\x00\x00\xc8\x00\x64\x00\x00\x02\x00"...)
	}
	many = append(many, gifTrailer)
	whole := animatedPNG(t)
	at := strings.Index(whole, "fdAT") - 4
	empty := string(appendPNG(appendPNG([]byte(whole[:at]), "fdAT", []byte{0, 0, 0, 2}), "IEND", nil))
	for what, body := range map[string]string{"a large canvas": huge, "many frames": string(many), "an empty frame": empty} {
		id := f.upload(Meta{}, body)
		res, _ := get(t, f.thumbnailOf(id), "/?animated=true&width=32&height=32")
		if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || kind != "image/jpeg" && kind != "image/png" {
			t.Errorf("%s: %d, %s", what, res.StatusCode, kind)
		}
	}
}
