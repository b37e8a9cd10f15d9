package elsewhere

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/importer/wire"
)

// marker is the field of a room's creation that says what it was made of, by which it is found after a crash.
const marker = "im.landbridge.import"

// roomsPlace is where rooms are begun: one after the other.
const roomsPlace = "rooms"

// Room implements run.Target.
func (t *Target) Room(ctx context.Context, q wire.Room) (out wire.RoomMade, err error) {
	err = t.insist(ctx, func() error {
		out, err = t.room(ctx, q)
		return err
	})
	return out, err
}

func (t *Target) room(ctx context.Context, q wire.Room) (out wire.RoomMade, err error) {
	remote := "room/" + q.Remote
	e, ok, err := t.ledger.find(ctx, q.Source, remote)
	if err != nil || ok {
		return wire.RoomMade{RoomID: e.room}, err
	}
	mark := q.Source + "/" + q.Remote
	begun, err := t.ledger.begun(ctx, roomsPlace, q.Source, remote)
	if err != nil {
		return out, err
	}
	if begun {
		// The homeserver may be about to make it still, for somebody who was killed.
		err := t.settle(ctx, func() (bool, error) {
			out.RoomID, err = t.marked(ctx, mark)
			return out.RoomID != "", err
		})
		if err != nil {
			return out, err
		}
	}
	if out.RoomID == "" {
		if err := t.ledger.begin(ctx, roomsPlace, q.Source, remote); err != nil {
			return out, err
		}
		if out, err = t.create(ctx, q, mark); err != nil {
			return out, fmt.Errorf("making a room: %w", err)
		}
	}
	if begun && out.RoomID != "" {
		if err := t.complete(ctx, q, out.RoomID); err != nil {
			return out, fmt.Errorf("completing a room: %w", err)
		}
	}
	out.Fresh = true
	return out, t.ledger.end(ctx, roomsPlace, q.Source, remote, entry{room: out.RoomID})
}

// complete sets what a room was to begin with: the homeserver may have been killed before it had.
func (t *Target) complete(ctx context.Context, q wire.Room, room string) error {
	for _, s := range q.State {
		content := any(s.Content)
		if s.Type == "m.room.power_levels" {
			var err error
			if content, err = t.power(s.Content); err != nil {
				return err
			}
		}
		if _, err := t.state(ctx, room, s.Type, s.Key, q.Creator, q.TS, content); err != nil {
			return err
		}
	}
	if q.Alias == "" {
		return nil
	}
	err := t.ask(ctx, request{method: http.MethodPut, path: client("directory", "room", q.Alias), user: q.Creator, in: map[string]string{"room_id": room}}, nil)
	if refused(err) {
		return nil // it has the address, or another room
	}
	if err == nil {
		_, err = t.state(ctx, room, "m.room.canonical_alias", "", q.Creator, q.TS, map[string]string{"alias": q.Alias})
	}
	return err
}

// create makes a room. One whose address is taken is made without.
func (t *Target) create(ctx context.Context, q wire.Room, mark string) (out wire.RoomMade, err error) {
	content := map[string]jsontext.Value{}
	if len(q.Content) > 0 {
		if err := json.Unmarshal(q.Content, &content); err != nil {
			return out, err
		}
	}
	if content[marker], err = json.Marshal(mark); err != nil {
		return out, err
	}
	in := map[string]any{"preset": "private_chat", "visibility": "private", "creation_content": content}
	var first []map[string]any
	for _, s := range q.State {
		if s.Type == "m.room.power_levels" {
			if in["power_level_content_override"], err = t.power(s.Content); err != nil {
				return out, err
			}
			continue
		}
		first = append(first, map[string]any{"type": s.Type, "state_key": s.Key, "content": s.Content})
	}
	in["initial_state"] = first
	if q.Alias != "" {
		in["room_alias_name"], _, _ = strings.Cut(strings.TrimPrefix(q.Alias, "#"), ":")
	}
	var made struct {
		Room string `json:"room_id"`
	}
	// Where the specification has no ts for making rooms, a server may have one all the same.
	ask := request{method: http.MethodPost, path: client("createRoom"), user: q.Creator, ts: q.TS, in: in}
	err = t.ask(ctx, ask, &made)
	if q.Alias != "" && refused(err, "M_ROOM_IN_USE", "M_EXCLUSIVE", "M_INVALID_PARAM") {
		if out.RoomID, err = t.called(ctx, q.Alias, mark); err != nil || out.RoomID != "" {
			return out, err
		}
		out.NoAlias = true
		delete(in, "room_alias_name")
		err = t.ask(ctx, ask, &made)
	}
	if err == nil && !strings.HasPrefix(made.Room, "!") {
		err = fmt.Errorf("the homeserver names no room")
	}
	out.RoomID = made.Room
	return out, err
}

// ownerLevel is the power of who makes a room, where that is not above all levels.
const ownerLevel = 100

// power is the content of m.room.power_levels that leaves the bot what it needs.
func (t *Target) power(content jsontext.Value) (out map[string]any, err error) {
	if err := json.Unmarshal(content, &out); err != nil || t.creators {
		return out, err
	}
	users, _ := out["users"].(map[string]any)
	if users == nil {
		users = map[string]any{}
	}
	users[t.bot] = ownerLevel
	out["users"] = users
	// Nobody has more there, and what nobody may do can't be allowed later either.
	if events, ok := out["events"].(map[string]any); ok {
		for typ, level := range events {
			if n, ok := level.(float64); ok && n > ownerLevel {
				events[typ] = ownerLevel
			}
		}
	}
	return out, nil
}

// marked finds the room that was made of something, among those that the ledger does not know; "" if there is none.
func (t *Target) marked(ctx context.Context, mark string) (string, error) {
	var in struct {
		Rooms []string `json:"joined_rooms"`
	}
	if err := t.get(ctx, client("joined_rooms"), nil, &in); err != nil {
		return "", fmt.Errorf("looking for a room that may have been made: %w", err)
	}
	for _, room := range in.Rooms {
		known, err := t.ledger.text(ctx, "SELECT remote FROM item WHERE room=? AND event='' LIMIT 1", room)
		if err != nil {
			return "", err
		}
		if known != "" {
			continue
		}
		is, err := t.isMarked(ctx, room, mark)
		if is && err == nil {
			return room, nil
		}
		if err != nil && !refused(err) {
			return "", err
		}
	}
	return "", nil
}

// isMarked tells whether a room was made of something.
func (t *Target) isMarked(ctx context.Context, room, mark string) (bool, error) {
	var create map[string]any
	err := t.get(ctx, client("rooms", room, "state", "m.room.create", ""), nil, &create)
	return create[marker] == mark, err
}

// called finds the room with an address, if it was made of something: somebody who was killed has asked for it, and the homeserver
// has made it or is about to. "" if it is another room.
func (t *Target) called(ctx context.Context, alias, mark string) (room string, err error) {
	var out struct {
		Room string `json:"room_id"`
	}
	err = t.get(ctx, client("directory", "room", alias), nil, &out)
	if err != nil || out.Room == "" {
		if refused(err) {
			err = nil
		}
		return "", err
	}
	err = t.settle(ctx, func() (bool, error) {
		is, err := t.isMarked(ctx, out.Room, mark)
		switch {
		case is:
			room = out.Room
			return true, nil
		case refused(err): // nobody of ours is in it, or not yet
			return false, nil
		}
		return true, err // it is another one
	})
	return room, err
}

// settling is how often, a second apart, what may be about to happen is looked for.
const settling = 30

// settle looks for something until it is found.
func (t *Target) settle(ctx context.Context, look func() (done bool, err error)) error {
	for range settling {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-t.after(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
