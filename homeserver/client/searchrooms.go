package client

import (
	"encoding/json/v2"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// rooms are those that are searched: all that the caller is or was in, as far as the filter goes.
// With a room, those that it has replaced are searched too.
func (s *searching) rooms() error {
	f := s.criteria.Filter
	if f.Rooms != nil {
		wider, err := s.predecessors(*f.Rooms)
		if err != nil {
			return err
		}
		f.Rooms = &wider
	}
	memberships, err := s.api.o.Store.RoomsOf(s.ctx, s.session.User)
	if err != nil {
		return err
	}
	s.query.Rooms = []int64{}
	for _, m := range memberships {
		if m.Forgotten || m.Membership != "join" && m.Membership != "leave" && m.Membership != "ban" {
			continue
		}
		if f.Rooms != nil || len(f.NotRooms) > 0 {
			name, err := s.api.o.Store.RoomByNID(s.ctx, m.Room)
			if err != nil {
				return err
			}
			if !f.AllowsRoom(name.ID) {
				continue
			}
		}
		if s.at.Group == "room_id" {
			if name, err := s.api.o.Store.RoomByNID(s.ctx, m.Room); err != nil {
				return err
			} else if name.ID != s.at.Value {
				continue
			}
		}
		s.query.Rooms = append(s.query.Rooms, m.Room)
	}
	return nil
}

// predecessors adds to rooms those that they have replaced.
func (s *searching) predecessors(rooms []string) ([]string, error) {
	out := append([]string(nil), rooms...)
	for _, id := range rooms {
		for range predecessorsMax {
			r, err := s.api.roomByID(s.ctx, id)
			if err != nil {
				break // what is not here has no history here
			}
			row, err := s.api.o.Store.LoadRoom(s.ctx, r.NID)
			if err != nil {
				return nil, err
			}
			create, err := s.api.o.Store.StateEvent(s.ctx, row.Root, "m.room.create", "")
			if errors.Is(err, store.ErrNotFound) {
				break
			} else if err != nil {
				return nil, err
			}
			var content struct {
				Predecessor struct {
					RoomID string `json:"room_id"`
				} `json:"predecessor"`
			}
			if json.Unmarshal(create.Content, &content) != nil || content.Predecessor.RoomID == "" {
				break
			}
			id = content.Predecessor.RoomID
			out = append(out, id)
		}
	}
	return out, nil
}

// senders are whose events are looked for, nil for everybody's.
func (s *searching) senders() error {
	var ids []string
	switch f := s.criteria.Filter; {
	case s.at.Group == "sender":
		ids = []string{s.at.Value}
	case f.Senders != nil:
		ids = *f.Senders
	default:
		return nil
	}
	s.query.Senders = []int64{}
	for _, id := range ids {
		nid, err := s.api.o.Store.UserNID(s.ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		s.query.Senders = append(s.query.Senders, nid)
	}
	return nil
}
