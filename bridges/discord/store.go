package discord

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/discord/wire"
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
	s := &store{db: db.Child("discord_version", table, nil), bridge: bridge}
	if err := s.db.Upgrade(ctx); err != nil {
		return nil, fmt.Errorf("upgrade the Discord tables: %w", err)
	}
	return s, nil
}

// errDuplicate says that an event is in the outbox already, or was.
var errDuplicate = errors.New("the event was taken before")

// putJob stores a job, and in the same transaction whatever with does. It returns
// errDuplicate if the event was stored before.
func (s *store) putJob(ctx context.Context, j *job, with func(context.Context) error) error {
	raw, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode a job for the outbox: %w", err)
	}
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		rows, err := s.db.Query(ctx, `
			INSERT INTO discord_outbox (bridge_id, channel_id, job, event_id, created_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (bridge_id, event_id) DO NOTHING RETURNING seq
		`, s.bridge, string(j.Channel), string(raw), j.EventID, time.Now().UnixMilli())
		seq, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[int64], err).AsList()
		if err != nil {
			return fmt.Errorf("store a job in the outbox: %w", err)
		}
		if len(seq) == 0 {
			return errDuplicate
		}
		j.seq = seq[0]
		if with == nil {
			return nil
		}
		return with(ctx)
	})
}

// attempt records that a request is about to be made.
func (s *store) attempt(ctx context.Context, j *job, at time.Time) error {
	ms := int64(0)
	if !at.IsZero() {
		ms = at.UnixMilli()
	}
	_, err := s.db.Exec(ctx, "UPDATE discord_outbox SET attempted=$1 WHERE bridge_id=$2 AND seq=$3", ms, s.bridge, j.seq)
	if err != nil {
		return fmt.Errorf("record an attempt: %w", err)
	}
	return nil
}

// sentPart records a message that was sent for a job, and how far the job is.
func (s *store) sentPart(ctx context.Context, j *job, channel, message wire.ID, with func(context.Context) error) error {
	raw, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode a job for the outbox: %w", err)
	}
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, "UPDATE discord_outbox SET attempted=0, job=$1 WHERE bridge_id=$2 AND seq=$3", string(raw), s.bridge, j.seq); err != nil {
			return fmt.Errorf("record how far a job is: %w", err)
		}
		_, err := s.db.Exec(ctx, "INSERT INTO discord_sent (bridge_id, message_id, channel_id, event_id, sent_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
			s.bridge, string(message), string(channel), j.EventID, time.Now().UnixMilli())
		if err != nil {
			return fmt.Errorf("record a message as sent: %w", err)
		}
		return with(ctx)
	})
}

// wasSent reports whether a message is one that the bridge knows to have sent.
func (s *store) wasSent(ctx context.Context, message wire.ID) (bool, error) {
	evt, err := s.sentFor(ctx, message)
	return evt != "", err
}

// sentFor is the event that a message was sent for; "" if the bridge does not know to have sent it.
func (s *store) sentFor(ctx context.Context, message wire.ID) (id.EventID, error) {
	list, err := s.pairs(ctx, "SELECT message_id, event_id FROM discord_sent WHERE bridge_id=$1 AND message_id=$2", s.bridge, string(message))
	if err != nil {
		return "", fmt.Errorf("look up a sent message: %w", err)
	}
	return id.EventID(list[string(message)]), nil
}

// sent returns the messages that an event became, in order, and where they are.
func (s *store) sent(ctx context.Context, evt id.EventID) (channel wire.ID, messages []wire.ID, err error) {
	list, err := s.pairs(ctx, "SELECT message_id, channel_id FROM discord_sent WHERE bridge_id=$1 AND event_id=$2", s.bridge, evt)
	if err != nil {
		return "", nil, fmt.Errorf("look up what was sent: %w", err)
	}
	for m, ch := range list {
		messages, channel = append(messages, wire.ID(m)), wire.ID(ch)
	}
	slices.SortFunc(messages, func(a, b wire.ID) int { return cmp.Compare(a.Uint(), b.Uint()) })
	return channel, messages, nil
}

// jobDone records that nothing is left to do. The row stays for a while so that the
// event is known when it is delivered again.
func (s *store) jobDone(ctx context.Context, seq int64) error {
	_, err := s.db.Exec(ctx, "UPDATE discord_outbox SET done=true, job='' WHERE bridge_id=$1 AND seq=$2", s.bridge, seq)
	if err != nil {
		return fmt.Errorf("record a job as done: %w", err)
	}
	return nil
}

const (
	// remember is how long events are remembered after they were handled: they may be delivered again.
	remember = 7 * 24 * time.Hour
	// rememberSent is how long the messages are remembered that were sent: somebody may answer, or change them.
	rememberSent = 365 * 24 * time.Hour
)

func (s *store) prune(ctx context.Context) error {
	now := time.Now()
	old, older := now.Add(-remember).UnixMilli(), now.Add(-rememberSent).UnixMilli()
	if _, err := s.db.Exec(ctx, "DELETE FROM discord_outbox WHERE bridge_id=$1 AND done=true AND created_at<$2", s.bridge, old); err != nil {
		return fmt.Errorf("prune the outbox: %w", err)
	}
	if _, err := s.db.Exec(ctx, "DELETE FROM discord_sent WHERE bridge_id=$1 AND sent_at<$2", s.bridge, older); err != nil {
		return fmt.Errorf("prune the list of what was sent: %w", err)
	}
	return nil
}

// jobs returns what is left to be done, oldest first.
func (s *store) jobs(ctx context.Context) ([]*job, error) {
	rows, err := s.db.Query(ctx, "SELECT seq, channel_id, job, event_id, attempted FROM discord_outbox WHERE bridge_id=$1 AND done=false ORDER BY seq", s.bridge)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*job, error) {
		var j job
		var raw, channel, evt string
		var attempted int64
		if err := row.Scan(&j.seq, &channel, &raw, &evt, &attempted); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(raw), &j); err != nil {
			return nil, err
		}
		j.Channel, j.EventID = wire.ID(channel), id.EventID(evt)
		if attempted > 0 {
			j.attempted = time.UnixMilli(attempted)
		}
		return &j, nil
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return list, nil
}

// pairs reads two columns of text.
func (s *store) pairs(ctx context.Context, query string, args ...any) (map[string]string, error) {
	rows, err := s.db.Query(ctx, query, args...)
	type pair struct{ a, b string }
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (p pair, err error) {
		err = row.Scan(&p.a, &p.b)
		return p, err
	}, err).AsList()
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(list))
	for _, p := range list {
		out[p.a] = p.b
	}
	return out, nil
}

// cursors returns the newest message of each channel that Matrix has.
func (s *store) cursors(ctx context.Context) (map[wire.ID]wire.ID, error) {
	list, err := s.pairs(ctx, "SELECT channel_id, message_id FROM discord_cursor WHERE bridge_id=$1", s.bridge)
	if err != nil {
		return nil, fmt.Errorf("read the cursors: %w", err)
	}
	out := make(map[wire.ID]wire.ID, len(list))
	for ch, m := range list {
		out[wire.ID(ch)] = wire.ID(m)
	}
	return out, nil
}

// setCursor records the newest message of a channel that Matrix has. A later one that is recorded stays.
func (s *store) setCursor(ctx context.Context, channel, message wire.ID) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO discord_cursor (bridge_id, channel_id, message_id) VALUES ($1, $2, $3)
		ON CONFLICT (bridge_id, channel_id) DO UPDATE SET message_id=excluded.message_id
		WHERE length(excluded.message_id) > length(discord_cursor.message_id)
			OR length(excluded.message_id) = length(discord_cursor.message_id) AND excluded.message_id > discord_cursor.message_id
	`, s.bridge, string(channel), string(message))
	if err != nil {
		return fmt.Errorf("store a cursor: %w", err)
	}
	return nil
}

// threads returns the channels of threads.
func (s *store) threads(ctx context.Context) (map[wire.ID]wire.ID, error) {
	list, err := s.pairs(ctx, "SELECT thread_id, channel_id FROM discord_thread WHERE bridge_id=$1", s.bridge)
	if err != nil {
		return nil, fmt.Errorf("read the threads: %w", err)
	}
	out := make(map[wire.ID]wire.ID, len(list))
	for t, ch := range list {
		out[wire.ID(t)] = wire.ID(ch)
	}
	return out, nil
}

func (s *store) setThread(ctx context.Context, thread, channel wire.ID, name string) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO discord_thread (bridge_id, thread_id, channel_id, name) VALUES ($1, $2, $3, $4)
		ON CONFLICT (bridge_id, thread_id) DO UPDATE SET channel_id=excluded.channel_id, name=excluded.name
	`, s.bridge, string(thread), string(channel), name)
	if err != nil {
		return fmt.Errorf("store a thread: %w", err)
	}
	return nil
}

// emoji returns the mxc address of a custom emoji, and of an mxc address the form
// name:id; "" if it is not known.
func (s *store) emoji(ctx context.Context, emoji wire.ID, mxc string) (string, string, error) {
	rows, err := s.db.Query(ctx, "SELECT mxc, name, emoji_id, animated FROM discord_emoji WHERE bridge_id=$1 AND (emoji_id=$2 OR mxc=$3)", s.bridge, string(emoji), mxc)
	type found struct{ mxc, markdown string }
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (f found, err error) {
		var name, emoji string
		var animated bool
		err = row.Scan(&f.mxc, &name, &emoji, &animated)
		f.markdown = ":" + name + ":" + emoji
		if animated {
			f.markdown = "a" + f.markdown
		}
		return f, err
	}, err).AsList()
	if err != nil {
		return "", "", fmt.Errorf("look up an emoji: %w", err)
	}
	if len(list) == 0 {
		return "", "", nil
	}
	return list[0].mxc, list[0].markdown, nil
}

func (s *store) setEmoji(ctx context.Context, e wire.Emoji, mxc string) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO discord_emoji (bridge_id, emoji_id, name, animated, mxc) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bridge_id, emoji_id) DO UPDATE SET name=excluded.name, mxc=excluded.mxc
	`, s.bridge, string(e.ID), e.Name, e.Animated, mxc)
	if err != nil {
		return fmt.Errorf("store an emoji: %w", err)
	}
	return nil
}

// picture is the address of a picture that was taken over, "" if it was not.
func (s *store) picture(ctx context.Context, path string) (string, error) {
	list, err := s.pairs(ctx, "SELECT path, mxc FROM discord_picture WHERE bridge_id=$1 AND path=$2", s.bridge, path)
	if err != nil {
		return "", fmt.Errorf("look up a picture: %w", err)
	}
	return list[path], nil
}

func (s *store) setPicture(ctx context.Context, path, mxc string) error {
	_, err := s.db.Exec(ctx, "INSERT INTO discord_picture (bridge_id, path, mxc) VALUES ($1, $2, $3) ON CONFLICT (bridge_id, path) DO UPDATE SET mxc=excluded.mxc", s.bridge, path, mxc)
	if err != nil {
		return fmt.Errorf("store a picture: %w", err)
	}
	return nil
}

// webhook is where the bridge writes into a channel.
type webhook struct {
	id    wire.ID
	token string
}

func (s *store) webhooks(ctx context.Context) (map[wire.ID]webhook, error) {
	rows, err := s.db.Query(ctx, "SELECT channel_id, webhook_id, token FROM discord_webhook WHERE bridge_id=$1", s.bridge)
	out := make(map[wire.ID]webhook)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var ch, wh, token string
		err := row.Scan(&ch, &wh, &token)
		out[wire.ID(ch)] = webhook{wire.ID(wh), token}
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("read the webhooks: %w", err)
	}
	return out, nil
}

func (s *store) setWebhook(ctx context.Context, channel wire.ID, w webhook) error {
	_, err := s.db.Exec(ctx, `
		INSERT INTO discord_webhook (bridge_id, channel_id, webhook_id, token) VALUES ($1, $2, $3, $4)
		ON CONFLICT (bridge_id, channel_id) DO UPDATE SET webhook_id=excluded.webhook_id, token=excluded.token
	`, s.bridge, string(channel), string(w.id), w.token)
	if err != nil {
		return fmt.Errorf("store a webhook: %w", err)
	}
	return nil
}

// reactionRow is a reaction of somebody on Discord that Matrix has.
type reactionRow struct {
	user  wire.ID
	emoji string
}

// reactions are those that people on Discord have made in a room, by message, to messages
// that are not older than one.
func (s *store) reactions(ctx context.Context, room networkid.PortalKey, oldest wire.ID) (map[wire.ID][]reactionRow, error) {
	rows, err := s.db.Query(ctx, "SELECT message_id, sender_id, emoji_id FROM reaction WHERE bridge_id=$1 AND room_id=$2 AND room_receiver=$3", s.bridge, room.ID, room.Receiver)
	out := make(map[wire.ID][]reactionRow)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var message, user, emoji string
		err := row.Scan(&message, &user, &emoji)
		if id := wire.ID(message); wire.ID(user).Uint() != 0 && !oldest.After(id) {
			out[id] = append(out[id], reactionRow{wire.ID(user), emoji})
		}
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("read the reactions of a room: %w", err)
	}
	return out, nil
}
