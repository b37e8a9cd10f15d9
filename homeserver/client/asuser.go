package client

import (
	"context"

	"github.com/landbridge-im/landbridge/homeserver/accounts"
)

// sessionKey is the key of a request's session in its context.
type sessionKey struct{}

// WithSession makes a request be one of somebody who has shown in another way who they are: the
// server's own pages, where people are signed in with cookies. Requests that come over a network
// never have it.
func WithSession(ctx context.Context, s *accounts.Session) context.Context {
	return context.WithValue(ctx, sessionKey{}, s)
}

// given is the session that WithSession has given; nil if it has not.
func given(ctx context.Context) *Session {
	s, ok := ctx.Value(sessionKey{}).(*accounts.Session)
	if !ok {
		return nil
	}
	return &Session{Session: s}
}
