package lottie

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/landbridge-im/landbridge/integration/tools"
)

// cell is how wide and high each picture of a sheet is, in pixels.
const cell = 160

// sheet is a page of pictures that a browser has drawn, in a grid.
type sheet struct {
	*image.NRGBA
	columns int
}

// at is one of the pictures.
func (s *sheet) at(i int) *image.NRGBA {
	x, y := i%s.columns*cell, i/s.columns*cell
	return s.SubImage(image.Rect(x, y, x+cell, y+cell)).(*image.NRGBA)
}

// show lets a browser run the body of an asynchronous function, which fills n boxes that it finds in an array called
// boxes, and takes a picture of them. It finds data as what it is in JSON.
func show(t *testing.T, n int, script string, data any, sources ...string) *sheet {
	t.Helper()
	const columns = 16
	rows := n/columns + 1 // one box is left to say that all is there
	raw, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString(`<!doctype html><meta charset="utf-8"><style>body{margin:0;position:relative}
		div{position:absolute;width:160px;height:160px;overflow:hidden}</style><body>`)
	for _, s := range sources {
		fmt.Fprintf(&page, `<script src=%q></script>`, s)
	}
	fmt.Fprintf(&page, `<script>"use strict";
		const boxes = [];
		for (let i = 0; i <= %d; i++) {
			const d = document.createElement("div");
			d.style.left = i %% %d * %d + "px"; d.style.top = Math.floor(i / %[2]d) * %[3]d + "px";
			document.body.append(d);
			boxes.push(d);
		}
		const data = %s;
		(async () => {
			%s
		})().catch((e) => console.error(String(e))).then(() => { boxes.at(-1).style.background = "#0f0"; });
		</script>`, n, columns, cell, raw, script)
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	// The browser's own clock runs as fast as it can, and its picture is of when that shows some time; it may have more
	// to do than fits.
	for _, seconds := range []int{10, 100, 1000} {
		m := photograph(t, file, filepath.Join(dir, fmt.Sprint(seconds)), columns*cell, rows*cell, seconds)
		if m.NRGBAAt(n%columns*cell+cell/2, n/columns*cell+cell/2) == (color.NRGBA{0, 255, 0, 255}) {
			if folder := os.Getenv("LANDBRIDGE_TEST_SCREENSHOTS"); folder != "" {
				write(t, filepath.Join(folder, t.Name()+".png"), m)
			}
			return &sheet{m, columns}
		}
	}
	t.Fatal("the page is not done in a thousand seconds of its clock")
	return nil
}

// photograph takes a picture of a page as it is after some seconds of its own clock.
func photograph(t *testing.T, page, dir string, w, h, seconds int) *image.NRGBA {
	t.Helper()
	program := tools.Chromium(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	picture := dir + ".png"
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
		"--force-device-scale-factor=1", "--default-background-color=00000000", fmt.Sprintf("--virtual-time-budget=%d", seconds*1000),
		"--enable-logging=stderr", "--user-data-dir="+dir, fmt.Sprintf("--window-size=%d,%d", w, h),
		"--screenshot="+picture, (&url.URL{Scheme: "file", Path: page}).String())
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the browser: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the browser says: %s", line)
		}
	}
	f, err := os.Open(picture)
	if err != nil {
		t.Fatalf("the browser has drawn nothing: %v\n%s", err, out)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := img.(*image.NRGBA)
	if !ok || m.Rect != image.Rect(0, 0, w, h) {
		t.Fatalf("the browser's picture is %T %v", img, img.Bounds())
	}
	return m
}

func write(t *testing.T, path string, m image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, m); err != nil {
		t.Fatal(err)
	}
}

// differs is in how much of two pictures of one size the pixels are not nearly the same, from 0 to 1.
func differs(a, b *image.NRGBA) float64 {
	const near = 40
	n := 0
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			p := a.Pix[y*a.Stride+x*4:][:4]
			q := b.Pix[y*b.Stride+x*4:][:4]
			for i := range 4 {
				v, w := int(p[i]), int(q[i])
				if i < 3 { // what is not seen has no color
					v, w = v*int(p[3])/255, w*int(q[3])/255
				}
				if v-w > near || w-v > near {
					n++
					break
				}
			}
		}
	}
	return float64(n) / float64(a.Rect.Dx()*a.Rect.Dy())
}

// save keeps two pictures beside each other, if LANDBRIDGE_TEST_SCREENSHOTS names a folder.
func save(t *testing.T, name string, frame float64, pictures ...*image.NRGBA) {
	folder := os.Getenv("LANDBRIDGE_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	all := image.NewNRGBA(image.Rect(0, 0, len(pictures)*(cell+10), cell))
	for i := range all.Pix {
		all.Pix[i] = 0xdd
	}
	for i, m := range pictures {
		draw.Draw(all, image.Rect(i*(cell+10), 0, i*(cell+10)+cell, cell), m, m.Rect.Min, draw.Over)
	}
	write(t, filepath.Join(folder, fmt.Sprintf("%s-%v.png", strings.ReplaceAll(name, " ", "-"), frame)), all)
}
