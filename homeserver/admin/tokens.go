package admin

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// tokenInfo is a registration token. A use is complete at once, so none is ever pending.
type tokenInfo struct {
	Token     string `json:"token"`
	Allowed   *int64 `json:"uses_allowed"`
	Pending   int64  `json:"pending"`
	Completed int64  `json:"completed"`
	Expiry    *int64 `json:"expiry_time"`
}

// noUses is how the store keeps that a token may not be used at all: its 0 is for no limit.
const noUses = -1

func tokenOf(k store.RegistrationToken) tokenInfo {
	out := tokenInfo{Token: k.Token, Completed: k.Used}
	if k.UsesAllowed != 0 {
		n := max(k.UsesAllowed, 0)
		out.Allowed = &n
	}
	if k.ExpiresTS != 0 {
		out.Expiry = &k.ExpiresTS
	}
	return out
}

// tokenChange is what a request says of a token; null is another thing than nothing.
type tokenChange struct {
	Token   *string        `json:"token"`
	Length  *int64         `json:"length"`
	Allowed jsontext.Value `json:"uses_allowed"`
	Expiry  jsontext.Value `json:"expiry_time"`
}

// apply changes a token.
func (q tokenChange) apply(k *store.RegistrationToken, nowMS int64) error {
	for _, f := range []struct {
		name  string
		value jsontext.Value
		to    *int64
		least int64
	}{{"uses_allowed", q.Allowed, &k.UsesAllowed, 0}, {"expiry_time", q.Expiry, &k.ExpiresTS, nowMS}} {
		switch {
		case f.value == nil:
			continue
		case f.value.Kind() == 'n':
			*f.to = 0
			continue
		}
		if err := json.Unmarshal(f.value, f.to); err != nil {
			return mxerror.InvalidParam("%s must be an integer or null", f.name)
		}
		if *f.to < f.least {
			return mxerror.InvalidParam("%s must not be negative or in the past", f.name)
		}
		if *f.to == 0 && f.name == "uses_allowed" {
			*f.to = noUses
		}
	}
	return nil
}

// listTokens is GET v1/registration_tokens.
func (a *Admin) listTokens(c client.AdminCall) (any, error) {
	valid, err := c.Truth("valid")
	if err != nil {
		return nil, err
	}
	list, err := a.o.Store.RegistrationTokens(c.Context())
	out := []tokenInfo{}
	for _, k := range list {
		if valid == nil || k.Valid(a.nowMS()) == *valid {
			out = append(out, tokenOf(k))
		}
	}
	return object{"registration_tokens": out}, err
}

func (a *Admin) token(c client.AdminCall) (store.RegistrationToken, error) {
	k, err := a.o.Store.RegistrationToken(c.Context(), c.Param(0))
	if errors.Is(err, store.ErrNotFound) {
		return k, mxerror.NotFound("No such registration token: %s", c.Param(0))
	}
	return k, err
}

// getToken is GET v1/registration_tokens/{token}.
func (a *Admin) getToken(c client.AdminCall) (any, error) {
	k, err := a.token(c)
	return tokenOf(k), err
}

// newToken is POST v1/registration_tokens/new.
func (a *Admin) newToken(c client.AdminCall) (any, error) {
	var q tokenChange
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	k := store.RegistrationToken{}
	if err := q.apply(&k, a.nowMS()); err != nil {
		return nil, err
	}
	length := int64(16)
	if q.Length != nil {
		length = *q.Length
	}
	if length < 1 || length > 64 {
		return nil, mxerror.InvalidParam("length must be greater than zero and not greater than 64")
	}
	if q.Token != nil {
		if k.Token = *q.Token; k.Token == "" {
			return nil, mxerror.InvalidParam("token must not be empty")
		}
	} else {
		buf := make([]byte, length)
		rand.Read(buf) // never fails
		k.Token = base64.RawURLEncoding.EncodeToString(buf)[:length]
	}
	uses := k.UsesAllowed
	k.UsesAllowed = max(uses, 0)
	k, err := a.o.Accounts.AddRegistrationToken(c.Context(), k)
	if err != nil {
		return nil, err
	}
	if uses == noUses {
		k.UsesAllowed = noUses
		if err := a.changeToken(c, k); err != nil {
			return nil, err
		}
	}
	a.audit(c, "make a registration token", "")
	return tokenOf(k), nil
}

// putToken is PUT v1/registration_tokens/{token}.
func (a *Admin) putToken(c client.AdminCall) (any, error) {
	var q tokenChange
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	k, err := a.token(c)
	if err != nil {
		return nil, err
	}
	if err := q.apply(&k, a.nowMS()); err != nil {
		return nil, err
	}
	if err := a.changeToken(c, k); err != nil {
		return nil, err
	}
	a.audit(c, "change a registration token", "")
	return tokenOf(k), nil
}

func (a *Admin) changeToken(c client.AdminCall, k store.RegistrationToken) error {
	return a.o.Store.Write(c.Context(), func(t *store.Tx) error {
		ok, err := t.ChangeRegistrationToken(k)
		if err == nil && !ok {
			return store.Refuse(mxerror.NotFound("No such registration token: %s", k.Token))
		}
		return err
	})
}

// deleteToken is DELETE v1/registration_tokens/{token}.
func (a *Admin) deleteToken(c client.AdminCall) (any, error) {
	k, err := a.token(c)
	if err != nil {
		return nil, err
	}
	err = a.o.Store.Write(c.Context(), func(t *store.Tx) error { return t.DeleteRegistrationToken(k.Token) })
	if err == nil {
		a.audit(c, "delete a registration token", "")
	}
	return nil, err
}
