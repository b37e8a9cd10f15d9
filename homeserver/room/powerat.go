package room

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/event"
	"github.com/landbridge-im/landbridge/homeserver/statetree"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// PowerAt reads the power levels of a state. levels is the event that gives them; nil if the
// state has none.
func PowerAt(ctx context.Context, s *store.Store, root statetree.Ref) (p *Power, levels *event.Event, err error) {
	create, err := s.StateEvent(ctx, root, "m.room.create", "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	levels, err = s.StateEvent(ctx, root, "m.room.power_levels", "")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, nil, err
	}
	return parsePower(create, levels), levels, nil
}
