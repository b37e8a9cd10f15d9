package console

import (
	"context"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Room is a room as commands see it.
type Room struct {
	ID        string   `json:"room_id"`
	Version   string   `json:"version"`
	Name      string   `json:"name"`
	Joined    int64    `json:"joined"`
	Invited   int64    `json:"invited"`
	Aliases   []string `json:"aliases,omitempty"`
	JoinRule  string   `json:"join_rule,omitempty"`
	Encrypted bool     `json:"encrypted"`
	Public    bool     `json:"public"`
	CreatedTS int64    `json:"created_ts"`
}

// Rooms are a part of all rooms; Next is where the rest begins, 0 at the end.
type Rooms struct {
	Rooms []Room `json:"rooms"`
	Next  int64  `json:"next"`
}

// listRooms is the command /room/list.
func (c *console) listRooms(ctx context.Context, q Page) (out Rooms, err error) {
	list, err := c.o.Store.Rooms(ctx, q.After, q.limit())
	if err != nil {
		return out, err
	}
	out.Rooms = make([]Room, len(list))
	for i, n := range list {
		if out.Rooms[i], err = c.room(ctx, n); err != nil {
			return out, err
		}
	}
	if len(list) == q.limit() {
		out.Next = list[len(list)-1]
	}
	return out, nil
}

// showRoom is the command /room/show.
func (c *console) showRoom(ctx context.Context, q Named) (Room, error) {
	n, err := c.roomNID(ctx, q.Name)
	if err != nil {
		return Room{}, err
	}
	return c.room(ctx, n)
}

// roomNID finds a room by its id or an alias.
func (c *console) roomNID(ctx context.Context, name string) (int64, error) {
	if strings.HasPrefix(name, "#") {
		a, err := c.o.Store.Alias(ctx, name)
		if errors.Is(err, store.ErrNotFound) {
			err = mxerror.NotFound("There is no alias %s here.", name)
		}
		return a.Room, err
	}
	n, err := c.o.Store.RoomByID(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		err = mxerror.NotFound("There is no room %s here.", name)
	}
	return n.NID, err
}

func (c *console) room(ctx context.Context, nid int64) (Room, error) {
	r, err := c.o.Store.LoadRoom(ctx, nid)
	if err != nil {
		return Room{}, err
	}
	out := Room{ID: r.ID, Version: string(r.Version), CreatedTS: r.CreatedTS}
	if out.Joined, out.Invited, err = c.o.Store.MemberCounts(ctx, nid); err != nil {
		return out, err
	}
	if out.Public, err = c.o.Store.IsPublic(ctx, nid); err != nil {
		return out, err
	}
	for typ, use := range map[string]func(text string){
		"m.room.name":       func(s string) { out.Name = s },
		"m.room.join_rules": func(s string) { out.JoinRule = s },
		"m.room.encryption": func(s string) { out.Encrypted = s != "" },
	} {
		e, err := c.o.Store.StateEvent(ctx, r.Root, typ, "")
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		use(e.ContentString(map[string]string{"m.room.name": "name", "m.room.join_rules": "join_rule", "m.room.encryption": "algorithm"}[typ]))
	}
	aliases, err := c.o.Store.AliasesOf(ctx, nid)
	for _, a := range aliases {
		out.Aliases = append(out.Aliases, a.Alias)
	}
	return out, err
}
