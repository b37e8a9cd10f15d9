package elsewhere

import (
	"context"
)

// inside is how somebody stands in a room as far as it was brought about from here.
func (t *Target) inside(ctx context.Context, room, user string) (string, error) {
	return t.ledger.text(ctx, "SELECT membership FROM inside WHERE room=? AND user=?", room, user)
}

func (t *Target) noteInside(ctx context.Context, room, user, membership string) error {
	return t.ledger.exec(ctx, "INSERT INTO inside VALUES (?, ?, ?) ON CONFLICT (room, user) DO UPDATE SET membership=excluded.membership", room, user, membership)
}

// join has somebody join a room, invited by its creator where nobody can come uninvited. Who can't be spoken for is invited and
// comes by themselves.
func (t *Target) join(ctx context.Context, room, creator, user string, ts int64) error {
	have, err := t.inside(ctx, room, user)
	speaks := t.MaySpeak(user)
	if err != nil || user == creator || have == "join" || have == "invite" && !speaks {
		return err
	}
	rule, err := t.joinRule(ctx, room)
	if err != nil {
		return err
	}
	if have != "invite" && (rule != "public" || !speaks) {
		err := t.enter(ctx, room, creator, user, "invite", ts)
		if refused(err, "M_FORBIDDEN") {
			err = nil // they are in it already; if not, joining is refused, too, and that is told
			if !speaks {
				return t.noteInside(ctx, room, user, "invite")
			}
		}
		if err != nil {
			return err
		}
	}
	if !speaks {
		return nil
	}
	return t.enter(ctx, room, user, user, "join", ts)
}

// leave has somebody leave a room.
func (t *Target) leave(ctx context.Context, room, user string, ts int64) error {
	have, err := t.inside(ctx, room, user)
	if err != nil || have != "join" || !t.MaySpeak(user) {
		return err
	}
	return t.enter(ctx, room, user, user, "leave", ts)
}

// enter sets a membership.
func (t *Target) enter(ctx context.Context, room, by, user, membership string, ts int64) error {
	content, err := t.member(ctx, user, membership)
	if err != nil {
		return err
	}
	if _, err := t.state(ctx, room, "m.room.member", user, by, ts, content); err != nil {
		return err
	}
	return t.noteInside(ctx, room, user, membership)
}

// joinRule is who can join a room.
func (t *Target) joinRule(ctx context.Context, room string) (string, error) {
	t.mu.Lock()
	rule := t.joins[room]
	t.mu.Unlock()
	if rule != "" {
		return rule, nil
	}
	var content struct {
		Rule string `json:"join_rule"`
	}
	if err := t.get(ctx, client("rooms", room, "state", "m.room.join_rules", ""), nil, &content); err != nil && !refused(err, "M_NOT_FOUND") {
		return "", err
	}
	if content.Rule == "" {
		content.Rule = "invite"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joins[room] = content.Rule
	return content.Rule, nil
}
