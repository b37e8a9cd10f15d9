package appservices

import (
	"context"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/presence"
	"github.com/landbridge-im/landbridge/homeserver/store"
	"github.com/landbridge-im/landbridge/homeserver/sync"
)

// takeReceipt adds receipts: "Private read receipts MUST only be sent for users matching one of the
// application service's namespaces. Normal read receipts and threaded read receipts are always sent."
func (d *sender) takeReceipt(ctx context.Context, t *transaction, e store.Entry) error {
	s := d.s.o.Store
	if ok, err := d.rooms.room(ctx, e.Room, e.Pos); err != nil || !ok {
		return err
	}
	receipts, err := s.ReceiptsAfter(ctx, e.Room, e.Pos-1, e.Pos)
	if err != nil {
		return err // none: a newer receipt has taken its place
	}
	for _, c := range receipts {
		if c.Kind == "m.read.private" {
			user, err := s.UserID(ctx, c.User)
			if err != nil {
				return err
			}
			if !d.rooms.user(user) {
				continue
			}
		}
		if c.EventID, err = d.called(ctx, e.Room, c.EventID); err != nil {
			return err
		}
		content, err := sync.Receipts(ctx, s, []store.Receipt{c}, c.User)
		if err != nil {
			return err
		}
		if err := d.addEphemeral(ctx, t, e.Room, "m.receipt", content); err != nil {
			return err
		}
	}
	return nil
}

func (d *sender) addEphemeral(ctx context.Context, t *transaction, room int64, typ string, content any) error {
	name, err := d.s.o.Store.RoomByNID(ctx, room)
	if err != nil {
		return err
	}
	return t.pass(map[string]any{"type": typ, "room_id": name.ID, "content": content})
}

// pass adds something that is not kept.
func (t *transaction) pass(event map[string]any) error {
	raw, err := json.Marshal(event, json.Deterministic(true))
	t.ephemeral = append(t.ephemeral, raw)
	t.size += 2 * len(raw) // by both names
	return err
}

// takeTyping adds who types, in rooms where that has changed.
func (d *sender) takeTyping(ctx context.Context, t *transaction) error {
	if !d.reg.ReceiveEphemeral {
		return nil
	}
	rooms, upto := d.s.typed.after(d.typed, t.room())
	d.typed = upto
	for _, room := range rooms {
		ok, err := d.rooms.room(ctx, room, d.s.o.Store.Position())
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		users := d.s.o.Typing(room)
		// What the service itself said need not be told back to it.
		others := slices.DeleteFunc(slices.Clone(users), d.rooms.user)
		if len(others) == 0 && len(users) > 0 {
			continue
		}
		if others == nil {
			others = []string{}
		}
		if err := d.addEphemeral(ctx, t, room, "m.typing", map[string]any{"user_ids": others}); err != nil {
			return err
		}
	}
	return nil
}

// takePresence adds how users are there who have changed: "MUST be sent to the application service if the
// data would apply contextually. For example, a presence update for a user an application service shares a
// room with, or matching one of the application service's namespaces."
func (d *sender) takePresence(ctx context.Context, t *transaction) error {
	if !d.reg.ReceiveEphemeral {
		return nil
	}
	users, upto := d.s.present.after(d.present, t.room())
	d.present = upto
	for _, user := range users {
		id, err := d.s.o.Store.UserID(ctx, user)
		if err != nil {
			return err
		}
		ok, err := d.meets(ctx, user, id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		content := presence.Content(d.s.o.Presence(user), d.s.o.Now())
		if err := t.pass(map[string]any{"type": "m.presence", "sender": id, "content": content}); err != nil {
			return err
		}
	}
	return nil
}

// meets tells whether a user is the service's, or in a room that concerns it.
func (d *sender) meets(ctx context.Context, user int64, id string) (bool, error) {
	if d.rooms.user(id) {
		return true, nil
	}
	rooms, err := d.s.o.Store.RoomsOf(ctx, user)
	if err != nil {
		return false, err
	}
	at := d.s.o.Store.Position()
	for _, m := range rooms {
		if m.Membership != "join" {
			continue
		}
		ok, err := d.rooms.room(ctx, m.Room, at)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}
