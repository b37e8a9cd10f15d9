package inbound

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// openIDUser is GET /openid/userinfo.
func (a *API) openIDUser(c *call) (any, error) {
	id, err := a.o.Accounts.OpenIDUser(c.ctx, c.query.Get("access_token"))
	return object{"sub": id}, err
}

// account finds a user with an open account here.
func (a *API) account(c *call, id string) (int64, error) {
	none := mxerror.NotFound("There is no user %s on this server.", clip(id))
	if store.ServerOf(id) != a.o.Server {
		return 0, none
	}
	nid, err := a.o.Store.UserNID(c.ctx, id)
	if err == nil {
		_, err = a.o.Store.Account(c.ctx, nid)
	}
	if errors.Is(err, store.ErrNotFound) {
		return 0, none
	}
	return nid, err
}

// queryProfile is GET /query/profile.
func (a *API) queryProfile(c *call) (any, error) {
	id, err := c.needed("user_id")
	if err != nil {
		return nil, err
	}
	// "user_id: The user ID to query. Must be a user local to the receiving homeserver."
	if server := store.ServerOf(id); !validUser(id) || server != a.o.Server {
		return nil, mxerror.InvalidParam("%s is not a user of this server.", clip(id))
	}
	nid, err := a.account(c, id)
	if err != nil {
		return nil, err
	}
	fields, err := a.o.Store.Profile(c.ctx, nid)
	if err != nil {
		return nil, err
	}
	want := c.query.Get("field")
	out := map[string]jsontext.Value{}
	for _, f := range fields {
		if want == "" || f.Name == want {
			out[f.Name] = jsontext.Value(f.Value)
		}
	}
	if want != "" && len(out) == 0 && want != "displayname" && want != "avatar_url" {
		return nil, mxerror.NotFound("The profile has no %s.", clip(want))
	}
	return out, nil
}

// queryDirectory is GET /query/directory.
func (a *API) queryDirectory(c *call) (any, error) {
	alias, err := c.needed("room_alias")
	if err != nil {
		return nil, err
	}
	al, err := a.o.Store.Alias(c.ctx, alias)
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("The room alias %s does not exist.", clip(alias))
	} else if err != nil {
		return nil, err
	}
	r, err := a.o.Store.RoomByNID(c.ctx, al.Room)
	if err != nil {
		return nil, err
	}
	servers, err := a.o.Store.JoinedServers(c.ctx, r.NID)
	if err != nil {
		return nil, err
	}
	// "servers: An array of server names that are likely to hold the given room": us first.
	servers = slices.DeleteFunc(servers, func(s string) bool { return s == a.o.Server })
	return object{"room_id": r.ID, "servers": append([]string{a.o.Server}, servers...)}, nil
}

// getPublicRooms is GET /publicRooms.
func (a *API) getPublicRooms(c *call) (any, error) {
	q := object{}
	if c.query.Get("limit") != "" {
		n, err := c.number("limit", 0)
		if err != nil {
			return nil, err
		}
		q["limit"] = n
	}
	if v := c.query.Get("since"); v != "" {
		q["since"] = v
	}
	all, err := c.truth("include_all_networks")
	if err != nil {
		return nil, err
	}
	if all {
		q["include_all_networks"] = true
	}
	if v := c.query.Get("third_party_instance_id"); v != "" {
		q["third_party_instance_id"] = v
	}
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	return a.o.Directory.PublicRoomsFor(c.ctx, raw)
}

// postPublicRooms is POST /publicRooms.
func (a *API) postPublicRooms(c *call) (any, error) {
	return a.o.Directory.PublicRoomsFor(c.ctx, c.raw)
}

// hierarchy is GET /hierarchy/{roomId}.
func (a *API) hierarchy(c *call) (any, error) {
	suggested, err := c.truth("suggested_only")
	if err != nil {
		return nil, err
	}
	return a.o.Directory.HierarchyFor(c.ctx, c.origin, c.params[0], suggested)
}
