package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// roomInfo is a room as lists show it.
type roomInfo struct {
	ID          string  `json:"room_id"`
	Name        *string `json:"name"`
	Alias       *string `json:"canonical_alias"`
	Joined      int64   `json:"joined_members"`
	Local       int64   `json:"joined_local_members"`
	Version     string  `json:"version"`
	Creator     string  `json:"creator"`
	Encryption  *string `json:"encryption"`
	Federatable bool    `json:"federatable"`
	Public      bool    `json:"public"`
	JoinRules   *string `json:"join_rules"`
	GuestAccess *string `json:"guest_access"`
	History     *string `json:"history_visibility"`
	StateEvents int64   `json:"state_events"`
	Type        *string `json:"room_type"`
}

// stateOf reads one event of a room's current state; nil if there is none.
func (a *Admin) stateOf(ctx context.Context, r store.Room, typ string) (*event.Event, error) {
	e, err := a.o.Store.StateEvent(ctx, r.Root, typ, "")
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return e, err
}

// textOf is a text in the content of a room's state; nil if there is none.
func (a *Admin) textOf(ctx context.Context, r store.Room, typ, key string) (*string, error) {
	e, err := a.stateOf(ctx, r, typ)
	if err != nil || e == nil {
		return nil, err
	}
	return orNil(e.ContentString(key)), nil
}

func (a *Admin) roomInfo(ctx context.Context, r store.Room) (out roomInfo, err error) {
	s := a.o.Store
	out = roomInfo{ID: r.ID, Version: string(r.Version), Federatable: true}
	for _, f := range [...]struct {
		to       **string
		typ, key string
	}{
		{&out.Name, "m.room.name", "name"}, {&out.Alias, "m.room.canonical_alias", "alias"}, {&out.Encryption, "m.room.encryption", "algorithm"},
		{&out.JoinRules, "m.room.join_rules", "join_rule"}, {&out.GuestAccess, "m.room.guest_access", "guest_access"},
		{&out.History, "m.room.history_visibility", "history_visibility"}, {&out.Type, "m.room.create", "type"},
	} {
		if *f.to, err = a.textOf(ctx, r, f.typ, f.key); err != nil {
			return out, err
		}
	}
	create, err := a.stateOf(ctx, r, "m.room.create")
	if err != nil {
		return out, err
	}
	if create != nil {
		out.Creator = string(create.Sender)
		out.Federatable = gjson.GetBytes(create.Content, `m\.federate`).Type != gjson.False
	}
	if out.Joined, err = s.JoinedCount(ctx, r.NID); err != nil {
		return out, err
	}
	if out.Local, err = s.LocalJoined(ctx, r.NID); err != nil {
		return out, err
	}
	if out.Public, err = s.IsPublic(ctx, r.NID); err != nil {
		return out, err
	}
	out.StateEvents, err = a.stateSize(ctx, r)
	return out, err
}

func (a *Admin) stateSize(ctx context.Context, r store.Room) (n int64, err error) {
	return n, a.o.Store.State().Walk(ctx, r.Root, func(_, _ int64) bool { n++; return true })
}

// placed is a room with what its place in a list depends on.
type placed struct {
	room int64
	text string
	num  int64
}

// roomOrders are what rooms can be ordered by.
var roomOrders = []string{"alphabetical", "size", "name", "canonical_alias", "joined_members", "joined_local_members", "version", "creator", "encryption",
	"federatable", "public", "join_rules", "guest_access", "history_visibility", "state_events"}

// listRooms is GET v1/rooms. Only what the order and the search need is read of all rooms.
func (a *Admin) listRooms(c client.AdminCall) (any, error) {
	from, limit, err := span(c, 100)
	if err != nil {
		return nil, err
	}
	order, err := orderBy(c, "name", roomOrders...)
	if err != nil {
		return nil, err
	}
	reverse, err := back(c, "f")
	if err != nil {
		return nil, err
	}
	if c.Query().Has("search_term") && c.Query().Get("search_term") == "" {
		return nil, mxerror.InvalidParam("search_term cannot be an empty string")
	}
	public, err := c.Truth("public_rooms")
	if err != nil {
		return nil, err
	}
	empty, err := c.Truth("empty_rooms")
	if err != nil {
		return nil, err
	}
	list, err := a.placeRooms(c.Context(), order, roomFilter{c.Query().Get("search_term"), public, empty})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(x, y placed) int {
		// "Largest to smallest."
		n := cmp.Or(cmp.Compare(y.num, x.num), cmp.Compare(x.text, y.text))
		if order == "version" {
			n = -n
		}
		if reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.room, y.room))
	})
	rooms := []roomInfo{}
	for _, p := range cut(list, from, limit) {
		r, err := a.o.Store.LoadRoom(c.Context(), p.room)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		info, err := a.roomInfo(c.Context(), r)
		if err != nil {
			return nil, err
		}
		rooms = append(rooms, info)
	}
	out := object{"rooms": rooms, "offset": from, "total_rooms": len(list)}
	if next := from + limit; next < len(list) {
		out["next_batch"] = next
	}
	if from > 0 {
		out["prev_batch"] = max(from-limit, 0)
	}
	return out, nil
}

type roomFilter struct {
	term          string
	public, empty *bool
}

// placeRooms lists the rooms that a filter lets through.
func (a *Admin) placeRooms(ctx context.Context, order string, f roomFilter) ([]placed, error) {
	var list []placed
	for after := int64(0); ; {
		nids, err := a.o.Store.Rooms(ctx, after, pageMax)
		if err != nil || len(nids) == 0 {
			return list, err
		}
		after = nids[len(nids)-1]
		for _, nid := range nids {
			r, err := a.o.Store.LoadRoom(ctx, nid)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			ok, err := a.lets(ctx, r, f)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			p, err := a.place(ctx, r, order)
			if err != nil {
				return nil, err
			}
			list = append(list, p)
		}
	}
}

// lets tells whether a filter lets a room through: a search term is part of the name, of the
// localpart of the alias, or of the id, where case matters.
func (a *Admin) lets(ctx context.Context, r store.Room, f roomFilter) (bool, error) {
	if f.public != nil {
		if public, err := a.o.Store.IsPublic(ctx, r.NID); err != nil || public != *f.public {
			return false, err
		}
	}
	if f.empty != nil {
		if n, err := a.o.Store.JoinedCount(ctx, r.NID); err != nil || (n == 0) != *f.empty {
			return false, err
		}
	}
	if f.term == "" || strings.Contains(r.ID, f.term) {
		return true, nil
	}
	term := strings.ToLower(f.term)
	name, err := a.textOf(ctx, r, "m.room.name", "name")
	if err != nil || name != nil && strings.Contains(strings.ToLower(*name), term) {
		return err == nil, err
	}
	alias, err := a.textOf(ctx, r, "m.room.canonical_alias", "alias")
	if err != nil || alias == nil {
		return false, err
	}
	local, _, _ := strings.Cut(*alias, ":")
	return strings.Contains(strings.ToLower(local), strings.TrimPrefix(term, "#")), nil
}

// place reads what a room's place in an order depends on.
func (a *Admin) place(ctx context.Context, r store.Room, order string) (p placed, err error) {
	p.room = r.NID
	var s *string
	switch order {
	case "name", "alphabetical":
		s, err = a.textOf(ctx, r, "m.room.name", "name")
	case "canonical_alias":
		s, err = a.textOf(ctx, r, "m.room.canonical_alias", "alias")
	case "encryption":
		s, err = a.textOf(ctx, r, "m.room.encryption", "algorithm")
	case "join_rules":
		s, err = a.textOf(ctx, r, "m.room.join_rules", "join_rule")
	case "guest_access":
		s, err = a.textOf(ctx, r, "m.room.guest_access", "guest_access")
	case "history_visibility":
		s, err = a.textOf(ctx, r, "m.room.history_visibility", "history_visibility")
	case "version":
		p.text = string(r.Version)
	case "joined_members", "size":
		p.num, err = a.o.Store.JoinedCount(ctx, r.NID)
	case "joined_local_members":
		p.num, err = a.o.Store.LocalJoined(ctx, r.NID)
	case "state_events":
		p.num, err = a.stateSize(ctx, r)
	default: // public, federatable, creator
		var info roomInfo
		info, err = a.roomInfo(ctx, r)
		switch {
		case order == "creator":
			p.text = info.Creator
		case order == "public" && info.Public, order == "federatable" && info.Federatable:
			p.text = "1"
		}
	}
	if s != nil {
		p.text = *s
	}
	return p, err
}

// roomDetails is a room in full.
type roomDetails struct {
	roomInfo
	Topic       *string `json:"topic"`
	Avatar      *string `json:"avatar"`
	Devices     int64   `json:"joined_local_devices"`
	Forgotten   bool    `json:"forgotten"`
	Tombstoned  bool    `json:"tombstoned"`
	Replacement *string `json:"replacement_room"`
}

// getRoom is GET v1/rooms/{roomId}.
func (a *Admin) getRoom(c client.AdminCall) (any, error) {
	ctx := c.Context()
	name, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	r, err := a.o.Store.LoadRoom(ctx, name.NID)
	if err != nil {
		return nil, err
	}
	out := roomDetails{}
	if out.roomInfo, err = a.roomInfo(ctx, r); err != nil {
		return nil, err
	}
	if out.Topic, err = a.textOf(ctx, r, "m.room.topic", "topic"); err != nil {
		return nil, err
	}
	if out.Avatar, err = a.textOf(ctx, r, "m.room.avatar", "url"); err != nil {
		return nil, err
	}
	stone, err := a.stateOf(ctx, r, "m.room.tombstone")
	if err != nil {
		return nil, err
	}
	if stone != nil {
		out.Tombstoned, out.Replacement = true, orNil(stone.ContentString("replacement_room"))
	}
	if out.Devices, err = a.o.Store.LocalDevices(ctx, r.NID); err != nil {
		return nil, err
	}
	remember, err := a.o.Store.LocalRemember(ctx, r.NID)
	out.Forgotten = remember == 0
	return out, err
}

// members is GET v1/rooms/{roomId}/members.
func (a *Admin) members(c client.AdminCall) (any, error) {
	r, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	ids, err := a.o.Store.JoinedIDs(c.Context(), r.NID)
	if ids == nil {
		ids = []string{}
	}
	return object{"members": ids, "total": len(ids)}, err
}

// state is GET v1/rooms/{roomId}/state.
func (a *Admin) state(c client.AdminCall) (any, error) {
	name, err := c.Room(0)
	if err != nil {
		return nil, err
	}
	r, err := a.o.Store.LoadRoom(c.Context(), name.NID)
	if err != nil {
		return nil, err
	}
	var nids []int64
	if err := a.o.Store.State().Walk(c.Context(), r.Root, func(_, nid int64) bool { nids = append(nids, nid); return true }); err != nil {
		return nil, err
	}
	slices.Sort(nids)
	events, err := a.o.Store.Events(c.Context(), nids)
	if err != nil {
		return nil, err
	}
	if typ := c.Query().Get("type"); typ != "" {
		events = slices.DeleteFunc(events, func(e *event.Event) bool { return e.Type != typ })
	}
	out, err := c.Events(events)
	return object{"state": out}, err
}
