package slack

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// What was edited, deleted or reacted to while no events came is not told afterwards. So the newest messages that a room has are
// compared with what Slack has of them now, and what differs is handled as if there had been an event. Events that come meanwhile
// wait, and what they tell a second time changes nothing.

// maxGone bounds how many messages of a channel are asked for one by one, because they seem to be deleted.
const maxGone = 200

// newest is a ts later than all.
const newest = "9999999999.999999"

// changes are the events by which a room comes to be as its channel, or with a root a thread of it, is in now: all its messages
// from the oldest of them on. It is not known when what they tell of happened, so they say that it was at upto.
func (g *gaps) changes(ctx context.Context, channel, root string, now []fetched, upto string) (out []*entry, err error) {
	oldest := root
	if root == "" {
		if len(now) == 0 {
			return nil, nil // as it is, too, if Slack shows no more what is old
		}
		oldest = slices.MinFunc(now, func(a, b fetched) int { return strings.Compare(a.m.TS, b.m.TS) }).m.TS
	}
	rows, err := g.w.b.store.said(ctx, channel, root, oldest, newest)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	reactions, err := g.w.b.store.reacted(ctx, channel, oldest, newest)
	if err != nil {
		return nil, err
	}
	add := func(e map[string]any) {
		if raw, err := json.Marshal(e); err == nil {
			out = append(out, &entry{raw: raw})
		}
	}
	for _, f := range now {
		m := &f.m
		content, ok := rows[m.TS]
		if !ok {
			continue
		}
		delete(rows, m.TS)
		if m.Subtype == "tombstone" { // its replies remain
			add(deletion(channel, m.TS))
			continue
		}
		lacks := slices.ContainsFunc(m.Files, func(f file) bool { return f.Mode == modeGone })
		if (m.Edited.TS != "" || lacks) && content != "" && content != m.content() && !g.w.ours(m) {
			at := m.Edited.TS
			if lacks {
				at = upto // or later; nobody says when
			}
			add(map[string]any{"type": "message", "subtype": "message_changed", "channel": channel, "ts": at, "message": f.raw})
		}
		for _, r := range g.w.reactionChanges(m, reactions[m.TS]) {
			kind := "reaction_removed"
			if r.added {
				kind = "reaction_added"
			}
			add(map[string]any{
				"type": kind, "user": r.user, "reaction": r.name, "event_ts": upto,
				"item": map[string]any{"type": "message", "channel": channel, "ts": m.TS},
			})
		}
	}
	if len(rows) > maxGone {
		g.w.log.Warn("too many messages seem to be deleted; they stay in the room", "channel", channel, "messages", len(rows))
		return out, nil
	}
	for ts := range rows {
		gone, err := g.gone(ctx, channel, ts)
		if err != nil {
			return nil, err
		}
		if gone {
			add(deletion(channel, ts))
		}
	}
	return out, nil
}

// deletion is the event by which a message is deleted.
func deletion(channel, ts string) map[string]any {
	return map[string]any{"type": "message", "subtype": "message_deleted", "channel": channel, "ts": ts, "deleted_ts": ts}
}

// gone reports whether there is a message no more.
func (g *gaps) gone(ctx context.Context, channel, ts string) (bool, error) {
	list, _, err := g.page(ctx, channel, values("channel", channel, "ts", ts, "limit", "1", "inclusive", "true"), "conversations.replies")
	if code(err) == "thread_not_found" || code(err) == "message_not_found" {
		return true, nil
	}
	return err == nil && !slices.ContainsFunc(list, func(f fetched) bool { return f.m.TS == ts }), err
}

// reacting is somebody's reaction to a message.
type reacting struct {
	user, name string
	added      bool
}

// reactionChanges are the reactions that a room lacks or has too many, if have is what it has. Those of who is signed in are
// left alone: what they do in Matrix may be on its way to Slack.
func (w *workspace) reactionChanges(m *message, have []reacting) (out []reacting) {
	skip := func(user string) bool { return w.own(user, "") || w.personBy(user, "") != nil }
	whole := make(map[string]bool)
	for _, r := range m.Reactions {
		whole[r.Name] = len(r.Users) >= r.Count
		for _, user := range r.Users {
			i := slices.IndexFunc(have, func(h reacting) bool { return h.user == user && h.name == r.Name })
			if i >= 0 {
				have = slices.Delete(have, i, i+1)
			} else if !skip(user) {
				out = append(out, reacting{user, r.Name, true})
			}
		}
	}
	for _, h := range have {
		if all, there := whole[h.name]; (all || !there) && !skip(h.user) {
			out = append(out, reacting{h.user, h.name, false})
		}
	}
	return out
}
