package homeserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// PublicRoom is a room that anybody may know of.
type PublicRoom struct {
	// ID is the room's id, and Alias its main address; perhaps "".
	ID, Alias   string
	Name, Topic string
	Members     int64
	Space       bool
}

// PublicRooms lists the largest rooms of the directory and of the networks' directories.
func (s *Server) PublicRooms(ctx context.Context, limit int) ([]PublicRoom, error) {
	own, err := s.store.PublicRooms(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the directory: %w", err)
	}
	theirs, err := s.store.NetworkRooms(ctx, "", "")
	if err != nil {
		return nil, fmt.Errorf("listing the networks' directories: %w", err)
	}
	all := slices.Concat(own, theirs)
	slices.Sort(all)
	all = slices.Compact(all)
	type sized struct{ room, members int64 }
	list := make([]sized, len(all))
	for i, nid := range all {
		n, err := s.store.JoinedCount(ctx, nid)
		if err != nil {
			return nil, err
		}
		list[i] = sized{nid, n}
	}
	slices.SortFunc(list, func(x, y sized) int {
		return cmp.Or(cmp.Compare(y.members, x.members), cmp.Compare(x.room, y.room))
	})
	var out []PublicRoom
	for _, z := range list[:min(limit, len(list))] {
		r, err := s.publicRoom(ctx, z.room)
		if errors.Is(err, store.ErrNotFound) {
			continue // it has just been removed
		}
		if err != nil {
			return nil, err
		}
		r.Members = z.members
		out = append(out, r)
	}
	return out, nil
}

func (s *Server) publicRoom(ctx context.Context, nid int64) (out PublicRoom, err error) {
	r, err := s.store.LoadRoom(ctx, nid)
	if err != nil {
		return out, err
	}
	out.ID = r.ID
	var kind string
	for _, f := range [...]struct {
		to       *string
		typ, key string
	}{{&out.Name, "m.room.name", "name"}, {&out.Topic, "m.room.topic", "topic"}, {&out.Alias, "m.room.canonical_alias", "alias"}, {&kind, "m.room.create", "type"}} {
		e, err := s.store.StateEvent(ctx, r.Root, f.typ, "")
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return out, err
		}
		*f.to = e.ContentString(f.key)
	}
	out.Space = kind == "m.space"
	if out.Alias == "" {
		aliases, err := s.store.AliasesOf(ctx, nid)
		if err != nil {
			return out, err
		}
		if len(aliases) > 0 {
			out.Alias = aliases[0].Alias
		}
	}
	return out, nil
}
