package lottie

import (
	"bytes"
	"image"
	"testing"

	"github.com/landbridge-im/landbridge/internal/apng/apngtest"
	"github.com/landbridge-im/landbridge/internal/lottie"
	"github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// TestInBrowser lets a browser read the animated pictures that become of documents: it has to find them animated,
// with as many frames as are in them, and to show in each what is in it.
func TestInBrowser(t *testing.T) {
	t.Parallel()
	type file struct {
		PNG    []byte
		Frames int
		Look   []int
	}
	var files []file
	var want []*image.NRGBA
	for _, d := range lottietest.Documents() {
		if len(d.At) == 1 {
			continue // nothing moves
		}
		doc, err := lottie.Parse(d.JSON)
		if err != nil {
			t.Fatal(err)
		}
		p, err := doc.Animated(t.Context(), cell, 1<<20)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		a, err := apngtest.Decode(p.Data)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		n := len(a.Frames)
		if n < 2 {
			continue
		}
		f := file{p.Data, n, []int{0, n / 3, n - 1}}
		files = append(files, f)
		for _, i := range f.Look {
			want = append(want, a.Frames[i])
		}
	}
	if len(files) < 20 {
		t.Fatalf("only %d documents move", len(files))
	}
	sheet := show(t, len(want), `
		const look = async (f, at) => {
			const bytes = Uint8Array.from(atob(f.PNG), (c) => c.charCodeAt(0));
			const decoder = new ImageDecoder({ data: bytes, type: "image/png" });
			await decoder.tracks.ready;
			await decoder.completed;
			const track = decoder.tracks.selectedTrack;
			if (!track.animated || track.frameCount !== f.Frames || track.repetitionCount !== Infinity)
				console.error("animated:", track.animated, "frames:", track.frameCount, "and should be", f.Frames, "repeats:", track.repetitionCount);
			for (const frameIndex of f.Look) {
				const { image } = await decoder.decode({ frameIndex });
				const canvas = document.createElement("canvas");
				canvas.width = canvas.height = 160;
				canvas.getContext("2d").drawImage(image, 0, 0);
				boxes[at++].append(canvas);
			}
		};
		await Promise.all(data.map((f, i) => look(f, i * 3)));`, files)
	for i, m := range want {
		got := image.NewNRGBA(m.Rect)
		shown := sheet.at(i)
		for y := range cell {
			copy(got.Pix[y*got.Stride:], shown.Pix[y*shown.Stride:][:cell*4])
		}
		if part := differs(m, got); part > 0 {
			t.Errorf("picture %d: %.1f%% of the pixels are others", i, part*100)
			save(t, "browser", float64(i), m, got)
		}
	}
	if bytes.Equal(sheet.at(0).Pix, sheet.at(2).Pix) {
		t.Error("the first and the last frame are the same")
	}
}
