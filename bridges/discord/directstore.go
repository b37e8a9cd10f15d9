package discord

import (
	"context"
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
