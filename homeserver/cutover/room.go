package cutover

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// How far a room is.
const (
	roomAttached = ""
	roomDetached = "detached"
	roomLeft     = "left"
)

// roomState is the state of rooms that belongs to that of a bridge.
func roomState(state string) string {
	switch state {
	case StateDetached:
		return roomDetached
	case StateConfirmed:
		return roomLeft
	}
	return roomAttached
}

// before is what a room was when its bridge was taken from it.
type before struct {
	// States are those of the bridge, by type and key, with what they said.
	States []state `json:"states,omitempty"`
	// Levels are the power levels of those who were given more; absent ones had none of their own.
	Levels map[string]*int64 `json:"levels,omitempty"`
	// Given is the level that they were given.
	Given int64 `json:"given,omitempty"`
	// Joined are the administrators who were brought into the room.
	Joined []string `json:"joined,omitempty"`
}

type state struct {
	Type    string         `json:"type"`
	Key     string         `json:"key"`
	Content jsontext.Value `json:"content"`
}

// bridgeStates are the types of state by which clients see a bridge in a room.
var bridgeStates = []string{"m.bridge", "uk.half-shot.bridge", "com.beeper.room_features"}

// functionalMembers are members that clients do not count (MSC4171).
const functionalMembers = "io.element.functional_members"

// speaks tells whether a room is one to talk in, not a space.
func (c *Cutover) speaks(ctx context.Context, id string) (bool, error) {
	name, err := c.o.Store.RoomByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	row, err := c.o.Store.LoadRoom(ctx, name.NID)
	if err != nil {
		return false, err
	}
	create, err := c.o.Store.StateEvent(ctx, row.Root, "m.room.create", "")
	return err == nil && create.ContentString("type") != "m.space", err
}

// content reads a state; nil if there is none.
func (c *Cutover) content(ctx context.Context, row store.Room, typ, key string) (jsontext.Value, error) {
	e, err := c.o.Store.StateEvent(ctx, row.Root, typ, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return jsontext.Value(e.Content), nil
}

func (c *Cutover) setState(ctx context.Context, as, room, typ, key string, content any) error {
	path := "/rooms/" + url.PathEscape(room) + "/state/" + url.PathEscape(typ)
	if key != "" {
		path += "/" + url.PathEscape(key)
	}
	return c.o.Act(ctx, as, http.MethodPut, path, content, nil)
}

// detachRoom takes a bridge out of a room. What was there before is stored before anything is changed, and not again
// when a step that was cut off is done once more.
func (c *Cutover) detachRoom(ctx context.Context, service string, r store.CutoverRoom, admins []string) (notes []string, err error) {
	row, err := c.o.Store.LoadRoom(ctx, r.Room)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	bot := c.o.Bot(service)
	var was before
	if r.Before == "" {
		if was, err = c.look(ctx, service, row, bot, admins); err != nil {
			return nil, err
		}
		raw, err := json.Marshal(was, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		r.Before = string(raw)
		if err := c.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetCutoverRoom(service, r) }); err != nil {
			return nil, err
		}
	} else if err := json.Unmarshal([]byte(r.Before), &was); err != nil {
		return nil, fmt.Errorf("reading what the room %s was: %w", row.ID, err)
	}
	if len(was.Levels) > 0 {
		err := c.levels(ctx, row, bot, func(users map[string]int64) bool {
			changed := false
			for who := range was.Levels {
				if users[who] < was.Given {
					users[who], changed = was.Given, true
				}
			}
			return changed
		})
		if refused(err) {
			notes = append(notes, "The power levels of the room "+row.ID+" could not be changed: the bot is not its owner.")
		} else if err != nil {
			return notes, fmt.Errorf("giving power in %s: %w", row.ID, err)
		}
	}
	for _, who := range was.Joined {
		if err := c.bringIn(ctx, row, bot, who); refused(err) {
			notes = append(notes, who+" could not be brought into the room "+row.ID+".")
		} else if err != nil {
			return notes, fmt.Errorf("bringing %s into %s: %w", who, row.ID, err)
		}
	}
	for _, s := range was.States {
		var content any = struct{}{}
		if s.Type == functionalMembers {
			if content, err = without(s.Content, bot); err != nil {
				return notes, err
			}
		}
		if err := c.setState(ctx, bot, row.ID, s.Type, s.Key, content); refused(err) {
			notes = append(notes, "The room "+row.ID+" still says that it is bridged.")
		} else if err != nil {
			return notes, fmt.Errorf("changing %s in %s: %w", s.Type, row.ID, err)
		}
	}
	r.State = roomDetached
	return notes, c.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetCutoverRoom(service, r) })
}

// without is a list of functional members without one.
func without(raw jsontext.Value, who string) (any, error) {
	content := map[string]any{}
	if err := json.Unmarshal(raw, &content); err != nil {
		return nil, err
	}
	list, _ := content["service_members"].([]any)
	content["service_members"] = slices.DeleteFunc(append([]any{}, list...), func(v any) bool { return v == who })
	return content, nil
}

// look notes what a room is, and what is to become of it: who is to own it, and who of the owners is to be brought in.
func (c *Cutover) look(ctx context.Context, service string, row store.Room, bot string, admins []string) (was before, err error) {
	for _, typ := range bridgeStates {
		// bridgev2's key: the server and the bridge.
		key := c.o.ServerName + "/" + service
		content, err := c.content(ctx, row, typ, key)
		if err != nil {
			return was, err
		}
		if len(content) > 2 {
			was.States = append(was.States, state{typ, key, content})
		}
	}
	content, err := c.content(ctx, row, functionalMembers, "")
	if err != nil {
		return was, err
	}
	if len(content) > 2 {
		was.States = append(was.States, state{functionalMembers, "", content})
	}
	create, err := c.o.Store.StateEvent(ctx, row.Root, "m.room.create", "")
	if err != nil {
		return was, err
	}
	if string(create.Sender) != bot {
		return was, nil // it was there before the bridge, and is somebody's
	}
	rules, err := c.content(ctx, row, "m.room.join_rules", "")
	if err != nil {
		return was, err
	}
	var join struct {
		Rule string `json:"join_rule"`
	}
	if len(rules) > 0 {
		if err := json.Unmarshal(rules, &join); err != nil {
			return was, err
		}
	}
	// Administrators come into what members of the community may enter, and into its spaces. Private rooms are
	// not theirs to read; there, who is in them owns them.
	enter := create.ContentString("type") == "m.space" || join.Rule == "public" || join.Rule == "restricted" || join.Rule == "knock_restricted"
	owners, there := slices.Clone(admins), false
	for _, who := range admins {
		in, err := c.joined(ctx, row.NID, who)
		if err != nil {
			return was, err
		}
		there = there || in || enter
		if !in && enter {
			was.Joined = append(was.Joined, who)
		}
	}
	levels, err := c.readLevels(ctx, row)
	if err != nil {
		return was, err
	}
	if !there {
		best, err := c.best(ctx, row, levels)
		if err != nil {
			return was, err
		}
		owners = append(owners, best...)
	}
	was.Given, was.Levels = levels.needed(), map[string]*int64{}
	for _, who := range owners {
		have, ok := levels.Users[who]
		switch {
		case ok && have >= was.Given:
		case ok:
			was.Levels[who] = &have
		default:
			was.Levels[who] = nil
		}
	}
	return was, nil
}

func (c *Cutover) joined(ctx context.Context, room int64, who string) (bool, error) {
	user, err := c.o.Store.UserNID(ctx, who)
	if err != nil {
		return false, err
	}
	m, err := c.o.Store.Membership(ctx, room, user)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return m.Membership == "join", err
}

// bringIn has the bot invite somebody, who accepts.
func (c *Cutover) bringIn(ctx context.Context, row store.Room, bot, who string) error {
	in, err := c.joined(ctx, row.NID, who)
	if err != nil || in {
		return err
	}
	if err := c.setState(ctx, bot, row.ID, "m.room.member", who, map[string]string{"membership": "invite", "reason": "you own this room now"}); err != nil {
		return err
	}
	return c.o.Act(ctx, who, http.MethodPost, "/join/"+url.PathEscape(row.ID), map[string]any{}, nil)
}

// attachRoom puts a room back to what it was, as far as nobody has changed it since.
func (c *Cutover) attachRoom(ctx context.Context, service string, r store.CutoverRoom, _ []string) error {
	row, err := c.o.Store.LoadRoom(ctx, r.Room)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	var was before
	if err := json.Unmarshal([]byte(r.Before), &was); err != nil {
		return fmt.Errorf("reading what the room %s was: %w", row.ID, err)
	}
	bot := c.o.Bot(service)
	for _, s := range was.States {
		if err := c.setState(ctx, bot, row.ID, s.Type, s.Key, s.Content); err != nil && !refused(err) {
			return fmt.Errorf("changing %s in %s: %w", s.Type, row.ID, err)
		}
	}
	if len(was.Levels) > 0 {
		err := c.levels(ctx, row, bot, func(users map[string]int64) bool {
			changed := false
			for who, had := range was.Levels {
				if have, ok := users[who]; !ok || have != was.Given {
					continue // somebody has changed it since
				}
				changed = true
				if had == nil {
					delete(users, who)
				} else {
					users[who] = *had
				}
			}
			return changed
		})
		if err != nil && !refused(err) {
			return fmt.Errorf("taking power in %s: %w", row.ID, err)
		}
	}
	for _, who := range was.Joined {
		in, err := c.joined(ctx, row.NID, who)
		if err != nil {
			return err
		}
		if !in {
			continue
		}
		err = c.o.Act(ctx, who, http.MethodPost, "/rooms/"+url.PathEscape(row.ID)+"/leave", map[string]string{"reason": "the end of the bridge was undone"}, nil)
		if err != nil && !refused(err) {
			return fmt.Errorf("leaving %s: %w", row.ID, err)
		}
	}
	r.State, r.Before = roomAttached, ""
	return c.o.Store.Write(ctx, func(t *store.Tx) error { return t.SetCutoverRoom(service, r) })
}
