package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

// said returns the messages that a channel's room has from one ts to another, with the marks of their content: those outside
// of threads, or those of the thread of a root.
func (s *store) said(ctx context.Context, channel, root, from, to string) (map[string]string, error) {
	thread := ""
	if root != "" {
		thread = string(messageID(channel, root))
	}
	rows, err := s.db.Query(ctx, `
		SELECT id, metadata FROM message
		WHERE bridge_id=$1 AND room_receiver='' AND room_id=$2 AND id>=$3 AND id<=$4 AND COALESCE(thread_root_id, '')=$5
	`, s.bridge, channelKey(channel).ID, messageID(channel, from), messageID(channel, to), thread)
	out := make(map[string]string)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var id networkid.MessageID
		var raw string
		if err := row.Scan(&id, &raw); err != nil {
			return struct{}{}, err
		}
		var meta MessageMetadata
		if ts := tsOf(id); ts != "" && ts != root && !strings.Contains(string(id), "~") {
			if err := json.Unmarshal([]byte(raw), &meta); err != nil {
				return struct{}{}, err
			}
			out[ts] = meta.Content
		}
		return struct{}{}, nil
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("read what a room has of its channel: %w", err)
	}
	return out, nil
}

// reacted returns the reactions of Slack's people to the messages of a channel's room from one ts to another, by their ts.
func (s *store) reacted(ctx context.Context, channel, from, to string) (map[string][]reacting, error) {
	rows, err := s.db.Query(ctx, `
		SELECT message_id, sender_id, emoji_id FROM reaction
		WHERE bridge_id=$1 AND room_receiver='' AND room_id=$2 AND message_id>=$3 AND message_id<=$4
	`, s.bridge, channelKey(channel).ID, messageID(channel, from), messageID(channel, to))
	out := make(map[string][]reacting)
	err = dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (struct{}, error) {
		var id networkid.MessageID
		var user networkid.UserID
		var emoji string
		err := row.Scan(&id, &user, &emoji)
		// Reactions of Matrix have the mark of who has reacted, and the bridge's own ghost a dot.
		if ts := tsOf(id); ts != "" && !strings.ContainsAny(string(id), "~") && !strings.Contains(emoji, "|") && !strings.Contains(string(user), ".") {
			out[ts] = append(out[ts], reacting{user: slackID(user), name: emoji})
		}
		return struct{}{}, err
	}, err).Iter(func(struct{}) (bool, error) { return true, nil })
	if err != nil {
		return nil, fmt.Errorf("read the reactions of a room: %w", err)
	}
	return out, nil
}
