package store

import (
	"context"
	"errors"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/statetree"
)

// Purged is an event that is to be removed for good.
type Purged struct {
	NID, Pos int64
	// Root is the state after it, whose nodes go with it where the whole room goes.
	Root   statetree.Ref
	Author int64
}

// HideRoom is the first step of removing a room for good: nobody finds it any more. Its events are
// then to be taken with EventsToPurge and DropEvents. The room's actor must have ended, for ever.
func (t *Tx) HideRoom(r RoomName) error {
	for _, q := range [...]string{"purge_account_data", "purge_unread_memo", "purge_membership", "purge_alias", "public_room_delete", "purge_receipt",
		"purge_thread", "purge_report", "purge_delayed", "purge_network_room", "purge_notice_room",
		"purge_room_server", "purge_missing_prev", "purge_told_state", "purge_unpruned_event", "purge_partial_poke", "purge_invite_state", "purge_waiting_redaction", "purge_import_item", "purge_service_event", "purge_room"} {
		if err := t.exec(q, r.NID); err != nil {
			return err
		}
	}
	if err := t.DeleteRoomPartial(r.NID); err != nil {
		return err
	}
	t.after = append(t.after, func() { t.w.s.rooms.drop(r) })
	return t.keepNumbers()
}

// EventsToPurge lists some of the events of a room that HideRoom has hidden.
func (s *Store) EventsToPurge(ctx context.Context, room int64, limit int) ([]Purged, error) {
	scan := func(r scanner) (p Purged, err error) { return p, r.Scan(&p.NID, &p.Pos, &p.Root) }
	out, err := collect(ctx, s, "purge_placed", scan, room, limit)
	if err != nil || len(out) > 0 {
		return out, err
	}
	return collect(ctx, s, "purge_placeless", scan, room, limit)
}

// MessagesToPurge lists events of a room after a place and above a depth that are no state,
// in order.
func (s *Store) MessagesToPurge(ctx context.Context, room int64, after Place, depth int64, limit int) ([]Purged, error) {
	return collect(ctx, s, "purge_messages", func(r scanner) (p Purged, err error) {
		return p, r.Scan(&p.NID, &p.Pos, &p.Author)
	}, room, after.Depth, after.Pos, depth, limit)
}

// MessagesOlderThan lists events of a room that are no state and were made before a time, in milliseconds, in the order
// of their times, from behind one of them on. from is the last of a list.
func (s *Store) MessagesOlderThan(ctx context.Context, room int64, from Timed, beforeMS int64, limit int) (events []Purged, last Timed, err error) {
	events, err = collect(ctx, s, "purge_aged", func(r scanner) (p Purged, err error) {
		err = r.Scan(&p.NID, &p.Pos, &last.TS)
		last.NID = p.NID
		return p, err
	}, room, from.TS, from.NID, beforeMS, limit)
	return events, last, err
}

// DropEvents removes events and what was derived from them. Where they stood in the log there is
// nothing any more; positions are not used again. packs removes the states after them too.
func (t *Tx) DropEvents(events []Purged, packs bool) error {
	nids := make([]int64, len(events))
	for i, e := range events {
		nids[i] = e.NID
		if err := t.dropRelation(e.NID); err != nil {
			return err
		}
		for _, q := range [...]string{"media_ref_lost", "media_ref_delete", "purge_imported_id", "purge_event"} {
			if err := t.exec(q, e.NID); err != nil {
				return err
			}
		}
		if e.Pos > 0 {
			if err := t.exec("purge_log", e.Pos); err != nil {
				return err
			}
		}
		if packs && e.Root != 0 {
			if err := t.exec("purge_pack", e.Root.Pack()); err != nil {
				return err
			}
		}
	}
	t.after = append(t.after, func() {
		t.w.s.events.drop(nids)
		t.w.s.imported.drop(nids)
	})
	return t.keepNumbers()
}

// floorPrefix begins the keys under which the numbers are kept that were given out; see keepNumbers.
const floorPrefix = "floor_"

// keepNumbers sees to it that the numbers of what was removed are not used again after a restart:
// files beside the database and other servers may still know them.
func (t *Tx) keepNumbers() error {
	c := &t.w.s.counters
	for name, n := range map[string]int64{"room_max": c.room.Load(), "event_max": c.event.Load(), "state_pack_max": c.pack.Load(), "event_past": -c.past} {
		if err := t.SetMeta(floorPrefix+name, strconv.FormatInt(n, 10)); err != nil {
			return err
		}
	}
	return nil
}

// floor is what a counter has reached at least.
func (s *Store) floor(ctx context.Context, name string) (int64, error) {
	v, err := s.Meta(ctx, floorPrefix+name)
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return strconv.ParseInt(v, 10, 64)
}

// BlockRoom keeps everybody here from joining a room, or ends that.
func (t *Tx) BlockRoom(id, by string, nowMS int64, block bool) error {
	if block {
		return t.exec("blocked_room_put", id, by, nowMS)
	}
	return t.exec("blocked_room_delete", id)
}

// RoomBlocked tells who has blocked a room; "" if it is not blocked.
func (s *Store) RoomBlocked(ctx context.Context, id string) (by string, err error) {
	err = s.row(ctx, "blocked_room_get", id).Scan(&by)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return by, err
}
