package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/migration/desk"
)

// TestUnknownExport: what is no export is told with what to do instead.
func TestUnknownExport(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ file, want string }{
		{"package/messages/c123456789012345678/messages.json", "what that person said"},
		{"package/Messages/index.json", "what that person said"},
		{"messages/123456789012345678/messages.csv", "what that person said"},
		{"Guild - Text - general [123456789012345678].html", "--format Json"},
		{"Guild - general [123456789012345678] [part 2].csv", "--format Json"},
		{"irc.libera.#lobby.weechatlog", "-from irc"},
		{"libera/#lobby/2024-01-02.log", "-from irc"},
		{"C0123456789.json.gz", "slackdump convert"},
		{"export.zip", "unpack it"},
		{"photo.jpg", "nor is it one of DiscordChatExporter"},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, tc.file)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openExport(&config.Config{}, dir, "", desk.Choice{}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.file, err)
		}
	}
}
