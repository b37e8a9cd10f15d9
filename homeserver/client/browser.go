package client

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"net/http"
	"net/url"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Pages is what the server's own pages have in common with the API: the same limits and rules.
type Pages struct{ a *API }

// Pages gives it.
func (a *API) Pages() Pages { return Pages{a} }

func (p Pages) call(r *http.Request) *call { return &call{api: p.a, ctx: r.Context(), r: r} }

func allow(l *accounts.Limiter, keys ...string) error {
	for _, key := range keys {
		if err := l.Allow(key); err != nil {
			return err
		}
	}
	return nil
}

// Login counts an attempt to log in as somebody, together with those at POST /login.
func (p Pages) Login(r *http.Request, who string) error {
	return allow(p.a.limits.Load().logins, p.call(r).limitKey(), "user "+clip(who))
}

// Registration counts a new account.
func (p Pages) Registration(r *http.Request) error {
	return allow(p.a.limits.Load().registrations, p.call(r).limitKey())
}

// Mail counts a message to an address.
func (p Pages) Mail(r *http.Request, to string) error {
	return allow(p.a.limits.Load().messagesOut, p.call(r).limitKey(), "to "+clip(to))
}

// Stranger counts what else may be asked by those who are not logged in.
func (p Pages) Stranger(r *http.Request) error {
	return allow(p.a.limits.Load().strangers, p.call(r).limitKey())
}

// Address is the network address of who makes a request.
func (p Pages) Address(r *http.Request) string { return p.call(r).address() }

// MailLink makes the address that a link in a message leads to.
func (p Pages) MailLink(q url.Values) string { return p.a.submitURL(q) }

// Trusted tells whether a client may be given a login token without a question.
func (p Pages) Trusted(address *url.URL) bool { return p.a.knownClient(address) }

// SSOCookie is the cookie by which a browser is known again that comes back from an identity provider.
func (p Pages) SSOCookie(value string) *http.Cookie { return p.a.ssoCookie(value, 0) }

// Settings are those in force.
func (p Pages) Settings() Settings { return *p.a.settings.Load() }

// CheckName tells as an error why a name can't be signed up with.
func (p Pages) CheckName(ctx context.Context, localpart string) error {
	return p.a.available(&call{api: p.a, ctx: ctx}, localpart)
}

// Deactivate is API.Deactivate.
func (p Pages) Deactivate(ctx context.Context, userID string, erase bool) error {
	return p.a.Deactivate(ctx, userID, erase)
}

// RenameDevice names a user's device. One that is not there is M_NOT_FOUND.
func (p Pages) RenameDevice(ctx context.Context, user int64, id, name string) error {
	if err := accounts.CheckDeviceName(name); err != nil {
		return err
	}
	return p.a.o.Store.Write(ctx, func(t *store.Tx) error {
		ok, err := renameDevice(t, store.DeviceName{User: user, ID: id}, name)
		if err == nil && !ok {
			err = store.Refuse(mxerror.NotFound("You have no device %s.", clip(id)))
		}
		return err
	})
}

// RemoveEmail takes an e-mail address from an account, and back from the identity server that knows it.
func (p Pages) RemoveEmail(ctx context.Context, userID string, user int64, address string) error {
	if _, err := p.a.unbind(ctx, user, userID, namedThreePID{Medium: accounts.MediumEmail, Address: address}); err != nil {
		return err
	}
	return p.a.o.Accounts.DeleteThreePID(ctx, user, accounts.MediumEmail, address)
}

// SetProfile sets a field of a user's profile to a text; an empty one removes it.
func (p Pages) SetProfile(ctx context.Context, userID string, user int64, field, text string) error {
	account, err := p.a.o.Store.Account(ctx, user)
	if err != nil {
		return err
	}
	if account.Suspended {
		return accounts.Suspended()
	}
	value := jsontext.Value(nil)
	if text != "" {
		raw, err := json.Marshal(text)
		if err != nil {
			return mxerror.InvalidParam("The text is not valid UTF-8.")
		}
		value = raw
	}
	c := &call{api: p.a, ctx: ctx, params: []string{userID}, session: &Session{Session: &accounts.Session{UserID: userID, User: user}}}
	return p.a.setProfile(c, map[string]jsontext.Value{field: value}, false)
}
