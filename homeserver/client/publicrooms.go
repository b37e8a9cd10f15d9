package client

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/appservices"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// publicRoomsPage is how many rooms a page of the directory has unless asked otherwise.
const publicRoomsPage = 100

type publicRoomsRequest struct {
	Limit  *int   `json:"limit"`
	Since  string `json:"since"`
	Filter struct {
		Term  string     `json:"generic_search_term"`
		Types *[]*string `json:"room_types"`
	} `json:"filter"`
	IncludeAll bool   `json:"include_all_networks"`
	Network    string `json:"third_party_instance_id"`
}

// getPublicRooms is GET /publicRooms.
func (a *API) getPublicRooms(c *call) (any, error) {
	limit, err := c.number("limit", publicRoomsPage)
	if err != nil {
		return nil, err
	}
	n := int(limit)
	return a.publicRooms(c, publicRoomsRequest{Limit: &n, Since: c.query.Get("since")})
}

// postPublicRooms is POST /publicRooms.
func (a *API) postPublicRooms(c *call) (any, error) {
	var q publicRoomsRequest
	if err := c.body(&q); err != nil {
		return nil, err
	}
	return a.publicRooms(c, q)
}

// publicRooms lists the directory, the largest rooms first: specification, "The server may order
// by number of joined members".
func (a *API) publicRooms(c *call, q publicRoomsRequest) (any, error) {
	if server := c.query.Get("server"); server != "" && server != a.o.ServerName {
		if a.o.Remote == nil {
			return nil, mxerror.NotFound("The directory of %s can't be reached from here.", clip(server))
		}
		return a.remotePublicRooms(c, server, q)
	}
	nids, err := a.listed(c, q)
	if err != nil {
		return nil, err
	}
	rooms := []*summary{}
	for _, nid := range nids {
		r, err := a.o.Store.RoomByNID(c.ctx, nid)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		sum, err := a.summarise(c.ctx, r)
		if err != nil {
			return nil, err
		}
		if q.matches(sum) {
			rooms = append(rooms, sum)
		}
	}
	slices.SortFunc(rooms, func(x, y *summary) int {
		return cmp.Or(cmp.Compare(y.Joined, x.Joined), cmp.Compare(x.RoomID, y.RoomID))
	})
	limit := publicRoomsPage
	if q.Limit != nil && *q.Limit > 0 {
		limit = min(*q.Limit, 1000)
	}
	total := len(rooms)
	begin, end, err := directoryPage(q.Since, limit, total)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"chunk": rooms[begin:end], "total_room_count_estimate": total}
	if end < total {
		out["next_batch"] = "n" + strconv.Itoa(end)
	}
	if begin > 0 {
		out["prev_batch"] = "p" + strconv.Itoa(begin)
	}
	return out, nil
}

// listed are the rooms of the directory that is asked for: the server's own, that of one network of
// an application service, or all together.
func (a *API) listed(c *call, q publicRoomsRequest) ([]int64, error) {
	if q.Network == "" {
		own, err := a.o.Store.PublicRooms(c.ctx)
		if err != nil || !q.IncludeAll {
			return own, err
		}
		theirs, err := a.o.Store.NetworkRooms(c.ctx, "", "")
		all := slices.Concat(own, theirs)
		slices.Sort(all)
		return slices.Compact(all), err
	}
	if q.IncludeAll {
		// "Can only be used if include_all_networks is false."
		return nil, mxerror.InvalidParam("third_party_instance_id can't be used together with include_all_networks.")
	}
	service, network, ok := appservices.SplitInstance(q.Network)
	if !ok {
		return nil, mxerror.InvalidParam("third_party_instance_id is not one of this server.")
	}
	return a.o.Store.NetworkRooms(c.ctx, service, network)
}

// directoryPage finds the page that a token stands for: n and p with the number of the room that
// the next page begins with, or that the previous one ends before. "The direction of pagination is
// specified solely by which token is supplied".
func directoryPage(since string, limit, total int) (begin, end int, err error) {
	if since == "" {
		return 0, min(limit, total), nil
	}
	n, err := strconv.Atoi(since[1:])
	if err != nil || n < 0 || since[0] != 'n' && since[0] != 'p' {
		return 0, 0, mxerror.InvalidParam("since is not a token of this server.")
	}
	n = min(n, total)
	if since[0] == 'p' {
		return max(n-limit, 0), n, nil
	}
	return n, min(n+limit, total), nil
}

// putNetworkVisibility is PUT /directory/list/appservice/{networkId}/{roomId}.
func (a *API) putNetworkVisibility(c *call) (any, error) {
	if c.session.Service == nil {
		return nil, mxerror.Forbidden("Only application services have networks to list rooms in.")
	}
	var q struct {
		Visibility string `json:"visibility"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	switch q.Visibility {
	case "":
		return nil, mxerror.MissingParam("visibility is missing.")
	case "public", "private":
	default:
		return nil, mxerror.InvalidParam("visibility must be \"public\" or \"private\".")
	}
	return nil, a.listInNetwork(c, q.Visibility == "public")
}

// deleteNetworkRoom is DELETE /directory/list/appservice/{networkId}/{roomId}. It is not in the specification;
// bridges use it, because other servers have it. For everybody else it is the "unsupported method to a known
// endpoint" that the specification makes of it.
func (a *API) deleteNetworkRoom(c *call) (any, error) {
	reg := a.o.Services.Set().ByASToken(bearer(c.r))
	if reg == nil {
		c.w.Header().Set("Allow", "OPTIONS, PUT")
		return nil, mxerror.Unrecognized(http.StatusMethodNotAllowed)
	}
	var err error
	if c.session, err = a.serviceSession(c, &route{}, reg); err != nil {
		return nil, err
	}
	return nil, a.listInNetwork(c, false)
}

// listInNetwork puts a room into the directory of a service's network, or takes it out.
func (a *API) listInNetwork(c *call, public bool) error {
	if len(c.params[0]) > 255 {
		return mxerror.TooLarge("A network's id can have at most 255 bytes.")
	}
	r, err := c.room(1)
	if err != nil {
		return err
	}
	return a.o.Store.Write(c.ctx, func(t *store.Tx) error {
		return t.SetNetworkRoom(c.session.Service.ID, c.params[0], r.NID, public)
	})
}

func (q *publicRoomsRequest) matches(s *summary) bool {
	if q.Filter.Types != nil && !slices.ContainsFunc(*q.Filter.Types, func(t *string) bool {
		return t == nil && s.Type == "" || t != nil && *t == s.Type
	}) {
		return false
	}
	term := strings.ToLower(q.Filter.Term)
	return term == "" || strings.Contains(strings.ToLower(s.Name), term) || strings.Contains(strings.ToLower(s.Topic), term) ||
		strings.Contains(strings.ToLower(s.Alias), term)
}
