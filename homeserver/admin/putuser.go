package admin

import (
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"strings"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// userChange is the body of PUT v2/users/{userId}; what is nil stays as it is.
type userChange struct {
	Password    *string         `json:"password"`
	Logout      *bool           `json:"logout_devices"`
	DisplayName *string         `json:"displayname"`
	Avatar      *string         `json:"avatar_url"`
	ThreePIDs   *[]userThreePID `json:"threepids"`
	ExternalIDs *[]externalID   `json:"external_ids"`
	Admin       *bool           `json:"admin"`
	Deactivated *bool           `json:"deactivated"`
	Locked      *bool           `json:"locked"`
	Suspended   *bool           `json:"suspended"`
	Type        jsontext.Value  `json:"user_type"`
}

// userType is the type that the change asks for, "" for none.
func (q *userChange) userType() (typ string, err error) {
	if q.Type.Kind() == 'n' {
		return "", nil
	}
	if err := json.Unmarshal(q.Type, &typ); err != nil || typ == "" || len(typ) > 64 || strings.ContainsAny(typ, ",%_") {
		return "", mxerror.InvalidParam("Invalid user type")
	}
	return typ, nil
}

// check refuses what can't be before anything is changed.
func (a *Admin) checkChange(c client.AdminCall, q *userChange) error {
	if q.Type != nil {
		if _, err := q.userType(); err != nil {
			return err
		}
	}
	if q.Password != nil {
		if err := a.o.Accounts.CheckNewPassword(*q.Password); err != nil {
			return err
		}
	}
	if q.Avatar != nil && *q.Avatar != "" && !strings.HasPrefix(*q.Avatar, "mxc://") {
		return mxerror.InvalidParam("avatar_url must be an mxc:// address.")
	}
	if q.ThreePIDs != nil {
		for _, p := range *q.ThreePIDs {
			if p.Medium != accounts.MediumEmail && p.Medium != accounts.MediumPhone || p.Address == "" {
				return mxerror.InvalidParam("A third-party id needs a medium, email or msisdn, and an address.")
			}
		}
	}
	if q.ExternalIDs != nil {
		for _, e := range *q.ExternalIDs {
			if e.Provider == "" || e.ID == "" {
				return mxerror.MissingParam("An external id needs auth_provider and external_id.")
			}
		}
	}
	if c.Param(0) != c.Session().UserID {
		return nil
	}
	switch {
	case q.Admin != nil && !*q.Admin:
		return mxerror.Forbidden("You may not demote yourself.")
	case q.Deactivated != nil && *q.Deactivated, q.Locked != nil && *q.Locked, q.Suspended != nil && *q.Suspended:
		return mxerror.Forbidden("You may not do this to your own account.")
	}
	return nil
}

// putUser is PUT v2/users/{userId}: it makes an account, with 201, or changes one.
func (a *Admin) putUser(c client.AdminCall) (any, error) {
	var q userChange
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if err := a.checkChange(c, &q); err != nil {
		return nil, err
	}
	id, account, err := a.account(c)
	if mxerror.Is(err, "M_NOT_FOUND") {
		return a.createUser(c, q)
	} else if err != nil {
		return nil, err
	}
	a.audit(c, "change an account", id)
	if q.Deactivated != nil && !*q.Deactivated && account.DeactivatedTS != 0 {
		password := ""
		if q.Password != nil {
			password, q.Password = *q.Password, nil
		}
		if err := a.o.Accounts.Reactivate(c.Context(), account.User, password); err != nil {
			return nil, err
		}
	}
	if err := a.apply(c, id, account, q); err != nil {
		return nil, err
	}
	return a.getUser(c)
}

// createUser makes an account whose name may be anything that an account may have.
func (a *Admin) createUser(c client.AdminCall, q userChange) (any, error) {
	id := c.Param(0)
	localpart := strings.TrimSuffix(id[1:], ":"+a.o.ServerName)
	if localpart != strings.ToLower(localpart) {
		return nil, mxerror.New(400, "M_INVALID_USERNAME", "User ID can only contain characters a-z, 0-9, or '=_-./+'")
	}
	r := accounts.Registration{Localpart: localpart, Admin: q.Admin != nil && *q.Admin, DisplayName: localpart}
	if q.Password != nil {
		r.Password = *q.Password
	}
	if q.DisplayName != nil {
		r.DisplayName = *q.DisplayName
	}
	if _, err := a.o.Accounts.Register(c.Context(), r); err != nil {
		return nil, err
	}
	a.audit(c, "make an account", id)
	_, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	q.Password, q.DisplayName, q.Admin = nil, nil, nil
	if err := a.apply(c, id, account, q); err != nil {
		return nil, err
	}
	out, err := a.getUser(c)
	return client.Created(out), err
}

// apply makes the changes to an account that is there.
func (a *Admin) apply(c client.AdminCall, id string, account store.Account, q userChange) error {
	ctx, user, acc := c.Context(), account.User, a.o.Accounts
	var steps []func() error
	step := func(do bool, fn func() error) {
		if do {
			steps = append(steps, fn)
		}
	}
	step(q.DisplayName != nil, func() error { return a.o.Client.SetProfileOf(ctx, id, account, "displayname", *q.DisplayName) })
	step(q.Avatar != nil, func() error { return a.o.Client.SetProfileOf(ctx, id, account, "avatar_url", *q.Avatar) })
	step(q.ThreePIDs != nil, func() error {
		list := make([]store.ThreePID, len(*q.ThreePIDs))
		for i, p := range *q.ThreePIDs {
			list[i] = store.ThreePID{Medium: p.Medium, Address: p.Address}
		}
		return acc.SetThreePIDs(ctx, user, list)
	})
	step(q.ExternalIDs != nil, func() error {
		list := make([]store.SSOLink, len(*q.ExternalIDs))
		for i, e := range *q.ExternalIDs {
			list[i] = store.SSOLink{Provider: e.Provider, Subject: e.ID}
		}
		return acc.SetSSOLinks(ctx, user, list)
	})
	step(q.Admin != nil && *q.Admin != account.Admin, func() error { return acc.SetAdmin(ctx, user, *q.Admin) })
	step(q.Password != nil, func() error { return acc.ChangePassword(ctx, user, 0, *q.Password, q.Logout == nil || *q.Logout) })
	step(q.Locked != nil && *q.Locked != account.Locked, func() error { return acc.SetLocked(ctx, user, *q.Locked) })
	step(q.Suspended != nil && *q.Suspended != account.Suspended, func() error { return acc.SetSuspended(ctx, user, *q.Suspended) })
	step(q.Type != nil, func() error {
		typ, err := q.userType()
		return errors.Join(err, acc.SetType(ctx, user, typ))
	})
	step(q.Deactivated != nil && *q.Deactivated && account.DeactivatedTS == 0, func() error { return a.o.Client.Deactivate(ctx, id, false) })
	for _, fn := range steps {
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// deactivate is POST v1/deactivate/{userId}.
func (a *Admin) deactivate(c client.AdminCall) (any, error) {
	var q struct {
		Erase bool `json:"erase"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if account.DeactivatedTS == 0 {
		err = a.o.Client.Deactivate(c.Context(), id, q.Erase)
	} else if q.Erase && account.ErasedPos == 0 {
		err = a.o.Store.Write(c.Context(), func(t *store.Tx) error {
			if err := t.Erase(account.User); err != nil {
				return err
			}
			return t.ForgetUser(account.User)
		})
	}
	if err != nil {
		return nil, err
	}
	a.audit(c, "deactivate", id, "erase", q.Erase)
	return object{"id_server_unbind_result": "success"}, nil
}

// resetPassword is POST v1/reset_password/{userId}.
func (a *Admin) resetPassword(c client.AdminCall) (any, error) {
	q := struct {
		Password string `json:"new_password"`
		Logout   bool   `json:"logout_devices"`
	}{Logout: true}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.Password == "" {
		return nil, mxerror.MissingParam("new_password is missing.")
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if err := a.o.Accounts.ChangePassword(c.Context(), account.User, 0, q.Password, q.Logout); err != nil {
		return nil, err
	}
	a.audit(c, "reset the password", id)
	return nil, nil
}

// suspend is PUT v1/suspend/{userId}.
func (a *Admin) suspend(c client.AdminCall) (any, error) {
	var q struct {
		Suspend *bool `json:"suspend"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	if q.Suspend == nil {
		return nil, mxerror.MissingParam("suspend is missing.")
	}
	id, account, err := a.account(c)
	if err != nil {
		return nil, err
	}
	if id == c.Session().UserID {
		return nil, mxerror.Forbidden("You may not do this to your own account.")
	}
	if err := a.o.Accounts.SetSuspended(c.Context(), account.User, *q.Suspend); err != nil {
		return nil, err
	}
	a.audit(c, "suspend", id, "on", *q.Suspend)
	return object{"user_" + id + "_suspended": *q.Suspend}, nil
}
