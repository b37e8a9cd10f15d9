package client

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// moderation is a way of restraining an account: specification, "Account moderation".
type moderation struct {
	// field is what the requests call it.
	field string
	is    func(store.Account) bool
	set   func(a *API, ctx context.Context, user int64, on bool) error
}

var (
	suspension = moderation{"suspended", func(a store.Account) bool { return a.Suspended },
		func(a *API, ctx context.Context, user int64, on bool) error {
			return a.o.Accounts.SetSuspended(ctx, user, on)
		}}
	locking = moderation{"locked", func(a store.Account) bool { return a.Locked },
		func(a *API, ctx context.Context, user int64, on bool) error {
			return a.o.Accounts.SetLocked(ctx, user, on)
		}}
)

// moderated finds the account that an administrator asks about. "In order to prevent user
// enumeration, servers MUST ensure that authorisation is checked prior to trying to do account
// lookups."
func (a *API) moderated(c *call) (store.Account, error) {
	if !c.session.Admin {
		return store.Account{}, mxerror.Forbidden("Only administrators of this server may do this.")
	}
	account, err := a.o.Accounts.LocalAccount(c.ctx, c.params[0])
	if err != nil {
		return account, err
	}
	// 403: "... or the target user is another administrator"
	if account.Admin && account.User != c.session.User {
		return account, mxerror.Forbidden("The user is an administrator too.")
	}
	return account, nil
}

// getModeration is GET /admin/suspend/{userId} and GET /admin/lock/{userId}.
func (a *API) getModeration(m moderation) handler {
	return func(c *call) (any, error) {
		account, err := a.moderated(c)
		if err != nil {
			return nil, err
		}
		return map[string]bool{m.field: m.is(account)}, nil
	}
}

// putModeration is PUT /admin/suspend/{userId} and PUT /admin/lock/{userId}.
func (a *API) putModeration(m moderation) handler {
	return func(c *call) (any, error) {
		var q struct {
			Suspended *bool `json:"suspended"`
			Locked    *bool `json:"locked"`
		}
		if !c.session.Admin {
			return nil, mxerror.Forbidden("Only administrators of this server may do this.")
		}
		if err := c.body(&q); err != nil {
			return nil, err
		}
		to := q.Suspended
		if m.field == "locked" {
			to = q.Locked
		}
		if to == nil {
			return nil, mxerror.MissingParam("%s is missing.", m.field)
		}
		account, err := a.moderated(c)
		if err != nil {
			return nil, err
		}
		if account.User == c.session.User {
			return nil, mxerror.Forbidden("You can't do this to your own account.")
		}
		if err := m.set(a, c.ctx, account.User, *to); err != nil {
			return nil, err
		}
		return map[string]bool{m.field: *to}, nil
	}
}

// whois is GET /admin/whois/{userId}: "This API may be restricted to only be called by the user
// being looked up, or by a server admin."
func (a *API) whois(c *call) (any, error) {
	id := c.params[0]
	if id != c.session.UserID && !c.session.Admin {
		return nil, mxerror.Forbidden("Only administrators of this server, and the user, may ask this.")
	}
	account, err := a.o.Accounts.LocalAccount(c.ctx, id)
	if err != nil {
		return nil, err
	}
	all, err := a.o.Store.DevicesOf(c.ctx, account.User)
	if err != nil {
		return nil, err
	}
	devices := map[string]any{}
	for _, d := range all {
		connection := map[string]any{"last_seen": d.LastSeenTS}
		if d.LastSeenIP != "" {
			connection["ip"] = d.LastSeenIP
		}
		if d.LastSeenAgent != "" {
			connection["user_agent"] = d.LastSeenAgent
		}
		devices[d.ID] = map[string]any{"sessions": []any{map[string]any{"connections": []any{connection}}}}
	}
	return map[string]any{"user_id": id, "devices": devices}, nil
}
