package discord_test

import (
	"os"
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord"
)

// TestInviteURL: the documentation has the address with the rights that the bot needs.
func TestInviteURL(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/discord.md")
	if err != nil {
		t.Fatal(err)
	}
	if url := discord.InviteURL("APPLICATION_ID"); !strings.Contains(string(raw), "`"+url+"`") {
		t.Errorf("docs/discord.md does not have %s", url)
	}
}
