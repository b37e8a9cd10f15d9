package store

import "context"

// MoveRoom gives a room's aliases and its place in the directory to the room that replaces it.
func (t *Tx) MoveRoom(from, to int64) error {
	if err := t.exec("alias_move", from, to); err != nil {
		return err
	}
	return t.exec("public_room_move", from, to)
}

// MembersWithPushRules lists the joined members of a room whose push rules may name it.
func (s *Store) MembersWithPushRules(ctx context.Context, room int64, roomID string) ([]int64, error) {
	return collect(ctx, s, "push_rules_naming", scanInt, room, "%"+roomID+"%")
}
