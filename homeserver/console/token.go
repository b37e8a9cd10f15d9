package console

import (
	"context"
	"errors"

	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// Token is a registration token.
type Token struct {
	Token string `json:"token"`
	// Uses is how often it may be used, 0 for as often as one likes; Used how often it was.
	Uses int64 `json:"uses_allowed"`
	Used int64 `json:"used"`
	// ExpiresTS is in milliseconds; 0 is never.
	ExpiresTS int64 `json:"expires_ts"`
	// Admin makes an administrator of whoever uses it.
	Admin bool `json:"makes_admin"`
}

func token(k store.RegistrationToken) Token {
	return Token{k.Token, k.UsesAllowed, k.Used, k.ExpiresTS, k.MakesAdmin}
}

// createToken is the command /token/create; a token that is empty is made up.
func (c *console) createToken(ctx context.Context, q Token) (Token, error) {
	k, err := c.o.Accounts.AddRegistrationToken(ctx, store.RegistrationToken{Token: q.Token, UsesAllowed: q.Uses, ExpiresTS: q.ExpiresTS, MakesAdmin: q.Admin})
	return token(k), err
}

// Tokens are all registration tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// listTokens is the command /token/list.
func (c *console) listTokens(ctx context.Context, _ struct{}) (Tokens, error) {
	list, err := c.o.Store.RegistrationTokens(ctx)
	out := Tokens{make([]Token, len(list))}
	for i, k := range list {
		out.Tokens[i] = token(k)
	}
	return out, err
}

// deleteToken is the command /token/delete.
func (c *console) deleteToken(ctx context.Context, q Named) (Token, error) {
	k, err := c.o.Store.RegistrationToken(ctx, q.Name)
	if errors.Is(err, store.ErrNotFound) {
		return Token{}, mxerror.NotFound("There is no registration token %s.", q.Name)
	}
	if err != nil {
		return Token{}, err
	}
	return token(k), c.o.Store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteRegistrationToken(q.Name) })
}
