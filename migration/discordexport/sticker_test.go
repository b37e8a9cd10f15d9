package discordexport

import (
	"os"
	"path/filepath"
	"testing"
)

// TestStickers: those that are animations in the format Lottie become pictures.
func TestStickers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "general.json"), []byte(`{"guild":{"id":"1","name":"Guild"},"channel":{"id":"2","type":"GuildTextChat","name":"general"},"messages":[
		{"id":"3","type":"Default","timestamp":"2024-01-01T10:00:00+00:00","author":{"id":"4","name":"ann"},"stickers":[
			{"id":"5","name":"Wave","format":"Png","sourceUrl":"https://cdn.discordapp.com/stickers/5.png"},
			{"id":"6","name":"Wumpus","format":"Lottie","sourceUrl":"https://cdn.discordapp.com/stickers/6.json"},
			{"id":"7","name":"Here","format":"Lottie","sourceUrl":"general.json_Files/7-ABCDE.json"}]}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(dir, "general.json_Files", "7-ABCDE.json")
	if err := os.Mkdir(filepath.Dir(here), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(here, []byte(`{"v":"5.5.7"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	list := all(t, e, "general")
	if len(list) != 1 || len(list[0].Files) != 3 {
		t.Fatalf("%d messages", len(list))
	}
	for i, want := range []struct {
		id     string
		lottie bool
		here   bool
	}{{"sticker/5", false, false}, {"sticker/6.png", true, false}, {"sticker/7.png", true, true}} {
		if f := list[0].Files[i]; f.ID != want.id || f.Lottie != want.lottie || f.Type != "image/png" || (f.Open != nil) != want.here || (f.URL != "") == want.here || f.Size != 0 {
			t.Errorf("sticker %d is %+v", i, f)
		}
	}
}
