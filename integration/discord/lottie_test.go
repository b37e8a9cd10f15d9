package discord_test

import (
	"encoding/json"
	"image/color"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/integration/bridgetest"
	"github.com/landbridge-im/landbridge/internal/apng/apngtest"
	lt "github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// growing is an animation of a red square that becomes larger, two seconds long.
func growing() []byte {
	from, to := lt.L{10, 10}, lt.L{90, 90}
	return lt.Animation(nil, lt.Shapes(nil, lt.With(lt.Rect(50, 50, 0, 0), lt.M{"s": lt.Keys(lt.Key(0, from), lt.Key(lt.Frames-1, to))}), lt.Fill(1, 0, 0)))
}

// lottie waits for a sticker with that name, which is growing, and looks at the picture that a client gets.
func (w *world) lottie(m *bridgetest.Matrix, room, name string) {
	w.Helper()
	e := w.event(m, room, "m.sticker", name, func(e bridgetest.Event) bool { return e.Body() == name })
	var content struct {
		URL  string
		Info struct {
			MimeType string
			W, H     int
			Size     int
		}
	}
	if err := json.Unmarshal(e.Content, &content); err != nil {
		w.Fatal(err)
	}
	if i := content.Info; i.MimeType != "image/png" || i.W != 160 || i.H != 160 {
		w.Errorf("the sticker is %s", e.Content)
	}
	path, _ := strings.CutPrefix(content.URL, "mxc://")
	req, err := http.NewRequestWithContext(w.ctx, "GET", w.server.URL()+"/_matrix/client/v1/media/download/"+path, nil)
	if err != nil {
		w.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.Token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || len(raw) != content.Info.Size || res.Header.Get("Content-Type") != "image/png" {
		w.Fatalf("%s: %d bytes of %s: %v", content.URL, len(raw), res.Header.Get("Content-Type"), err)
	}
	a, err := apngtest.Decode(raw)
	if err != nil {
		w.Fatal(err)
	}
	var lasts time.Duration
	for _, d := range a.Lasts {
		lasts += d
	}
	if len(a.Frames) < 30 || lasts != 2*time.Second {
		w.Errorf("%d frames, %v", len(a.Frames), lasts)
	}
	// In the middle it is always red; near the border in the end.
	red := color.NRGBA{255, 0, 0, 255}
	side := a.Still.Rect.Dx()
	for i, f := range a.Frames {
		border := f.NRGBAAt(side/12, side/2)
		if f.NRGBAAt(side/2, side/2) != red || i == 0 && border != (color.NRGBA{}) || i == len(a.Frames)-1 && border != red {
			w.Errorf("frame %d is %v in the middle and %v near the border", i, f.At(side/2, side/2), border)
		}
	}
}
