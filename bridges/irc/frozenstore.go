package irc

import (
	"context"
	"fmt"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/id"
)

// frozen returns the channels of a network that are closed, by their names.
func (s *store) frozen(ctx context.Context, network string) (map[string]frozen, error) {
	type row struct {
		channel string
		was     frozen
	}
	rows, err := s.db.Query(ctx, "SELECT channel, topic, modes FROM irc_frozen WHERE bridge_id=$1 AND network=$2", s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (out row, err error) {
		err = r.Scan(&out.channel, &out.was.Topic, &out.was.Modes)
		return out, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the channels that are closed: %w", err)
	}
	out := make(map[string]frozen, len(list))
	for _, r := range list {
		out[r.channel] = r.was
	}
	return out, nil
}

// putFrozen remembers what a channel is like before it is closed.
func (s *store) putFrozen(ctx context.Context, network, channel string, was frozen) error {
	_, err := s.db.Exec(ctx, `INSERT INTO irc_frozen (bridge_id, network, channel, topic, modes) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bridge_id, network, channel) DO UPDATE SET topic=excluded.topic, modes=excluded.modes`, s.bridge, network, channel, was.Topic, was.Modes)
	if err != nil {
		return fmt.Errorf("remember what a channel was like: %w", err)
	}
	return nil
}

// forgetFrozen forgets that a channel was closed, and what was said then.
func (s *store) forgetFrozen(ctx context.Context, network, channel string) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, query := range []string{
			"DELETE FROM irc_frozen WHERE bridge_id=$1 AND network=$2 AND channel=$3",
			"DELETE FROM irc_outbox WHERE bridge_id=$1 AND network=$2 AND channel=$3 AND done=true AND event_id LIKE 'order/%/freeze/%'",
		} {
			if _, err := s.db.Exec(ctx, query, s.bridge, network, channel); err != nil {
				return fmt.Errorf("forget that a channel was closed: %w", err)
			}
		}
		return nil
	})
}

// forget forgets that something was taken to be said.
func (s *store) forget(ctx context.Context, event id.EventID) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM irc_outbox WHERE bridge_id=$1 AND event_id=$2", s.bridge, event); err != nil {
		return fmt.Errorf("forget what was not said: %w", err)
	}
	return nil
}
