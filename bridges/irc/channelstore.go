package irc

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// channels returns those that were added to a network.
func (s *store) channels(ctx context.Context, network string) ([]*channel, error) {
	rows, err := s.db.Query(ctx, "SELECT name, key, alias, room FROM irc_channel WHERE bridge_id=$1 AND network=$2 ORDER BY name", s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*channel, error) {
		ch := &channel{added: true}
		return ch, row.Scan(&ch.Name, &ch.Key, &ch.RoomAlias, &ch.room)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the channels that were added: %w", err)
	}
	return list, nil
}

// putChannel remembers a channel that was added.
func (s *store) putChannel(ctx context.Context, network string, ch *channel) error {
	_, err := s.db.Exec(ctx, `INSERT INTO irc_channel (bridge_id, network, name, key, alias, room) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (bridge_id, network, name) DO UPDATE SET key=excluded.key, alias=excluded.alias, room=excluded.room`,
		s.bridge, network, ch.Name, ch.Key, ch.RoomAlias, ch.room)
	if err != nil {
		return fmt.Errorf("remember a channel: %w", err)
	}
	return nil
}

// dropChannel forgets a channel.
func (s *store) dropChannel(ctx context.Context, network, name string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM irc_channel WHERE bridge_id=$1 AND network=$2 AND name=$3", s.bridge, network, name); err != nil {
		return fmt.Errorf("forget a channel: %w", err)
	}
	return nil
}

// putBan remembers the mask that was set for somebody.
func (s *store) putBan(ctx context.Context, network, channel string, ghost networkid.UserID, mask string) error {
	_, err := s.db.Exec(ctx, `INSERT INTO irc_ban (bridge_id, network, channel, ghost_id, mask) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bridge_id, network, channel, ghost_id) DO UPDATE SET mask=excluded.mask`, s.bridge, network, channel, ghost, mask)
	return err
}

// takeBan returns the mask that was set for somebody, or "", and forgets it.
func (s *store) takeBan(ctx context.Context, network, channel string, ghost networkid.UserID) (mask string, err error) {
	err = s.db.QueryRow(ctx, "DELETE FROM irc_ban WHERE bridge_id=$1 AND network=$2 AND channel=$3 AND ghost_id=$4 RETURNING mask",
		s.bridge, network, channel, ghost).Scan(&mask)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return mask, err
}
