package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/expirable"

	"github.com/landbridge-im/landbridge/homeserver/federation/fclient"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Remote asks other servers; *fclient.Client does.
type Remote interface {
	Directory(ctx context.Context, server, alias string) (fclient.Alias, error)
	Profile(ctx context.Context, server, user, field string) (map[string]jsontext.Value, error)
	PublicRooms(ctx context.Context, server string, q fclient.PublicRoomsQuery) (fclient.PublicRooms, error)
	Hierarchy(ctx context.Context, server, room string, suggestedOnly bool) (fclient.Hierarchy, error)
}

var _ Remote = (*fclient.Client)(nil)

const (
	// remoteTimeout is how long other servers have while a client waits.
	remoteTimeout = 10 * time.Second
	// remoteKept is for how long their answers are remembered, and remoteMax how many.
	remoteKept = time.Minute
	remoteMax  = 1024
	// remoteTries is how many servers are asked for the same, one after the other.
	remoteTries = 3
)

// remotes remembers what other servers said.
type remotes struct {
	profiles *lru.LRU[string, map[string]jsontext.Value]
	spaces   *lru.LRU[string, fclient.Hierarchy]
}

func newRemotes() *remotes {
	return &remotes{lru.NewLRU[string, map[string]jsontext.Value](remoteMax, nil, remoteKept), lru.NewLRU[string, fclient.Hierarchy](remoteMax/4, nil, remoteKept)}
}

// remote bounds the time for which another server is waited for.
func (a *API) remote(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(fclient.Urgent(ctx), remoteTimeout)
}

// remoteError is what a client is told when another server could not help: what it said itself if
// that is an answer, and 502 otherwise.
func remoteError(err error, what string) error {
	var e *fclient.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e) && (e.Status == 404 || e.Code == "M_NOT_FOUND"):
		return mxerror.NotFound("%s was not found by its server.", clip(what)).Because(err)
	case errors.As(err, &e) && (e.Status == 403 || e.Status == 401):
		return mxerror.Forbidden("The server of %s does not tell.", clip(what)).Because(err)
	}
	return mxerror.New(502, "M_UNKNOWN", "The server of %s could not be reached.", clip(what)).Because(err)
}

// roomOfAlias finds the room that an alias stands for, and servers that are in it.
func (a *API) roomOfAlias(ctx context.Context, alias string) (roomID string, servers []string, err error) {
	if err := checkAlias(alias); err != nil {
		return "", nil, err
	}
	server := store.ServerOf(alias)
	if a.o.Remote == nil || server == a.o.ServerName || !isServerName(server) {
		al, err := a.alias(ctx, alias)
		if err != nil {
			return "", nil, err
		}
		r, err := a.o.Store.RoomByNID(ctx, al.Room)
		if err != nil {
			return "", nil, err
		}
		servers, err := a.o.Store.JoinedServers(ctx, r.NID)
		servers = slices.DeleteFunc(servers, func(s string) bool { return s == a.o.ServerName })
		return r.ID, append([]string{a.o.ServerName}, servers[:min(len(servers), viaMax)]...), err
	}
	ctx, cancel := a.remote(ctx)
	defer cancel()
	got, err := a.o.Remote.Directory(ctx, server, alias)
	if err != nil {
		return "", nil, remoteError(err, alias)
	}
	if !strings.HasPrefix(got.Room, "!") || len(got.Room) > 255 {
		return "", nil, mxerror.New(502, "M_UNKNOWN", "The server of %s answered with no room.", clip(alias))
	}
	servers = slices.DeleteFunc(got.Servers[:min(len(got.Servers), viaMax)], func(s string) bool { return !isServerName(s) })
	if !slices.Contains(servers, server) {
		servers = append(servers, server)
	}
	return got.Room, servers, nil
}

// remoteProfile reads the profile of a user of another server, or one field of it.
func (a *API) remoteProfile(ctx context.Context, userID, field string) (map[string]jsontext.Value, error) {
	key := userID + " " + field
	if p, ok := a.remotes.profiles.Get(key); ok {
		return p, nil
	}
	ctx, cancel := a.remote(ctx)
	defer cancel()
	p, err := a.o.Remote.Profile(ctx, store.ServerOf(userID), userID, field)
	if err != nil {
		return nil, remoteError(err, userID)
	}
	for name, v := range p {
		if v.Kind() == 'n' || field != "" && name != field {
			delete(p, name)
		}
	}
	a.remotes.profiles.Add(key, p)
	return p, nil
}

// remotePublicRooms reads another server's directory of rooms.
func (a *API) remotePublicRooms(c *call, server string, q publicRoomsRequest) (any, error) {
	if !isServerName(server) {
		return nil, mxerror.InvalidParam("%q is no server name.", clip(server))
	}
	r := fclient.PublicRoomsQuery{IncludeAllNetworks: q.IncludeAll, ThirdPartyInstanceID: q.Network, Since: q.Since, Limit: publicRoomsPage}
	if q.Limit != nil && *q.Limit > 0 {
		r.Limit = min(*q.Limit, 1000)
	}
	filter := map[string]any{}
	if q.Filter.Term != "" {
		filter["generic_search_term"] = q.Filter.Term
	}
	if q.Filter.Types != nil {
		filter["room_types"] = *q.Filter.Types
	}
	if len(filter) > 0 {
		raw, err := json.Marshal(filter, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		r.Filter = raw
	}
	ctx, cancel := a.remote(c.ctx)
	defer cancel()
	got, err := a.o.Remote.PublicRooms(ctx, server, r)
	if err != nil {
		return nil, remoteError(err, server)
	}
	out := map[string]any{"chunk": slices.Concat([]jsontext.Value{}, got.Chunk), "total_room_count_estimate": max(got.Estimate, int64(len(got.Chunk)))}
	if got.NextBatch != "" {
		out["next_batch"] = got.NextBatch
	}
	if got.PrevBatch != "" {
		out["prev_batch"] = got.PrevBatch
	}
	return out, nil
}

// remoteHierarchy reads what other servers tell of a room that this one is not in.
func (a *API) remoteHierarchy(ctx context.Context, roomID string, via []string, suggestedOnly bool) (h fclient.Hierarchy, err error) {
	key := roomID
	if suggestedOnly {
		key += " suggested"
	}
	if h, ok := a.remotes.spaces.Get(key); ok {
		return h, nil
	}
	via = slices.DeleteFunc(slices.Concat(via, []string{store.ServerOf(roomID)}), func(s string) bool { return s == a.o.ServerName || !isServerName(s) })
	ctx, cancel := a.remote(ctx)
	defer cancel()
	err = errors.New("no server is known that is in the room")
	for _, server := range via[:min(len(via), remoteTries)] {
		if h, err = a.o.Remote.Hierarchy(ctx, server, roomID, suggestedOnly); err == nil && len(h.Room) > 0 {
			a.remotes.spaces.Add(key, h)
			return h, nil
		}
	}
	return h, remoteError(err, roomID)
}

// remoteSummary is a room as another server describes it.
func remoteSummary(raw jsontext.Value, roomID string) (*summary, error) {
	sum := &summary{}
	if err := json.Unmarshal(raw, sum, jsontext.AllowDuplicateNames(true)); err != nil || sum.RoomID != roomID {
		return nil, mxerror.New(502, "M_UNKNOWN", "Another server's description of %s is not right.", clip(roomID)).Because(err)
	}
	if sum.JoinRule == "" {
		sum.JoinRule = "public" // "If not present, the room is assumed to be public."
	}
	return sum, nil
}
