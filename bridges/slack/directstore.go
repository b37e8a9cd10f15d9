package slack

import (
	"context"
	"fmt"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/id"
)

// beginDirect records that a message to somebody is about to be written. It returns whether it is done already, and when
// it was first begun, if it was: then Slack may have it.
func (s *store) beginDirect(ctx context.Context, key string) (done bool, begun time.Time, err error) {
	rows, err := s.db.Query(ctx, "SELECT done, begun_at FROM slack_direct WHERE bridge_id=$1 AND key=$2", s.bridge, key)
	type row struct {
		done  bool
		begun int64
	}
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (x row, err error) {
		err = r.Scan(&x.done, &x.begun)
		return x, err
	}, err).AsList()
	if err != nil {
		return false, begun, fmt.Errorf("look whether somebody was written to: %w", err)
	}
	if len(list) > 0 {
		return list[0].done, time.UnixMilli(list[0].begun), nil
	}
	if _, err := s.db.Exec(ctx, "INSERT INTO slack_direct (bridge_id, key, begun_at) VALUES ($1, $2, $3)", s.bridge, key, time.Now().UnixMilli()); err != nil {
		return false, begun, fmt.Errorf("record that somebody is written to: %w", err)
	}
	return false, begun, nil
}

func (s *store) endDirect(ctx context.Context, key string) error {
	if _, err := s.db.Exec(ctx, "UPDATE slack_direct SET done=true WHERE bridge_id=$1 AND key=$2", s.bridge, key); err != nil {
		return fmt.Errorf("record that somebody was written to: %w", err)
	}
	return nil
}

// freeze records a channel's topic before it is changed; what is recorded already stays.
func (s *store) freeze(ctx context.Context, workspace, channel, topic string) error {
	_, err := s.db.Exec(ctx, "INSERT INTO slack_frozen (bridge_id, workspace, channel, topic) VALUES ($1, $2, $3, $4) ON CONFLICT (bridge_id, workspace, channel) DO NOTHING",
		s.bridge, workspace, channel, topic)
	if err != nil {
		return fmt.Errorf("record a channel's topic: %w", err)
	}
	return nil
}

// frozen returns the topics that channels had.
func (s *store) frozen(ctx context.Context, workspace string) (map[string]string, error) {
	rows, err := s.db.Query(ctx, "SELECT channel, topic FROM slack_frozen WHERE bridge_id=$1 AND workspace=$2", s.bridge, workspace)
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (kv [2]string, err error) {
		err = r.Scan(&kv[0], &kv[1])
		return kv, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the topics of closed channels: %w", err)
	}
	out := make(map[string]string)
	for _, kv := range list {
		out[kv[0]] = kv[1]
	}
	return out, nil
}

func (s *store) thaw(ctx context.Context, workspace, channel string) error {
	if _, err := s.db.Exec(ctx, "DELETE FROM slack_frozen WHERE bridge_id=$1 AND workspace=$2 AND channel=$3", s.bridge, workspace, channel); err != nil {
		return fmt.Errorf("forget a channel's topic: %w", err)
	}
	return nil
}

// expectFile records that Slack has not yet said where a file is.
func (s *store) expectFile(ctx context.Context, file string, event id.EventID) error {
	_, err := s.db.Exec(ctx, "INSERT INTO slack_late (bridge_id, file, event_id) VALUES ($1, $2, $3) ON CONFLICT (bridge_id, file) DO NOTHING", s.bridge, file, event)
	if err != nil {
		return fmt.Errorf("record that a file is expected: %w", err)
	}
	return nil
}

// expectedFile returns the event that a file is, and "" if it is not expected; with forget it is no more.
func (s *store) expectedFile(ctx context.Context, file string, forget bool) (id.EventID, error) {
	rows, err := s.db.Query(ctx, "SELECT event_id FROM slack_late WHERE bridge_id=$1 AND file=$2", s.bridge, file)
	list, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[id.EventID], err).AsList()
	if err != nil || len(list) == 0 {
		return "", err
	}
	if forget {
		_, err = s.db.Exec(ctx, "DELETE FROM slack_late WHERE bridge_id=$1 AND file=$2", s.bridge, file)
	}
	return list[0], err
}
