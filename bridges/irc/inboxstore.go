package irc

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// turnInbox stores lines, with the ties that came with them, and forgets those
// that are handled, all in one transaction.
func (s *store) turnInbox(ctx context.Context, network string, add []*entry, drop []int64) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for _, e := range add {
			if e.line != nil && e.line.seq != 0 {
				raw, err := json.Marshal(e.line)
				if err != nil {
					return fmt.Errorf("encode a line for the inbox: %w", err)
				}
				_, err = s.db.Exec(ctx, "INSERT INTO irc_inbox (bridge_id, network, seq, line) VALUES ($1, $2, $3, $4)",
					s.bridge, network, e.line.seq, string(raw))
				if err != nil {
					return fmt.Errorf("store a line in the inbox: %w", err)
				}
			}
			for _, t := range e.ties {
				if err := s.setTie(ctx, network, t); err != nil {
					return err
				}
			}
		}
		for len(drop) > 0 {
			some := drop[:min(len(drop), 500)]
			drop = drop[len(some):]
			list := make([]string, len(some))
			for i, seq := range some {
				list[i] = strconv.FormatInt(seq, 10)
			}
			_, err := s.db.Exec(ctx, "DELETE FROM irc_inbox WHERE bridge_id=$1 AND network=$2 AND seq IN ("+strings.Join(list, ",")+")", s.bridge, network)
			if err != nil {
				return fmt.Errorf("forget handled lines: %w", err)
			}
		}
		return nil
	})
}

// lines returns what an earlier run has stored and not handled, oldest first.
func (s *store) lines(ctx context.Context, network string) ([]*line, error) {
	rows, err := s.db.Query(ctx, "SELECT seq, line FROM irc_inbox WHERE bridge_id=$1 AND network=$2 ORDER BY seq", s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*line, error) {
		var l line
		var raw string
		if err := row.Scan(&l.seq, &raw); err != nil {
			return nil, err
		}
		return &l, json.Unmarshal([]byte(raw), &l)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	return list, nil
}

// identities returns the ghosts of a network that are tied to another nick.
func (s *store) identities(ctx context.Context, network string) (map[string]networkid.UserID, error) {
	rows, err := s.db.Query(ctx, "SELECT nick, ghost_id FROM irc_identity WHERE bridge_id=$1 AND network=$2", s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (t tie, err error) {
		err = row.Scan(&t.nick, &t.ghost)
		return t, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the ties of nicks to ghosts: %w", err)
	}
	ties := make(map[string]networkid.UserID, len(list))
	for _, t := range list {
		ties[t.nick] = t.ghost
	}
	return ties, nil
}

// setTie stores a tie, or the end of one.
func (s *store) setTie(ctx context.Context, network string, t tie) (err error) {
	if t.ghost == "" {
		_, err = s.db.Exec(ctx, "DELETE FROM irc_identity WHERE bridge_id=$1 AND network=$2 AND nick=$3", s.bridge, network, t.nick)
	} else {
		_, err = s.db.Exec(ctx, `
			INSERT INTO irc_identity (bridge_id, network, nick, ghost_id) VALUES ($1, $2, $3, $4)
			ON CONFLICT (bridge_id, network, nick) DO UPDATE SET ghost_id=excluded.ghost_id
		`, s.bridge, network, t.nick, t.ghost)
	}
	if err != nil {
		return fmt.Errorf("store the tie of a nick to a ghost: %w", err)
	}
	return nil
}
