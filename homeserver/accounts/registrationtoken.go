package accounts

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// maxRegistrationToken is the specification's limit: opaque identifiers of at most 64 bytes.
const maxRegistrationToken = 64

// EnsureAdminToken returns a token with which the first person can sign up as administrator,
// once; it makes one unless there is one. When somebody has an account it returns "".
func (a *Accounts) EnsureAdminToken(ctx context.Context) (string, error) {
	people, err := a.store.PeopleCount(ctx)
	if err != nil || people > 0 {
		return "", err
	}
	tokens, err := a.store.RegistrationTokens(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range tokens {
		if k.MakesAdmin && k.UsesAllowed == 1 && k.Valid(a.nowMS()) {
			return k.Token, nil
		}
	}
	k := store.RegistrationToken{Token: randomText(20, lower32), UsesAllowed: 1, MakesAdmin: true, CreatedTS: a.nowMS()}
	err = a.store.Write(ctx, func(tx *store.Tx) error { _, err := tx.AddRegistrationToken(k); return err })
	return k.Token, err
}

// AddRegistrationToken adds a token; an empty one is made up.
func (a *Accounts) AddRegistrationToken(ctx context.Context, k store.RegistrationToken) (store.RegistrationToken, error) {
	if k.Token == "" {
		k.Token = randomText(16, lower32)
	}
	// Specification, "Token-authenticated registration": "an opaque string with maximum length
	// of 64 characters in the range [A-Za-z0-9._~-]".
	if !registrationTokenOK(k.Token) {
		return k, mxerror.InvalidParam("A registration token is at most %d characters out of A-Z, a-z, 0-9 and . _ ~ -.", maxRegistrationToken)
	}
	if k.UsesAllowed < 0 || k.ExpiresTS < 0 {
		return k, mxerror.InvalidParam("The number of uses and the expiry must not be negative.")
	}
	k.Used, k.CreatedTS = 0, a.nowMS()
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		fresh, err := tx.AddRegistrationToken(k)
		if err == nil && !fresh {
			return store.Refuse(mxerror.InvalidParam("There is such a registration token already."))
		}
		return err
	})
	return k, public(err)
}

func registrationTokenOK(token string) bool {
	if token == "" || len(token) > maxRegistrationToken {
		return false
	}
	for _, c := range token {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '~' || c == '-') {
			return false
		}
	}
	return true
}

// RegistrationTokenValid tells whether a token may be used once more.
func (a *Accounts) RegistrationTokenValid(ctx context.Context, token string) (bool, error) {
	if !registrationTokenOK(token) {
		return false, nil
	}
	k, err := a.store.RegistrationToken(ctx, token)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && k.Valid(a.nowMS()), public(err)
}
