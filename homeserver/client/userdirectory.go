package client

import (
	"encoding/json/v2"
	"net/http"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
)

// Bounds of the user directory's answers.
const (
	peopleDefault = 10
	peopleMax     = 50
)

func (a *API) userDirectoryRoutes() {
	a.on(http.MethodPost, v3, "/user_directory/search", user, a.searchUsers)
}

type foundUser struct {
	UserID string `json:"user_id"`
	Name   string `json:"display_name,omitempty"`
	Avatar string `json:"avatar_url,omitempty"`
}

// searchUsers is POST /user_directory/search.
func (a *API) searchUsers(c *call) (any, error) {
	var q struct {
		Term  *string `json:"search_term"`
		Limit *int    `json:"limit"`
	}
	if err := c.body(&q); err != nil {
		return nil, err
	}
	if q.Term == nil {
		return nil, mxerror.MissingParam("search_term is missing.")
	}
	if len(*q.Term) > 1024 {
		return nil, mxerror.InvalidParam("search_term has more than 1024 bytes.")
	}
	limit := peopleDefault
	if q.Limit != nil {
		if limit = min(*q.Limit, peopleMax); limit < 0 {
			return nil, mxerror.InvalidParam("limit must not be negative.")
		}
	}
	people, limited, err := a.o.Directory.Search(c.ctx, c.session.User, *q.Term, limit)
	if err != nil {
		return nil, err
	}
	out := make([]foundUser, len(people))
	for i, p := range people {
		out[i] = foundUser{UserID: p.UserID, Name: p.Name, Avatar: p.Avatar}
		fields, err := a.o.Store.Profile(c.ctx, p.User)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			if f.Name == "avatar_url" && json.Unmarshal([]byte(f.Value), &out[i].Avatar) != nil {
				out[i].Avatar = "" // whatever it is, it is no address
			}
		}
	}
	return map[string]any{"results": out, "limited": limited}, nil
}
