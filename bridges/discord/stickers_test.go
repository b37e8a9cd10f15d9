package discord_test

import (
	"encoding/json"
	"testing"

	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/appservice/appservicetest"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
	"github.com/landbridge-im/landbridge/internal/lottie"
	"github.com/landbridge-im/landbridge/internal/lottie/lottietest"
)

// sticker lets anna send one of the format Lottie, and gives the event of that kind and body that it becomes.
func (r *rig) sticker(room id.RoomID, number, name, kind, body string) (c map[string]any) {
	r.Helper()
	r.dc.Say(r.general, r.anna, "", func(m *discordtest.Message) {
		m.StickerItems = []map[string]any{{"id": number, "name": name, "format_type": 3}}
	})
	r.event(room, kind, name, func(e *appservicetest.Event) bool {
		c = nil
		return json.Unmarshal(e.Content, &c) == nil && c["body"] == body
	})
	return c
}

// TestLottieStickers: a sticker of the format Lottie is drawn once, and is an animated picture; what cannot be drawn is its name.
func TestLottieStickers(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	wide := lottietest.Animation(lottietest.M{"w": 200}, lottietest.Shapes(lottietest.M{
		"ks": lottietest.Place(lottietest.M{"r": lottietest.Keys(lottietest.Key(0, lottietest.L{0}), lottietest.Key(60, lottietest.L{90}))}),
	}, lottietest.Rect(100, 50, 60, 60), lottietest.Fill(1, 0, 0)))
	r.dc.AddFile("/stickers/7001.json", wide)
	r.dc.AddFile("/stickers/7002.json", []byte(`{"w": 100, "h": 100`))
	r.dc.AddFile("/stickers/7003.json", lottietest.Animation(nil, lottietest.Shapes(nil)))
	r.dc.AddFile("/stickers/7004.json", make([]byte, lottie.MaxBytes+1))
	r.start()
	room := r.room("general")
	for i, name := range []string{"wave", "wave again"} {
		c := r.sticker(room, "7001", name, "m.sticker", name)
		info, _ := c["info"].(map[string]any)
		if info["mimetype"] != "image/png" || info["w"] != 160.0 || info["h"] != 80.0 || info["is_animated"] != true || c["url"] == "" {
			t.Errorf("sticker %d is %v", i, c)
		}
		// It is not asked for again.
		r.dc.AddFile("/stickers/7001.json", []byte("gone"))
	}
	for number, name := range map[string]string{"7002": "broken", "7003": "empty", "7004": "large", "7005": "missing"} {
		r.sticker(room, number, name, "m.room.message", "[sticker: "+name+"]")
	}
}
