package admin

import (
	"errors"
	"math"
	"slices"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// standings lists where a user, of any server, is or was.
func (a *Admin) standings(c client.AdminCall) (map[string]string, error) {
	ctx := c.Context()
	user, err := a.o.Store.UserNID(ctx, c.Param(0))
	if errors.Is(err, store.ErrNotFound) {
		if a.local(c.Param(0)) == nil {
			return nil, mxerror.NotFound("User not found")
		}
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	list, err := a.o.Store.RoomsOf(ctx, user)
	out := make(map[string]string, len(list))
	for _, m := range list {
		r, err := a.o.Store.RoomByNID(ctx, m.Room)
		if errors.Is(err, store.ErrNotFound) {
			continue // removed meanwhile
		} else if err != nil {
			return nil, err
		}
		out[r.ID] = m.Membership
	}
	return out, err
}

// joinedRooms is GET v1/users/{userId}/joined_rooms.
func (a *Admin) joinedRooms(c client.AdminCall) (any, error) {
	all, err := a.standings(c)
	rooms := []string{}
	for id, m := range all {
		if m == "join" {
			rooms = append(rooms, id)
		}
	}
	slices.Sort(rooms)
	return object{"joined_rooms": rooms, "total": len(rooms)}, err
}

// memberships is GET v1/users/{userId}/memberships.
func (a *Admin) memberships(c client.AdminCall) (any, error) {
	all, err := a.standings(c)
	if all == nil {
		all = map[string]string{}
	}
	return object{"memberships": all}, err
}

// userPushers is GET v1/users/{userId}/pushers.
func (a *Admin) userPushers(c client.AdminCall) (any, error) {
	_, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Pushers.List(c.Context(), account.User)
	return object{"pushers": list, "total": len(list)}, err
}

// accountData is GET v1/users/{userId}/accountdata.
func (a *Admin) accountData(c client.AdminCall) (any, error) {
	_, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.AccountDataAfter(c.Context(), account.User, 0, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	global, rooms := object{}, map[string]object{}
	for _, d := range list {
		in := global
		if d.Room != 0 {
			r, err := a.o.Store.RoomByNID(c.Context(), d.Room)
			if errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return nil, err
			}
			if rooms[r.ID] == nil {
				rooms[r.ID] = object{}
			}
			in = rooms[r.ID]
		}
		in[d.Type] = raw(d.Content)
	}
	return object{"account_data": object{"global": global, "rooms": rooms}}, nil
}

// isAdmin is GET v1/users/{userId}/admin.
func (a *Admin) isAdmin(c client.AdminCall) (any, error) {
	_, account, err := a.account(c)
	return object{"admin": account.Admin}, err
}

// setAdmin is PUT v1/users/{userId}/admin.
func (a *Admin) setAdmin(c client.AdminCall) (any, error) {
	var q struct {
		Admin *bool `json:"admin"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.Admin == nil {
		return nil, mxerror.MissingParam("admin is missing.")
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if id == c.Session().UserID && !*q.Admin {
		return nil, mxerror.Forbidden("You may not demote yourself.")
	}
	if err := a.o.Accounts.SetAdmin(c.Context(), account.User, *q.Admin); err != nil {
		return nil, err
	}
	a.audit(c, "set whether the user is an administrator", id, "on", *q.Admin)
	return nil, nil
}

// loginAs is POST v1/users/{userId}/login. The token belongs to a device of its own, which the user
// can see.
func (a *Admin) loginAs(c client.AdminCall) (any, error) {
	var q struct {
		Until *int64 `json:"valid_until_ms"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	id, _, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if id == c.Session().UserID {
		return nil, mxerror.InvalidParam("Cannot use admin API to login as self")
	}
	var until int64
	if q.Until != nil {
		if until = *q.Until; until <= a.nowMS() {
			return nil, mxerror.InvalidParam("valid_until_ms must be in the future.")
		}
	}
	l, err := a.o.Accounts.LoginAsUntil(c.Context(), id, accounts.DeviceRequest{Name: "Server administrator"}, until)
	if err != nil {
		return nil, err
	}
	a.audit(c, "log in as the user", id)
	return object{"access_token": l.AccessToken}, nil
}

// shadowBan is POST and DELETE v1/users/{userId}/shadow_ban.
func (a *Admin) shadowBan(on bool) handler {
	return func(c client.AdminCall) (any, error) {
		id, account, err := a.account(c)
		if err != nil {
			return nil, err
		}
		if err := a.o.Accounts.SetShadowBanned(c.Context(), account.User, on); err != nil {
			return nil, err
		}
		a.audit(c, "shadow-ban", id, "on", on)
		return nil, nil
	}
}

// getRate is GET v1/users/{userId}/override_ratelimit.
func (a *Admin) getRate(c client.AdminCall) (any, error) {
	_, account, err := a.account(c)
	if err != nil || account.RateMilli < 0 {
		return nil, err
	}
	return object{"messages_per_second": account.RateMilli / 1000, "burst_count": account.RateBurst}, nil
}

// setRate is POST v1/users/{userId}/override_ratelimit.
func (a *Admin) setRate(c client.AdminCall) (any, error) {
	var q struct {
		PerSecond int64 `json:"messages_per_second"`
		Burst     int64 `json:"burst_count"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	const most = 1 << 30
	if q.PerSecond < 0 || q.Burst < 0 || q.PerSecond > most || q.Burst > most {
		return nil, mxerror.InvalidParam("messages_per_second and burst_count must be positive integers.")
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if err := a.o.Accounts.SetRate(c.Context(), account.User, q.PerSecond*1000, q.Burst); err != nil {
		return nil, err
	}
	a.audit(c, "set the limit of requests", id, "per_second", q.PerSecond)
	return object{"messages_per_second": q.PerSecond, "burst_count": q.Burst}, nil
}

// deleteRate is DELETE v1/users/{userId}/override_ratelimit.
func (a *Admin) deleteRate(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if err := a.o.Accounts.SetRate(c.Context(), account.User, -1, 0); err != nil {
		return nil, err
	}
	a.audit(c, "remove the limit of requests", id)
	return nil, nil
}

// newKeysFor is for how long keys may be replaced without a confirmation.
const newKeysFor = 10 * time.Minute

// allowNewKeys is POST v1/users/{userId}/_allow_cross_signing_replacement_without_uia.
func (a *Admin) allowNewKeys(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	keys, err := a.o.Store.CrossSigningKeys(c.Context(), account.User)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(keys, func(k store.CrossSigningKey) bool { return k.Usage == "master" }) {
		return nil, mxerror.NotFound("User has no master cross-signing key")
	}
	until := a.o.Now().Add(newKeysFor).UnixMilli()
	if err := a.o.Accounts.AllowNewKeys(c.Context(), account.User, until); err != nil {
		return nil, err
	}
	a.audit(c, "allow new cross-signing keys", id)
	return object{"updatable_without_uia_before_ms": until}, nil
}

// userOfProvider is GET v1/auth_providers/{provider}/users/{externalId}.
func (a *Admin) userOfProvider(c client.AdminCall) (any, error) {
	user, err := a.o.Store.SSOUser(c.Context(), c.Param(0), c.Param(1))
	return a.found(c, user, err)
}

// userOfThreePID is GET v1/threepid/{medium}/users/{address}.
func (a *Admin) userOfThreePID(c client.AdminCall) (any, error) {
	address := c.Param(1)
	if c.Param(0) == accounts.MediumEmail {
		canonical, err := accounts.CanonicalEmail(address)
		if err != nil {
			return nil, mxerror.NotFound("User not found")
		}
		address = canonical
	}
	p, err := a.o.Store.ThreePID(c.Context(), c.Param(0), address)
	return a.found(c, p.User, err)
}

func (a *Admin) found(c client.AdminCall, user int64, err error) (any, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, mxerror.NotFound("User not found")
	} else if err != nil {
		return nil, err
	}
	id, err := a.o.Store.UserID(c.Context(), user)
	return object{"user_id": id}, err
}
