package media

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// allocated is how many bytes fn allocates. Nothing else may run meanwhile, so the tests that use
// it are not parallel.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// pngBomb is a whole PNG of one colour: some hundred times smaller than its pixels.
func pngBomb(t testing.TB, w, h int) string {
	t.Helper()
	var data bytes.Buffer
	z, err := zlib.NewWriterLevel(&data, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]byte, 1+8*w) // 16 bits for each of four channels
	for range h {
		if _, err := z.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	out := appendPNG([]byte(pngSignature), "IHDR", append(size, 16, 6, 0, 0, 0))
	return string(appendPNG(appendPNG(out, "IDAT", data.Bytes()), "IEND", nil))
}

// interlaced is the beginning of an interlaced PNG.
func interlaced(w, h int) string {
	size := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(w)), uint32(h))
	return string(appendPNG(appendPNG([]byte(pngSignature), "IHDR", append(size, 8, 6, 0, 0, 1)), "IDAT", []byte("x")))
}

func TestBombs(t *testing.T) {
	f := newFixture(t, func(c *Config) { c.MaxUpload = 64 << 20 })
	// Runs of one colour, which the longest codes stand for.
	gifBomb := "GIF89a\x40\x1f\x41\x1f\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x40\x1f\x41\x1f\x00\x02" +
		strings.Repeat("\xff"+strings.Repeat("\x8c", 255), 100) + "\x00\x3b"
	for what, body := range map[string]string{
		"a PNG that claims much":     bomb(60000, 60000),
		"a PNG of much memory":       pngBomb(t, 6000, 6000),
		"an interlaced PNG":          interlaced(7000, 7000),
		"a GIF":                      gifBomb,
		"a WebP":                     webpOf(appendWebP(nil, "VP8L", vp8l(16384, 16384, red))),
		"a WebP below the limit":     webpOf(appendWebP(nil, "VP8L", vp8l(7000, 7000, red))),
		"a WebP with a large canvas": webpOf(webpExtended(webpAnimation, 16384, 16384), webpAnimationFrame(0, 10, 10, red)),
	} {
		if len(body) > 4<<20 {
			t.Fatalf("%s has %d bytes", what, len(body))
		}
		id := f.upload(Meta{Type: "image/png"}, body)
		for _, query := range []string{"width=10&height=10", "width=10&height=10&animated=true", "width=65536&height=65536"} {
			var err error
			used := allocated(func() {
				err = f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil), Access{}, "x.org", id)
			})
			if e, ok := mxerror.As(err); !ok || e.Code != "M_TOO_LARGE" || e.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, %s: %v", what, query, err)
			}
			if used > 4<<20 {
				t.Errorf("%s, %s: %d bytes of memory", what, query, used)
			}
		}
	}
	// Frames that lie outside of the picture, or are larger than announced.
	for what, body := range map[string]string{
		"outside": webpOf(webpExtended(webpAnimation|webpAlpha, 100, 100), webpAnimationFrame(60, 100, 100, red), webpAnimationFrame(0, 100, 100, red)),
		"a small frame with large data": webpOf(webpExtended(webpAnimation|webpAlpha, 100, 100), appendWebP(nil, "ANMF",
			appendWebP([]byte{0, 0, 0, 0, 0, 0, 99, 0, 0, 99, 0, 0, 7, 0, 0, 0}, "VP8L", vp8l(16384, 16384, red)))),
	} {
		id := f.upload(Meta{}, body)
		for _, query := range []string{"width=10&height=10", "width=10&height=10&animated=true"} {
			var err error
			used := allocated(func() {
				err = f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil), Access{}, "x.org", id)
			})
			wantCode(t, what, err, "M_UNKNOWN")
			if used > 4<<20 {
				t.Errorf("%s, %s: %d bytes of memory", what, query, used)
			}
		}
	}
}

// TestPolyglots: what is a picture and something else besides is served as the type that was
// claimed, and never as a page or a program.
func TestPolyglots(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	script := "<html><script>alert(1)</script></html>"
	pictures := map[string]string{}
	for _, format := range []string{"gif", "png", "jpeg"} {
		body := encode(t, format, drawn(64, 64, 255))
		pictures[format+" with HTML behind"] = body + script
		pictures[format+" with a JAR behind"] = body + "PK\x03\x04" + strings.Repeat("\x00", 26) + "PK\x05\x06" + strings.Repeat("\x00", 18)
	}
	png := encode(t, "png", drawn(64, 64, 255))
	pictures["png with HTML inside"] = png[:33] + string(appendPNG(nil, "tEXt", []byte("Comment\x00"+script))) + png[33:]
	for what, body := range pictures {
		for _, claimed := range []string{"image/png", "text/html", "image/svg+xml", "application/java-archive", "text/html; charset=utf-7", "application/xhtml+xml"} {
			id := f.upload(Meta{Type: claimed, Name: "x.html"}, body)
			res, _ := get(t, f.download(id, ""), "/")
			how, _, _ := strings.Cut(res.Header.Get("Content-Disposition"), ";")
			if safe := claimed == "image/png"; res.Header.Get("Content-Type") != claimed || (how == "inline") != safe ||
				res.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "sandbox;") {
				t.Errorf("%s as %s: %v", what, claimed, res.Header)
			}
			res, small := get(t, f.thumbnailOf(id), "/?width=32&height=32&method=crop")
			if kind := res.Header.Get("Content-Type"); !strings.HasPrefix(kind, "image/") || strings.Contains(small, "script") || strings.Contains(small, "PK") {
				t.Errorf("%s as %s: thumbnail %s of %d bytes", what, claimed, kind, len(small))
			}
		}
	}
	// What is none gets no thumbnail, whatever it claims.
	for what, body := range map[string]string{
		"SVG": `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, "HTML with a signature": pngSignature + script, "a page": script,
		"an XML bomb": `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><svg>&b;</svg>`, "a PDF": "%PDF-1.7", "BMP": "BM" + strings.Repeat("\x00", 60),
		"a truncated GIF": animatedGIF(t, 2)[:60], "a truncated WebP": animatedWebP()[:70], "a truncated APNG": animatedPNG(t)[:120],
	} {
		id := f.upload(Meta{Type: "image/png"}, body)
		for _, query := range []string{"", "&animated=true"} {
			err := f.ServeThumbnail(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/?width=10&height=10"+query, nil), Access{}, "x.org", id)
			if e, ok := mxerror.As(err); !ok || e.Status != 400 || e.Code != "M_UNKNOWN" {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// server serves uploads over a real connection.
func (f *fixture) server() (address string) {
	f.t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := f.ServeUpload(w, r, Uploader{User: 1})
		if e, ok := mxerror.As(err); ok {
			w.WriteHeader(e.Status)
			fmt.Fprint(w, e.Code)
		}
	}))
	f.t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// send writes raw bytes to a server and reads its answer's first line.
func send(t *testing.T, address string, parts ...string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if _, err := io.WriteString(c, p); err != nil {
			return "", err
		}
	}
	raw, err := io.ReadAll(io.LimitReader(c, 64<<10))
	line, _, _ := strings.Cut(string(raw), "\r\n")
	return line, err
}

const post = "POST /upload HTTP/1.1\r\nHost: x.org\r\nConnection: close\r\n"

func TestSlowUploads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Stall = 300 * time.Millisecond })
	address := f.server()
	for what, parts := range map[string][]string{
		"nothing comes":              {post + "Content-Length: 100000\r\n\r\n"},
		"it stops":                   {post + "Content-Length: 100000\r\n\r\n" + strings.Repeat("x", 50000)},
		"chunks that never end":      {post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
		"less than it promised":      {post + "Content-Length: 10\r\n\r\nhello"},
		"a size that can't be meant": {post + "Content-Length: 18446744073709551617\r\n\r\n"},
		"a negative size":            {post + "Content-Length: -1\r\n\r\n"},
		"two sizes":                  {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
		"a bad chunk":                {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"},
	} {
		line, err := send(t, address, parts...)
		if err != nil || !strings.Contains(line, " 408 ") && !strings.Contains(line, " 400 ") {
			t.Errorf("%s: %q, %v", what, line, err)
		}
	}
	// A drop now and then is not enough.
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := pw.Write([]byte("x")); err != nil {
				return
			}
		}
	}()
	res, err := http.Post("http://"+address, "text/plain", pr)
	if err == nil {
		res.Body.Close()
	}
	if err == nil && res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a drop now and then: %s", res.Status)
	}
	// One that is slow, but not too slow, succeeds.
	line, err := send(t, address, post+"Content-Length: 5\r\n\r\nhe", "llo")
	if err != nil || !strings.Contains(line, " 200 ") {
		t.Errorf("a good one: %q, %v", line, err)
	}
	for _, file := range f.files() {
		if strings.HasPrefix(file, tempName) {
			t.Errorf("left behind: %s", file)
		}
	}
}

// TestEndlessUpload: more than allowed is refused, with and without saying so.
func TestEndlessUpload(t *testing.T) {
	f := newFixture(t)
	address := f.server()
	used := allocated(func() {
		for _, announced := range []int64{-1, 1 << 40} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address, io.LimitReader(zeros{}, 1<<40))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = announced
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				// The server has hung up on it, which a client may notice first.
				if _, ok := errors.AsType[*net.OpError](err); !ok {
					t.Error(err)
				}
				continue
			}
			res.Body.Close()
			if res.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes announced: %s", announced, res.Status)
			}
		}
	})
	if used > 8<<20 || len(f.files()) != 0 {
		t.Errorf("%d bytes of memory, %v", used, f.files())
	}
}

// TestNamesInHeaders: no name breaks out of its header.
func TestNamesInHeaders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, name := range []string{"a\r\nSet-Cookie: x=1", "a\"; filename=\"b.exe", "../../../etc/passwd", "a\x00b", "\u202egpj.exe", "a\u2028b", `\"`, ";", "=?utf-8?q?x?=",
		strings.Repeat("é", 5000), "%0d%0aX: y", "\xff\xfe"} {
		id := f.upload(Meta{Type: "text/plain", Name: name}, "x")
		for _, other := range []string{"", name} {
			res, _ := get(t, f.download(id, other), "/")
			got := res.Header.Get("Content-Disposition")
			if strings.ContainsFunc(got, func(c rune) bool { return c < ' ' || c > '~' }) || len(got) > 4*maxName || !strings.HasPrefix(got, "inline") {
				t.Errorf("%q: %q", name, got)
			}
			if strings.Count(got, "filename") > 1 && !strings.Contains(got, `\"`) {
				t.Errorf("%q: %q", name, got)
			}
		}
	}
}
