package discord_test

import (
	"fmt"
	"testing"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/discord/discordtest"
)

// TestOpenAlias: who joins the alias of a channel that everybody may see gets its room, and nothing else is opened.
func TestOpenAlias(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	private := r.dc.AddChannel(r.guild, 0, "private", "", discordtest.Overwrite{ID: r.guild.ID, Deny: fmt.Sprint(discordtest.ViewChannel)},
		discordtest.Overwrite{ID: r.dc.AppID, Type: 1, Allow: fmt.Sprint(discordtest.ViewChannel)})
	left := r.dc.AddChannel(r.guild, 0, "left out", "")
	category := r.dc.AddChannel(r.guild, 4, "category", "")
	r.extra = "channels: {exclude: [\"" + left.ID + "\"]}\n"
	r.start()
	var opener appservice.AliasOpener = r.bridge
	r.wait("the room", func() bool {
		made, err := opener.OpenAlias(r.ctx, r.general.ID)
		if err != nil {
			t.Fatal(err)
		}
		if made && r.hs.RoomByName("general") == "" {
			t.Fatal("it is said to be there, and is not")
		}
		return made
	})
	for what, name := range map[string]string{"a channel that not everybody sees": private.ID, "one that is left out": left.ID, "a category": category.ID,
		"a channel of nowhere": "123456789012345678", "no channel": "general", "nothing": ""} {
		if made, err := opener.OpenAlias(r.ctx, name); made || err != nil {
			t.Errorf("%s: %t, %v", what, made, err)
		}
	}
}
