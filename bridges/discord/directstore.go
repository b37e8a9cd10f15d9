package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// direct says when the sending of a direct message was begun, the zero time if it was not, and whether it is done.
func (s *store) direct(ctx context.Context, key string) (begun time.Time, done bool, err error) {
	rows, err := s.db.Query(ctx, "SELECT begun, done FROM discord_direct WHERE bridge_id=$1 AND key=$2", s.bridge, key)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var ms int64
		err := row.Scan(&ms, &done)
		begun = time.UnixMilli(ms)
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return begun, done, fmt.Errorf("look up a direct message: %w", err)
	}
	return begun, done, nil
}

func (s *store) beginDirect(ctx context.Context, key string, to wire.ID) error {
	_, err := s.db.Exec(ctx, "INSERT INTO discord_direct (bridge_id, key, user_id, begun) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
		s.bridge, key, string(to), time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("store a direct message: %w", err)
	}
	return nil
}

func (s *store) directDone(ctx context.Context, key string) error {
	if _, err := s.db.Exec(ctx, "UPDATE discord_direct SET done=true WHERE bridge_id=$1 AND key=$2", s.bridge, key); err != nil {
		return fmt.Errorf("record a direct message as sent: %w", err)
	}
	return nil
}

// frozen are the channels that are closed, as they were before.
func (s *store) frozen(ctx context.Context) (map[wire.ID]*before, error) {
	list, err := s.pairs(ctx, "SELECT channel_id, before FROM discord_frozen WHERE bridge_id=$1", s.bridge)
	if err != nil {
		return nil, fmt.Errorf("read which channels are closed: %w", err)
	}
	out := make(map[wire.ID]*before, len(list))
	for channel, raw := range list {
		var b before
		if err := json.Unmarshal([]byte(raw), &b); err != nil {
			return nil, fmt.Errorf("read what the channel %s was like: %w", channel, err)
		}
		out[wire.ID(channel)] = &b
	}
	return out, nil
}

// setFrozen records what a channel was like before it was closed; nil that it is open.
func (s *store) setFrozen(ctx context.Context, channel wire.ID, was *before) error {
	if was == nil {
		if _, err := s.db.Exec(ctx, "DELETE FROM discord_frozen WHERE bridge_id=$1 AND channel_id=$2", s.bridge, string(channel)); err != nil {
			return fmt.Errorf("record a channel as open: %w", err)
		}
		return nil
	}
	raw, err := json.Marshal(was)
	if err != nil {
		return fmt.Errorf("encode what a channel was like: %w", err)
	}
	_, err = s.db.Exec(ctx, "INSERT INTO discord_frozen (bridge_id, channel_id, before) VALUES ($1, $2, $3) ON CONFLICT (bridge_id, channel_id) DO UPDATE SET before=excluded.before",
		s.bridge, string(channel), string(raw))
	if err != nil {
		return fmt.Errorf("record what a channel was like: %w", err)
	}
	return nil
}
