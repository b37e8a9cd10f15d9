package media

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// drawn is a picture, red in its left upper quarter, and elsewhere blue, opaque or not.
func drawn(w, h int, alpha uint8) *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.NRGBA{0, 0, 255, alpha}
			if x < w/2 && y < h/2 {
				c = color.NRGBA{255, 0, 0, alpha}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func encode(t testing.TB, format string, m image.Image) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, m)
	case "jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "gif":
		err = gif.Encode(&b, m, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (f *fixture) thumbnailOf(id string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		return f.ServeThumbnail(w, r, Access{}, "x.org", id)
	}
}

func TestThumbnails(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct {
		format  string
		alpha   uint8
		w, h    int
		query   string
		gotW    int
		gotH    int
		gotType string
	}{
		{"png", 255, 640, 480, "width=320&height=240", 320, 240, "image/png"},
		{"png", 255, 640, 480, "width=319&height=200&method=scale", 320, 240, "image/png"},
		// Never smaller than wanted, in either direction.
		{"jpeg", 255, 1000, 500, "width=320&height=240", 480, 240, "image/jpeg"},
		{"gif", 255, 500, 1000, "width=320&height=240&animated=true", 320, 640, "image/jpeg"},
		{"png", 255, 1001, 999, "width=100&height=100", 320, 320, "image/png"},
		{"png", 128, 640, 480, "width=90&height=90&method=crop", 96, 96, "image/png"},
		{"png", 255, 640, 480, "width=190&height=95&method=crop", 192, 96, "image/png"},
		{"png", 255, 640, 480, "width=10&height=30&method=crop", 11, 32, "image/png"},
		{"png", 255, 640, 100, "width=200&height=150&method=crop", 133, 100, "image/png"}, // the largest in these proportions
		// Never larger than it is: the original.
		{"png", 255, 20, 10, "width=320&height=240", 20, 10, "image/png"},
		{"png", 255, 20, 10, "width=96&height=96&method=crop", 20, 10, "image/png"},
		{"gif", 255, 20, 10, "width=96&height=96", 20, 10, "image/gif"},
		{"png", 255, 1000, 1, "width=32&height=32", 1000, 1, "image/png"},
		{"png", 255, 1, 1000, "width=32&height=32&method=crop", 1, 1, "image/png"},
		{"jpeg", 255, 1700, 1300, "width=99999&height=99999", 1700, 1300, "image/jpeg"},
		{"jpeg", 255, 1700, 1300, "width=1600&height=1200", 1600, 1224, "image/jpeg"},
	} {
		id := f.upload(Meta{Type: "image/" + test.format}, encode(t, test.format, drawn(test.w, test.h, test.alpha)))
		for range 2 { // made, and found
			res, body := get(t, f.thumbnailOf(id), "/?"+test.query)
			m, format, err := image.Decode(strings.NewReader(body))
			if err != nil {
				t.Fatalf("%+v: %v", test, err)
			}
			if got := m.Bounds().Size(); got != image.Pt(test.gotW, test.gotH) || "image/"+format != test.gotType || res.Header.Get("Content-Type") != test.gotType {
				t.Errorf("%+v: %v %s %v", test, got, format, res.Header)
			}
			if got := res.Header.Get("Content-Disposition"); got != "inline; filename=thumbnail."+format {
				t.Errorf("%+v: %s", test, got)
			}
			if test.gotW > 2 && test.gotH > 2 {
				if r, _, b, _ := m.At(0, 0).RGBA(); r < b {
					t.Errorf("%+v: the left upper corner is not red", test)
				}
				if r, _, b, _ := m.At(test.gotW-1, test.gotH-1).RGBA(); r > b {
					t.Errorf("%+v: the right lower corner is not blue", test)
				}
			}
		}
	}
}

// exif is an Exif segment of JPEG with nothing but an orientation.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := append([]byte(exifMark), exifData(order, orientation)...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, jpegApp1}, uint16(len(b)+2))
	return append(head, b...)
}

// exifData is what is in it.
func exifData(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	u16 := func(v uint16) { b = order.AppendUint16(b, v) }
	b = order.AppendUint32(b, 8)
	u16(1)
	u16(tagOrientation)
	u16(3)
	b = order.AppendUint32(b, 1)
	u16(orientation)
	u16(0)
	return b
}

// withExif are pictures of each format that can tell how they lie, with the Exif data where it may stand.
func withExif(t testing.TB, data []byte) map[string]string {
	jpg, plain := encode(t, "jpeg", drawn(200, 100, 255)), encode(t, "png", drawn(200, 100, 255))
	segment := binary.BigEndian.AppendUint16([]byte{0xff, jpegApp1}, uint16(len(exifMark)+len(data)+2))
	const head, end = 8 + 25, 12 // signature and IHDR, IEND
	chunk := string(appendPNG(nil, "eXIf", data))
	marked := append([]byte(exifMark), data...)
	pixels := appendWebP(nil, "VP8L", vp8l(200, 100, red))
	return map[string]string{
		"JPEG":                      jpg[:2] + string(segment) + string(marked) + jpg[2:],
		"PNG":                       plain[:head] + chunk + plain[head:],
		"PNG, behind the pixels":    plain[:len(plain)-end] + chunk + plain[len(plain)-end:],
		"WebP":                      webpOf(webpExtended(webpExif, 200, 100), pixels, appendWebP(nil, "EXIF", data)),
		"WebP, with the mark":       webpOf(webpExtended(webpExif, 200, 100), pixels, appendWebP(nil, "EXIF", marked)),
		"WebP that does not say so": webpOf(webpExtended(0, 200, 100), pixels, appendWebP(nil, "EXIF", data)),
	}
}

// TestOrientationOfFormats: whatever the format, the thumbnail stands upright, and what is damaged lies as it is stored.
func TestOrientationOfFormats(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	good := exifData(binary.BigEndian, 6)
	for _, test := range []struct {
		data     []byte
		sideways bool
	}{{good, true}, {exifData(binary.LittleEndian, 8), true}, {exifData(binary.LittleEndian, 3), false}, {good[:10], false}, {nil, false}, {make([]byte, 60), false}} {
		for name, body := range withExif(t, test.data) {
			_, raw := get(t, f.thumbnailOf(f.upload(Meta{}, body)), "/?width=96&height=96")
			c, _, err := image.DecodeConfig(strings.NewReader(raw))
			if err != nil {
				t.Errorf("%s, %q: %v", name, test.data, err)
				continue
			}
			if want := test.sideways && name != "WebP that does not say so"; c.Height > c.Width != want {
				t.Errorf("%s, %q: %dx%d", name, test.data, c.Width, c.Height)
			}
		}
	}
}

func TestOrientation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	plain := encode(t, "jpeg", drawn(200, 100, 255))
	// Where the red quarter, left above in what is stored, is to be seen.
	for orientation, want := range map[uint16]struct{ right, below, sideways bool }{
		1: {}, 2: {right: true}, 3: {right: true, below: true}, 4: {below: true},
		5: {sideways: true}, 6: {right: true, sideways: true}, 7: {right: true, below: true, sideways: true}, 8: {below: true, sideways: true},
		0: {}, 9: {}, // nonsense
	} {
		order := binary.AppendByteOrder(binary.LittleEndian)
		if orientation%2 == 0 {
			order = binary.BigEndian
		}
		id := f.upload(Meta{}, plain[:2]+string(exif(order, orientation))+plain[2:])
		_, body := get(t, f.thumbnailOf(id), "/?width=96&height=96")
		m, _, err := image.Decode(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		size := m.Bounds().Size()
		if sideways := size.Y > size.X; sideways != want.sideways {
			t.Errorf("orientation %d: %v", orientation, size)
		}
		x, y := size.X/4, size.Y/4
		if want.right {
			x = size.X - 1 - x
		}
		if want.below {
			y = size.Y - 1 - y
		}
		if r, _, b, _ := m.At(x, y).RGBA(); r < b {
			t.Errorf("orientation %d: the red quarter is elsewhere", orientation)
		}
	}
}

// bomb is a PNG that claims a size and holds next to nothing.
func bomb(w, h uint32) string {
	chunk := func(name string, data []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
		b = append(append(b, name...), data...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), h)
	out := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 6, 0, 0, 0))...)
	return string(append(out, chunk("IDAT", []byte("x"))...))
}

func TestHostilePictures(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.MaxPixels = 1_000_000 })
	good := encode(t, "png", drawn(300, 300, 255))
	jpg := encode(t, "jpeg", drawn(300, 300, 255))
	for what, test := range map[string]struct{ body, code string }{
		"a bomb":              {bomb(60000, 60000), "M_TOO_LARGE"},
		"an overflow":         {bomb(1<<31-1, 1<<31-1), "M_UNKNOWN"},
		"long and thin":       {bomb(1<<30, 1), "M_TOO_LARGE"},
		"just too large":      {encode(t, "png", image.NewGray(image.Rect(0, 0, 1001, 1000))), "M_TOO_LARGE"},
		"empty":               {"", "M_UNKNOWN"},
		"text":                {"hello", "M_UNKNOWN"},
		"SVG":                 {`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`, "M_UNKNOWN"},
		"cut off":             {good[:len(good)/2], "M_UNKNOWN"},
		"cut off JPEG":        {jpg[:len(jpg)/2], "M_UNKNOWN"},
		"nothing inside":      {bomb(10, 10), "M_UNKNOWN"},
		"a WebP of two minds": {"RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00VP8L\x05\x00\x00\x00\x2f\xff\xff\xff\x0f", "M_UNKNOWN"},
	} {
		id := f.upload(Meta{Type: "image/png"}, test.body)
		rec := httptest.NewRecorder()
		err := f.ServeThumbnail(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/?width=10&height=10", nil), Access{}, "x.org", id)
		wantCode(t, what, err, test.code)
		if e, ok := mxerror.As(err); ok && e.Status >= 500 {
			t.Errorf("%s: %v", what, err)
		}
	}
	id := f.upload(Meta{}, good)
	for _, query := range []string{"width=0&height=1", "width=-1&height=1", "width=1.5&height=1", "width=1&height=1&method=x", "width=1&height=1&animated=maybe", "width=99999999999999999999&height=1"} {
		err := f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil), Access{}, "x.org", id)
		wantCode(t, query, err, "M_INVALID_PARAM")
	}
	for _, query := range []string{"", "width=1", "height=1"} {
		err := f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil), Access{}, "x.org", id)
		wantCode(t, query, err, "M_MISSING_PARAM")
	}
	for _, file := range f.files() {
		if strings.HasPrefix(file, thumbnailDir) || strings.HasPrefix(file, "tmp") {
			t.Errorf("left behind: %s", file)
		}
	}
}

func TestManyWantOneThumbnail(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := f.upload(Meta{}, encode(t, "png", drawn(600, 600, 255)))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { get(t, f.thumbnailOf(id), "/?width=96&height=96") })
	}
	wg.Wait()
	made := 0
	for _, file := range f.files() {
		if strings.HasPrefix(file, thumbnailDir) {
			made++
		}
	}
	if made != 1 {
		t.Errorf("%d thumbnails", made)
	}
}

func FuzzDecode(f *testing.F) {
	for _, format := range []string{"png", "jpeg", "gif"} {
		f.Add([]byte(encode(f, format, drawn(16, 8, 255))))
	}
	for _, frames := range []string{animatedGIF(f, 3), animatedPNG(f), animatedWebP()} {
		f.Add([]byte(frames))
	}
	f.Add([]byte("RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x01\x00\x00VP8L\x05\x00\x00\x00\x2f\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, data []byte) {
		f := bytes.NewReader(data)
		p, err := inspect(f, 10_000)
		if err != nil {
			return
		}
		if p.memory > 10_000*20 {
			t.Errorf("%+v", p)
		}
		for _, size := range []Size{{Width: 32, Height: 16, Crop: true}, {Width: 8, Height: 8}} {
			l := size.layout(p.width, p.height)
			if !l.part.In(image.Rect(0, 0, p.width, p.height)) || l.target.X > p.width || l.target.Y > p.height || l.target.X < 1 || l.target.Y < 1 {
				t.Fatalf("%+v of %+v: %+v", size, p, l)
			}
			if _, _, err := still(t.Context(), f, p, l); err != nil && !mxerror.Is(err, "M_UNKNOWN") {
				t.Error(err)
			}
			if p.animated {
				if out, err := animate(t.Context(), f, p, l); err == nil && len(out) == 0 {
					t.Error("an empty animation")
				}
			}
		}
	})
}

func FuzzOrientation(f *testing.F) {
	f.Add(append([]byte{0xff, jpegStart}, exif(binary.BigEndian, 6)...))
	f.Add(append([]byte{0xff, jpegStart}, exif(binary.LittleEndian, 8)...))
	for _, body := range withExif(f, exifData(binary.BigEndian, 6)) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []turn{readJPEG(bytes.NewReader(data)).turn, pngTurn(bytes.NewReader(data)), webpTurn(bytes.NewReader(data))} {
			if o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
		}
	})
}
