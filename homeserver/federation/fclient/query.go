package fclient

import (
	"context"
	"encoding/json/jsontext"
	"net/http"
	"net/url"
	"strconv"
)

// Alias is what a room alias leads to.
type Alias struct {
	Room    string   `json:"room_id"`
	Servers []string `json:"servers"`
}

// Directory looks a room alias up.
func (c *Client) Directory(ctx context.Context, server, alias string) (out Alias, err error) {
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("query", "directory"), query: url.Values{"room_alias": {alias}}}, &out)
	return out, err
}

// Profile reads a user's profile, or one field of it.
func (c *Client) Profile(ctx context.Context, server, user, field string) (out map[string]jsontext.Value, err error) {
	q := url.Values{"user_id": {user}}
	if field != "" {
		q.Set("field", field)
	}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("query", "profile"), query: q, limit: 256 << 10}, &out)
	return out, err
}

// Devices are a user's devices and cross-signing keys.
type Devices struct {
	User     string         `json:"user_id"`
	StreamID int64          `json:"stream_id"`
	Devices  []Device       `json:"devices"`
	Master   jsontext.Value `json:"master_key,omitempty"`
	Self     jsontext.Value `json:"self_signing_key,omitempty"`
}

// Device is one of them.
type Device struct {
	ID   string         `json:"device_id"`
	Name string         `json:"device_display_name,omitempty"`
	Keys jsontext.Value `json:"keys"`
}

// UserDevices reads a user's devices.
func (c *Client) UserDevices(ctx context.Context, server, user string) (out Devices, err error) {
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("user", "devices", user)}, &out)
	return out, err
}

// Keys are the device and cross-signing keys of users.
type Keys struct {
	Devices map[string]map[string]jsontext.Value `json:"device_keys"`
	Master  map[string]jsontext.Value            `json:"master_keys,omitempty"`
	Self    map[string]jsontext.Value            `json:"self_signing_keys,omitempty"`
}

// QueryUserKeys reads the keys of users; an empty list of devices means all of them.
func (c *Client) QueryUserKeys(ctx context.Context, server string, users map[string][]string) (out Keys, err error) {
	for user, devices := range users {
		if devices == nil {
			users[user] = []string{}
		}
	}
	err = c.do(ctx, server, call{method: http.MethodPost, path: v1("user", "keys", "query"), body: map[string]any{"device_keys": users}}, &out)
	return out, err
}

// ClaimKeys takes one-time keys, by user, device and algorithm, and answers with keys by user,
// device and key id.
func (c *Client) ClaimKeys(ctx context.Context, server string, keys map[string]map[string]string) (map[string]map[string]map[string]jsontext.Value, error) {
	var out struct {
		Keys map[string]map[string]map[string]jsontext.Value `json:"one_time_keys"`
	}
	err := c.do(ctx, server, call{method: http.MethodPost, path: v1("user", "keys", "claim"), body: map[string]any{"one_time_keys": keys}}, &out)
	return out.Keys, err
}

// Hierarchy is a space as another server sees it.
type Hierarchy struct {
	Room         jsontext.Value   `json:"room"`
	Children     []jsontext.Value `json:"children"`
	Inaccessible []string         `json:"inaccessible_children"`
}

// Hierarchy reads a space and its children.
func (c *Client) Hierarchy(ctx context.Context, server, room string, suggestedOnly bool) (out Hierarchy, err error) {
	q := url.Values{"suggested_only": {strconv.FormatBool(suggestedOnly)}}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("hierarchy", room), query: q}, &out)
	return out, err
}

// PublicRoomsQuery asks for a part of a directory of rooms.
type PublicRoomsQuery struct {
	Filter               jsontext.Value `json:"filter,omitzero"`
	IncludeAllNetworks   bool           `json:"include_all_networks,omitzero"`
	ThirdPartyInstanceID string         `json:"third_party_instance_id,omitzero"`
	Limit                int            `json:"limit,omitzero"`
	Since                string         `json:"since,omitzero"`
}

// PublicRooms is such a part.
type PublicRooms struct {
	Chunk     []jsontext.Value `json:"chunk"`
	NextBatch string           `json:"next_batch,omitempty"`
	PrevBatch string           `json:"prev_batch,omitempty"`
	Estimate  int64            `json:"total_room_count_estimate,omitempty"`
}

// PublicRooms reads a server's directory of rooms.
func (c *Client) PublicRooms(ctx context.Context, server string, q PublicRoomsQuery) (out PublicRooms, err error) {
	err = c.do(ctx, server, call{method: http.MethodPost, path: v1("publicRooms"), body: q}, &out)
	return out, err
}

// OpenIDUser tells which user an OpenID token is of.
func (c *Client) OpenIDUser(ctx context.Context, server, token string) (user string, err error) {
	var out struct {
		Sub string `json:"sub"`
	}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("openid", "userinfo"), query: url.Values{"access_token": {token}}, unsigned: true}, &out)
	return out.Sub, err
}

// Version is the name and version of a server's software.
func (c *Client) Version(ctx context.Context, server string) (name, version string, err error) {
	var out struct {
		Server struct {
			Name    string `json:"name"`
			Version string `json:"version"`
		} `json:"server"`
	}
	err = c.do(ctx, server, call{method: http.MethodGet, path: v1("version"), unsigned: true, limit: 64 << 10}, &out)
	return out.Server.Name, out.Server.Version, err
}

// ServerKeys reads what a server says of its keys.
func (c *Client) ServerKeys(ctx context.Context, server string) (raw jsontext.Value, err error) {
	err = c.do(ctx, server, call{method: http.MethodGet, path: []string{"_matrix", "key", "v2", "server"}, unsigned: true, limit: 64 << 10}, &raw)
	return raw, err
}

// QueryKeys asks a notary for the keys of other servers.
func (c *Client) QueryKeys(ctx context.Context, notary string, body any) ([]jsontext.Value, error) {
	var out struct {
		Keys []jsontext.Value `json:"server_keys"`
	}
	err := c.do(ctx, notary, call{method: http.MethodPost, path: []string{"_matrix", "key", "v2", "query"}, body: body, unsigned: true}, &out)
	return out.Keys, err
}
