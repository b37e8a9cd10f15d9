package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/homeserver/store"
)

// codeLife is how long an authorization code is good for: RFC 6749, section 4.1.2: "A maximum
// authorization code lifetime of 10 minutes is RECOMMENDED."
const (
	codeLife  = 10 * time.Minute
	codesKept = 8192
	kindCode  = "code"
)

// random makes a secret of 32 bytes.
func random() string {
	var raw [32]byte
	rand.Read(raw[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

func sumOf(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// addCode gives out an authorization code for what a user allows a client.
func (p *Provider) addCode(ctx context.Context, r *request, user int64) (secret string, err error) {
	secret = random()
	now := p.o.Now()
	c := store.OAuthCode{Sum: sumOf(secret), Kind: kindCode, Client: r.client.ID, Redirect: r.redirect, Challenge: r.challenge,
		Device: r.grant.Device, Scope: r.grant.Scope, State: store.CodeAllowed, User: user, ExpiresTS: now.Add(codeLife).UnixMilli()}
	err = p.o.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.AddOAuthCode(c, now.UnixMilli(), codesKept)
		return err
	})
	return secret, err
}

// code finds a code of a kind that was given out, used and expired or not; ErrNotFound if there is none such.
func (p *Provider) code(ctx context.Context, kind, secret string) (store.OAuthCode, error) {
	c, err := p.o.Store.OAuthCode(ctx, sumOf(secret))
	if err == nil && c.Kind != kind {
		err = store.ErrNotFound
	}
	return c, err
}

// move brings a code from one state to that of c; false if it is in another one by now.
func (p *Provider) move(ctx context.Context, from store.OAuthCodeState, c store.OAuthCode) (ok bool, err error) {
	err = p.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		ok, err = tx.MoveOAuthCode(from, c)
		return err
	})
	return ok, err
}

// challengeSize is the length of a code_challenge: base64 of a SHA-256.
const challengeSize = 43

func validChallenge(s string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return len(s) == challengeSize && err == nil && len(raw) == sha256.Size
}

// verifies tells whether a code_verifier is what a challenge was made of: "characters [A-Z], [a-z],
// [0-9], -, ., _ and ~ with a minimum length of 43 characters and a maximum length of 128 characters".
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~", c))
	}) {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
