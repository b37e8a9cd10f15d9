package admin

import (
	"strconv"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// userInfo is an account as lists show it.
type userInfo struct {
	Name         string  `json:"name"`
	Guest        bool    `json:"is_guest"`
	Admin        bool    `json:"admin"`
	Type         *string `json:"user_type"`
	Deactivated  bool    `json:"deactivated"`
	Erased       bool    `json:"erased"`
	ShadowBanned bool    `json:"shadow_banned"`
	Locked       bool    `json:"locked"`
	Suspended    bool    `json:"suspended"`
	DisplayName  *string `json:"displayname"`
	Avatar       *string `json:"avatar_url"`
	CreatedTS    int64   `json:"creation_ts"`
	LastSeenTS   *int64  `json:"last_seen_ts"`
}

func infoOf(id string, account store.Account, name, avatar string, seen int64) userInfo {
	out := userInfo{Name: id, Guest: account.Kind == "guest", Admin: account.Admin, Type: orNil(account.Type), Deactivated: account.DeactivatedTS != 0,
		Erased: account.ErasedPos != 0, ShadowBanned: account.ShadowBanned, Locked: account.Locked, Suspended: account.Suspended,
		DisplayName: text(name), Avatar: text(avatar), CreatedTS: account.CreatedTS}
	if seen != 0 {
		out.LastSeenTS = &seen
	}
	return out
}

// listUsers is GET v2/users and GET v3/users. In v2, deactivated=true includes those who are; in v3
// it asks for them alone.
func (a *Admin) listUsers(v3 bool) handler {
	return func(c client.AdminCall) (any, error) {
		from, limit, err := span(c, 100)
		if err != nil {
			return nil, err
		}
		q := store.UserQuery{ID: c.Query().Get("user_id"), Name: c.Query().Get("name"), Guests: true, Offset: from, Limit: limit, NotTypes: c.Query()["not_user_type"]}
		if q.Name != "" {
			q.ID = "" // "This parameter is ignored when using the name parameter."
		}
		guests, err := c.Truth("guests")
		if err != nil {
			return nil, err
		}
		q.Guests = guests == nil || *guests
		if q.Admins, err = c.Truth("admins"); err != nil {
			return nil, err
		}
		if q.Deactivated, err = c.Truth("deactivated"); err != nil {
			return nil, err
		}
		if !v3 {
			if q.Deactivated != nil && *q.Deactivated {
				q.Deactivated = nil
			} else {
				q.Deactivated = new(bool)
			}
		}
		locked, err := c.Truth("locked")
		if err != nil {
			return nil, err
		}
		q.Locked = locked != nil && *locked
		if q.OrderBy, err = orderBy(c, "name", "name", "is_guest", "admin", "user_type", "deactivated", "shadow_banned", "displayname", "avatar_url",
			"creation_ts", "last_seen_ts", "locked"); err != nil {
			return nil, err
		}
		if q.Back, err = back(c, "f"); err != nil {
			return nil, err
		}
		list, total, err := a.o.Store.Users(c.Context(), q)
		if err != nil {
			return nil, err
		}
		users := make([]userInfo, len(list))
		for i, u := range list {
			users[i] = infoOf(u.ID, u.Account, u.DisplayName, u.Avatar, u.LastSeenTS)
		}
		out := object{"users": users, "total": total}
		if next := from + len(list); int64(next) < total && len(list) > 0 {
			out["next_token"] = strconv.Itoa(next)
		}
		return out, nil
	}
}

type userThreePID struct {
	Medium      string `json:"medium"`
	Address     string `json:"address"`
	AddedTS     int64  `json:"added_at"`
	ValidatedTS int64  `json:"validated_at"`
}

type externalID struct {
	Provider string `json:"auth_provider"`
	ID       string `json:"external_id"`
}

// userDetails is an account in full. Its time of creation is in seconds.
type userDetails struct {
	userInfo
	ThreePIDs   []userThreePID `json:"threepids"`
	ExternalIDs []externalID   `json:"external_ids"`
	Service     *string        `json:"appservice_id"`
	Notice      *string        `json:"consent_server_notice_sent"`
	Consent     *string        `json:"consent_version"`
	ConsentTS   *int64         `json:"consent_ts"`
}

// getUser is GET v2/users/{userId}.
func (a *Admin) getUser(c client.AdminCall) (any, error) {
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	return a.details(c, id, account)
}

func (a *Admin) details(c client.AdminCall, id string, account store.Account) (*userDetails, error) {
	ctx, s := c.Context(), a.o.Store
	profile, err := s.Profile(ctx, account.User)
	if err != nil {
		return nil, err
	}
	fields := map[string]string{}
	for _, f := range profile {
		fields[f.Name] = f.Value
	}
	devices, err := s.DevicesOf(ctx, account.User)
	if err != nil {
		return nil, err
	}
	var seen int64
	for _, d := range devices {
		seen = max(seen, d.LastSeenTS)
	}
	out := &userDetails{userInfo: infoOf(id, account, fields["displayname"], fields["avatar_url"], seen), ThreePIDs: []userThreePID{}, ExternalIDs: []externalID{},
		Service: orNil(account.Service)}
	out.CreatedTS /= 1000
	addresses, err := s.ThreePIDsOf(ctx, account.User)
	if err != nil {
		return nil, err
	}
	for _, p := range addresses {
		out.ThreePIDs = append(out.ThreePIDs, userThreePID{p.Medium, p.Address, p.AddedTS, p.ValidatedTS})
	}
	links, err := s.SSOLinksOf(ctx, account.User)
	for _, l := range links {
		out.ExternalIDs = append(out.ExternalIDs, externalID{l.Provider, l.Subject})
	}
	return out, err
}

// usernameAvailable is GET v1/username_available.
func (a *Admin) usernameAvailable(c client.AdminCall) (any, error) {
	name := c.Query().Get("username")
	if name == "" {
		return nil, mxerror.MissingParam("username is missing.")
	}
	if err := a.o.Accounts.Available(c.Context(), name); err != nil {
		return nil, err
	}
	return object{"available": true}, nil
}
