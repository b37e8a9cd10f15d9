package discord

import (
	"strings"
	"testing"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

func TestReplaceNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      "",
		"@Mods":                 "<R>",
		"hi @Mods!":             "hi <R>!",
		"@Mods@Mods":            "<R>@Mods",
		"a@Mods":                "a@Mods",
		"`@Mods` @Mods":         "`@Mods` <R>",
		"```\n@Mods\n``` @Mods": "```\n@Mods\n``` <R>",
		"`@Mods":                "`<R>",
		`\@Mods`:                `\@Mods`,
		"<@Mods>":               "<@Mods>",
		"https://x/@Mods":       "https://x/@Mods",
		"**@Mods**":             "**<R>**",
		"ä@Mods":                "ä@Mods",
		"(@Mods)":               "(<R>)",
		"@Other":                "@Other",
	} {
		got := replaceNames(in, func(rest string) (string, int) {
			if strings.HasPrefix(rest, "Mods") {
				return "<R>", 4
			}
			return "", 0
		})
		if got != want {
			t.Errorf("%q: %q, not %q", in, got, want)
		}
	}
}

func TestOrderOf(t *testing.T) {
	t.Parallel()
	list := []wire.Channel{ // as Discord shows them
		{ID: "9", Position: 0}, {ID: "2", Position: 1}, {ID: "10", Position: 1}, {ID: "5", Position: 10}, {ID: "1", Type: wire.ChannelVoice}, {ID: "3", Type: wire.ChannelCategory},
	}
	for i := range list[1:] {
		a, b := orderOf(&list[i]), orderOf(&list[i+1])
		if a >= b || len(a) > 50 {
			t.Errorf("%q is not before %q", a, b)
		}
	}
}
