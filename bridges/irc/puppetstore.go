package irc

import (
	"context"
	"encoding/json"
	"fmt"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/id"
)

// storedPuppet is what is remembered of a Matrix user's connection.
type storedPuppet struct {
	user     id.UserID
	nick     string
	channels []string
}

// puppets returns the Matrix users who have connections to a network.
func (s *store) puppets(ctx context.Context, network string) ([]storedPuppet, error) {
	rows, err := s.db.Query(ctx, "SELECT user_id, nick, channels FROM irc_puppet WHERE bridge_id=$1 AND network=$2 ORDER BY user_id", s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (p storedPuppet, err error) {
		var channels string
		if err := row.Scan(&p.user, &p.nick, &channels); err != nil {
			return p, err
		}
		return p, json.Unmarshal([]byte(channels), &p.channels)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read who has a connection: %w", err)
	}
	return list, nil
}

// setPuppet remembers a Matrix user's connection.
func (s *store) setPuppet(ctx context.Context, network string, p storedPuppet) error {
	channels, err := json.Marshal(p.channels)
	if err != nil {
		return fmt.Errorf("encode the channels of a connection: %w", err)
	}
	_, err = s.db.Exec(ctx, `
		INSERT INTO irc_puppet (bridge_id, network, user_id, nick, channels) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bridge_id, network, user_id) DO UPDATE SET nick=excluded.nick, channels=excluded.channels
	`, s.bridge, network, p.user, p.nick, string(channels))
	if err != nil {
		return fmt.Errorf("remember a connection: %w", err)
	}
	return nil
}

// dropPuppet forgets a Matrix user's connection.
func (s *store) dropPuppet(ctx context.Context, network string, user id.UserID) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM irc_puppet WHERE bridge_id=$1 AND network=$2 AND user_id=$3", s.bridge, network, user); err != nil {
		return fmt.Errorf("forget a connection: %w", err)
	}
	return nil
}
