package takeover

import (
	"context"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"

	"github.com/landbridge-im/landbridge/bridges/slack"
	"github.com/landbridge-im/landbridge/migration/model"
	"github.com/landbridge-im/landbridge/migration/run"
	"github.com/landbridge-im/landbridge/migration/slackexport"
)

// Slack opens the database of a Slack bridge, in its folder. workspace is the id of the workspace in
// the bridge's configuration.
func Slack(ctx context.Context, dir, bridge, workspace string) (*Bridge, error) {
	return open(ctx, dir, bridge, &slackModule{workspace: workspace})
}

type slackModule struct {
	workspace string
	cursors   *slack.Cursors
}

var _ module = (*slackModule)(nil)

func (m *slackModule) open(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) (err error) {
	m.cursors, err = slack.OpenCursors(ctx, db, bridge)
	return err
}

func (m *slackModule) space() networkid.PortalID { return slack.SpaceKey(m.workspace).ID }

func (m *slackModule) portal(run.Room) any { return &slack.PortalMetadata{Imported: true} }

func (m *slackModule) identifiers(p model.Person) []string { return []string{"slack:" + p.ID} }

func (m *slackModule) message(r run.Recorded, part int) any {
	mark, _ := r.Message.Bridge.(slackexport.Mark)
	if part > 0 {
		return slack.NewMetadata(r.Name, r.Parts[part].Body, "", 0)
	}
	return slack.NewMetadata(r.Name, r.Parts[part].Body, mark.Content, len(r.Parts)-1)
}

func (m *slackModule) edited(r run.Recorded) any {
	mark, _ := r.Message.Bridge.(slackexport.Mark)
	return slack.NewMetadata(r.Name, r.Body, mark.Content, len(r.Message.Files))
}

func (m *slackModule) name(r run.Recorded, part int) string { return r.Parts[part].Name }

func (m *slackModule) emoji(r run.Reacted) networkid.EmojiID { return networkid.EmojiID(r.Emoji) }

func (m *slackModule) done(ctx context.Context, c *model.Channel, last time.Time) error {
	if last.IsZero() {
		if last = c.Created; last.IsZero() {
			return nil
		}
	}
	return m.cursors.Set(ctx, m.workspace, c.ID, slack.TS(last))
}

func (m *slackModule) saw(string, run.Recorded) {}
