package client

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

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
		return nil, mxerror.NotFound("The directory of %s can't be reached from here.", clip(server))
	}
	nids, err := a.o.Store.PublicRooms(c.ctx)
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
	offset, err := directoryOffset(q.Since)
	if err != nil {
		return nil, err
	}
	limit := publicRoomsPage
	if q.Limit != nil && *q.Limit > 0 {
		limit = min(*q.Limit, 1000)
	}
	total := len(rooms)
	offset = min(offset, total)
	end := min(offset+limit, total)
	out := map[string]any{"chunk": rooms[offset:end], "total_room_count_estimate": total}
	if end < total {
		out["next_batch"] = "p" + strconv.Itoa(end)
	}
	if offset > 0 {
		out["prev_batch"] = "p" + strconv.Itoa(max(offset-limit, 0))
	}
	return out, nil
}

func directoryOffset(since string) (int, error) {
	if since == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(strings.TrimPrefix(since, "p"))
	if err != nil || n < 0 {
		return 0, mxerror.InvalidParam("since is not a token of this server.")
	}
	return n, nil
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
