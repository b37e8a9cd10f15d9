package slack

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

//go:embed upgrades/*.sql
var upgrades embed.FS

// store is the module's tables in the bridge's database.
type store struct {
	db     *dbutil.Database
	bridge networkid.BridgeID
}

func openStore(ctx context.Context, br *bridgev2.Bridge) (*store, error) {
	return openTables(ctx, br.DB.Database, br.ID)
}

func openTables(ctx context.Context, db *dbutil.Database, bridge networkid.BridgeID) (*store, error) {
	table := dbutil.BuildUpgradeTable().WithFSPath(upgrades, "upgrades").Finish()
	s := &store{db: db.Child("slack_version", table, nil), bridge: bridge}
	if err := s.db.Upgrade(ctx); err != nil {
		return nil, fmt.Errorf("upgrade the Slack tables: %w", err)
	}
	return s, nil
}

// remember is how long what is done is remembered, so that a repetition is known.
const remember = 7 * 24 * time.Hour

func (s *store) prune(ctx context.Context) error {
	old := time.Now().Add(-remember).UnixMilli()
	for _, table := range []string{"slack_inbox", "slack_outbox"} {
		if _, err := s.db.Exec(ctx, "DELETE FROM "+table+" WHERE bridge_id=$1 AND done=true AND created_at<$2", s.bridge, old); err != nil {
			return fmt.Errorf("prune %s: %w", table, err)
		}
	}
	return nil
}

// received stores an event, and returns its number, or 0 if it was stored before.
func (s *store) received(ctx context.Context, workspace, eventID string, event json.RawMessage) (int64, error) {
	rows, err := s.db.Query(ctx, `
		INSERT INTO slack_inbox (bridge_id, workspace, event_id, event, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bridge_id, workspace, event_id) DO NOTHING RETURNING seq
	`, s.bridge, workspace, eventID, string(event), time.Now().UnixMilli())
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[int64], err).AsList()
	if err != nil {
		return 0, fmt.Errorf("store an event: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	return list[0], nil
}

// handled records that events are done with, and how far channels are.
func (s *store) handled(ctx context.Context, workspace string, seqs []int64, cursors map[string]string) error {
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		for len(seqs) > 0 {
			some := seqs[:min(len(seqs), 500)]
			seqs = seqs[len(some):]
			list := make([]string, len(some))
			for i, seq := range some {
				list[i] = strconv.FormatInt(seq, 10)
			}
			if _, err := s.db.Exec(ctx, "UPDATE slack_inbox SET done=true, event='' WHERE bridge_id=$1 AND seq IN ("+strings.Join(list, ",")+")", s.bridge); err != nil {
				return fmt.Errorf("record events as handled: %w", err)
			}
		}
		for channel, ts := range cursors {
			_, err := s.db.Exec(ctx, `
				INSERT INTO slack_channel (bridge_id, workspace, channel, last_ts) VALUES ($1, $2, $3, $4)
				ON CONFLICT (bridge_id, workspace, channel) DO UPDATE SET last_ts=excluded.last_ts WHERE slack_channel.last_ts < excluded.last_ts
			`, s.bridge, workspace, channel, ts)
			if err != nil {
				return fmt.Errorf("record how far a channel is: %w", err)
			}
		}
		return nil
	})
}

// waitingEvents returns what an earlier run has stored and not handled, oldest first.
func (s *store) waitingEvents(ctx context.Context, workspace string) ([]*entry, error) {
	rows, err := s.db.Query(ctx, "SELECT seq, event FROM slack_inbox WHERE bridge_id=$1 AND workspace=$2 AND done=false ORDER BY seq", s.bridge, workspace)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*entry, error) {
		var e entry
		var raw string
		err := row.Scan(&e.seq, &raw)
		e.raw = json.RawMessage(raw)
		return &e, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the inbox: %w", err)
	}
	return list, nil
}

// cursors returns how far the channels of a workspace are.
func (s *store) cursors(ctx context.Context, workspace string) (map[string]string, error) {
	rows, err := s.db.Query(ctx, "SELECT channel, last_ts FROM slack_channel WHERE bridge_id=$1 AND workspace=$2", s.bridge, workspace)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (kv [2]string, err error) {
		err = row.Scan(&kv[0], &kv[1])
		return kv, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read how far the channels are: %w", err)
	}
	out := make(map[string]string, len(list))
	for _, kv := range list {
		out[kv[0]] = kv[1]
	}
	return out, nil
}

// threads returns the roots of the threads of a channel in which something was said
// since some time, those that were last active first.
func (s *store) threads(ctx context.Context, channel string, since time.Time, limit int) ([]string, error) {
	rows, err := s.db.Query(ctx, `
		SELECT thread_root_id FROM message
		WHERE bridge_id=$1 AND room_id=$2 AND room_receiver='' AND thread_root_id<>'' AND timestamp>=$3
		GROUP BY thread_root_id ORDER BY MAX(timestamp) DESC LIMIT $4
	`, s.bridge, channelKey(channel).ID, since.UnixNano(), limit)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[networkid.MessageID], err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the threads of a channel: %w", err)
	}
	var out []string
	for _, id := range list {
		if ts := tsOf(id); ts != "" {
			out = append(out, ts)
		}
	}
	return out, nil
}

// errDuplicate says that an event is in the outbox already, or was.
var errDuplicate = errors.New("the event was taken before")

// put stores an action, and in the same transaction whatever with does. It returns
// errDuplicate if its event was stored before.
func (s *store) put(ctx context.Context, workspace string, a *action, with func(context.Context) error) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode an action for the outbox: %w", err)
	}
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		a.Created = time.Now().UnixMilli()
		rows, err := s.db.Query(ctx, `
			INSERT INTO slack_outbox (bridge_id, workspace, channel, event_id, action, created_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (bridge_id, event_id) DO NOTHING RETURNING seq
		`, s.bridge, workspace, a.Channel, a.EventID, string(raw), a.Created)
		seq, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[int64], err).AsList()
		if err != nil {
			return fmt.Errorf("store an action in the outbox: %w", err)
		}
		if len(seq) == 0 {
			return errDuplicate
		}
		a.Seq = seq[0]
		if with == nil {
			return nil
		}
		return with(ctx)
	})
}

// progress stores how far an action is, and whether a call is being made whose outcome
// is not known, and does with in the same transaction.
func (s *store) progress(ctx context.Context, a *action, begun bool, with func(context.Context) error) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode an action for the outbox: %w", err)
	}
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, "UPDATE slack_outbox SET action=$1, begun=$2 WHERE bridge_id=$3 AND seq=$4", string(raw), begun, s.bridge, a.Seq); err != nil {
			return fmt.Errorf("record the progress of an action: %w", err)
		}
		if with == nil {
			return nil
		}
		return with(ctx)
	})
}

// sent records that nothing is left to do for an action.
func (s *store) sent(ctx context.Context, seq int64) error {
	if _, err := s.db.Exec(ctx, "UPDATE slack_outbox SET done=true, action='' WHERE bridge_id=$1 AND seq=$2", s.bridge, seq); err != nil {
		return fmt.Errorf("record an action as done: %w", err)
	}
	return nil
}

// waitingActions returns what is left to be done in a workspace, oldest first.
func (s *store) waitingActions(ctx context.Context, workspace string) ([]*action, error) {
	rows, err := s.db.Query(ctx, `
		SELECT seq, channel, event_id, action, begun, created_at FROM slack_outbox
		WHERE bridge_id=$1 AND workspace=$2 AND done=false ORDER BY seq
	`, s.bridge, workspace)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*action, error) {
		var a action
		var raw string
		if err := row.Scan(&a.Seq, &a.Channel, &a.EventID, &raw, &a.begun, &a.Created); err != nil {
			return nil, err
		}
		return &a, json.Unmarshal([]byte(raw), &a)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return list, nil
}

// emoji returns the mxc URI of a custom emoji's picture, or "".
func (s *store) emoji(ctx context.Context, workspace, url string) (string, error) {
	rows, err := s.db.Query(ctx, "SELECT mxc FROM slack_emoji WHERE bridge_id=$1 AND workspace=$2 AND url=$3", s.bridge, workspace, url)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[string], err).AsList()
	if err != nil || len(list) == 0 {
		return "", err
	}
	return list[0], nil
}

func (s *store) setEmoji(ctx context.Context, workspace, url, mxc string) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO slack_emoji (bridge_id, workspace, url, mxc) VALUES ($1, $2, $3, $4)
		ON CONFLICT (bridge_id, workspace, url) DO UPDATE SET mxc=excluded.mxc
	`, s.bridge, workspace, url, mxc)
	if err != nil {
		return fmt.Errorf("remember an emoji: %w", err)
	}
	return nil
}
