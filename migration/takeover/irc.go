package takeover

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/irc"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/run"
)

// IRC opens the database of an IRC bridge, in its folder. network is the id of the network in the bridge's configuration.
func IRC(ctx context.Context, dir, bridge, network string) (*Bridge, error) {
	return open(ctx, dir, bridge, &ircModule{network})
}

// ircModule is the simplest: lines can't be changed, and where a log ends the bridge begins with the next line that it hears.
type ircModule struct{ network string }

var _ module = (*ircModule)(nil)

func (m *ircModule) open(context.Context, *dbutil.Database, networkid.BridgeID) error { return nil }

func (m *ircModule) space() networkid.PortalID { return irc.SpaceKey(m.network).ID }

func (m *ircModule) portal(run.Room) any { return &irc.PortalMetadata{} }

func (m *ircModule) identifiers(model.Person) []string { return nil }

func (m *ircModule) name(r run.Recorded, part int) string { return r.Parts[part].Name }

func (m *ircModule) message(r run.Recorded, part int) any {
	return irc.NewMetadata(r.Name, r.Parts[part].Body)
}

func (m *ircModule) edited(r run.Recorded) any { return irc.NewMetadata(r.Name, r.Body) }

func (m *ircModule) emoji(r run.Reacted) networkid.EmojiID { return networkid.EmojiID(r.Key) }

func (m *ircModule) saw(string, run.Recorded) {}

func (m *ircModule) done(context.Context, *model.Channel, time.Time) error { return nil }
