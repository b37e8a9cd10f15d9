package exports

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// discordEpoch is the beginning of 2015, from which Discord's ids count.
const discordEpoch = 1420070400000

// partMessages is how many messages there are in a file of DiscordChatExporter.
const partMessages = 2000

// Discord writes an export of a guild into a folder, as DiscordChatExporter does: partitioned, and every third channel newest first.
// Members are all who are there.
func Discord(dir string, s Size) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(3, 4))
	vocabulary := strings.Fields(words)
	guild := map[string]any{"id": "100000000000000000", "name": "Guild"}
	serial := 0
	id := func(at time.Time) string {
		serial++
		return fmt.Sprint(uint64(at.UnixMilli()-discordEpoch)<<22 | uint64(serial&0xFFF))
	}
	for c := range s.Channels {
		n := s.Messages / s.Channels
		if c < s.Messages%s.Channels {
			n++
		}
		channel := map[string]any{"id": id(began), "type": "GuildTextChat", "categoryId": "100000000000000001", "category": "Talk", "name": fmt.Sprintf("channel-%d", c), "topic": nil}
		var list []map[string]any
		at := began
		for range n {
			at = at.Add(time.Duration(1+rng.IntN(80_000)) * time.Millisecond)
			who := rng.IntN(s.People)
			text := make([]string, 5+rng.IntN(20))
			for i := range text {
				text[i] = vocabulary[rng.IntN(len(vocabulary))]
			}
			m := map[string]any{"id": id(at), "type": "Default", "timestamp": at.Format("2006-01-02T15:04:05.000-07:00"), "timestampEdited": nil, "isPinned": rng.IntN(500) == 0,
				"content": strings.Join(text, " "), "author": discordPerson(who), "attachments": []any{}, "embeds": []any{}, "stickers": []any{}, "reactions": []any{}, "mentions": []any{}}
			switch k := rng.IntN(100); {
			case k < 8 && len(list) > 0:
				m["type"], m["reference"] = "Reply", map[string]any{"messageId": list[rng.IntN(len(list))]["id"]}
			case k < 12:
				m["timestampEdited"] = at.Add(time.Minute).Format("2006-01-02T15:04:05.000-07:00")
			case k < 16:
				m["reactions"] = []map[string]any{{"emoji": map[string]any{"id": "", "name": "👍", "code": "thumbsup"}, "count": 1, "users": []any{discordPerson(rng.IntN(s.People))}}}
			}
			list = append(list, m)
		}
		if c%3 == 2 {
			slices.Reverse(list)
		}
		part := 0
		for chunk := range slices.Chunk(list, partMessages) {
			part++
			name := filepath.Join(dir, fmt.Sprintf("Guild - Talk - channel-%d [%s] [part %d].json", c, channel["id"], part))
			if err := write(name, map[string]any{"guild": guild, "channel": channel, "messages": chunk, "messageCount": len(chunk)}); err != nil {
				return err
			}
		}
	}
	return nil
}

func discordPerson(n int) map[string]any {
	return map[string]any{"id": fmt.Sprint(200000000000000000 + n), "name": fmt.Sprintf("person%d", n), "discriminator": "0000", "nickname": fmt.Sprintf("Person %d", n), "isBot": false}
}
