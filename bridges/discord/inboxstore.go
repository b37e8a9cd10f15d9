package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/util/dbutil"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// turnInbox stores events and forgets those that are handled, moving the cursors of
// their channels, all in one transaction.
func (s *store) turnInbox(ctx context.Context, add []*entry, drop []handled) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, e := range add {
			if e.seq == 0 {
				continue
			}
			_, err := s.db.Exec(ctx, "INSERT INTO discord_inbox (bridge_id, seq, type, data) VALUES ($1, $2, $3, $4)", s.bridge, e.seq, e.kind, string(e.data))
			if err != nil {
				return fmt.Errorf("store an event in the inbox: %w", err)
			}
		}
		newest := make(map[wire.ID]wire.ID)
		for len(drop) > 0 {
			some := drop[:min(len(drop), 500)]
			drop = drop[len(some):]
			var list []string
			for _, h := range some {
				if h.seq != 0 {
					list = append(list, strconv.FormatInt(h.seq, 10))
				}
				if h.channel != "" && h.message.After(newest[h.channel]) {
					newest[h.channel] = h.message
				}
			}
			if len(list) == 0 {
				continue
			}
			if _, err := s.db.Exec(ctx, "DELETE FROM discord_inbox WHERE bridge_id=$1 AND seq IN ("+strings.Join(list, ",")+")", s.bridge); err != nil {
				return fmt.Errorf("forget handled events: %w", err)
			}
		}
		for ch, m := range newest {
			if err := s.setCursor(ctx, ch, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// entries returns what an earlier run has stored and not handled, oldest first.
func (s *store) entries(ctx context.Context) ([]*entry, error) {
	rows, err := s.db.Query(ctx, "SELECT seq, type, data FROM discord_inbox WHERE bridge_id=$1 ORDER BY seq", s.bridge)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*entry, error) {
		var e entry
		var raw string
		if err := row.Scan(&e.seq, &e.kind, &raw); err != nil {
			return nil, err
		}
		e.data = json.RawMessage(raw)
		return &e, nil
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	return list, nil
}
