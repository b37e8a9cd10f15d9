package admin

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// mediaStatistics is GET v1/statistics/users/media.
func (a *Admin) mediaStatistics(c client.AdminCall) (any, error) {
	from, limit, err := span(c, 100)
	if err != nil {
		return nil, err
	}
	order, err := orderBy(c, "user_id", "user_id", "displayname", "media_length", "media_count")
	if err != nil {
		return nil, err
	}
	reverse, err := back(c, "f")
	if err != nil {
		return nil, err
	}
	since, err := c.Number("from_ts", 0)
	if err != nil {
		return nil, err
	}
	until, err := c.Number("until_ts", math.MaxInt64)
	if err != nil {
		return nil, err
	}
	if until <= since {
		return nil, mxerror.InvalidParam("Query parameter until_ts must be greater than from_ts.")
	}
	if c.Query().Has("search_term") && c.Query().Get("search_term") == "" {
		return nil, mxerror.InvalidParam("Query parameter search_term cannot be an empty string.")
	}
	list, err := a.o.Store.MediaByUsers(c.Context(), since, until, c.Query().Get("search_term"))
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y store.MediaByUser) int {
		n := 0
		switch order {
		case "displayname":
			n = cmp.Compare(x.DisplayName, y.DisplayName)
		case "media_length":
			n = cmp.Compare(x.Bytes, y.Bytes)
		case "media_count":
			n = cmp.Compare(x.Files, y.Files)
		default:
			n = cmp.Compare(x.ID, y.ID)
		}
		if reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.ID, y.ID))
	})
	users := []object{}
	for _, m := range cut(list, from, limit) {
		users = append(users, object{"user_id": m.ID, "displayname": text(m.DisplayName), "media_count": m.Files, "media_length": m.Bytes})
	}
	out := object{"users": users, "total": len(list)}
	if next := from + len(users); next < len(list) && len(users) > 0 {
		out["next_token"] = next
	}
	return out, nil
}

// roomStatistics is GET v1/statistics/database/rooms.
func (a *Admin) roomStatistics(c client.AdminCall) (any, error) {
	list, err := a.o.Store.LargestRooms(c.Context(), 10)
	if err != nil {
		return nil, err
	}
	rooms := []object{}
	for _, z := range list {
		r, err := a.o.Store.RoomByNID(c.Context(), z.Room)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		rooms = append(rooms, object{"room_id": r.ID, "estimated_size": z.Bytes})
	}
	return object{"rooms": rooms}, nil
}

// updates is GET v1/background_updates/status: the schema is brought up to date at the start, so
// there are none.
func (a *Admin) updates(client.AdminCall) (any, error) {
	return object{"enabled": true, "current_updates": object{}}, nil
}

// updatesEnabled is GET and POST v1/background_updates/enabled.
func (a *Admin) updatesEnabled(c client.AdminCall) (any, error) {
	return object{"enabled": true}, nil
}
