package client

import (
	"context"
	"errors"

	"github.com/tidwall/gjson"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// summary is what a room is shown as to those who look for one: RoomSummary of the
// specification, which PublishedRoomsChunk is a part of.
type summary struct {
	RoomID       string   `json:"room_id"`
	Name         string   `json:"name,omitempty"`
	Topic        string   `json:"topic,omitempty"`
	Alias        string   `json:"canonical_alias,omitempty"`
	Avatar       string   `json:"avatar_url,omitempty"`
	Joined       int64    `json:"num_joined_members"`
	World        bool     `json:"world_readable"`
	Guests       bool     `json:"guest_can_join"`
	JoinRule     string   `json:"join_rule,omitempty"`
	Type         string   `json:"room_type,omitempty"`
	AllowedRooms []string `json:"allowed_room_ids,omitempty"`
	Encryption   string   `json:"encryption,omitempty"`
	Version      string   `json:"room_version,omitempty"`
}

// summarise reads a room's summary.
func (a *API) summarise(ctx context.Context, r store.RoomName) (*summary, error) {
	s := a.o.Store
	row, err := s.LoadRoom(ctx, r.NID)
	if err != nil {
		return nil, err
	}
	joined, err := s.JoinedCount(ctx, r.NID)
	if err != nil {
		return nil, err
	}
	if have := a.summaries.get(row); have != nil {
		have.Joined = joined
		return have, nil
	}
	out := &summary{RoomID: r.ID, Version: string(r.Version), JoinRule: "invite", Joined: joined}
	for typ, read := range map[string]func(*event.Event){
		"m.room.create":             func(e *event.Event) { out.Type = e.ContentString("type") },
		"m.room.name":               func(e *event.Event) { out.Name = e.ContentString("name") },
		"m.room.topic":              func(e *event.Event) { out.Topic = e.ContentString("topic") },
		"m.room.avatar":             func(e *event.Event) { out.Avatar = e.ContentString("url") },
		"m.room.canonical_alias":    func(e *event.Event) { out.Alias = e.ContentString("alias") },
		"m.room.encryption":         func(e *event.Event) { out.Encryption = e.ContentString("algorithm") },
		"m.room.guest_access":       func(e *event.Event) { out.Guests = e.ContentString("guest_access") == "can_join" },
		"m.room.history_visibility": func(e *event.Event) { out.World = e.ContentString("history_visibility") == "world_readable" },
		"m.room.join_rules": func(e *event.Event) {
			out.JoinRule = e.ContentString("join_rule")
			if out.JoinRule == "restricted" || out.JoinRule == "knock_restricted" {
				for _, allow := range gjson.GetBytes(e.Content, "allow").Array() {
					if allow.Get("type").Str == "m.room_membership" {
						out.AllowedRooms = append(out.AllowedRooms, allow.Get("room_id").Str)
					}
				}
			}
		},
	} {
		e, err := s.StateEvent(ctx, row.Root, typ, "")
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		read(e)
	}
	a.summaries.put(row, out)
	return out, nil
}

// mayLook tells whether somebody may know of a room: those who are in it or may come in, and
// everybody if the world may read it.
func (a *API) mayLook(ctx context.Context, sum *summary, membership string, user int64) (bool, error) {
	switch membership {
	case "join", "invite":
		return true, nil
	case "ban":
		return sum.World, nil // who is banned has no permission to join, whatever the join rule
	}
	if sum.World {
		return true, nil
	}
	switch sum.JoinRule {
	case "public", "knock", "knock_restricted":
		return true, nil
	case "restricted":
		for _, id := range sum.AllowedRooms {
			r, err := a.o.Store.RoomByID(ctx, id)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return false, err
			}
			m, err := a.o.Store.Membership(ctx, r.NID, user)
			if err == nil && m.Membership == "join" {
				return true, nil
			} else if err != nil && !errors.Is(err, store.ErrNotFound) {
				return false, err
			}
		}
	}
	return false, nil
}

// roomSummary is GET /room_summary/{roomIdOrAlias}.
func (a *API) roomSummary(c *call) (any, error) {
	l, err := a.locate(c, c.params[0])
	if err != nil {
		return nil, err
	}
	r := l.name
	var sum *summary
	if l.resident {
		sum, err = a.summarise(c.ctx, r)
	} else {
		sum, err = a.awaySummary(c.ctx, l)
	}
	if err != nil {
		return nil, err
	}
	var m store.Membership
	var user int64
	if c.session != nil {
		user = c.session.User
	}
	if c.session != nil && l.known {
		if m, err = a.standing(c.ctx, r, c.session.UserID); err != nil {
			return nil, err
		}
	}
	if ok, err := a.mayLook(c.ctx, sum, m.Membership, user); err != nil {
		return nil, err
	} else if !ok {
		return nil, mxerror.NotFound("There is no such room, or you may not know of it.")
	}
	if c.session == nil {
		return sum, nil
	}
	if m.Membership == "" {
		m.Membership = "leave"
	}
	return struct {
		*summary
		Membership string `json:"membership"`
	}{sum, m.Membership}, nil
}
