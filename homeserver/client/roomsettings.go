package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/push"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// predecessor is the room of this server that a room says it replaces; ok is false for none.
func (a *API) predecessor(ctx context.Context, r store.RoomName) (old store.RoomName, ok bool, err error) {
	row, err := a.o.Store.LoadRoom(ctx, r.NID)
	if err != nil {
		return old, false, err
	}
	create, err := a.o.Store.StateEvent(ctx, row.Root, "m.room.create", "")
	if errors.Is(err, store.ErrNotFound) {
		return old, false, nil
	} else if err != nil {
		return old, false, err
	}
	id := gjson.GetBytes(create.Content, "predecessor.room_id").Str
	if id == "" || id == r.ID {
		return old, false, nil
	}
	old, err = a.o.Store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return old, false, nil
	}
	return old, err == nil, err
}

// settleIn is for somebody who has just joined a room: specification, "Room Upgrades": "When a user
// joins the new room, the server should automatically transfer/replicate some of the user's
// personalized settings such as notifications, tags, etc."
func (a *API) settleIn(ctx context.Context, s *Session, r store.RoomName) error {
	if s.Service != nil {
		return nil // ghosts have no settings
	}
	old, ok, err := a.predecessor(ctx, r)
	if err != nil || !ok {
		return err
	}
	if _, err := a.o.Store.Membership(ctx, old.NID, s.User); errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return a.takeSettings(ctx, s.User, old, r)
}

// takeSettings copies what a user has set for a room to the one that replaces it: tags, push rules,
// and whether it is a direct chat. What is set for the new room already stays.
func (a *API) takeSettings(ctx context.Context, user int64, old, fresh store.RoomName) error {
	if err := a.copyPushRules(ctx, user, old, fresh); err != nil {
		return err
	}
	tags, err := a.o.Store.AccountData(ctx, user, old.NID, "m.tag")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	direct, err := a.o.Store.AccountData(ctx, user, 0, "m.direct")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if tags.Content == "" && direct.Content == "" {
		return nil
	}
	return a.o.Store.Write(ctx, func(t *store.Tx) error {
		if tags.Content != "" {
			if _, err := t.AccountData(user, fresh.NID, "m.tag"); errors.Is(err, store.ErrNotFound) {
				err = t.SetAccountData(user, store.AccountData{Room: fresh.NID, Type: "m.tag", Content: tags.Content})
				if err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
		}
		d, err := t.AccountData(user, 0, "m.direct")
		if errors.Is(err, store.ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		if content, changed := addDirect(d.Content, old.ID, fresh.ID); changed {
			d.Content = content
			return t.SetAccountData(user, d)
		}
		return nil
	})
}

// addDirect puts a room beside another in the lists of m.direct.
func addDirect(content, old, fresh string) (string, bool) {
	var lists map[string]jsontext.Value
	if json.Unmarshal([]byte(content), &lists) != nil {
		return "", false // not in the form that the specification has; not ours to change
	}
	changed := false
	for who, raw := range lists {
		var rooms []string
		if json.Unmarshal(raw, &rooms) != nil || !slices.Contains(rooms, old) || slices.Contains(rooms, fresh) {
			continue
		}
		raw, err := json.Marshal(append(rooms, fresh))
		if err != nil {
			return "", false
		}
		lists[who], changed = raw, true
	}
	if !changed {
		return "", false
	}
	raw, err := json.Marshal(lists, json.Deterministic(true))
	return string(raw), err == nil
}

func (a *API) copyPushRules(ctx context.Context, user int64, old, fresh store.RoomName) error {
	have, err := push.Load(ctx, a.o.Store, user)
	if err != nil || len(have.Made) == 0 {
		return err
	}
	return push.Update(ctx, a.o.Store, user, func(c *push.Changes) error {
		c.CopyRoom(old.ID, fresh.ID)
		return nil
	})
}

// replaced takes note that a room has a tombstone that points to another: the members' push rules
// hold there too, so that a muted room stays muted. A room that does not say itself that it
// replaces this one is not trusted.
func (a *API) replaced(ctx context.Context, old, fresh store.RoomName) error {
	if pre, ok, err := a.predecessor(ctx, fresh); err != nil || !ok || pre.NID != old.NID {
		return err
	}
	users, err := a.o.Store.MembersWithPushRules(ctx, old.NID, old.ID)
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := a.copyPushRules(ctx, u, old, fresh); err != nil {
			return err
		}
	}
	return nil
}
