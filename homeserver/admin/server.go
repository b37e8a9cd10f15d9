package admin

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"

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

type destinationInfo struct {
	Server   string `json:"destination"`
	RetryTS  int64  `json:"retry_last_ts"`
	Interval int64  `json:"retry_interval"`
	Since    *int64 `json:"failure_ts"`
	Last     *int64 `json:"last_successful_stream_ordering"`
}

// destinationOf shows a server. When it was tried last is not recorded: the interval is from then
// until it is tried again, and is told from when it failed first.
func (a *Admin) destinationOf(b store.ServerBackoff) destinationInfo {
	out := destinationInfo{Server: b.Server}
	if b.Failures > 0 {
		out.Since = &b.SinceTS
		out.RetryTS = b.SinceTS
		out.Interval = max(b.RetryTS-b.SinceTS, 0)
	}
	return out
}

// destinations is GET v1/federation/destinations: the servers that could not be reached.
func (a *Admin) destinations(c client.AdminCall) (any, error) {
	from, limit, err := span(c, 100)
	if err != nil {
		return nil, err
	}
	order, err := orderBy(c, "destination", "destination", "retry_last_ts", "retry_interval", "failure_ts", "last_successful_stream_ordering")
	if err != nil {
		return nil, err
	}
	reverse, err := back(c, "f")
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.Backoffs(c.Context())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(x, y store.ServerBackoff) int {
		n := 0
		switch order {
		case "retry_last_ts", "failure_ts":
			n = cmp.Compare(x.SinceTS, y.SinceTS)
		case "retry_interval":
			n = cmp.Compare(x.RetryTS-x.SinceTS, y.RetryTS-y.SinceTS)
		default:
			n = cmp.Compare(x.Server, y.Server)
		}
		if reverse {
			n = -n
		}
		return cmp.Or(n, cmp.Compare(x.Server, y.Server))
	})
	out := []destinationInfo{}
	for _, b := range cut(list, from, limit) {
		out = append(out, a.destinationOf(b))
	}
	reply := object{"destinations": out, "total": len(list)}
	if next := from + len(out); next < len(list) && len(out) > 0 {
		reply["next_token"] = strconv.Itoa(next)
	}
	return reply, nil
}

// backoff finds the server of the path.
func (a *Admin) backoff(c client.AdminCall) (store.ServerBackoff, error) {
	b, err := a.o.Store.Backoff(c.Context(), c.Param(0))
	if err == nil && b == (store.Backoff{}) {
		return store.ServerBackoff{}, mxerror.NotFound("Unknown destination")
	}
	return store.ServerBackoff{Server: c.Param(0), Backoff: b}, err
}

// destination is GET v1/federation/destinations/{destination}.
func (a *Admin) destination(c client.AdminCall) (any, error) {
	b, err := a.backoff(c)
	if err != nil {
		return nil, err
	}
	return a.destinationOf(b), nil
}
