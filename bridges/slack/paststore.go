package slack

import (
	"context"
	"encoding/json"
	"fmt"

	"go.mau.fi/util/dbutil"
)

// The steps by which a channel's past is brought in, in their order.
const (
	stepMessages = "messages" // what was said in the channel is fetched, newest first
	stepReplies  = "replies"  // what was said in threads is fetched
	stepRooms    = "rooms"    // what was fetched goes into the room, oldest first
)

// pastState is how far the bringing in of a channel's past is.
type pastState struct{ oldest, reached, step string }

// beginPast records that a channel's past is to be brought in.
func (s *store) beginPast(ctx context.Context, workspace, channel, oldest string) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO slack_past (bridge_id, workspace, channel, oldest, reached, step) VALUES ($1, $2, $3, $4, '', $5)
		ON CONFLICT (bridge_id, workspace, channel) DO NOTHING
	`, s.bridge, workspace, channel, oldest, stepMessages)
	if err != nil {
		return fmt.Errorf("record that a channel's past is wanted: %w", err)
	}
	return nil
}

// past returns how far a channel's past is, and false if it is not being brought in.
func (s *store) past(ctx context.Context, workspace, channel string) (p pastState, ok bool, err error) {
	rows, err := s.db.Query(ctx, "SELECT oldest, reached, step FROM slack_past WHERE bridge_id=$1 AND workspace=$2 AND channel=$3", s.bridge, workspace, channel)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (p pastState, err error) {
		err = row.Scan(&p.oldest, &p.reached, &p.step)
		return p, err
	}, err).AsList()
	if err != nil {
		return p, false, fmt.Errorf("read how far a channel's past is: %w", err)
	}
	if len(list) == 0 {
		return p, false, nil
	}
	return list[0], true, nil
}

// pasts returns the channels whose past is being brought in.
func (s *store) pasts(ctx context.Context, workspace string) ([]string, error) {
	rows, err := s.db.Query(ctx, "SELECT channel FROM slack_past WHERE bridge_id=$1 AND workspace=$2 ORDER BY channel", s.bridge, workspace)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read whose past is wanted: %w", err)
	}
	return list, nil
}

// keepPast stores what was fetched of a channel's past, and how far that is.
func (s *store) keepPast(ctx context.Context, workspace, channel string, list []fetched, p pastState) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, m := range list {
			_, err := s.db.Exec(ctx, `
				INSERT INTO slack_history (bridge_id, workspace, channel, ts, message, replies) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (bridge_id, workspace, channel, ts) DO NOTHING
			`, s.bridge, workspace, channel, m.m.TS, string(m.raw), p.step == stepMessages && m.m.ReplyCount > 0)
			if err != nil {
				return fmt.Errorf("store a message of the past: %w", err)
			}
		}
		return s.setPast(ctx, workspace, channel, p)
	})
}

// setPast stores how far a channel's past is.
func (s *store) setPast(ctx context.Context, workspace, channel string, p pastState) error {
	_, err := s.db.Exec(ctx, "UPDATE slack_past SET reached=$1, step=$2 WHERE bridge_id=$3 AND workspace=$4 AND channel=$5",
		p.reached, p.step, s.bridge, workspace, channel)
	if err != nil {
		return fmt.Errorf("store how far a channel's past is: %w", err)
	}
	return nil
}

// unanswered returns the oldest message of a channel's past whose replies are not fetched; "" if
// there is none.
func (s *store) unanswered(ctx context.Context, workspace, channel string) (string, error) {
	rows, err := s.db.Query(ctx, "SELECT ts FROM slack_history WHERE bridge_id=$1 AND workspace=$2 AND channel=$3 AND replies=true ORDER BY ts LIMIT 1", s.bridge, workspace, channel)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return "", fmt.Errorf("read which replies are missing: %w", err)
	}
	if len(list) == 0 {
		return "", nil
	}
	return list[0], nil
}

// answered stores the replies of a message.
func (s *store) answered(ctx context.Context, workspace, channel, root string, replies []fetched, p pastState) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if err := s.keepPast(ctx, workspace, channel, replies, p); err != nil {
			return err
		}
		_, err := s.db.Exec(ctx, "UPDATE slack_history SET replies=false WHERE bridge_id=$1 AND workspace=$2 AND channel=$3 AND ts=$4", s.bridge, workspace, channel, root)
		if err != nil {
			return fmt.Errorf("record that a message's replies are there: %w", err)
		}
		return nil
	})
}

// nextPast returns messages of a channel's past after some ts, oldest first.
func (s *store) nextPast(ctx context.Context, workspace, channel, after string, limit int) ([]fetched, error) {
	rows, err := s.db.Query(ctx, "SELECT message FROM slack_history WHERE bridge_id=$1 AND workspace=$2 AND channel=$3 AND ts>$4 ORDER BY ts LIMIT $5", s.bridge, workspace, channel, after, limit)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read a channel's past: %w", err)
	}
	var out []fetched
	for _, raw := range list {
		f := fetched{raw: json.RawMessage(raw)}
		if err := lenient(f.raw, &f.m); err != nil {
			return nil, fmt.Errorf("read a message of the past: %w", err)
		}
		out = append(out, f)
	}
	return out, nil
}

// endPast forgets what was fetched of a channel's past: the room has it.
func (s *store) endPast(ctx context.Context, workspace, channel string) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, table := range []string{"slack_history", "slack_past"} {
			if _, err := s.db.Exec(ctx, "DELETE FROM "+table+" WHERE bridge_id=$1 AND workspace=$2 AND channel=$3", s.bridge, workspace, channel); err != nil {
				return fmt.Errorf("forget a channel's past: %w", err)
			}
		}
		return nil
	})
}
