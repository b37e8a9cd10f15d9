package takeover

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/discord"
	"github.com/landbridge-im/landbridge/migration/discordexport"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/run"
)

// Discord opens the database of a Discord bridge, in its folder.
func Discord(ctx context.Context, dir, bridge, guild string) (*Bridge, error) {
	return open(ctx, dir, bridge, &discordModule{guild: guild, newest: map[string]map[string]string{}})
}

type discordModule struct {
	guild   string
	cursors *discord.Cursors

	mu sync.Mutex
	// newest are the newest messages of channels and their threads, by the channel whose room it is.
	newest map[string]map[string]string
}

var _ module = (*discordModule)(nil)

func (m *discordModule) open(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) (err error) {
	m.cursors, err = discord.OpenCursors(ctx, db, bridge)
	return err
}

func (m *discordModule) space() networkid.PortalID { return discord.GuildKey(m.guild).ID }

func (m *discordModule) portal(r run.Room) any {
	if r.Channel == nil {
		return &discord.PortalMetadata{}
	}
	return discord.PortalOf(r.Channel.Thread)
}

func (m *discordModule) identifiers(p model.Person) []string {
	return []string{"discord:" + p.Username}
}

func (m *discordModule) name(r run.Recorded, _ int) string { return r.Message.Name }

func (m *discordModule) message(r run.Recorded, part int) any {
	mark, _ := r.Message.Bridge.(discordexport.Mark)
	return discord.NewMetadata(mark.Channel, mark.Name, r.Parts[part].Body)
}

func (m *discordModule) edited(r run.Recorded) any {
	mark, _ := r.Message.Bridge.(discordexport.Mark)
	return discord.NewMetadata(mark.Channel, mark.Name, r.Body)
}

func (m *discordModule) emoji(r run.Reacted) networkid.EmojiID { return networkid.EmojiID(r.Emoji) }

// saw notes how far a channel is.
func (m *discordModule) saw(channel string, r run.Recorded) {
	mark, ok := r.Message.Bridge.(discordexport.Mark)
	if !ok || mark.Channel == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.newest[channel] == nil {
		m.newest[channel] = map[string]string{}
	}
	if have := m.newest[channel][mark.Channel]; later(r.Message.Name, have) {
		m.newest[channel][mark.Channel] = r.Message.Name
	}
}

// later compares ids, which are numbers without leading zeros.
func later(a, b string) bool {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) > 0
}

func (m *discordModule) done(ctx context.Context, c *model.Channel, _ time.Time) error {
	m.mu.Lock()
	newest := m.newest[c.Key]
	delete(m.newest, c.Key)
	m.mu.Unlock()
	for _, in := range slices.Sorted(maps.Keys(newest)) {
		if err := m.cursors.Set(ctx, c.ID, in, newest[in]); err != nil {
			return err
		}
	}
	return nil
}
