package lottie

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/landbridge-im/landbridge/integration/tools"
	"github.com/landbridge-im/landbridge/internal/lottie"
	"github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// TestAsLottieWeb draws all documents of lottietest as this project does and as lottie-web does in a browser: but for
// single pixels at borders, which each smooths in its way, they have to be the same.
func TestAsLottieWeb(t *testing.T) {
	t.Parallel()
	const most = 0.012 // of the pixels
	type look struct {
		Document json.RawMessage
		Frame    float64
	}
	var looks []look
	var names []string
	for _, d := range lottietest.Documents() {
		if d.Alone != "" {
			continue
		}
		for _, at := range d.At {
			looks = append(looks, look{d.JSON, at})
			names = append(names, d.Name)
		}
	}
	web := filepath.Join(tools.Packages(t, "."), "lottie-web", "build", "player", "lottie.min.js")
	sheet := show(t, len(looks), `
		await Promise.all(data.map((look, i) => new Promise((done) => {
			const a = lottie.loadAnimation({ container: boxes[i], renderer: "svg", loop: false, autoplay: false, animationData: look.Document });
			for (const bad of ["error", "data_failed"]) a.addEventListener(bad, (e) => console.error(bad, String(e.nativeError)));
			const stop = () => { a.goToAndStop(look.Frame, true); done(); };
			a.isLoaded ? stop() : a.addEventListener("DOMLoaded", stop);
		})));`, looks, "file://"+web)
	for i, l := range looks {
		d, err := lottie.Parse(l.Document)
		if err != nil {
			t.Errorf("%s: %v", names[i], err)
			continue
		}
		m, err := d.Frame(t.Context(), l.Frame/lottietest.Rate, cell, cell)
		if err != nil {
			t.Errorf("%s: %v", names[i], err)
			continue
		}
		if part := differs(m, sheet.at(i)); part > most {
			t.Errorf("%s, frame %v: %.1f%% of the pixels are not as in lottie-web", names[i], l.Frame, part*100)
			save(t, names[i], l.Frame, m, sheet.at(i))
		}
	}
}
