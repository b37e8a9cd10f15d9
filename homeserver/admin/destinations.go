package admin

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

type destinationInfo struct {
	Server   string `json:"destination"`
	RetryTS  int64  `json:"retry_last_ts"`
	Interval int64  `json:"retry_interval"`
	Since    *int64 `json:"failure_ts"`
	Last     *int64 `json:"last_successful_stream_ordering"`
}

// destinationOf shows a server. When it was tried last is not recorded: the interval is from then
// until it is tried again, and is told from when it failed first.
func destinationOf(p store.Peer) destinationInfo {
	out := destinationInfo{Server: p.Server}
	if p.Failures > 0 {
		out.Since = &p.SinceTS
		out.RetryTS = p.SinceTS
		out.Interval = max(p.RetryTS-p.SinceTS, 0)
	}
	return out
}

// destinations is GET v1/federation/destinations: the servers that are known.
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
	var list []store.Peer
	for after := ""; ; {
		page, err := a.o.Store.Peers(c.Context(), a.o.ServerName, after, c.Query().Get("destination"), false, pageMax)
		if err != nil {
			return nil, err
		}
		list = append(list, page...)
		if len(page) < pageMax {
			break
		}
		after = page[len(page)-1].Server
	}
	slices.SortFunc(list, func(x, y store.Peer) int {
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
	for _, p := range cut(list, from, limit) {
		out = append(out, destinationOf(p))
	}
	reply := object{"destinations": out, "total": len(list)}
	if next := from + len(out); next < len(list) && len(out) > 0 {
		reply["next_token"] = strconv.Itoa(next)
	}
	return reply, nil
}

// peer finds the server of the path.
func (a *Admin) peer(c client.AdminCall) (store.Peer, error) {
	name := c.Param(0)
	list, err := a.o.Store.Peers(c.Context(), a.o.ServerName, "", name, false, pageMax)
	if err != nil {
		return store.Peer{}, err
	}
	for _, p := range list {
		if p.Server == name {
			return p, nil
		}
	}
	return store.Peer{}, mxerror.NotFound("Unknown destination")
}

// destination is GET v1/federation/destinations/{destination}.
func (a *Admin) destination(c client.AdminCall) (any, error) {
	p, err := a.peer(c)
	if err != nil {
		return nil, err
	}
	return destinationOf(p), nil
}

type destinationRoom struct {
	Room string `json:"room_id"`
	Pos  int64  `json:"stream_ordering"`
}

// destinationRooms is GET v1/federation/destinations/{destination}/rooms: those that its users are in, with the newest
// event there that was made here.
func (a *Admin) destinationRooms(c client.AdminCall) (any, error) {
	from, limit, err := span(c, 100)
	if err != nil {
		return nil, err
	}
	reverse, err := back(c, "f")
	if err != nil {
		return nil, err
	}
	if _, err := a.peer(c); err != nil {
		return nil, err
	}
	list, err := a.o.Store.RoomsWithServer(c.Context(), c.Param(0))
	if err != nil {
		return nil, err
	}
	if reverse {
		slices.Reverse(list)
	}
	rooms := []destinationRoom{}
	for _, r := range cut(list, from, limit) {
		rooms = append(rooms, destinationRoom{r.ID, r.Pos})
	}
	out := object{"rooms": rooms, "total": len(list)}
	if next := from + len(rooms); next < len(list) && len(rooms) > 0 {
		out["next_token"] = strconv.Itoa(next)
	}
	return out, nil
}

// resetDestination is POST v1/federation/destinations/{destination}/reset_connection.
func (a *Admin) resetDestination(c client.AdminCall) (any, error) {
	p, err := a.peer(c)
	if err != nil {
		return nil, err
	}
	if p.Failures == 0 {
		return nil, mxerror.New(400, "M_UNKNOWN", "The retry timing does not need to be reset for this destination.")
	}
	a.o.TryAgain(c.Context(), p.Server)
	a.audit(c, "try a server again", p.Server)
	return nil, nil
}
